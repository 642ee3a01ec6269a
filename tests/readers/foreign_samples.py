"""Recordings as the tools of other people write them, all of one person who raises the right arm forward.

`FOREIGN` has a writer for each: name of the file → function of the path. The person is 1.7 m tall and faces the viewer.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sample_person import FRAMES, PICTURE, Y_UP, Z_UP, Array, person, table
from vicon_samples import VICON

from flora_engine.skeleton import LAYOUTS


def _mediapipe_names() -> list[str]:
    return [joint.replace(" ", "_") for joint in LAYOUTS["mediapipe_33"].joints]


def mediapipe_lower(path: Path) -> None:
    joints = person("mediapipe_33", PICTURE) - np.array([0, -0.9, 0])
    path.write_text(table([f"{n}_{a}" for n in _mediapipe_names() for a in "xyz"], joints.reshape(FRAMES, -1)))


def mediapipe_capitals(path: Path) -> None:
    joints = person("mediapipe_33", PICTURE) - np.array([0, -0.9, 0])
    values = np.concatenate([joints, np.full((FRAMES, 33, 1), 0.9)], axis=2)
    columns = [f"{n.upper()}_{a}" for n in _mediapipe_names() for a in ("x", "y", "z", "visibility")]
    path.write_text(table(["frame", *columns], np.column_stack([np.arange(FRAMES), values.reshape(FRAMES, -1)])))


def mediapipe_numbered(path: Path) -> None:
    """x1, y1, z1, v1 …, 0-based times in milliseconds at 25 frames a second."""
    joints = person("mediapipe_33", PICTURE) - np.array([0, -0.9, 0])
    values = np.concatenate([joints, np.full((FRAMES, 33, 1), 0.9)], axis=2)
    columns = ["timestamp_ms", *(f"{a}{i}" for i in range(1, 34) for a in "xyzv")]
    path.write_text(table(columns, np.column_stack([40 * np.arange(FRAMES), values.reshape(FRAMES, -1)])))


def mediapipe_rows(path: Path) -> None:
    joints = person("mediapipe_33", PICTURE) - np.array([0, -0.9, 0])
    rows = [
        [str(t), name, *(f"{v:.6g}" for v in joints[t, i]), "0.9"]
        for t in range(FRAMES)
        for i, name in enumerate(_mediapipe_names())
    ]
    path.write_text(table(["frame", "landmark", "x", "y", "z", "visibility"], rows))


def mediapipe_frames(path: Path) -> None:
    joints = person("mediapipe_33", PICTURE) - np.array([0, -0.9, 0])
    frames = [
        {"frame": t, "landmarks": [{"x": x, "y": y, "z": z, "visibility": 0.9} for x, y, z in joints[t].round(5)]}
        for t in range(FRAMES)
    ]
    path.write_text(json.dumps(frames))


def mediapipe_list(path: Path) -> None:
    """An entry per landmark and frame."""
    joints = person("mediapipe_33", PICTURE).round(5)
    rows = [
        {"frame": t, "name": name, "x": x, "y": y, "z": z}
        for t in range(FRAMES)
        for name, (x, y, z) in zip(_mediapipe_names(), joints[t], strict=True)
    ]
    path.write_text(json.dumps(rows))


def mediapipe_array(path: Path) -> None:
    np.save(path, person("mediapipe_33", PICTURE).astype(np.float32))


def freemocap(path: Path) -> None:
    """body_3d_xyz: millimetres, z up, with a gap."""
    joints = person("mediapipe_33", Z_UP, 1000)
    columns = [f"{n}_{a}" for n in _mediapipe_names() for a in "xyz"]
    rows = [[f"{v:.3f}" for v in frame.ravel()] for frame in joints]
    for t in (5, 6, 7):
        rows[t][0:3] = ["", "", ""]
    path.write_text(table(columns, rows))


def kinect_v2_table(path: Path) -> None:
    camel = {"spine base": "SpineBase", "spine mid": "SpineMid", "spine shoulder": "SpineShoulder"}
    names = []
    for joint in LAYOUTS["kinect_v2"].joints:
        words = joint.split()
        plain = "".join(word.title() for word in words[1:]) + words[0].title() if words[0] in ("left", "right") else ""
        names.append(camel.get(joint, plain or joint.title()))
    joints = kinect_v2()
    columns = ["Time", *(f"{name}.{axis}" for name in names for axis in "XYZ")]
    path.write_text(table(columns, np.column_stack([np.arange(FRAMES) / 30, joints.reshape(FRAMES, -1)])))


def kinect_v2() -> Array:
    from flora_engine.skeleton import SkeletonSequence, to_kinect_v2

    source = SkeletonSequence(person("smpl_24").astype(np.float32)[:, None], 30.0, "smpl_24")
    return to_kinect_v2(source).joints[:, 0].astype(np.float64) + np.array([0, -0.9, 3])


def european_table(path: Path) -> None:
    kinect_v2_table(path)
    header, rows = path.read_text().replace(",", ";").split("\n", 1)
    path.write_text(header + "\n" + rows.replace(".", ","))


def azure_json(path: Path) -> None:
    joints = person("azure_kinect_32", PICTURE, 1000).round(2) + np.array([0, 900, 2000])
    upper = [joint.upper().replace(" ", "_") for joint in LAYOUTS["azure_kinect_32"].joints]
    frames = [
        {
            "frame_id": t,
            "timestamp_usec": 1000 + 33333 * t,
            "num_bodies": 1,
            "bodies": [
                {"body_id": 1, "joint_positions": joints[t].tolist(), "joint_orientations": [[1, 0, 0, 0]] * 32}
            ],
        }
        for t in range(FRAMES)
    ]
    path.write_text(json.dumps({"joint_names": upper, "frames": frames}))


def mediapipe_solutions(path: Path) -> None:
    """`MessageToDict(results.pose_world_landmarks)` of every frame, as the older Python interface gives it."""
    joints = person("mediapipe_33", PICTURE) - np.array([0, -0.9, 0])
    frames = [
        {"landmark": [{"x": x, "y": y, "z": z, "visibility": 0.9} for x, y, z in frame]} for frame in joints.tolist()
    ]
    path.write_text(json.dumps([{"frame": t, "pose_world_landmarks": each} for t, each in enumerate(frames)]))


def pose_detection(path: Path) -> None:
    """TensorFlow.js' pose-detection with BlazePose: `keypoints3D` beside the `keypoints` of the picture."""
    joints = person("mediapipe_33", PICTURE) - np.array([0, -0.9, 0])
    names = _mediapipe_names()
    flat = [{"x": 320.5, "y": 20.5, "score": 0.9, "name": name} for name in names]
    frames = []
    for frame in joints.tolist():
        deep = [{"x": x, "y": y, "z": z, "score": 0.9, "name": n} for n, (x, y, z) in zip(names, frame, strict=True)]
        frames.append([{"keypoints": flat, "keypoints3D": deep}])
    path.write_text(json.dumps(frames))


