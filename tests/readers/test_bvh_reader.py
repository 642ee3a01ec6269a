"""BVH: forward kinematics against scipy's rotations, names, units and axes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from bvh_samples import RIGS, renamed
from reader_samples import BVH_CHANNELS, bvh
from scipy.spatial.transform import Rotation

from flora_engine.errors import FloraError
from flora_engine.readers import read_sequence
from flora_engine.readers.bvh import Joint, positions_of
from flora_engine.skeleton import KINECT_V2

J = {name: i for i, name in enumerate(KINECT_V2.joints)}


def read(tmp_path: Path, text: str) -> np.ndarray:
    path = tmp_path / "x.bvh"
    path.write_text(text)
    sequence = read_sequence(path)
    assert sequence.layout == "kinect_v2" and sequence.persons == 1
    return sequence.joints[:, 0]


def test_forward_kinematics_equals_scipy() -> None:
    random = np.random.default_rng(0)
    orders = ["ZXY", "XYZ", "YXZ", "ZYX"]
    joints, values, expected = [], [], []
    frames = 7
    turn, place = Rotation.identity(frames), np.zeros((frames, 3))
    for i, order in enumerate(orders):
        offset, angles = random.normal(size=3), random.uniform(-180, 180, (frames, 3))
        channels = [("rotation", "XYZ".index(axis)) for axis in order]
        root = random.normal(size=(frames, 3))
        if i == 0:
            channels = [*(("position", axis) for axis in range(3)), *channels]
            values.append(root)
            place = root
        else:
            place = place + turn.apply(np.tile(offset, (frames, 1)))
        joints.append(Joint(f"j{i}", i - 1, tuple(offset), channels))
        values.append(angles)
        expected.append(place)
        turn = turn * Rotation.from_euler(order, angles, degrees=True)  # upper case: about the moving axes
    found = positions_of(joints, np.concatenate(values, axis=1))
    np.testing.assert_allclose(found, np.stack(expected, axis=1), atol=1e-12)


def test_rest_pose_in_kinect_axes_and_metres(tmp_path: Path) -> None:
    body = read(tmp_path, bvh(2))[0]
    np.testing.assert_allclose(body[J["spine base"]], [0, 0.9, 0], atol=1e-6)
    np.testing.assert_allclose(body[J["left shoulder"]], [-0.17, 1.32, 0], atol=1e-6)  # facing the camera: left at -x
    np.testing.assert_allclose(body[J["right wrist"]], [0.70, 1.32, 0], atol=1e-6)
    np.testing.assert_allclose(body[J["left foot"]], [-0.09, 0.0, -0.12], atol=1e-6)  # toes point to the camera
    np.testing.assert_allclose(body[J["head"]], [0, 1.6, 0], atol=1e-6)  # between the head joint and its end site
    np.testing.assert_allclose(body[J["right hand"]], [0.78, 1.32, 0], atol=1e-6)


def test_a_rotation_moves_what_hangs_below_it(tmp_path: Path) -> None:
    values = np.zeros((3, BVH_CHANNELS))
    values[:, 1] = 90
    # Columns: hips 6, spine 3, spine1 3, neck 3, head 3, left shoulder 3, then the left arm's Z rotation.
    values[1, 21] = -90
    values[2, 3:6] = [0, 0, 90]  # the whole body turns left about y
    still, lowered, turned = read(tmp_path, bvh(values=values))
    np.testing.assert_allclose(lowered[J["left elbow"]], [-0.17, 1.04, 0], atol=1e-6)
    np.testing.assert_allclose(lowered[J["left wrist"]], [-0.17, 0.79, 0], atol=1e-6)
    np.testing.assert_array_equal(lowered[J["right wrist"]], still[J["right wrist"]])
    np.testing.assert_allclose(turned[J["left shoulder"]], [0, 1.32, 0.17], atol=1e-6)


@pytest.mark.parametrize(
    "rename",
    [
        {},
        {"Hips": "mixamorig:Hips", "LeftArm": "mixamorig:LeftArm", "Head": "mixamorig:Head"},
        {"Spine1": "Chest", "LeftArm": "LeftUpArm", "RightForeArm": "RightLowArm", "LeftLeg": "LeftLowLeg"},
        {  # Biovision
            **{f"{s}Shoulder": f"{s}Collar" for s in ("Left", "Right")},
            **{f"{s}Arm": f"{s}Shoulder" for s in ("Left", "Right")},
            **{f"{s}ForeArm": f"{s}Elbow" for s in ("Left", "Right")},
            **{f"{s}Hand": f"{s}Wrist" for s in ("Left", "Right")},
            **{f"{s}UpLeg": f"{s}Hip" for s in ("Left", "Right")},
            **{f"{s}Leg": f"{s}Knee" for s in ("Left", "Right")},
            **{f"{s}Foot": f"{s}Ankle" for s in ("Left", "Right")},
        },
        {  # Blender
            **{f"{s}Shoulder": f"shoulder.{s[0]}" for s in ("Left", "Right")},
            **{f"{s}Arm": f"upper_arm.{s[0]}" for s in ("Left", "Right")},
            **{f"{s}ForeArm": f"forearm.{s[0]}" for s in ("Left", "Right")},
            **{f"{s}Hand": f"hand.{s[0]}" for s in ("Left", "Right")},
            **{f"{s}UpLeg": f"thigh.{s[0]}" for s in ("Left", "Right")},
            **{f"{s}Leg": f"shin.{s[0]}" for s in ("Left", "Right")},
            **{f"{s}Foot": f"foot.{s[0]}" for s in ("Left", "Right")},
        },
    ],
)
def test_names_of_common_writers(tmp_path: Path, rename: dict[str, str]) -> None:
    expected = read(tmp_path, bvh(1))
    text = bvh(1)
    for old, new in rename.items():
        assert f"JOINT {old} " in text or f"ROOT {old} " in text
        text = text.replace(f"JOINT {old} ", f"JOINT {new} ").replace(f"ROOT {old} ", f"ROOT {new} ")
    np.testing.assert_allclose(read(tmp_path, text), expected, atol=1e-6)


def test_fingers_and_toes_are_used_where_they_are(tmp_path: Path) -> None:
    finger = "JOINT LeftHandMiddle1 { OFFSET 10 0 0 CHANNELS 0 End Site { OFFSET 8 0 0 } }"
    thumb = "JOINT LeftHandThumb2 { OFFSET 4 0 5 CHANNELS 0 End Site { OFFSET 3 0 0 } }"
    end = "End Site { OFFSET 16 0 0 }"
    assert bvh(1).count(end) == 1
    body = read(tmp_path, bvh(1).replace(end, f"{finger} {thumb}"))[0]
    np.testing.assert_allclose(body[J["left hand"]], [-0.80, 1.32, 0], atol=1e-6)
    np.testing.assert_allclose(body[J["left thumb"]], [-0.74, 1.32, -0.05], atol=1e-6)


@pytest.mark.parametrize("unit", [1.0, 0.0254, 0.01, 0.001, 0.0254 / 0.45])
def test_units(tmp_path: Path, unit: float) -> None:
    joints = [line.split() for line in bvh(2).splitlines()]
    factor = 0.01 / unit
    for words in joints[: joints.index(["MOTION"])]:
        for at in [i for i, word in enumerate(words) if word == "OFFSET"]:
            words[at + 1 : at + 4] = [f"{float(word) * factor:.8f}" for word in words[at + 1 : at + 4]]
    for words in joints[-2:]:
        words[:3] = [f"{float(word) * factor:.8f}" for word in words[:3]]
    body = read(tmp_path, "\n".join(" ".join(words) for words in joints))
    np.testing.assert_allclose(body[0, J["head"], 1], 1.6, atol=1e-4)


def test_rate_and_length(tmp_path: Path) -> None:
    path = tmp_path / "x.bvh"
    path.write_text(bvh(1100).replace("Frame Time: 0.01", "Frame Time: .0083333"))
    sequence = read_sequence(path)
    assert sequence.frames == 1100 and sequence.fps == pytest.approx(120, abs=0.01)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("MOTION", "EMOTION", "has no MOTION section"),
        ("HIERARCHY", "ANARCHY", "does not begin with HIERARCHY"),
        ("Frames: 5", "Frames: 900000000", "says it holds 900000000 frames of 60 channels, but has 5 complete ones"),
        ("Frames: 5", "Frames: 0", "says it holds 0 frames"),
        ("Frames: 5", "Pictures: 5", "has no `Frames:` and `Frame Time:`"),
        ("Frame Time: 0.01", "Frame Time: 0", "frame time of 0 seconds"),
        ("90.000000", "ninety", "something that is not a number"),
        ("90.000000", "nan", "NaN or infinite (frame 1)"),
        ("OFFSET 0 12 0", "OFFSET 0 twelve 0", "'twelve' where a number should be (line 3)"),
        ("CHANNELS 6 X", "CHANNELS 99 X", "CHANNELS that are not"),
        ("Xposition", "Wposition", "CHANNELS that are not"),
        ("JOINT Spine ", "ROOT Spine ", "misplaced or surplus ROOT (line 3)"),
        ("{ OFFSET 0 20 0 }", "{ OFFSET 0 20 0", "in the middle of its hierarchy"),
    ],
)
def test_broken_files(tmp_path: Path, old: str, new: str, expected: str) -> None:
    path = tmp_path / "broken.bvh"
    path.write_text(bvh(5).replace(old, new, 1))
    with pytest.raises(FloraError) as caught:
        read_sequence(path)
    assert expected in str(caught.value)


def test_a_tree_that_is_not_a_body(tmp_path: Path) -> None:
    path = tmp_path / "tail.bvh"
    bones = " JOINT b { OFFSET 0 1 0 CHANNELS 0" * 9
    path.write_text(f"HIERARCHY\nROOT a {{ OFFSET 0 0 0 CHANNELS 1 Xrotation{bones}{' }' * 10}\n"
                    "MOTION\nFrames: 1\nFrame Time: 0.1\n0\n")  # fmt: skip
    with pytest.raises(FloraError, match="no joint that is called left shoulder or left elbow"):
        read_sequence(path)


@pytest.mark.parametrize("mirrored", [False, True])
def test_one_unknown_name_does_not_exchange_the_sides(tmp_path: Path, mirrored: bool) -> None:
    """Even in a file whose axes are left-handed, the names that are known say which side is which."""
    text = bvh(2).replace("JOINT LeftUpLeg ", "JOINT Oberschenkel ")
    expected = read(tmp_path, bvh(2))
    if mirrored:
        text = re.sub(r"OFFSET (-?\d+)", lambda found: f"OFFSET {-int(found[1])}", text)
    body = read(tmp_path, text)
    np.testing.assert_allclose(body[0, J["left wrist"]], expected[0, J["left wrist"]], atol=1e-5)


def test_too_many_joints(tmp_path: Path) -> None:
    path = tmp_path / "deep.bvh"
    path.write_text("HIERARCHY\nROOT r {" + " JOINT j { OFFSET 0 0 0" * 600 + " }" * 601 + "\nMOTION\n")
    with pytest.raises(FloraError, match="surplus JOINT"):
        read_sequence(path)


def lie_down(text: str) -> str:
    """The same motion with z up, as Blender and many simulators have it: (x, y, z) becomes (x, -z, y)."""
    lines = [line.split() for line in text.splitlines()]
    motion = lines.index(["MOTION"])
    for words in lines[:motion]:
        for at in [i for i, word in enumerate(words) if word == "OFFSET"]:
            x, y, z = words[at + 1 : at + 4]
            words[at + 1 : at + 4] = [x, str(-float(z)), y]
    for words in lines[motion + 3 :]:
        x, y, z = words[:3]
        words[:3] = [x, str(-float(z)), y]
    return "\n".join(" ".join(words) for words in lines)


def test_a_file_whose_z_points_up_is_read_standing(tmp_path: Path) -> None:
    """It was read as if y pointed up, so that the person lay on the floor, without a word."""
    path = tmp_path / "z.bvh"
    path.write_text(lie_down(bvh(3)))
    sequence = read_sequence(path)
    np.testing.assert_allclose(sequence.joints[:, 0], read(tmp_path, bvh(3)), atol=1e-5)
    (note,) = [note for note in sequence.notes if note.about == "up axis"]
    assert note.conflict and note.sure == "sure"
    assert note.text == "+z points up, although BVH files usually have +y up"


def test_a_root_that_is_turned_upright_is_believed_where_the_feet_stand_still(tmp_path: Path) -> None:
    """The rest pose has y up and the root turns it to z up: neither can be trusted alone."""
    values = np.zeros((20, BVH_CHANNELS))
    values[:, 2] = 90
    values[:, 4] = 90  # about x: y to z
    values[:, 23] = np.linspace(0, -80, 20)  # the left arm sweeps forward, through the supposed floor
    sequence_path = tmp_path / "turned.bvh"
    sequence_path.write_text(bvh(values=values))
    sequence = read_sequence(sequence_path)
    head, foot = (sequence.joints[:, 0, J[name], 1] for name in ("head", "left foot"))
    assert (head - foot > 1.4).all()


def test_someone_who_lies_is_left_lying(tmp_path: Path) -> None:
    values = np.zeros((20, BVH_CHANNELS))
    values[:, 1] = 20
    values[:, 4] = 90
    path = tmp_path / "sleeping.bvh"
    path.write_text(bvh(values=values))
    sequence = read_sequence(path)
    assert np.ptp(sequence.joints[0, 0, :, 1]) < 0.5
    assert any("the body lies along" in note.text for note in sequence.notes)


def test_positions_of_every_joint_replace_or_move_the_offsets(tmp_path: Path) -> None:
    expected = read(tmp_path, bvh(1))
    for absolute in (True, False):
        words = bvh(1).split()
        numbers = words[words.index("Time:") + 2 :]
        hierarchy, values, at = words[: words.index("MOTION")], [], 0
        offset = [0.0, 0.0, 0.0]
        for i, word in enumerate(hierarchy):
            if word == "OFFSET":
                offset = [float(v) for v in hierarchy[i + 1 : i + 4]]
            if word == "CHANNELS":
                count = int(hierarchy[i + 1])
                if count == 3:
                    values += [f"{v if absolute else 0.0}" for v in offset]
                values += numbers[at : at + count]
                at += count
        text = " ".join(hierarchy).replace("CHANNELS 3", "CHANNELS 6 Xposition Yposition Zposition")
        text = f"{text}\nMOTION\nFrames: 1\nFrame Time: 0.01\n{' '.join(values)}\n"
        np.testing.assert_allclose(read(tmp_path, text), expected, atol=1e-6)


@pytest.mark.parametrize("rig", RIGS)
def test_rigs_by_names_or_else_by_shape(tmp_path: Path, rig: str) -> None:
    expected = read(tmp_path, bvh(2))
    found = read(tmp_path, renamed(rig))
    joints = [J[f"{s} {p}"] for s in ("left", "right") for p in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")]
    np.testing.assert_allclose(found[:, joints], expected[:, joints], atol=1e-5)
    np.testing.assert_allclose(found[:, J["head"]], expected[:, J["head"]], atol=0.06)
    np.testing.assert_allclose(found[:, J["spine base"]], expected[:, J["spine base"]], atol=1e-5)


def test_a_file_without_a_head_has_one_made_up(tmp_path: Path) -> None:
    path = tmp_path / "headless.bvh"
    text = bvh(2)
    start = text.index("JOINT Head")
    end = text.index("}", text.index("}", start) + 1) + 1
    path.write_text(text[:start] + "End Site { OFFSET 0 18 0 }" + text[end:])
    values = path.read_text().split("\n")
    at = values.index("MOTION") + 3
    path.write_text("\n".join([*values[:at], *(" ".join(row.split()[:-3]) for row in values[at:] if row)]))
    sequence = read_sequence(path)
    assert sequence.joints[0, 0, J["head"], 1] == pytest.approx(1.58, abs=0.01)
    assert any("head" in note.text for note in sequence.notes if note.about == "joints")
