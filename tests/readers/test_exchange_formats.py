"""CSV tables and MediaPipe landmarks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from reader_samples import in_layout, long_csv, mediapipe, pose, waving, wide_csv, write_samples

from flora_engine.errors import FloraError
from flora_engine.readers import can_read, read_sequence
from flora_engine.skeleton import KINECT_V2, LAYOUTS, to_kinect_v2


def refusal(path: Path) -> str:
    with pytest.raises(FloraError) as caught:
        read_sequence(path)
    return str(caught.value)


def test_wide_table(tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    path.write_text(wide_csv(6))
    sequence = read_sequence(path)
    np.testing.assert_array_equal(sequence.joints, waving(6).joints)
    assert sequence.fps == 25 and sequence.layout == "kinect_v2"


def test_long_table_with_persons_and_times(tmp_path: Path) -> None:
    path = tmp_path / "l.csv"
    path.write_text(long_csv(6), newline="")
    sequence = read_sequence(path)
    np.testing.assert_array_equal(sequence.joints, waving(6, persons=2).joints)
    assert sequence.fps == pytest.approx(50) and sequence.body_ids == ("A", "B")


def test_columns_by_number_tabs_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "n.tsv"
    joints = in_layout("kinect_v1", 3)
    header = "\t".join(f"j{i}{axis}" for i in range(20) for axis in "xyz")
    rows = ["\t".join(f"{v:.9g}" for v in frame.ravel()) for frame in joints]
    path.write_text("\ufeff" + "\n".join([header, *rows]), encoding="utf-8")
    sequence = read_sequence(path)
    assert sequence.layout == "kinect_v1"
    np.testing.assert_array_equal(sequence.joints[:, 0], joints)


def test_missing_rows_frames_and_cells(tmp_path: Path) -> None:
    path = tmp_path / "l.csv"
    lines = long_csv(6).splitlines()
    head = [line for line in lines if not (";A;left wrist;" in line and line.startswith("0.0200"))]  # frame 1
    gone = [line for line in head if not line.startswith("0.0600")]  # frame 3
    path.write_text("\n".join(gone))
    sequence = read_sequence(path, allow_nan=True)
    wrist = KINECT_V2.joints.index("left wrist")
    assert np.isnan(sequence.joints[1, 0, wrist]).all() and np.isnan(sequence.joints).sum() == 3
    assert not sequence.present()[3].any()
    filled = read_sequence(path)
    np.testing.assert_allclose(
        filled.joints[1, 0, wrist], (filled.joints[0, 0, wrist] + filled.joints[2, 0, wrist]) / 2
    )
    assert filled.tracking is not None and (filled.tracking == 1).sum() == 1
    assert [note.text for note in filled.notes if note.about == "gaps"] == [
        "0.5 % of the joints were missing and are filled in from the frames before and after"
    ]
    path.write_text(wide_csv(6).replace("\n1,0,", "\n1,,"))
    assert np.isnan(read_sequence(path, allow_nan=True).joints).any(axis=3).sum() == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (wide_csv(3).replace("\n1,0,", "\n1,left,"), "'left' where a number should be (line 3)"),
        (wide_csv(3) + "1,2\n", "has 2 cells in a row, 76 in the header (line 6)"),
        (wide_csv(3).replace("left_knee_x", "snout_x"), "does not name all joints of a known layout"),
        (wide_csv(3).replace("\n3,", "\n3000000000,"), "numbers its 3 frames from 1 to 3000000000"),
        (wide_csv(3).replace("\n3,", "\n2.5,"), "'2.5' where a whole number should be (line 5)"),
        (wide_csv(3).replace("\n3,", "\n,"), "where a whole number should be (line 5)"),
        (wide_csv(3).replace("fps: 25", "fps: 0"), "frame rate of 0"),
        (wide_csv(3).replace("fps: 25", "fps: fast"), "'fast' where a number should be (line 1)"),
        ("\n".join(wide_csv(3).splitlines()[:2]), "has a header but no rows"),
        ("frame,joint,x,y,z\n", "has a header but no rows"),
        ("joint,x,y,z\nhead,1,2,3\n", "does not name all joints of a known layout"),
        ("frame,nose_x,nose_y,hip_x,hip_y\n1,1,2,3,4\n", "holds 2D coordinates (x and y, but no z)"),
        ("a,b,c,d\n1,2,3,4\n", "has no columns x, y, z of joints (it has a, b, c, d ...)"),
        ("1,2,3,4,5\n1,2,3,4,5\n", "has 5 columns without names"),
        ("1,2,3,4,5,6\n1,2,3,4,5,6\n", "does not name its 2 joints"),
        ("# only a comment", "has 0 columns"),
        ("a,b\n1,2\n", "has 2 columns"),
        ("x" * 200_000 + ",b,c,d\n", "is no valid CSV"),
    ],
)
def test_broken_tables(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "broken.csv"
    path.write_text(text)
    assert expected in refusal(path)


def test_table_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "picture.csv"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe\xfd" * 50)
    assert "is not UTF-8 text (it looks like a PNG picture) (line 1)" in refusal(path)


def test_mediapipe_json_and_archive_agree_and_turn_to_kinect_axes(tmp_path: Path) -> None:
    samples = write_samples(tmp_path)
    listed, packed = read_sequence(samples["mediapipe_json"]), read_sequence(samples["mediapipe_npz"])
    assert not listed.present()[0].any()  # the frame in which nobody was found
    np.testing.assert_allclose(listed.joints[1:], packed.joints, atol=1e-6)
    assert listed.layout == "mediapipe_33" and listed.fps == packed.fps == 24
    body = to_kinect_v2(packed).joints[0, 0]
    expected = pose() - pose()[[12, 16]].mean(axis=0)
    for name in ("left shoulder", "right elbow", "left hip", "right ankle", "head", "left thumb"):
        joint = KINECT_V2.joints.index(name)
        np.testing.assert_allclose(body[joint], expected[joint], atol=1e-5, err_msg=name)


def test_mediapipe_shapes_of_a_frame(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    marks = mediapipe(3)
    plain = marks[..., :3].tolist()
    path.write_text(json.dumps([{"worldLandmarks": frame} for frame in plain]))
    one = read_sequence(path)
    path.write_text(json.dumps({"poseWorldLandmarks": [[frame, frame] for frame in plain]}))
    two = read_sequence(path)
    assert (one.persons, two.persons, one.fps) == (1, 2, 30)
    np.testing.assert_array_equal(two.joints[:, 1], one.joints[:, 0])
    assert one.tracking is None  # it says nothing about visibility
    marks[1, 4, 3] = 0.2
    np.savez(tmp_path / "m.npz", world_landmarks=marks)
    tracking = read_sequence(tmp_path / "m.npz").tracking
    assert tracking is not None and tracking[1, 0, 4] == 1 and (tracking == 1).sum() == 1


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"world_landmarks": []}, "has no list of frames"),
        ({"world_landmarks": [[], []]}, "nobody in any of its 2 frames"),
        ({"world_landmarks": [[], [[1, 2, 3]] * 32]}, "holds 32 landmarks, where MediaPipe has 33 (frame 2)"),
        ({"world_landmarks": [[{"x": 1, "y": 2}] * 33]}, "holds 2D joints (x and y, but no z) (frame 1)"),
        ({"world_landmarks": [[["1", "2", "3"]] * 33]}, "something that is not joints with x, y and z (frame 1)"),
        ({"world_landmarks": [[[1, 2, 3]] * 33], "fps": "fast"}, "`fps` that is not a number"),
        ({"world_landmarks": [[[1, 2, 3]] * 33], "fps": 10**400}, "frame rate of 1e+09"),
    ],
)
def test_broken_landmarks(tmp_path: Path, content: object, expected: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(content))
    assert expected in refusal(path)


def test_landmark_archive_of_another_shape(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", world_landmarks=np.ones((4, 32, 3)))
    assert "has shape (4, 1, 32, 3)" in refusal(tmp_path / "x.npz")
    assert len(LAYOUTS["mediapipe_33"].joints) == 33


def test_a_list_beside_recordings_is_not_one_of_them(tmp_path: Path) -> None:
    """A folder with `classes.csv` (as `flora demo` writes it) is labelled without a complaint about that file."""
    listing = tmp_path / "classes.csv"
    listing.write_text("name,class\nS001C001P001R001A001,wave\n", encoding="utf-8")
    assert not can_read(listing)
    assert "has 2 columns" in refusal(listing)