def whole_body(path: Path) -> None:
    """RTMW and other models of COCO-WholeBody: 133 joints, the body and feet first, then a face and hands."""
    body = person("coco_wholebody_23", Z_UP)
    rest = body[:, :1] + np.random.default_rng(0).normal(0, 0.05, (1, 110, 3))
    np.save(path, np.concatenate([body, rest], axis=1))


def mmpose_json(path: Path) -> None:
    joints = person("human36m_17", Z_UP).round(5)
    info = [
        {"frame_id": t + 1, "instances": [{"keypoints": joints[t].tolist(), "keypoint_scores": [0.9] * 17}]}
        for t in range(FRAMES)
    ]
    path.write_text(json.dumps({"meta_info": {"dataset_name": "h36m"}, "instance_info": info}))


def smpl_array(path: Path) -> None:
    np.save(path, person("smpl_22", Z_UP).astype(np.float32))


def h36m_archive(path: Path) -> None:
    np.savez(path, positions_3d=person("human36m_17", Z_UP).astype(np.float32), frame_rate=50.0)


def xsens_table(path: Path) -> None:
    names = ["".join(w.title() for w in joint.split()) for joint in LAYOUTS["xsens_23"].joints]
    columns = ["Frame", *(f"{name} {axis}" for name in names for axis in "xyz")]
    joints = person("xsens_23", Z_UP)
    path.write_text(table(columns, np.column_stack([np.arange(FRAMES), joints.reshape(FRAMES, -1)])))


def mixamo_limbs(path: Path) -> None:
    """Limbs and a head by the names of an animation rig, without any joint of the trunk."""
    parts = {"shoulder": "Arm", "elbow": "ForeArm", "wrist": "Hand", "hip": "UpLeg", "knee": "Leg", "ankle": "Foot"}
    names = {f"{s} {part}": f"mixamorig:{s.title()}{own}" for s in ("left", "right") for part, own in parts.items()}
    names["head"] = "mixamorig:Head"
    layout = LAYOUTS["smpl_22"].joints
    joints = person("smpl_22", Y_UP, 100)[:, [layout.index(name) for name in names]]
    path.write_text(table([f"{name} {a} (cm)" for name in names.values() for a in "xyz"], joints.reshape(FRAMES, -1)))


