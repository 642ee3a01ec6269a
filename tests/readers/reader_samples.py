"""Small recordings in every format, made from one plain standing person who waves."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import scipy.io
from numpy.typing import NDArray

from flora_engine.readers import write_npz, write_ntu
from flora_engine.skeleton import KINECT_V2, LAYOUTS, SkeletonSequence

# Metres, Kinect axes, facing the camera: the left side at smaller x.
_TRUNK = {
    "spine base": (0, 0, 3),
    "spine mid": (0, 0.3, 3),
    "spine shoulder": (0, 0.5, 3),
    "neck": (0, 0.58, 3),
    "head": (0, 0.72, 3),
}
_SIDE = {
    "shoulder": (0.18, 0.45, 3),
    "elbow": (0.2, 0.17, 3),
    "wrist": (0.2, -0.08, 3),
    "hand": (0.2, -0.16, 3),
    "hand tip": (0.2, -0.22, 3),
    "thumb": (0.16, -0.18, 3),
    "hip": (0.09, -0.03, 3),
    "knee": (0.1, -0.45, 3),
    "ankle": (0.1, -0.85, 3),
    "foot": (0.1, -0.9, 2.88),
}


def pose() -> NDArray[np.float32]:
    """(25, 3)."""
    places = dict(_TRUNK)
    for part, (x, y, z) in _SIDE.items():
        places[f"left {part}"], places[f"right {part}"] = (-x, y, z), (x, y, z)
    return np.array([places[name] for name in KINECT_V2.joints], np.float32)


def waving(frames: int = 12, persons: int = 1) -> SkeletonSequence:
    """The right forearm turns about the elbow; a second person stands a metre to the side and comes late."""
    joints = np.tile(pose(), (frames, persons, 1, 1))
    elbow = KINECT_V2.joints.index("right elbow")
    forearm = [KINECT_V2.joints.index(f"right {part}") for part in ("wrist", "hand", "hand tip", "thumb")]
    angles = np.linspace(0, 2, frames)
    for t, angle in enumerate(angles):
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]], np.float32)
        joints[t, 0, forearm] = (joints[t, 0, forearm] - joints[t, 0, elbow]) @ turn.T + joints[t, 0, elbow]
    if persons > 1:
        joints[:, 1, :, 0] += 1
        joints[: frames // 3, 1] = 0
    return SkeletonSequence(joints, 30.0, name="S001C002P003R001A004", metadata={"action": 4})


def in_layout(name: str, frames: int = 12) -> NDArray[np.float32]:
    """(T, V, 3): the waving person in another layout, by equal or near joints."""
    near = {"hip centre": "spine base", "spine": "spine mid", "shoulder centre": "spine shoulder"}
    joints = waving(frames).joints[:, 0]
    index = {joint: i for i, joint in enumerate(KINECT_V2.joints)}
    return joints[:, [index[near.get(joint, joint)] for joint in LAYOUTS[name].joints]]


def mediapipe(frames: int = 12) -> NDArray[np.float64]:
    """(T, 33, 4) as MediaPipe gives them: x to the picture's right, y down, origin between the hips."""
    near = {"pinky": "hand tip", "index": "hand tip", "heel": "ankle", "foot index": "foot"}
    joints = waving(frames).joints[:, 0].astype(np.float64)
    index = {joint: i for i, joint in enumerate(KINECT_V2.joints)}
    out = np.ones((frames, 33, 4))
    for i, name in enumerate(LAYOUTS["mediapipe_33"].joints):
        side, _, part = name.partition(" ")
        source = f"{side} {near.get(part, part)}"
        out[:, i, :3] = joints[:, index[source]] if source in index else joints[:, index["head"]] + (0, 0, -0.1)
        if part == "ear":
            out[:, i, :3] = joints[:, index["head"]] + (-0.07 if side == "left" else 0.07, 0, 0)
    hips = [index["left hip"], index["right hip"]]
    out[..., :3] -= joints[:, hips].mean(axis=1, keepdims=True)
    out[..., :2] *= -1
    return out


def wide_csv(frames: int = 6) -> str:
    header = ["frame", *(f"{name.replace(' ', '_')}_{axis}" for name in KINECT_V2.joints for axis in "xyz")]
    joints = waving(frames).joints[:, 0]
    rows = [[str(t + 1), *(f"{v:.9g}" for v in joints[t].ravel())] for t in range(frames)]
    return "\n".join(["# fps: 25", ",".join(header), *(",".join(row) for row in rows)]) + "\n"


def long_csv(frames: int = 6) -> str:
    sequence = waving(frames, persons=2)
    present = sequence.present()
    lines = ["time;frame;person;joint;x;y;z"]
    for t in range(frames):
        for m in range(2):
            for name, (x, y, z) in zip(KINECT_V2.joints, sequence.joints[t, m], strict=True):
                if present[t, m]:
                    lines.append(f"{t / 50:.4f};{t};{'AB'[m]};{name};{x:.9g};{y:.9g};{z:.9g}")
    return "\r\n".join(lines) + "\r\n"


