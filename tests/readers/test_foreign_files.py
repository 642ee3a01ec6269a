"""Files as other people's tools write them are read right: who stands where, how tall, and which hand moves."""

from __future__ import annotations

import importlib
import os
import pickle
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from foreign_samples import FOREIGN, FRAMES, Z_UP, person

from flora_engine.errors import FloraError
from flora_engine.readers import attempt_sequence, can_read, read_sequence
from flora_engine.readers.reading_recipes import ReadingRecipe, columns_in_order
from flora_engine.skeleton import KINECT_V2, to_kinect_v2
from flora_engine.skeleton.orientation import HEIGHT, stature_of

J = {name: i for i, name in enumerate(KINECT_V2.joints)}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_file_shows_the_person_as_it_was(tmp_path: Path, name: str) -> None:
    write, layout, fps, words = FOREIGN[name]
    path = tmp_path / name
    write(path)
    assert can_read(path)
    sequence = read_sequence(path)
    notes = "\n".join(note.text for note in sequence.notes)
    assert sequence.layout == layout, notes
    assert sequence.fps == pytest.approx(fps, rel=1e-3) and sequence.frames == FRAMES
    assert all(word in notes for word in words), notes
    body = to_kinect_v2(sequence, matched=True).joints[:, 0].astype(np.float64)
    assert stature_of(body) * HEIGHT == pytest.approx(1.7, abs=0.12)  # type: ignore[operator]
    first, last = body[0], body[-1]
    assert first[J["head"], 1] > first[J["spine base"], 1] + 0.5 > first[J["left knee"], 1] + 0.5
    assert first[J["left hip"], 0] < first[J["right hip"], 0] - 0.05, "the left side of who faces the viewer"
    assert abs(first[J["left hip"], 2] - first[J["right hip"], 2]) < 0.02, "square to the viewer"
    moved = last - first
    assert moved[J["right wrist"], 1] > 0.4 and moved[J["right wrist"], 2] < -0.4, "up, and towards the viewer"
    assert np.abs(np.delete(moved, [J[f"right {p}"] for p in ("shoulder", "elbow", "wrist", "hand", "hand tip",
                                                              "thumb")], axis=0)).max() < 0.02  # fmt: skip


def test_two_persons_of_one_table(tmp_path: Path) -> None:
    path = tmp_path / "two.tsv"
    FOREIGN["two.tsv"][0](path)
    sequence = read_sequence(path)
    assert sequence.persons == 2 and sequence.body_ids == ("1", "2")
    assert np.median(np.abs(sequence.joints[0, 1] - sequence.joints[0, 0]).max(axis=1)) == pytest.approx(1.5, abs=1e-3)