def mediapipe_image(path: Path) -> None:
    """Landmarks in shares of a square picture."""
    joints = person("mediapipe_33", PICTURE, 0.4) + np.array([0.5, 0.85, 0])
    path.write_text(table([f"{n}_{a}" for n in _mediapipe_names() for a in "xyz"], joints.reshape(FRAMES, -1)))


def two_persons(path: Path) -> None:
    one = person("coco_17", Y_UP, 100)
    columns = [
        f"person{p}_{n.replace(' ', '_')}_{a} (cm)" for p in (1, 2) for n in LAYOUTS["coco_17"].joints for a in "xyz"
    ]
    both = np.concatenate([one, one[:1].repeat(FRAMES, axis=0) + np.array([150, 0, 0])], axis=1)
    path.write_text(table(columns, both.reshape(FRAMES, -1), mark="\t", before="# frame rate: 60\n"))


def opencap_trc(path: Path) -> None:
    names = ["".join(w.title() for w in n.replace("right", "r").replace("left", "l").split()) for n in
             LAYOUTS["opencap_20"].joints]  # fmt: skip
    joints = person("opencap_20", np.array([[0.0, 0, -1], [0, 1, 0], [1, 0, 0]]))  # OpenSim: y up, facing +x
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{path.name}",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"60\t60\t{FRAMES}\t{len(names)}\tm\t60\t1\t{FRAMES}",
        "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t",
        "\t\t" + "\t".join(f"{a}{i + 1}" for i in range(len(names)) for a in "XYZ"),
        "",
        *(f"{t + 1}\t{t / 60:.4f}\t" + "\t".join(f"{v:.5f}" for v in joints[t].ravel()) for t in range(FRAMES)),
    ]
    path.write_text("\n".join(lines) + "\n")


_ASF = """# a skeleton in the units of the CMU database
:version 1.10
:name test
:units
  mass 1.0
  length 0.45
  angle deg
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
{bones}:hierarchy
  begin
{hierarchy}  end
"""


def cmu_amc(path: Path) -> None:
    """The skeleton of the CMU database's proportions; the right arm is raised by its humerus, in turned bone axes."""
    layout = LAYOUTS["cmu_31"]
    rest = person("cmu_31", Y_UP, 0.45 / 0.0254)[0]
    parents = dict(layout.bones)
    short = [joint.replace("left ", "l").replace("right ", "r") for joint in layout.joints]
    bones, children = "", dict[int, list[str]]()
    for i, name in enumerate(short[1:], 1):
        step = rest[i] - rest[parents[i]]
        length = float(np.linalg.norm(step))
        way = step / max(length, 1e-9)
        dof = "     dof rx ry rz\n" if name == "rhumerus" else ""
        bones += (
            f"  begin\n     id {i}\n     name {name}\n     direction {way[0]:.6f} {way[1]:.6f} {way[2]:.6f}\n"
            f"     length {length:.6f}\n     axis 0 90 0  XYZ\n{dof}  end\n"
        )
        children.setdefault(parents[i], []).append(name)
    hierarchy = "".join(f"    {short[parent]} {' '.join(names)}\n" for parent, names in children.items())
    path.with_name("01.asf").write_text(_ASF.format(bones=bones, hierarchy=hierarchy))
    frames = []
    for t in range(FRAMES):  # about the bone's own z axis, which lies along the file's x
        frames.append(
            f"{t + 1}\nroot {' '.join(f'{v:.5f}' for v in rest[0])} 0 0 0\nrhumerus 0 0 {-90 * t / (FRAMES - 1)}"
        )
    path.write_text("#!a comment\n:FULLY-SPECIFIED\n:DEGREES\n" + "\n".join(frames) + "\n")


def utkinect(path: Path) -> None:
    joints = person("kinect_v1") + np.array([0, -0.9, 2.5])
    rows = [" ".join([str(200 + 2 * t), *(f"{v:.6f}" for v in joints[t].ravel())]) for t in range(FRAMES)]
    path.write_text("\n".join(rows) + "\n")


def numbers_text(path: Path) -> None:
    np.savetxt(path, person("smpl_24", Z_UP).reshape(FRAMES, -1))


def pyskl_pickle(path: Path) -> None:
    joints = person("kinect_v1") + np.array([0, -0.9, 2.5])
    annotation = {"frame_dir": "a", "label": 3, "keypoint": joints[None].astype(np.float32), "total_frames": FRAMES}
    path.write_bytes(pickle.dumps([annotation], protocol=4))


