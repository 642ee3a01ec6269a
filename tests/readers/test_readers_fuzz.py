"""Whatever is in a file, reading it ends soon, stays small, and raises nothing but FloraError."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from foreign_samples import FOREIGN
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from patience import PATIENCE
from reader_samples import write_samples

from flora_engine.errors import FloraError
from flora_engine.readers import attempt_sequence, can_read, read_sequence
from flora_engine.readers.inspection import inspect
from flora_engine.readers.reading_recipes import ReadingRecipe, columns_in_order
from flora_engine.skeleton import LAYOUTS, SkeletonSequence, to_kinect_v2

FOREIGN_KINDS = tuple(FOREIGN)
KINDS = (
    *("ntu", "npz", "utd_mhad", "mat_plain", "nw_ucla", "pku", "wide", "long", "bvh"),
    *("mediapipe_json", "mediapipe_npz"),
)
SECONDS, BYTES = PATIENCE, 96 * 2**20  # samples have at most 100 kB; the time only bounds a hang


@pytest.fixture(scope="module", autouse=True)
def _compiled(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The first NTU file compiles the parser: seconds and memory which are not those of reading."""
    read_sequence(write_samples(tmp_path_factory.mktemp("compile"))["ntu"])


insertions = st.one_of(
    st.sampled_from(
        [b"nan", b"-inf", b"1e999", b"3000000000", b"-1", b"0", b"99999999999999999999999", b"\xff\xfe", b"\0"]
    ),
    st.sampled_from(
        [b"\n", b",", b";", b'"', b"{", b"}", b"[", b"]", b" ", b"\r", b"End Site", b"null", b"true", b"1_0"]
    ),
    st.integers(-(2**65), 2**65).map(lambda number: str(number).encode()),
    st.binary(min_size=1, max_size=8),
)
places = st.one_of(st.floats(0, 1), st.floats(0, 0.02), st.floats(0.98, 1))
changes = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), places, st.integers(1, 255)),
        st.tuples(st.just("insert"), places, insertions),
        st.tuples(st.just("overwrite"), places, insertions),
        st.tuples(st.just("delete"), places, st.integers(1, 400)),
        st.tuples(st.just("repeat"), places, st.integers(1, 2000)),
        st.tuples(st.just("truncate"), places, st.none()),
    ),
    min_size=1,
    max_size=4,
)


def mutate(data: bytes, edits: list[tuple[str, float, object]]) -> bytes:
    for kind, place, what in edits:
        at = min(int(place * len(data)), len(data) - 1)
        if at < 0:
            break
        if kind == "flip":
            data = data[:at] + bytes([data[at] ^ what]) + data[at + 1 :]  # type: ignore[operator]
        elif kind == "insert":
            data = data[:at] + what + data[at:]  # type: ignore[operator]
        elif kind == "overwrite":
            data = data[:at] + what + data[at + len(what) :]  # type: ignore[operator, arg-type]
        elif kind == "delete":
            data = data[:at] + data[at + what :]  # type: ignore[operator]
        elif kind == "repeat":
            data = data[: at + what] + data[at:]  # type: ignore[operator]
        else:
            data = data[:at]
    return data


def assert_well_behaved(path: Path) -> None:
    tracemalloc.start()
    start = time.monotonic()
    try:
        can_read(path)
        sequence = read_sequence(path, allow_nan=True)
    except FloraError as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error)
    else:
        assert_sound(sequence)
    finally:
        seconds, peak = time.monotonic() - start, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert seconds < SECONDS and peak < BYTES


def assert_sound(sequence: SkeletonSequence) -> None:
    shape = (sequence.frames, sequence.persons, len(LAYOUTS[sequence.layout].joints), 3)
    assert sequence.joints.shape == shape and sequence.joints.dtype == np.float32 and sequence.joints.size
    assert not np.isinf(sequence.joints).any() and sequence.fps > 0
    assert sequence.tracking is None or sequence.tracking.max() <= 2
    to_kinect_v2(sequence)
    if sequence.frames < 500:
        inspect(sequence)