def refusal(path: Path) -> str:
    with pytest.raises(FloraError) as caught:
        read_sequence(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("scene.fbx", b"Kaydara FBX Binary", "Export the animation as BVH"),
        ("scene.usd", b"PXR-USDC", "Export the animation as BVH"),
        ("scene.glb", b"glTF", "Export the animation as BVH"),
        ("film.mp4", b"\0\0\0 ftyp", "is a video, not a recording of joints"),
        ("01.asf", b":version 1.10", "Open the .amc file beside it"),
        ("lonely.amc", b":FULLY-SPECIFIED\n1\nroot 0 0 0 0 0 0\n", "has no .asf file beside it"),
        ("a01_s01_e01_skeleton.txt", b"120 80 900 1\n" * 40, "Open the _skeleton3D.txt of the same name"),
        ("a01_s01_e01_skeleton3D.txt", b"0.1 0.2 0.3 1\n" * 41, "41 lines of joints, which are not 20 for each frame"),
        ("moc_s01_a01_r01.txt", (b"1.5 " * 131 + b"\n") * 5, "131 columns without names"),
        ("bomb.mvnx", b'<!DOCTYPE a [<!ENTITY b "bb">]><mvnx>&b;</mvnx>', "defines entities"),
        ("empty.mvnx", b"<mvnx><subject frameRate='60'/></mvnx>", "holds no positions of named segments"),
        ("new.mat", b"MATLAB 7.3 MAT-file" + b"\0" * 600, "MATLAB 7.3 file"),
        ("broken.c3d", b"\x02\x50" + b"\xff" * 2000, "claims"),
        ("none.c3d", b"text" * 500, "is not a C3D file (it looks like text)"),
        ("broken.trc", b"PathFileType\t4\n", "is not a TRC file"),
        ("keypoints.json", b'{"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": [1.0, 2.0, 0.9]}]}',
         "holds 2D joints (x and y, but no z)"),
        ("keypoints.json", b'[{"image_id": "1.jpg", "keypoints": [[1, 2], [3, 4]]}]', "holds 2D joints"),
        ("smpl.npz", None, "holds SMPL parameters"),
        ("NTU60_CS.npz", None, "flora prepare"),
        ("all.npz", None, "is a motion archive: it holds all recordings of a data set. Import it"),
        ("several.npz", None, "holds 2 arrays that may be joints: a, b"),
        ("flat.npy", None, "has the shape (5, 17, 2), which is not one of joints"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_answered_with_what_to_do(
    tmp_path: Path, name: str, content: bytes | None, expected: str
) -> None:
    path = tmp_path / name
    arrays = {
        "smpl.npz": {"poses": np.zeros((5, 72)), "trans": np.zeros((5, 3))},
        "NTU60_CS.npz": {"x_train": np.zeros((2, 300, 150)), "y_train": np.zeros((2, 60)), "x_test": np.zeros(1)},
        "all.npz": {"joints_mm": np.ones((5, 1, 20, 3)), "first": np.array([0, 2]), "frames": np.array([2, 3])},
        "several.npz": {"a": np.ones((5, 17, 3)), "b": np.ones((5, 22, 3))},
    }
    if content is not None:
        path.write_bytes(content)
    elif name in arrays:
        np.savez(path, **arrays[name])  # type: ignore[arg-type]
    else:
        np.save(path, np.ones((5, 17, 2)))
    assert expected in refusal(path)


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("echo ran > ran.txt",)


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_is_never_executed(tmp_path: Path, protocol: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "evil.pkl"
    for content in (_Evil(), {"keypoint": _Evil()}, [np.array([_Evil()])], np.array([_Evil()], object)):
        path.write_bytes(pickle.dumps(content, protocol))
        assert "cannot be read as plain data" in refusal(path)
    assert not (tmp_path / "ran.txt").exists()


@pytest.mark.parametrize("evil", [b"]r\xff\xff\xff\x0f.", b"B\xff\xff\xff\x7fabc.", b"]p99999999999\n."])
def test_a_pickle_reserves_no_memory_that_it_does_not_fill(tmp_path: Path, evil: bytes) -> None:
    path = tmp_path / "large.pkl"
    path.write_bytes(b"\x80\x03" + evil)
    tracemalloc.start()
    try:
        with pytest.raises(FloraError, match="cannot be read as plain data"):
            read_sequence(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 24
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_every_protocol(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "one.pkl"
    joints = np.random.default_rng(0).normal(size=(1, 9, 17, 3)).astype(np.float32)
    path.write_bytes(pickle.dumps({"keypoint": joints, "label": np.int64(2), "total_frames": 9}, protocol))
    assert read_sequence(path).frames == 9
    path.write_bytes(pickle.dumps({"annotations": [{"keypoint": joints}] * 2, "split": {}}, protocol))
    assert "holds 2 recordings, a whole data set" in refusal(path)
    path.write_bytes(pickle.dumps({"keypoint": joints[..., :2]}, protocol))
    assert "holds 2D joints" in refusal(path)


def test_a_pickle_cannot_ask_for_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge.pkl"
    path.write_bytes(b"cnumpy\nndarray\n((I1000000000\nI1000\ntR.")
    assert "cannot be read as plain data" in refusal(path)
    path.write_bytes(b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I1000000000\ntS'd'\ntR.")
    assert "not one of joints" in refusal(path)


def test_what_a_table_of_unknown_joints_needs_is_told_by_a_recipe(tmp_path: Path) -> None:
    """Berkeley MHAD's 43 markers, then a number and a time: which marker is what, only the user knows."""
    path = tmp_path / "moc_s01_a01_r01.txt"
    joints = person("smpl_22", Z_UP, 1000).reshape(FRAMES, -1)
    rows = np.column_stack([np.full((FRAMES, 63), 7.5), joints, np.arange(FRAMES), np.arange(FRAMES) / 480])
    np.savetxt(path, rows, "%.4f")
    found = attempt_sequence(path)
    assert found.sequence is None and found.names == ("131 columns",) and found.kind == "columns"
    recipe = ReadingRecipe(layout="smpl_22", columns=columns_in_order("smpl_22", 64), fps=480)
    sequence = read_sequence(path, recipe=recipe)
    assert sequence.layout == "smpl_22" and np.ptp(sequence.joints[0, 0, :, 1]) > 1.4


def test_of_a_freemocap_folder_the_body_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "session 3" / "output_data"
    (folder / "center_of_mass").mkdir(parents=True)
    FOREIGN["body_3d_xyz.csv"][0](folder / "mediapipe_body_3d_xyz.csv")
    FOREIGN["body_3d_xyz.csv"][0](folder / "mediapipe_face_3d_xyz.csv")
    np.save(folder / "mediapipe_skeleton_3d.npy", np.ones((4, 553, 3)))
    np.save(folder / "center_of_mass" / "total.npy", np.ones((4, 17, 3)))
    assert [path.name for path in folder.rglob("*.*") if can_read(path)] == ["mediapipe_body_3d_xyz.csv"]
    assert read_sequence(folder / "mediapipe_body_3d_xyz.csv").name == "session 3"
    other = tmp_path / "output_data"
    other.mkdir()
    np.save(other / "a.npy", np.ones((4, 17, 3)))
    assert can_read(other / "a.npy"), "a folder that is only called so"


def test_one_of_several_arrays_of_a_matlab_file(tmp_path: Path) -> None:
    import scipy.io

    path = tmp_path / "two.mat"
    scipy.io.savemat(path, {"a": person("coco_17"), "b": person("smpl_22", Z_UP)})
    assert "holds 2 arrays that may be joints: a, b" in refusal(path)
    assert read_sequence(path, recipe=ReadingRecipe(array="b")).layout == "smpl_22"


def test_the_side_that_msr_action_3d_does_not_name_is_seen(tmp_path: Path) -> None:
    """The same file with its sides exchanged shows the same person."""
    first, second = tmp_path / "a01_s02_e03_skeleton3D.txt", tmp_path / "a01_s02_e04_skeleton3D.txt"
    FOREIGN[first.name][0](first)
    lines = first.read_text().splitlines()
    pairs = {0: 1, 4: 5, 7: 8, 9: 10, 11: 12, 13: 14, 15: 16, 17: 18}
    other = {**pairs, **{b: a for a, b in pairs.items()}}
    second.write_text("\n".join(lines[20 * (i // 20) + other.get(i % 20, i % 20)] for i in range(len(lines))))
    one, two = read_sequence(first), read_sequence(second)
    np.testing.assert_allclose(one.joints, two.joints, atol=1e-6)
    assert one.metadata == {"action": 1, "subject": 2, "replication": 3}


@pytest.mark.parametrize(("step", "rate"), [(1 / 50, 50), (40, 25), (16_667, 60), (333_333, 30), (0.2, 5), (1, None)])
def test_the_unit_of_a_clock_without_a_name(tmp_path: Path, step: float, rate: float | None) -> None:
    path = tmp_path / "a.csv"
    rows = np.column_stack([step * np.arange(FRAMES), person("smpl_22", Z_UP).reshape(FRAMES, -1)])
    np.savetxt(path, rows, "%.6f", ",")
    sequence = read_sequence(path)
    assert sequence.fps == pytest.approx(30 if rate is None else rate, rel=1e-3)
    assert any(note.about == "frame rate" for note in sequence.notes) == (rate is None)


def test_a_matlab_7_3_file_says_what_it_needs_or_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new.mat"
    path.write_bytes(b"MATLAB 7.3 MAT-file" + b"\0" * 600)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "h5py", None)
        assert "Save it with -v7, or pip install flora-studio[matlab]" in refusal(path)
    h5py = importlib.import_module("h5py")
    with h5py.File(path, "w", userblock_size=512) as file:
        file["pos"] = person("smpl_22", Z_UP)  # as MATLAB writes an array (3, 22, T)
        file["elsewhere"] = h5py.ExternalLink("other.h5", "/x")
        file["text"] = "a text"
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64")
    assert read_sequence(path).layout == "smpl_22"
    path.write_bytes(path.read_bytes()[:1500])
    assert "damaged MATLAB 7.3 file" in refusal(path)


def test_two_skeletons_of_motive_are_two_persons(tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    FOREIGN["motive.csv"][0](path)
    lines = path.read_text().splitlines()
    doubled = [f"{line},{line.split(',', 2)[2]}" if "," in line and i > 0 else line for i, line in enumerate(lines)]
    for i in (3, 4):  # the names and ids of the second half
        width = len(lines[i].split(",")) - 2
        cells = doubled[i].split(",")
        doubled[i] = ",".join(cells[:-width] + [cell.replace("Anna", "Bert") for cell in cells[-width:]])
    path.write_text("\n".join(doubled) + "\n")
    sequence = read_sequence(path)
    assert sequence.persons == 2 and sequence.layout == "optitrack_21"
    np.testing.assert_allclose(sequence.joints[:, 0], sequence.joints[:, 1])


@pytest.mark.parametrize("text", ["Format Version,1.23\n", "NO_OF_FRAMES\t3\n", "Trajectories\n100\n", "Devices\n\0\n"])
def test_half_a_header_is_a_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "half.csv"
    path.write_text(text)
    assert "columns" in refusal(path) or "no rows" in refusal(path)


def test_joints_without_names_are_never_taken_for_bones_of_plug_in_gait(tmp_path: Path) -> None:
    """Nobody writes 19 joints of this order alone: they come among others, by their names."""
    path = tmp_path / "nineteen.npy"
    np.save(path, person("plug_in_gait_bones_19"))
    assert "19" in refusal(path)
    told = read_sequence(path, recipe=ReadingRecipe(layout="plug_in_gait_bones_19"))
    assert told.layout == "plug_in_gait_bones_19"
