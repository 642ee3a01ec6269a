"""Plain, slow, obviously right versions of the published preparations (docs/method.md, sections 2 and 3).

Loops over bodies, frames and joints, one step of the method after another; the engine's fast versions are compared
with these on real and on random recordings.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

# ---------------------------------------------------------------------------------------------- NTU, CTR-GCN style


def bodies_of(rows: dict[str, Any]) -> tuple[dict[Any, dict[str, Any]], int]:
    """Step 1: {body id: {start, frames: list of (25, 3)}} by first appearance, and the number of frames with a body."""
    found: dict[Any, dict[str, Any]] = {}
    valid = -1
    previous = None
    for frame, body, joints in zip(rows["frame"], rows["body_id"], rows["joints"], strict=True):
        if frame != previous:
            valid, previous = valid + 1, frame
        entry = found.setdefault(int(body), {"start": valid, "frames": []})
        entry["frames"].append(np.asarray(joints, np.float32))
    return found, valid + 1


def motion(frames: list[np.ndarray]) -> float:
    """Step 2."""
    points = np.concatenate(frames).astype(np.float64)
    return float(sum(np.var(points[:, axis]) for axis in range(3)))


def good(joints: np.ndarray) -> bool:
    """Whether a frame's spread in x is at most 0.8 times its spread in y."""
    spread = [joints[:, axis].max() - joints[:, axis].min() for axis in range(2)]
    return float(spread[0]) <= 0.8 * float(spread[1])


def denoise(rows: dict[str, Any]) -> np.ndarray | None:
    """Steps 1 to 4: (T', 75) or (T', 150); None where every one of several bodies is too short."""
    found, count = bodies_of(rows)
    if len(found) == 1:
        (only,) = found.values()
        return np.stack(only["frames"]).reshape(-1, 75)
    kept = {}
    for body, entry in found.items():
        entry["motion"] = motion(entry["frames"])
        if len(entry["frames"]) > 11:
            kept[body] = entry
    if not kept:
        return None
    for body in list(kept):
        if len(kept) == 1:
            break
        entry = kept[body]
        fine = [frame for frame in entry["frames"] if good(frame)]
        bad = len(entry["frames"]) - len(fine)
        if bad == 0:
            continue
        if bad / len(entry["frames"]) >= 0.69754:
            del kept[body]
        else:
            entry["motion"] = min(entry["motion"], motion(fine))
    order = sorted(kept.values(), key=lambda entry: entry["motion"], reverse=True)
    joints = _two_actors(order, count) if len(order) > 1 else _put(np.zeros((count, 75), np.float32), 0, order[0])
    return np.array([frame for frame in joints if np.any(frame != 0)], np.float32)


def _put(joints: np.ndarray, actor: int, entry: dict[str, Any]) -> np.ndarray:
    for offset, frame in enumerate(entry["frames"]):
        joints[entry["start"] + offset, 75 * actor : 75 * actor + 75] = frame.reshape(75)
    return joints


def _two_actors(order: list[dict[str, Any]], count: int) -> np.ndarray:
    joints = _put(np.zeros((count, 150), np.float32), 0, order[0])
    start1, end1 = order[0]["start"], order[0]["start"] + len(order[0]["frames"]) - 1
    start2, end2 = 0, 0
    for entry in order[1:]:
        start, end = entry["start"], entry["start"] + len(entry["frames"]) - 1
        if min(end1, end) - max(start1, start) <= 0:
            _put(joints, 0, entry)
            start1, end1 = min(start1, start), max(end1, end)
        elif min(end2, end) - max(start2, start) <= 0:
            _put(joints, 1, entry)
            start2, end2 = min(start2, start), max(end2, end)
    return joints


