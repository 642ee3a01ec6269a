"""A synthetic person whose pose is known: rest pose, arms and legs by angles, placed anywhere."""

from __future__ import annotations

import numpy as np

from flora_engine.skeleton import KINECT_V2, SkeletonSequence

# Metres, y up; the person faces -z, so that their right is +x (right × up points backwards).
_REST = {
    "spine base": (0.0, 0.95, 0.0),
    "spine mid": (0.0, 1.2, 0.0),
    "neck": (0.0, 1.53, 0.0),
    "head": (0.0, 1.68, -0.02),
    "spine shoulder": (0.0, 1.45, 0.0),
}
_SIDE = {
    "shoulder": (0.18, 1.43, 0.0),
    "hip": (0.09, 0.93, 0.0),
    "knee": (0.1, 0.5, -0.01),
    "ankle": (0.1, 0.08, 0.0),
    "foot": (0.1, 0.02, -0.12),
}
TORSO = 0.5


def _pose(frames: int) -> dict[str, np.ndarray]:
    pose = {name: np.tile(at, (frames, 1)) for name, at in _REST.items()}
    for side, sign in (("right", 1.0), ("left", -1.0)):
        for part, at in _SIDE.items():
            pose[f"{side} {part}"] = np.tile(np.array(at) * [sign, 1, 1], (frames, 1))
    return pose


def _direction(lift: np.ndarray, out: np.ndarray, sign: float) -> np.ndarray:
    """Unit vectors of a limb: lift 0 hangs, 90 is level, 180 is up; out 0 is forward, 90 to its own side."""
    lift, out = np.radians(lift), np.radians(out)
    return np.stack([np.sin(lift) * np.sin(out) * sign, -np.cos(lift), -np.sin(lift) * np.cos(out)], axis=1)


def person(
    frames: int = 90,
    right_arm: tuple[object, object] = (5.0, 90.0),
    left_arm: tuple[object, object] = (5.0, 90.0),
    right_leg: object = 0.0,
    left_leg: object = 0.0,
) -> np.ndarray:
    """(frames, 25, 3) metres. An arm is (lift, out) in degrees, a leg its forward lift; numbers or (frames,)."""
    pose = _pose(frames)
    for side, sign, arm, leg in (("right", 1.0, right_arm, right_leg), ("left", -1.0, left_arm, left_leg)):
        lift, out = (np.broadcast_to(np.asarray(value, np.float64), (frames,)) for value in arm)
        along = _direction(lift, out, sign)
        for part, reach in (("elbow", 0.28), ("wrist", 0.52), ("hand", 0.6), ("hand tip", 0.68), ("thumb", 0.62)):
            pose[f"{side} {part}"] = pose[f"{side} shoulder"] + reach * along
        swing = _direction(np.broadcast_to(np.asarray(leg, np.float64), (frames,)), np.zeros(frames), sign)
        hip = pose[f"{side} hip"]
        pose[f"{side} knee"] = hip + 0.43 * swing
        pose[f"{side} ankle"] = hip + 0.85 * swing
        pose[f"{side} foot"] = hip + 0.9 * swing + np.array([0, 0, -0.12])
    return np.stack([pose[name] for name in KINECT_V2.joints], axis=1)


def rotation(degrees: float) -> np.ndarray:
    """(3, 3), for points as rows: turns about the vertical, to the person's right for positive degrees."""
    a = np.radians(degrees)
    return np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])


def recording(*persons: np.ndarray, fps: float = 30.0) -> SkeletonSequence:
    """A Kinect v2 recording of these persons, each (frames, 25, 3), three metres before the sensor."""
    joints = np.stack(persons, axis=1) + np.array([0.1, -0.9, 3.0])
    return SkeletonSequence(joints.astype(np.float32), fps)


def mirrored(points: np.ndarray) -> np.ndarray:
    """The same person in a mirror: x changes its sign, left and right their names."""
    order = np.arange(len(KINECT_V2.joints))
    for left, right in KINECT_V2.mirror:
        order[left], order[right] = right, left
    return points[:, order] * np.array([-1.0, 1.0, 1.0])
