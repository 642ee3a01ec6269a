"""UTD-MHAD, NW-UCLA, PKU-MMD and our own exchange archive."""

from __future__ import annotations

import io
import json
import struct
import tracemalloc
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from reader_samples import in_layout, mat, waving, write_samples

from flora_engine.errors import FloraError
from flora_engine.readers import _archive, _input, read_sequence, write_npz


def refusal(path: Path) -> str:
    with pytest.raises(FloraError) as caught:
        read_sequence(path)
    return str(caught.value)


def peak_of_refusal(path: Path) -> tuple[str, int]:
    tracemalloc.start()
    text = refusal(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return text, peak


def test_utd_mhad_equals_scipy(shared_data: Path) -> None:
    for path in sorted((shared_data / "utd_mhad").iterdir())[::41]:
        sequence = read_sequence(path)
        expected = scipy.io.loadmat(path)["d_skel"].transpose(2, 0, 1).astype(np.float32)
        np.testing.assert_array_equal(sequence.joints[:, 0], expected)
        assert sequence.layout == "kinect_v1_utd" and sequence.fps == 30
        action, subject, trial = (int(part[1:]) for part in path.stem.split("_")[:3])
        assert sequence.metadata == {"action": action, "subject": subject, "replication": trial}


@pytest.mark.parametrize("kind", [np.float32, np.int16, np.uint8, ">f8"])
def test_mat_number_kinds(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a1_s1_t1_skeleton.mat"
    values = (np.arange(20 * 3 * 4) % 50).reshape(20, 3, 4).astype(kind)
    scipy.io.savemat(path, {"other": np.ones(3), "d_skel": values})
    np.testing.assert_array_equal(read_sequence(path).joints[:, 0], values.transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"skeleton": np.ones((21, 5))}, "holds no array `joints`, only skeleton (21, 5)"),
        ({"skeleton": {"a": 1}}, "has no array d_skel"),
        ({"d_skel": np.ones((25, 3, 4))}, "d_skel of shape (25, 3, 4)"),
        ({"d_skel": np.ones((20, 3, 4)) * 1j}, "other than a real numeric array"),
        ({"d_skel": {"a": 1}}, "other than a real numeric array"),
        ({"d_skel": "text"}, "other than a real numeric array"),
    ],
)
def test_other_mat_content(tmp_path: Path, value: dict[str, object], expected: str) -> None:
    path = tmp_path / "a1_s1_t1_skeleton.mat"
    scipy.io.savemat(path, value)
    assert expected in refusal(path)


def test_mat_files_that_claim_or_unpack_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a1_s1_t1_skeleton.mat"
    header = mat()[:128]
    claim = struct.pack("<II", 14, 3 * 2**30) + b"\0" * 64
    path.write_bytes(header + claim)
    text, peak = peak_of_refusal(path)
    assert "claims 3221225472 bytes where 64 are left" in text and peak < 2**20
    monkeypatch.setattr(_input, "MAX_VALUES", 2**20)
    bomb = zlib.compress(struct.pack("<II", 14, 2**31) + bytes(2**25), 9)
    path.write_bytes(header + struct.pack("<II", 15, len(bomb)) + bomb)
    text, peak = peak_of_refusal(path)
    assert "unpacks to more than 4 MiB" in text and peak < 16 * 2**20
    path.write_bytes(mat()[:300])
    assert "cut short" in refusal(path)
    path.write_bytes(b"\x89HDF\r\n" * 40)
    assert "no MATLAB 5 file (save it with -v7" in refusal(path)


def test_nw_ucla_content_and_names(shared_data: Path) -> None:
    path = shared_data / "nw_ucla" / "a02_s09_e04_v02.json"
    sequence = read_sequence(path)
    content = json.loads(path.read_text())
    assert sequence.frames == 1  # the data set has such
    np.testing.assert_array_equal(sequence.joints[:, 0], np.array(content["skeletons"], np.float32))
    assert sequence.metadata == {"subject": 9, "replication": 4, "camera": 2, "action": content["label"]}
    assert sequence.layout == "kinect_v1"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"skeletons": []}, "has no list of frames"),
        ({"skeletons": {"0": 1}}, "has no list of frames"),
        ({"label": 11}, "`label` that is not 1 to 10"),
        ({"label": "walk"}, "`label` that is not 1 to 10"),
        ({"label": True}, "`label` that is not 1 to 10"),
    ],
)
def test_nw_ucla_wrong_content(tmp_path: Path, change: dict[str, object], expected: str) -> None:
    path = write_samples(tmp_path)["nw_ucla"]
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert expected in refusal(path)


def test_nw_ucla_says_the_frame(tmp_path: Path) -> None:
    path = write_samples(tmp_path)["nw_ucla"]
    content = json.loads(path.read_text())
    content["skeletons"][3][5] = ["1", "2", "3"]
    path.write_text(json.dumps(content))
    assert "20 joints of three numbers (frame 4)" in refusal(path)
    content["skeletons"][3] = content["skeletons"][3][:19]
    path.write_text(json.dumps(content))
    assert "(frame 4)" in refusal(path)
    path.write_text('{"skeletons": ' + "[" * 100_000)
    assert "JSON" in refusal(path)
    path.write_text('{"skeletons": [[[1, 2, 3]]')
    assert "is not valid JSON" in refusal(path) and "line 1" in refusal(path)
    path.write_text('{"skeletons": [[[' + "9" * 10_000 + "]]]}")
    assert "JSON" in refusal(path)