@pytest.mark.parametrize("kind", KINDS)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(edits=changes)
def test_damaged_samples(tmp_path: Path, kind: str, edits: list[tuple[str, float, object]]) -> None:
    samples = tmp_path / "samples"
    path = write_samples(samples)[kind] if not samples.exists() else _sample(samples, kind)
    damaged = tmp_path / path.name
    damaged.write_bytes(mutate(path.read_bytes(), edits))
    assert_well_behaved(damaged)


@pytest.mark.parametrize("kind", FOREIGN_KINDS)
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(edits=changes)
def test_damaged_foreign_files(tmp_path: Path, kind: str, edits: list[tuple[str, float, object]]) -> None:
    whole = tmp_path / "samples" / kind
    if not whole.exists():
        whole.parent.mkdir(exist_ok=True)
        FOREIGN[kind][0](whole)
    damaged = tmp_path / kind
    damaged.write_bytes(mutate(whole.read_bytes(), edits))
    assert_well_behaved(damaged)


def _sample(folder: Path, kind: str) -> Path:
    names = {
        **{"ntu": "S001C002P003R001A004.skeleton", "npz": "own.npz", "utd_mhad": "a3_s2_t1_skeleton.mat"},
        **{"mat_plain": "a3_s2_t2_skeleton.mat", "nw_ucla": "a02_s03_e04_v01.json", "pku": "0002-M.txt"},
        **{"wide": "wide.csv", "long": "long.csv", "bvh": "walk.bvh", "mediapipe_json": "pose.json"},
        "mediapipe_npz": "pose.npz",
    }
    return folder / names[kind]


TOLD = {
    "mediapipe_numbered.csv": ReadingRecipe(layout="smpl_22", columns=columns_in_order("smpl_22", 2, 4), fps=20),
    "xsens.csv": ReadingRecipe(layout="xsens_23", joints={"head": "Neck", "neck": "Head"}, up="-x", mirrored=True),
    "h36m.npz": ReadingRecipe(array="positions_3d", unit=0.01),
    "joints.mat": ReadingRecipe(array="pos", layout="smpl_22", joints={"head": "1"}),
    "azure.json": ReadingRecipe(layout="coco_17", joints={"nose": "NOSE"}, unit="inches"),
    "vicon.c3d": ReadingRecipe(layout="smpl_22", joints={"pelvis": "Anna:LASI"}),
    "smpl.npy": ReadingRecipe(layout="smpl_22", joints={"head": "22", "right wrist": "16"}),
}


@pytest.mark.parametrize("kind", TOLD)
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(edits=changes)
def test_damaged_files_that_are_read_by_a_recipe(
    tmp_path: Path, kind: str, edits: list[tuple[str, float, object]]
) -> None:
    whole = tmp_path / "samples" / kind
    if not whole.exists():
        whole.parent.mkdir(exist_ok=True)
        FOREIGN[kind][0](whole)
    damaged = tmp_path / kind
    damaged.write_bytes(mutate(whole.read_bytes(), edits))
    found = attempt_sequence(damaged, recipe=TOLD[kind])
    if found.sequence is None:
        assert found.problem.startswith(str(damaged)) and "\n" not in found.problem
    else:
        assert_sound(found.sequence)


@pytest.mark.parametrize("folder", ["ntu/raw", "utd_mhad", "nw_ucla", "pku/raw"])
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(edits=changes, pick=st.integers(0, 10**6))
def test_damaged_real_files(
    shared_data: Path, tmp_path: Path, folder: str, edits: list[tuple[str, float, object]], pick: int
) -> None:
    paths = sorted((shared_data / folder).iterdir())
    path = paths[pick % len(paths)]
    data = path.read_bytes()[:200_000]
    damaged = tmp_path / path.name
    damaged.write_bytes(mutate(data, edits))
    assert_well_behaved(damaged)


@pytest.mark.parametrize("suffix", [".skeleton", ".mat", ".json", ".npz", ".txt", ".csv", ".bvh", ".npy", ""])
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode)))
def test_any_bytes(tmp_path: Path, suffix: str, data: bytes) -> None:
    path = tmp_path / f"any{suffix}"
    path.write_bytes(data)
    assert_well_behaved(path)