def _bvh_side(side: str, x: float) -> tuple[str, str]:
    arm = f"""JOINT {side}Shoulder {{ OFFSET {x * 5} 12 0 CHANNELS 3 Zrotation Xrotation Yrotation
      JOINT {side}Arm {{ OFFSET {x * 12} 0 0 CHANNELS 3 Zrotation Xrotation Yrotation
       JOINT {side}ForeArm {{ OFFSET {x * 28} 0 0 CHANNELS 3 Zrotation Xrotation Yrotation
        JOINT {side}Hand {{ OFFSET {x * 25} 0 0 CHANNELS 3 Zrotation Xrotation Yrotation
         End Site {{ OFFSET {x * 16} 0 0 }} }} }} }} }}"""
    leg = f"""JOINT {side}UpLeg {{ OFFSET {x * 9} -3 0 CHANNELS 3 Zrotation Xrotation Yrotation
      JOINT {side}Leg {{ OFFSET 0 -42 0 CHANNELS 3 Zrotation Xrotation Yrotation
       JOINT {side}Foot {{ OFFSET 0 -40 0 CHANNELS 3 Zrotation Xrotation Yrotation
        End Site {{ OFFSET 0 -5 12 }} }} }} }}"""
    return arm, leg


BVH_CHANNELS = 6 + 3 * 4 + 2 * 4 * 3 + 2 * 3 * 3


def bvh(frames: int = 5, prefix: str = "", values: NDArray[np.float64] | None = None) -> str:
    """Centimetres, y up, facing +z, the left at +x, a T pose, as MotionBuilder writes it."""
    left_arm, left_leg = _bvh_side("Left", 1)
    right_arm, right_leg = _bvh_side("Right", -1)
    hierarchy = f"""HIERARCHY
ROOT Hips {{ OFFSET 0 90 0 CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
 JOINT Spine {{ OFFSET 0 12 0 CHANNELS 3 Zrotation Xrotation Yrotation
  JOINT Spine1 {{ OFFSET 0 18 0 CHANNELS 3 Zrotation Xrotation Yrotation
   JOINT Neck {{ OFFSET 0 20 0 CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT Head {{ OFFSET 0 10 0 CHANNELS 3 Zrotation Xrotation Yrotation
     End Site {{ OFFSET 0 20 0 }} }} }}
   {left_arm} {right_arm} }} }}
 {left_leg} {right_leg} }}
"""
    if prefix:
        for keyword in ("ROOT ", "JOINT "):
            hierarchy = hierarchy.replace(keyword, keyword + prefix)
    if values is None:
        values = np.zeros((frames, BVH_CHANNELS))
        values[:, 1] = 90
    lines = [" ".join(f"{v:.6f}" for v in row) for row in values]
    return hierarchy + f"MOTION\nFrames: {len(values)}\nFrame Time: 0.01\n" + "\n".join(lines) + "\n"


def mat(frames: int = 6, *, compressed: bool = True) -> bytes:
    stream = io.BytesIO()
    joints = in_layout("kinect_v1_utd", frames).astype(np.float64).transpose(1, 2, 0)
    scipy.io.savemat(stream, {"d_skel": joints}, do_compression=compressed)
    return stream.getvalue()


def write_samples(folder: Path) -> dict[str, Path]:
    """One valid file of every format; names as the data sets have them where they matter."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {
        "ntu": folder / "S001C002P003R001A004.skeleton",
        "npz": folder / "own.npz",
        "utd_mhad": folder / "a3_s2_t1_skeleton.mat",
        "mat_plain": folder / "a3_s2_t2_skeleton.mat",
        "nw_ucla": folder / "a02_s03_e04_v01.json",
        "pku": folder / "0002-M.txt",
        "wide": folder / "wide.csv",
        "long": folder / "long.csv",
        "bvh": folder / "walk.bvh",
        "mediapipe_json": folder / "pose.json",
        "mediapipe_npz": folder / "pose.npz",
    }
    write_ntu(waving(persons=2), paths["ntu"])
    write_npz(waving(persons=2), paths["npz"])
    paths["utd_mhad"].write_bytes(mat())
    paths["mat_plain"].write_bytes(mat(compressed=False))
    ucla = {"file_name": "a02_s03_e04_v01", "skeletons": in_layout("kinect_v1").round(5).tolist(), "label": 2}
    paths["nw_ucla"].write_text(json.dumps(ucla))
    both = waving(persons=2).joints.reshape(12, 150)
    paths["pku"].write_text("\n".join(" ".join(f"{v:.6f}" for v in row) for row in both) + "\n")
    paths["wide"].write_text(wide_csv())
    paths["long"].write_text(long_csv(), newline="")
    paths["bvh"].write_text(bvh())
    marks = mediapipe().round(5)
    keys = ("x", "y", "z", "visibility")
    frames = [[dict(zip(keys, mark, strict=True)) for mark in frame] for frame in marks.tolist()]
    paths["mediapipe_json"].write_text(json.dumps({"fps": 24, "world_landmarks": [[], *frames]}))
    np.savez(paths["mediapipe_npz"], world_landmarks=marks.astype(np.float32), fps=24.0)
    return paths