def test_pku_persons_and_camera(shared_data: Path) -> None:
    path = shared_data / "pku" / "raw" / "0002-L.txt"
    sequence = read_sequence(path)
    np.testing.assert_array_equal(sequence.joints.reshape(1040, 150), np.loadtxt(path).astype(np.float32))
    assert sequence.metadata == {"camera": 1} and sequence.layout == "kinect_v2"


def test_pku_one_person_and_broken_lines(tmp_path: Path) -> None:
    path = write_samples(tmp_path)["pku"]
    lines = path.read_text().splitlines()
    assert read_sequence(path).persons == 2
    alone = [" ".join(line.split()[:75] + ["0"] * 75) for line in lines]
    path.write_text("\r\n".join(alone))
    assert read_sequence(path).persons == 1
    path.write_text("\n".join([*lines[:5], lines[5][: len(lines[5]) // 2], *lines[6:]]))
    assert "where PKU-MMD has 150 (line 6)" in refusal(path)
    path.write_text("\n".join([lines[0], " ".join(["x"] * 150)]))
    assert "not a number (line 2)" in refusal(path)
    path.write_text("\n".join([" ".join(["0"] * 150)] * 3))
    assert "nobody in any of its 3 frames" in refusal(path)


def test_exchange_archive_reads_back_all_of_it(tmp_path: Path) -> None:
    sequence = replace(
        waving(persons=2),
        tracking=np.full((12, 2, 25), 2, np.uint8),
        metadata={"action": 4, "class_name": "wave hand ✋"},
        body_ids=("a", "b"),
        fps=59.94,
    )
    path = tmp_path / "x.npz"
    write_npz(sequence, path)
    back = read_sequence(path)
    assert back.joints.tobytes() == sequence.joints.tobytes()
    assert replace(back, joints=sequence.joints, tracking=None) == replace(sequence, source=path, tracking=None)
    np.testing.assert_array_equal(back.tracking, sequence.tracking)


def test_exchange_archive_written_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "hand.npz"
    np.savez(path, joints=np.asfortranarray(in_layout("kinect_v1").astype(np.float64)), fps=15, layout="kinect_v1")
    sequence = read_sequence(path)
    np.testing.assert_array_equal(sequence.joints[:, 0], in_layout("kinect_v1"))
    assert (sequence.fps, sequence.layout, sequence.name, sequence.persons) == (15, "kinect_v1", "hand", 1)


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"joints": np.array([{"a": 1}])}, "Python objects, which are never loaded"),
        ({"joints": np.ones((4, 1, 25, 3)), "metadata": np.array([object()])}, "Python objects"),
        ({"joints": np.ones((4, 1, 29, 3))}, "needs numbers (T, M, 25, 3)"),
        ({"joints": np.ones((0, 1, 25, 3))}, "needs numbers (T, M, 25, 3)"),
        ({"joints": np.full((4, 1, 25, 3), "1")}, "needs numbers (T, M, 25, 3)"),
        ({"joints": np.ones((4, 1, 25, 3)), "layout": "octopus"}, "unknown layout 'octopus'"),
        ({"joints": np.ones((4, 1, 25, 3)), "fps": -1}, "frame rate of -1"),
        ({"joints": np.ones((4, 1, 25, 3)), "fps": np.nan}, "frame rate of nan"),
        ({"joints": np.ones((4, 1, 25, 3)), "fps": "fast"}, "should be one number"),
        ({"joints": np.ones((4, 1, 25, 3)), "tracking": np.ones((4, 1, 25))}, "should be uint8"),
        ({"joints": np.ones((4, 1, 25, 3)), "metadata": "{"}, "not valid JSON"),
        ({"joints": np.ones((4, 1, 25, 3)), "metadata": "[1]"}, "should be a JSON object"),
        ({"joints": np.ones((4, 1, 25, 3)), "version": 2}, "version 2 of our format"),
        ({"joints": np.full((4, 1, 25, 3), np.inf)}, "infinite coordinate (frame 1)"),
        ({"joints": np.full((4, 1, 25, 3), 1e300)}, "infinite coordinate (frame 1)"),
        ({"train_data": np.ones(3)}, "holds no array `joints`, only train_data (3,)"),
        ({"a\nb\x1b[31m": np.ones(3)}, "holds no array `joints`, only a?b?[31m (3,)."),
    ],
)
def test_wrong_archives(tmp_path: Path, arrays: dict[str, object], expected: str) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    assert expected in refusal(path)


def test_archives_that_claim_or_unpack_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.npz"
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": (10**7, 1, 25, 3)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("joints.npy", stream.getvalue() + bytes(300))
    text, peak = peak_of_refusal(path)
    assert "claims shape (10000000, 1, 25, 3) of float32, but holds 300 bytes" in text and peak < 2**20
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("joints.npy", "w") as member:
        member.write(stream.getvalue())
        member.write(bytes(2**25))
    monkeypatch.setattr(_archive, "_MEMBER_BYTES", 2**22)
    text, peak = peak_of_refusal(path)
    assert "claims shape" in text and peak < 16 * 2**20
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "no usable .npz archive" in refusal(path)
    path.write_bytes(b"\xff\xd8\xff not a zip")
    assert "looks like a JPEG picture" in refusal(path)