def translate(joints: np.ndarray) -> np.ndarray:
    """Step 5."""
    origin = next(frame[3:6].copy() for frame in joints if np.any(frame[:75] != 0))
    moved = np.zeros_like(joints)
    for t, frame in enumerate(joints):
        for actor in range(joints.shape[1] // 75):
            part = slice(75 * actor, 75 * actor + 75)
            if np.any(frame[part] != 0):
                moved[t, part] = (frame[part].reshape(25, 3) - origin).reshape(75)
    return moved


# --------------------------------------------------------------------------------------------------- 2s-AGCN style


def agcn(rows: dict[str, Any], frames: int = 300) -> np.ndarray:
    """The preparation of the published supervised checkpoints: (3, frames, 25, 2)."""
    candidates = np.zeros((4, rows["frame_count"], 25, 3))
    for frame, position, joints in zip(rows["frame"], rows["position"], rows["joints"], strict=True):
        if position < 4:
            candidates[position, frame] = joints
    energies = []
    for person in candidates:
        there = np.array([frame for frame in person if frame.sum() != 0])
        energies.append(sum(there[:, :, axis].std() for axis in range(3)) if len(there) else 0.0)
    chosen = np.argsort(energies)[::-1][:2]
    persons = np.zeros((2, frames, 25, 3))
    persons[:, : rows["frame_count"]] = candidates[chosen].astype(np.float32)
    persons = np.stack([_repeat(_to_front(person)) for person in persons])
    middles = persons[0, :, 1].copy()
    for person in persons:
        for t in range(frames):
            for joint in range(25):
                if person[t, joint].sum() != 0:
                    person[t, joint] -= middles[t]
    for low, high, target in ((0, 1, (0.0, 0.0, 1.0)), (4, 8, (1.0, 0.0, 0.0))):
        matrix = _rotation(persons[0, 0, high] - persons[0, 0, low], np.array(target))
        for person in persons:
            for t in range(frames):
                for joint in range(25):
                    person[t, joint] = matrix @ person[t, joint]
    return persons.transpose(3, 1, 2, 0).astype(np.float32)


def _to_front(person: np.ndarray) -> np.ndarray:
    if person[0].sum() != 0:
        return person
    moved = np.zeros_like(person)
    for t, frame in enumerate([frame for frame in person if frame.sum() != 0]):
        moved[t] = frame
    return moved


def _repeat(person: np.ndarray) -> np.ndarray:
    length = max((t + 1 for t, frame in enumerate(person) if frame.sum() != 0), default=0)
    if length == 0:
        return person
    return np.stack([person[t % length] if t >= length else person[t] for t in range(len(person))])


def _rotation(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Quaternion form of the rotation from one direction to another; identity for parallel or zero vectors."""
    axis = np.cross(source, target)
    if np.abs(axis).sum() < 1e-6 or np.abs(source).sum() < 1e-6:
        return np.eye(3)
    cosine = source @ target / np.linalg.norm(source) / np.linalg.norm(target)
    half = math.acos(max(-1.0, min(1.0, cosine))) / 2
    a = math.cos(half)
    b, c, d = axis / np.linalg.norm(axis) * math.sin(half)
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )


# -------------------------------------------------------------------------------------------------------- PKU-MMD


def pku(recording: np.ndarray, start: int, end: int, frames: int = 64) -> np.ndarray:
    """Cut (T, 2, 25, 3) by a label (0-based, end excluded) and prepare the clip: (3, frames, 25, 2)."""
    clip = [frame.astype(np.float64) for frame in recording[start:end]]
    if len(clip) > 300:
        skip = (len(clip) - 300) // 2
        clip = clip[skip : skip + 300]
    length = sum(1 for frame in clip if np.any(frame[0, 0] != 0))
    result = np.zeros((3, frames, 25, 2))
    if length == 0:
        return result.astype(np.float32)
    for person in range(2):
        centred = [frame[person] - frame[person, 20] for frame in clip[:length]]
        resized = []
        for i in range(frames):
            source = min(max((i + 0.5) * length / frames - 0.5, 0), length - 1)
            left = math.floor(source)
            right = min(left + 1, length - 1)
            resized.append(centred[left] * (left + 1 - source) + centred[right] * (source - left))
        sign = -1 if sum(pose[8, 2] - pose[4, 2] for pose in resized) >= 0 else 1
        for i, pose in enumerate(resized):
            vx, vz = pose[8, 0] - pose[4, 0], pose[8, 2] - pose[4, 2]
            angle = sign * math.acos(vx / (math.hypot(vx, vz) + 1e-4))
            cos, sin = math.cos(angle), math.sin(angle)
            matrix = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
            for joint in range(25):
                result[:, i, joint, person] = matrix @ pose[joint]
    return result.astype(np.float32)
