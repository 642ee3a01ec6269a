"""The fast published preparations against the plain ones and against what the published scripts gave."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flora_engine.errors import FloraError
from flora_engine.preprocessing import agcn, bodies, ctrgcn, pku
from flora_engine.readers.ntu import read_bodies

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "reference"))
import preparation_plain as plain
from ntu_plain import read_bodies_plain


@st.composite
def recordings(draw: st.DrawFn) -> dict[str, Any]:
    """Body rows of up to five bodies that come and go, some wide, some short, some empty frames between."""
    frames = draw(st.integers(1, 40))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows: dict[str, list[Any]] = {"frame": [], "body_id": [], "position": [], "joints": []}
    tracks = [
        (
            100 - body,  # ids against the order of appearance
            draw(st.integers(0, frames - 1)),
            draw(st.integers(1, frames)),
            draw(st.sampled_from([0.3, 0.9, 1.1, 3.0])),
            draw(st.sampled_from([0.0, 0.4])),
        )
        for body in range(draw(st.integers(1, 5)))
    ]
    for frame in range(frames):
        position = 0
        for body, start, length, width, lost in tracks:
            if start <= frame < start + length and random.random() >= lost:
                rows["frame"].append(frame)
                rows["body_id"].append(body)
                rows["position"].append(position)
                rows["joints"].append(random.normal(0, 1, (25, 3)) * [width, 1, 1] + [body % 3, 0, 3])
                position += 1
    return {
        "frame_count": frames,
        "frame": np.array(rows["frame"], np.int32),
        "body_id": np.array(rows["body_id"], np.uint64),
        "position": np.array(rows["position"], np.int32),
        "joints": np.array(rows["joints"], np.float32).reshape(-1, 25, 3),
    }


@settings(max_examples=150, deadline=None)
@given(rows=recordings())
def test_denoised_equals_plain(rows: dict[str, Any]) -> None:
    fast = SimpleNamespace(**rows)
    expected = plain.denoise(rows) if len(rows["frame"]) else None
    if expected is None:
        with pytest.raises(FloraError, match="cannot be prepared"):
            ctrgcn.prepare_sequence(fast)
        return
    found = ctrgcn.prepare_sequence(fast).joints
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(ctrgcn.translate(found), plain.translate(expected))


@settings(max_examples=25, deadline=None)
@given(rows=recordings())
def test_agcn_equals_plain(rows: dict[str, Any]) -> None:
    if not len(rows["frame"]):
        return
    found = agcn.prepare(bodies.in_list_order(SimpleNamespace(**rows)), 50)
    np.testing.assert_allclose(found, plain.agcn(rows, 50), atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    length=st.integers(1, 400),
    absent=st.sampled_from(["nobody", "second", "tail", "first frames"]),
    frames=st.integers(1, 70),
)
def test_pku_equals_plain(seed: int, length: int, absent: str, frames: int) -> None:
    recording = np.random.default_rng(seed).normal(0, 1, (length, 2, 25, 3)).astype(np.float32)
    {
        "nobody": recording[0:0],
        "second": recording[:, 1],
        "tail": recording[length // 2 :],
        "first frames": recording[: length // 3],
    }[absent][...] = 0
    found = pku.prepare_clip(recording, frames)
    np.testing.assert_allclose(found, plain.pku(recording, 0, length, frames), atol=1e-5)


def test_real_recordings_equal_the_published_arrays(shared_data: Path) -> None:
    golden = np.load(shared_data / "ntu/golden_denoised_translated.npz", allow_pickle=False)
    paths = sorted((shared_data / "ntu/raw").glob("*.skeleton"))
    assert len(paths) == len(golden.files) // 2
    for path in paths:
        found = ctrgcn.prepare_sequence(read_bodies(path), path.stem).joints
        np.testing.assert_array_equal(found, golden[f"denoised/{path.stem}"], err_msg=path.stem)
        np.testing.assert_array_equal(ctrgcn.translate(found), golden[f"translated/{path.stem}"], err_msg=path.stem)


def test_the_plain_version_equals_the_published_arrays(shared_data: Path) -> None:
    golden = np.load(shared_data / "ntu/golden_denoised_translated.npz", allow_pickle=False)
    paths = sorted((shared_data / "ntu/raw").glob("*.skeleton"))[::8]
    assert paths
    for path in paths:
        found = plain.denoise(read_bodies_plain(path))
        assert found is not None
        np.testing.assert_array_equal(found, golden[f"denoised/{path.stem}"])
        np.testing.assert_array_equal(plain.translate(found), golden[f"translated/{path.stem}"])


def test_pku_clips_equal_the_published_arrays(shared_data: Path) -> None:
    golden = np.load(shared_data / "pku/golden_clips_position64.npz", allow_pickle=False)
    recording = np.loadtxt(shared_data / "pku/raw/0002-L.txt", dtype=np.float32).reshape(-1, 2, 25, 3)
    labels = np.loadtxt(shared_data / "pku/labels/0002-L.txt", delimiter=",", dtype=int)
    assert len(labels) == len(golden["clip"])
    for (_, start, end, _), clip, position in zip(labels, golden["clip"], golden["position64"], strict=True):
        found = pku.cut(recording, start - 1, end)
        np.testing.assert_array_equal(pku.pad(found), clip)
        np.testing.assert_allclose(pku.prepare_clip(found), position, atol=1e-5)


def rows_of(*tracks: tuple[int, int, int]) -> SimpleNamespace:
    """Rows of upright bodies given as (id, first frame, frames); later ids move less."""
    random = np.random.default_rng(0)
    count = max(start + length for _, start, length in tracks)
    listed = [
        (frame, body, random.normal(0, 1, (25, 3)) * np.array([0.3, 1, 1]) / (1 + place))
        for frame in range(count)
        for place, (body, start, length) in enumerate(tracks)
        if start <= frame < start + length
    ]
    return SimpleNamespace(
        frame_count=count,
        frame=np.array([row[0] for row in listed], np.int32),
        body_id=np.array([row[1] for row in listed]),
        position=np.zeros(len(listed), np.int32),
        joints=np.array([row[2] for row in listed], np.float32),
    )


def test_dropped_bodies_are_named_with_the_reason() -> None:
    actors = ctrgcn.prepare_sequence(rows_of((7, 0, 30), (8, 0, 30), (9, 0, 30), (5, 3, 11)))
    assert actors.joints.shape == (30, 150)
    assert actors.dropped == ("body 5: only 11 frames", "body 9: overlaps both actors")


def test_bodies_that_are_all_too_short_are_an_error_that_names_the_recording() -> None:
    with pytest.raises(FloraError, match=r"S001.* cannot be prepared: all its 2 bodies"):
        ctrgcn.prepare_sequence(rows_of((1, 0, 11), (2, 5, 9)), "S001C001P001R001A001")


def test_one_short_body_alone_is_kept() -> None:
    assert ctrgcn.prepare_sequence(rows_of((1, 0, 3))).joints.shape == (3, 75)


def test_a_body_listed_twice_in_a_frame_is_an_error() -> None:
    rows = rows_of((1, 0, 20))
    rows.frame[:] //= 2
    with pytest.raises(FloraError, match="lists one body twice"):
        ctrgcn.prepare_sequence(rows)


def test_two_bodies_one_after_the_other_are_one_actor() -> None:
    joints = ctrgcn.prepare_sequence(rows_of((1, 0, 20), (2, 20, 15))).joints
    assert joints.shape == (35, 150)
    assert not joints[:, 75:].any()


def test_align_pads_cuts_and_copies_by_request() -> None:
    single = np.arange(5 * 75, dtype=np.float32).reshape(5, 75)
    aligned = ctrgcn.align(single, 8)
    np.testing.assert_array_equal(aligned[:5, :75], single)
    assert not aligned[5:].any() and not aligned[:, 75:].any()
    np.testing.assert_array_equal(ctrgcn.align(single, 8, copy_single=True)[:5, 75:], single)
    np.testing.assert_array_equal(ctrgcn.align(single, 3)[:, :75], single[1:4])


def test_as_input_puts_every_coordinate_where_shift_gcn_reads_it() -> None:
    flat = np.random.default_rng(0).normal(0, 1, (4, 6, 150)).astype(np.float32)
    x = ctrgcn.as_input(flat)
    assert x.shape == (4, 3, 6, 25, 2)
    assert x[2, 1, 3, 7, 1] == flat[2, 3, 75 + 7 * 3 + 1]
    np.testing.assert_array_equal(ctrgcn.as_input(flat[2]), x[2])


def test_rows_of_a_sequence_are_its_present_persons() -> None:
    from flora_engine.skeleton import SkeletonSequence

    joints = np.random.default_rng(0).normal(0, 1, (6, 3, 25, 3)).astype(np.float32)
    joints[2] = 0
    joints[3, 0] = 0
    rows = bodies.from_sequence(SkeletonSequence(joints, 30.0))
    assert rows.frame.tolist() == [0, 0, 0, 1, 1, 1, 3, 3, 4, 4, 4, 5, 5, 5]
    assert rows.position.tolist()[6:8] == [0, 1]
    assert rows.body_id.tolist()[6:8] == [1, 2]
    np.testing.assert_array_equal(rows.joints[6], joints[3, 1])
