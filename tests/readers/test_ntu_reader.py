"""NTU text: equal to the plain reader bit for bit, and clear about what is broken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reader_samples import waving
from reference.ntu_plain import read_bodies_plain

from flora_engine.errors import FloraError
from flora_engine.readers import _ntu_lines, _ntu_parser, read_sequence, write_ntu
from flora_engine.readers.ntu import Bodies, metadata, read_bodies
from flora_engine.skeleton import SkeletonSequence


@pytest.fixture(params=["compiled", "without Numba"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to read: with the loop that Numba compiles, and what an installation without `train` does."""
    if request.param == "without Numba":
        monkeypatch.setattr(_ntu_parser, "COMPILED", False)
        for name in ("parse", "_integer", "_skip_white"):
            monkeypatch.setattr(_ntu_parser, name, getattr(_ntu_parser, name).py_func)
    return str(request.param)


def assert_equal_to_plain(bodies: Bodies, path: Path) -> None:
    plain = read_bodies_plain(path)
    assert bodies.frame_count == plain["frame_count"]
    for name in ("frame", "body_id", "position", "joints", "tracking"):
        ours, theirs = getattr(bodies, name), plain[name]
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape, name
        assert ours.tobytes() == theirs.tobytes(), name


@pytest.mark.usefixtures("parser")
def test_real_files_equal_the_plain_reader_bit_for_bit(shared_data: Path) -> None:
    paths = sorted((shared_data / "ntu" / "raw").iterdir())
    assert len(paths) == 51
    for path in paths:
        assert_equal_to_plain(read_bodies(path), path)


def text_of(numbers: list[str], newline: str = "\n") -> bytes:
    """One frame of one body whose first coordinates are these texts."""
    filled = iter(numbers + ["0"] * (75 - len(numbers)))
    lines = [f"{next(filled)} {next(filled)} {next(filled)} 1 2 3 4 5 6 7 8 2" for _ in range(25)]
    return newline.join(["1", "1", "72057594037931648 0 1 1 1 1 0 -0.1 0.2 2", "25", *lines, ""]).encode()


decimals = st.one_of(
    st.floats(-1e6, 1e6).map(repr),
    st.floats(-10, 10, width=32).map(repr),
    st.decimals(-1000, 1000, places=18, allow_nan=False).map(str),
    st.from_regex(r"[-+]?[0-9]{1,22}(\.[0-9]{0,25})?([eE][-+]?[0-9]{1,2})?", fullmatch=True).filter(
        lambda text: abs(float(text)) < 3e38
    ),
    st.sampled_from(["-0", "1e-45", "1.17549435e-38", "9007199254740993", "0.1e1", ".5", "5.", "1e22", "1e-23"]),
)