def alphapose_json(path: Path) -> None:
    """An entry per person and picture, with 2D keypoints beside the joints of SMPL in metres."""
    joints = person("smpl_24", PICTURE).round(5)
    path.write_text(json.dumps([
        {"image_id": f"{t:04d}.jpg", "category_id": 1, "keypoints": [1.0, 2.0, 0.9] * 26, "score": 2.9,
         "pred_xyz_jts": joints[t].tolist()}
        for t in range(FRAMES)
    ]))  # fmt: skip


def halpe_json(path: Path) -> None:
    """Halpe's 26 joints in one flat list of x, y, z and a confidence."""
    joints = np.concatenate([person("halpe_26", PICTURE), np.full((FRAMES, 26, 1), 0.9)], axis=2).round(5)
    entries = [{"image_id": f"{t}.jpg", "keypoints_3d": joints[t].ravel().tolist()} for t in range(FRAMES)]
    path.write_text(json.dumps(entries))


def openpose_3d(path: Path) -> None:
    """OpenPose's 3D module: x, y, z and a confidence of 25 joints in one flat list, here all frames in one file."""
    joints = np.concatenate([person("body_25", PICTURE, 100), np.full((FRAMES, 25, 1), 0.8)], axis=2).round(4)
    frames = [
        {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": [], "pose_keypoints_3d": joint.tolist()}]}
        for joint in joints.reshape(FRAMES, -1)
    ]
    path.write_text(json.dumps({"fps": 25, "frames": frames}))


def motive_csv(path: Path) -> None:
    """OptiTrack Motive: bones with rotations and positions; the root is called as the skeleton is."""
    joints = person("optitrack_21", Y_UP)
    names = ["".join(w.title() for w in n.replace("left", "l").replace("right", "r").split()) for n in
             LAYOUTS["optitrack_21"].joints]  # fmt: skip
    names = ["Anna:Anna", *(f"Anna:{name}" for name in names[1:])]
    lines = ["Format Version,1.23,Take Name,T,Capture Frame Rate,120.000000,Export Frame Rate,60.000000,"
             "Length Units,Meters,Coordinate Space,Global", ""]  # fmt: skip
    lines += [",Type," + ",".join("Bone" for _ in names for _ in range(7))]
    lines += [f",{what}," + ",".join(name for name in names for _ in range(7)) for what in ("Name", "ID")]
    lines += [",," + ",".join(kind for _ in names for kind in ["Rotation"] * 4 + ["Position"] * 3)]
    lines += ["Frame,Time (Seconds)," + ",".join(axis for _ in names for axis in "XYZWXYZ")]
    for t in range(FRAMES):
        lines.append(f"{t},{t / 60:.6f}," + ",".join(f"0,0,0,1,{x:.6f},{y:.6f},{z:.6f}" for x, y, z in joints[t]))
    path.write_text("\n".join(lines) + "\n")


def msrc_12(path: Path) -> None:
    """A clock in units of 100 ns, then x y z and a confidence for each joint, separated by blanks."""
    joints = person("kinect_v1") + np.array([0, -0.9, 2.5])
    values = np.concatenate([joints, np.ones((FRAMES, 20, 1))], axis=2).reshape(FRAMES, -1)
    clock = 5_000_000 + 333_333 * np.arange(FRAMES)
    path.write_text("\n".join(f"{t} {' '.join(f'{v:.6f}' for v in row)}" for t, row in zip(clock, values, strict=True)))


def msr_action(path: Path) -> None:
    """A line per joint and frame in the order that its authors draw, the right side first."""
    order = ("right shoulder", "left shoulder", "shoulder centre", "spine", "right hip", "left hip", "hip centre",
             "right elbow", "left elbow", "right wrist", "left wrist", "right hand", "left hand", "right knee",
             "left knee", "right ankle", "left ankle", "right foot", "left foot", "head")  # fmt: skip
    joints = person("kinect_v1")[:, [LAYOUTS["kinect_v1"].joints.index(name) for name in order]]
    joints = joints + np.array([0, -0.9, 2.5])
    path.write_text("\n".join(f"{x:.6f} {y:.6f} {z:.6f} 1.0" for x, y, z in joints.reshape(-1, 3)) + "\n")


def mvnx(path: Path) -> None:
    names = ["".join(w.title() for w in joint.split()) for joint in LAYOUTS["xsens_23"].joints]
    joints = person("xsens_23", Z_UP)
    segments = "".join(f'<segment label="{name}" id="{i + 1}"/>' for i, name in enumerate(names))
    frames = "".join(
        f'<frame time="{t}" type="normal"><orientation>1 0 0 0</orientation>'
        f"<position>{' '.join(f'{v:.6f}' for v in joints[t].ravel())}</position></frame>"
        for t in range(FRAMES)
    )
    rest = f'<frame type="npose"><position>{" ".join(["0"] * 69)}</position></frame>'
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?><mvnx version="4" xmlns="http://www.xsens.com/mvn/mvnx">'
        f'<subject label="A" frameRate="60" segmentCount="23"><segments>{segments}</segments>'
        f"<frames>{rest}{frames}</frames></subject></mvnx>"
    )


