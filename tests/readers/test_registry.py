"""One way in for every format, and one clear sentence for whatever is not a recording."""

from __future__ import annotations

import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from reader_samples import write_samples

from flora_engine.errors import FloraError
from flora_engine.readers import READERS, can_read, read_sequence
from flora_engine.skeleton import LAYOUTS, to_kinect_v2


def refusal(path: Path) -> str:
    with pytest.raises(FloraError) as caught:
        read_sequence(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_format_reads_and_retargets(tmp_path: Path) -> None:
    for kind, path in write_samples(tmp_path).items():
        assert can_read(path), kind
        sequence = read_sequence(path)
        assert sequence.joints.dtype == np.float32, kind
        assert sequence.joints.shape == (sequence.frames, sequence.persons, len(LAYOUTS[sequence.layout].joints), 3), (
            kind
        )
        assert sequence.source == path and sequence.name and sequence.fps > 0
        body = to_kinect_v2(sequence)
        assert body.joints.shape[2:] == (25, 3)
        middle = body.joints[-1, 0]
        assert middle[3, 1] > middle[0, 1] > middle[14, 1], f"{kind}: head above spine base above ankle"
        assert middle[4, 0] < middle[8, 0], (
            f"{kind}: the left shoulder of somebody who faces the camera is at smaller x"
        )


def test_every_format_is_in_the_table() -> None:
    assert {reader.name for reader in READERS} == {
        *("ntu", "utd_mhad", "nw_ucla", "npz", "npy", "landmarks", "bvh", "pku", "csv"),
        *("trc", "c3d", "asf", "mvnx", "text", "pickle"),
    }  # fmt: skip


def test_formats_are_known_without_their_suffix_where_they_can_be(tmp_path: Path) -> None:
    samples = write_samples(tmp_path)
    for kind in ("ntu", "utd_mhad", "bvh"):
        bare = tmp_path / f"{kind}_without_suffix"
        bare.write_bytes(samples[kind].read_bytes())
        np.testing.assert_array_equal(read_sequence(bare).joints, read_sequence(samples[kind]).joints)


def test_all_real_recordings_read(shared_data: Path) -> None:
    for folder, step in (("ntu/raw", 1), ("utd_mhad", 14), ("nw_ucla", 15), ("pku/raw", 1)):
        paths = sorted((shared_data / folder).iterdir())[::step]
        assert paths
        for path in paths:
            sequence = read_sequence(path)
            assert np.isfinite(sequence.joints).all() and sequence.present().any()
            assert folder == "pku/raw" or sequence.metadata["action"]


def test_what_is_not_a_recording(tmp_path: Path) -> None:
    empty, picture = tmp_path / "empty.skeleton", tmp_path / "holiday.skeleton"
    empty.write_bytes(b"")
    picture.write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)))
    letter = tmp_path / "letter.doc"
    letter.write_text("Dear reader")
    assert "is empty (0 bytes)" in refusal(empty)
    assert "looks like a JPEG picture" in refusal(picture)
    assert "is a folder" in refusal(tmp_path)
    assert "no such file" in refusal(tmp_path / "missing.skeleton")
    assert "not a recording of a known format (it looks like text)" in refusal(letter)
    assert ".skeleton" in refusal(letter)
    assert "cannot be opened" in refusal(Path("a\0b.skeleton"))
    assert "cannot be read" in refusal(tmp_path / ("x" * 300))
    assert [can_read(path) for path in (empty, tmp_path, letter, tmp_path / "missing")] == [False] * 4


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.skeleton"
    os.mkfifo(pipe)
    assert "not a regular file" in refusal(pipe)


def test_forbidden_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.skeleton"
    path.write_text("1\n0\n")

    def deny(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)  # file modes do not bind the superseding rights of root
    assert "may not be read by you" in refusal(path)


def test_huge_files_are_refused_unread(tmp_path: Path) -> None:
    for name, opening in (
        ("huge.skeleton", b"100\n1\n"),
        ("huge.mat", b"MATLAB 5.0 MAT-file"),
        ("huge.json", b'{"skeletons": ['),
        ("huge.csv", b"frame,joint,x,y,z\n"),
        ("huge.bvh", b"HIERARCHY\n"),
        ("huge.txt", b"1 " * 150 + b"\n"),
        ("huge.npz", b"PK\x03\x04"),
    ):
        path = tmp_path / name
        with path.open("wb") as file:
            file.write(opening + b"\n" * 4096)
            file.truncate(3 * 2**30)  # sparse: takes no disk
        tracemalloc.start()
        text = refusal(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert "MiB, too much for one recording" in text
        assert peak < 2**20
        path.unlink()


def test_nan_joints_are_refused_with_their_place(tmp_path: Path) -> None:
    path = tmp_path / "gap.npz"
    joints = np.ones((4, 1, 25, 3), np.float32)
    joints[2, 0, 6, 1] = np.nan
    np.savez(path, joints=joints)
    assert "1 joints that are NaN (not a number) (the first in frame 3, person 1, left wrist)" in refusal(path)
    assert np.isnan(read_sequence(path, allow_nan=True).joints).sum() == 1


def test_reading_needs_neither_qt_nor_torch_and_loads_numba_late() -> None:
    code = "import sys, flora_engine.readers; print({'torch', 'PySide6', 'numba', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