@pytest.mark.parametrize("compiled", [True, False])
@settings(max_examples=100, deadline=None)
@given(numbers=st.lists(decimals, min_size=1, max_size=75), newline=st.sampled_from(["\n", "\r\n"]))
def test_every_decimal_is_read_as_python_reads_it(
    tmp_path_factory: pytest.TempPathFactory, compiled: bool, numbers: list[str], newline: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "decimals.skeleton"
    path.write_bytes(text_of(numbers, newline))
    with np.errstate(over="ignore"), mock.patch.object(_ntu_parser, "COMPILED", compiled):
        assert_equal_to_plain(read_bodies(path), path)


def test_files_as_the_kinect_writes_them_need_no_compiled_loop(shared_data: Path) -> None:
    for path in sorted((shared_data / "ntu" / "raw").iterdir()):
        first, rest = path.read_bytes().split(maxsplit=1)
        assert _ntu_lines.parse_regular(rest, 0, int(first)) is not None, path.name


def test_ntu_text_is_read_where_numba_is_not_installed(tmp_path: Path) -> None:
    path = tmp_path / "one.skeleton"
    path.write_bytes(text_of(["0.5"]))
    code = (
        "import sys; sys.modules['numba'] = None; from pathlib import Path; from flora_engine.readers import ntu\n"
        f"print(ntu.read_bodies(Path({str(path)!r})).joints[0, 0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[0.5 0.  0. ]"


def test_name_gives_the_metadata() -> None:
    assert metadata("S018C001P045R002A109.skeleton") == {
        "setup": 18, "camera": 1, "subject": 45, "replication": 2, "action": 109,
    }  # fmt: skip
    assert metadata("holiday.skeleton") == {}


def test_written_text_reads_back_equal(tmp_path: Path) -> None:
    sequence = waving(frames=9, persons=2)
    noisy = sequence.joints + np.random.default_rng(0).normal(size=sequence.joints.shape).astype(np.float32)
    noisy[sequence.joints == 0] = 0
    tracking = np.where(np.any(noisy != 0, axis=3), 1, 0).astype(np.uint8)
    original = SkeletonSequence(noisy, 30.0, tracking=tracking, body_ids=("72057594037931648", "72057594037931649"))
    path = tmp_path / "S001C002P003R001A004.skeleton"
    write_ntu(original, path)
    back = read_sequence(path)
    assert back.joints.tobytes() == noisy.tobytes()
    np.testing.assert_array_equal(back.tracking, tracking)
    assert back.body_ids == original.body_ids and back.fps == 30 and back.metadata["action"] == 4


def body(identity: int, x: float) -> list[str]:
    return [f"{identity} 0 1 1 1 1 0 0 0 2", "25", *[f"{x} 1 3 0 0 0 0 0 0 0 0 2"] * 25]


@pytest.mark.usefixtures("parser")
def test_persons_are_ids_most_frames_first_and_absent_is_zero(tmp_path: Path) -> None:
    path = tmp_path / "three.skeleton"
    frames = [["0"], ["2", *body(7, 0.5), *body(9, 0.25)], ["1", *body(9, 0.75)], ["2", *body(9, 1.5), *body(9, 9.0)]]
    path.write_text("\n".join(["4", *(line for frame in frames for line in frame)]))
    sequence = read_sequence(path)
    assert sequence.body_ids == ("9", "7")
    np.testing.assert_array_equal(sequence.joints[:, 0, 0, 0], [0, 0.25, 0.75, 1.5])  # listed twice: the first stays
    np.testing.assert_array_equal(sequence.joints[:, 1, 0, 0], [0, 0.5, 0, 0])
    np.testing.assert_array_equal(sequence.present(), [[0, 0], [1, 1], [1, 0], [1, 0]])


@pytest.mark.usefixtures("parser")
def test_real_broken_files_say_what_and_where(shared_data: Path) -> None:
    said = {}
    for path in sorted((shared_data / "ntu" / "broken").iterdir()):
        with pytest.raises(FloraError) as caught:
            read_sequence(path)
        said[path.name] = str(caught.value)
    truncated = [text for name, text in said.items() if "truncated" in name]
    assert len(truncated) == 2
    assert "ends in the middle of frame 44 of 59 (line 2086)" in truncated[0]
    assert "ends in the middle of frame 101 of 161 (line 2819)" in truncated[1]
    (nobody,) = (text for name, text in said.items() if "no-body" in name)
    assert "no body in any of its 76 frames" in nobody


GOOD = text_of(["0.5"]).decode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD.replace("1\n1\n", "1\n7\n", 1), "more than 6 bodies, in frame 1 of 1 (line 2)"),
        (GOOD.replace("\n25\n", "\n20\n"), "another number of joints than 25, in frame 1 of 1 (line 4)"),
        (GOOD.replace("0.5 0 0", "0.5 zero 0"), "'zero' where a coordinate should be (line 5)"),
        (GOOD.replace("0.5 0 0", "0.5 0"), "has not 12 numbers, in frame 1 of 1"),
        (GOOD.replace("8 2\n", "8 7\n", 1), "tracking state of 0, 1 or 2, in frame 1 of 1 (line 5)"),
        (GOOD.replace("0.5 0 0", "0.5 nan 0"), "NaN (not a number)"),
        (GOOD.replace("0.5 0 0", "0.5 inf 0"), "infinite coordinate (line 5)"),
        (GOOD.replace("0.5 0 0", "0.5 1e300 0"), "infinite coordinate (line 5)"),
        (GOOD.replace("7205", "-7205"), "count or a body id should be, in frame 1 of 1 (line 3)"),
        ("1000000000\n" + GOOD[2:], "says it holds 1000000000 frames, but a file of"),
        ("3\n" + GOOD[2:], "ends in the middle of frame 2 of 3"),
        ("0\n1\n", "says it holds 0 frames"),
        ("Dear reader,\nthis is a letter.", "is not an NTU skeleton file"),
    ],
)
@pytest.mark.usefixtures("parser")
def test_broken_text_is_one_clear_sentence(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "broken.skeleton"
    path.write_text(text)
    with pytest.raises(FloraError) as caught:
        read_sequence(path)
    assert expected in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    assert caught.value.remedy


@pytest.mark.usefixtures("parser")
def test_nan_is_admitted_for_inspection_only(tmp_path: Path) -> None:
    path = tmp_path / "gap.skeleton"
    path.write_text(GOOD.replace("0.5 0 0", "0.5 NaN 0"))
    with pytest.raises(FloraError, match="NaN"):
        read_bodies(path)
    sequence = read_sequence(path, allow_nan=True)
    assert np.isnan(sequence.joints).sum() == 1