def matlab_arrays(path: Path) -> None:
    """One array of joints (joints, 3, frames) among others, as MATLAB's `save` writes them."""
    import scipy.io

    joints = person("smpl_24", Z_UP, 1000).transpose(1, 2, 0)
    scipy.io.savemat(
        path, {"info": "a text", "pos": joints, "fps": 25.0, "weights": np.ones((4, 4))}, do_compression=True
    )


# file → (writer, layout as read, frame rate, words in its notes)
FOREIGN: dict[str, tuple[Callable[[Path], None], str, float, tuple[str, ...]]] = {
    "mediapipe.csv": (mediapipe_lower, "mediapipe_33", 30, ("30 frames per second are assumed",)),
    "mediapipe_capitals.csv": (mediapipe_capitals, "mediapipe_33", 30, ()),
    "mediapipe_numbered.csv": (mediapipe_numbered, "mediapipe_33", 25, ("by their number",)),
    "mediapipe_rows.csv": (mediapipe_rows, "mediapipe_33", 30, ()),
    "mediapipe_frames.json": (mediapipe_frames, "mediapipe_33", 30, ()),
    "mediapipe_list.json": (mediapipe_list, "mediapipe_33", 30, ()),
    "mediapipe.npy": (mediapipe_array, "mediapipe_33", 30, ("by their number",)),
    "body_3d_xyz.csv": (freemocap, "mediapipe_33", 30, ("+z points up", "millimetres", "0.2 % of the joints")),
    "kinect_v2.csv": (kinect_v2_table, "kinect_v2", 30, ()),
    "european.csv": (european_table, "kinect_v2", 30, ()),
    "azure.json": (azure_json, "azure_kinect_32", 30, ("millimetres",)),
    "mmpose.json": (mmpose_json, "human36m_17", 30, ("+z points up",)),
    "smpl.npy": (smpl_array, "smpl_22", 30, ("+z points up", "by their number")),
    "h36m.npz": (h36m_archive, "human36m_17", 50, ("+z points up",)),
    "xsens.csv": (xsens_table, "xsens_23", 30, ("+z points up",)),
    "opencap.trc": (opencap_trc, "opencap_20", 60, ("+y points up", "8 of 25 joints are made up")),
    "01_02.amc": (cmu_amc, "cmu_31", 120, ("+y points up", "units of the CMU database", "120 frames per second")),
    "joints_s01_e01.txt": (utkinect, "kinect_v1", 15, ("as UTKinect was recorded",)),
    "numbers.txt": (numbers_text, "smpl_24", 30, ("by their number",)),
    "pyskl.pkl": (pyskl_pickle, "kinect_v1", 30, ("by their number",)),
    "mediapipe_image.csv": (mediapipe_image, "mediapipe_33", 30, ("shares of a picture",)),
    "mixamo.csv": (mixamo_limbs, "kinect_v2", 30, ("8 of 25 joints are made up",)),
    "motive.csv": (motive_csv, "optitrack_21", 60, ("+y points up",)),
    "alphapose-results.json": (alphapose_json, "smpl_24", 30, ("metres",)),
    "halpe.json": (halpe_json, "halpe_26", 30, ()),
    "openpose_3d.json": (openpose_3d, "body_25", 25, ("centimetres",)),
    "P1_1_1A_p06.csv": (msrc_12, "kinect_v1", 30, ("by their number",)),
    "a01_s02_e03_skeleton3D.txt": (msr_action, "kinect_v1", 15, ("told by feet and knees",)),
    "walk.mvnx": (mvnx, "xsens_23", 60, ("+z points up",)),
    "joints.mat": (matlab_arrays, "smpl_24", 25, ("by their number", "millimetres")),
    "mediapipe_solutions.json": (mediapipe_solutions, "mediapipe_33", 30, ()),
    "pose_detection.json": (pose_detection, "mediapipe_33", 30, ()),
    "rtmw.npy": (whole_body, "coco_wholebody_23", 30, ("the first 23 of 133 joints",)),
    **VICON,
    "two.tsv": (two_persons, "coco_17", 60, ("8 of 25 joints are made up",)),
}
