"""What is written reads back: bit for bit where the format can, else to the bones' own noise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from reader_samples import waving
from reference_body import raising

from flora_engine.cli import main
from flora_engine.errors import FloraError
from flora_engine.readers import read_sequence
from flora_engine.readers.writing import WRITERS, write_sequence
from flora_engine.skeleton import KINECT_V2, LAYOUTS, SkeletonSequence, to_kinect_v2


@pytest.mark.parametrize("layout", LAYOUTS)
def test_tables_read_back_bit_for_bit(tmp_path: Path, layout: str) -> None:
    joints = raising(LAYOUTS[layout], 5).astype(np.float32)[:, None] + np.float32(0.25)
    joints[:, :, :, 0] += np.linspace(0, 0.1, 5, dtype=np.float32)[:, None, None]
    write_sequence(SkeletonSequence(joints, 25.0, layout), tmp_path / "a.csv")
    back = read_sequence(tmp_path / "a.csv")
    order = [LAYOUTS[layout].joints.index(name) for name in back.skeleton.joints]  # two layouts have the same names
    assert len(order) == len(LAYOUTS[layout].joints) and back.fps == 25
    np.testing.assert_array_equal(back.joints, joints[:, :, order])


@pytest.mark.parametrize("suffix", [".csv", ".npz", ".skeleton"])
def test_two_persons_one_of_whom_comes_late(tmp_path: Path, suffix: str) -> None:
    sequence = waving(12, persons=2)
    write_sequence(sequence, tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(read_sequence(tmp_path / f"a{suffix}").joints, sequence.joints)
    write_sequence(sequence, tmp_path / f"b{suffix}", person=1)
    np.testing.assert_array_equal(read_sequence(tmp_path / f"b{suffix}").joints[-8:, 0], sequence.joints[4:, 1])


def test_markers_read_back(tmp_path: Path) -> None:
    sequence = waving(12)
    write_sequence(sequence, tmp_path / "a.trc")
    back = read_sequence(tmp_path / "a.trc")
    assert back.layout == "kinect_v2" and back.fps == pytest.approx(30)
    np.testing.assert_allclose(back.joints, sequence.joints, atol=1e-5)


@pytest.mark.parametrize("layout", ["kinect_v2", "smpl_22", "mediapipe_33"])
def test_c3d_reads_back(tmp_path: Path, layout: str) -> None:
    """A person who is not square to the viewer, comes late, and has a joint that is missing once."""
    joints = (raising(LAYOUTS[layout], 6) @ np.array([[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]]) + 2).astype(np.float32)
    joints[0] = 0
    joints[3, 1] = np.nan
    write_sequence(SkeletonSequence(joints[:, None], 59.94, layout), tmp_path / "a.c3d")
    back = read_sequence(tmp_path / "a.c3d", allow_nan=True)
    order = [LAYOUTS[layout].joints.index(name) for name in back.skeleton.joints]
    assert back.fps == pytest.approx(59.94, rel=1e-5) and back.present()[:, 0].tolist() == [False, *[True] * 5]
    np.testing.assert_allclose(back.joints[:, 0], joints[:, order], atol=1e-5)
    assert not [note for note in back.notes if note.about in ("up axis", "unit", "left and right")]
    with pytest.raises(FloraError, match="C3D holds 65000"):
        write_sequence(SkeletonSequence(np.ones((65_001, 1, 25, 3), np.float32), 30), tmp_path / "b.c3d")


@pytest.mark.parametrize("layout", ["kinect_v2", "smpl_22", "mediapipe_33"])
def test_bvh_reads_back(tmp_path: Path, layout: str) -> None:
    """A person whose bones do not stretch comes back where it was."""
    sequence = waving(12) if layout == "kinect_v2" else SkeletonSequence(
        raising(LAYOUTS[layout], 12).astype(np.float32)[:, None], 24.0, layout)  # fmt: skip
    write_sequence(sequence, tmp_path / "a.bvh")
    back = read_sequence(tmp_path / "a.bvh")
    assert back.fps == pytest.approx(sequence.fps, rel=1e-4)
    wanted = to_kinect_v2(sequence).joints
    loose = [KINECT_V2.joints.index(name) for name in ("left thumb", "right thumb", "neck")]
    tight = [i for i in range(25) if i not in loose]
    stretch = 0.02 if layout == "smpl_22" else 2e-3  # a shoulder is a mean with the elbow there, which moves
    np.testing.assert_allclose(back.joints[:, :, tight], wanted[:, :, tight], atol=stretch)
    assert np.abs(back.joints - wanted).max() < 0.1


def test_every_bone_of_a_bvh_has_a_length(tmp_path: Path) -> None:
    """Blender says of one without that it found it, and draws a stump."""
    write_sequence(waving(3), tmp_path / "a.bvh")
    lines = (tmp_path / "a.bvh").read_text().splitlines()
    offsets = [[float(word) for word in line.split()[1:]] for line in lines if line.strip().startswith("OFFSET")]
    assert len(offsets) == 24 + 7, "24 joints, and the ends of the head, the hands' fingers and thumbs, and the feet"
    assert not any(offsets[0]) and min(np.linalg.norm(offset) for offset in offsets[1:]) > 1.0, "centimetres"


def test_real_recordings_as_bvh(shared_data: Path, tmp_path: Path) -> None:
    """Bones of a Kinect stretch; limbs end where their mean lengths do, some centimetres off."""
    for path in sorted((shared_data / "ntu" / "raw").iterdir())[::10]:
        sequence = read_sequence(path)
        write_sequence(sequence, tmp_path / "a.bvh", person=0)
        back = read_sequence(tmp_path / "a.bvh").joints[:, 0]
        here = sequence.present()[:, 0]
        off = np.linalg.norm(back - sequence.joints[:, 0], axis=2)[here]
        assert np.median(off) < 0.1, path


def test_what_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(FloraError, match=r"holds 2 persons, \.bvh one"):
        write_sequence(waving(3, persons=2), tmp_path / "a.bvh")
    with pytest.raises(FloraError, match="not a format that is written"):
        write_sequence(waving(3), tmp_path / "a.fbx")
    with pytest.raises(FloraError, match="there is no number 3"):
        write_sequence(waving(3, persons=2), tmp_path / "a.csv", person=2)
    absent = replace(waving(3), joints=np.zeros((3, 1, 25, 3), np.float32))
    with pytest.raises(FloraError, match="holds nobody as person 1"):
        write_sequence(absent, tmp_path / "a.bvh")
    assert not list(tmp_path.iterdir())


def test_convert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "a.csv"
    write_sequence(waving(6), source)
    for suffix in WRITERS:
        target = tmp_path / f"b{suffix}"
        assert main(["convert", str(source), str(target)]) == 0
        assert read_sequence(target).frames == 6
        assert main(["convert", str(source), str(target)]) == 1
        assert "is there already" in capsys.readouterr().err
        assert main(["convert", str(source), str(target), "--force", "--person", "1"]) == 0
