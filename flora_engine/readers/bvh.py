"""BVH motion capture: hierarchy and Euler angles to joint positions, mapped by name to the 25 Kinect joints.

BVH files say neither their unit nor whose names they use. The unit is taken as the one that gives the legs a human
length; the names as CMU, Mixamo, MotionBuilder, Biovision and Blender write them. Their usual axes (y up, the rest pose
facing +z with its left at +x) are given a half turn about y to become the Kinect's, whose people face the camera (-z)
and have their left at -x.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.readers import _input
from flora_engine.readers._archive import MAX_FPS
from flora_engine.skeleton import KINECT_V2, SkeletonSequence

Array = NDArray[np.float64]
MAX_JOINTS = 500
_CHUNK = 512  # frames turned into positions at once, to bound the memory of long recordings
_CHANNELS = {f"{axis}{kind}": (kind, i) for i, axis in enumerate("XYZ") for kind in ("position", "rotation")}
# Metres per unit: metres, decimetres, inches, centimetres, millimetres, and the CMU database's 0.45 inch scale.
_UNITS = (1.0, 0.1, 0.0254, 0.01, 0.001, 0.0254 / 0.45)
_LEG = 0.85  # metres from hip to ankle of a grown-up


def claims(path: Path, head: bytes) -> bool:
    return path.suffix.lower() == ".bvh" or _opens_like_bvh(head)


def _opens_like_bvh(head: bytes) -> bool:
    return head.lstrip()[:9].upper() == b"HIERARCHY"


@dataclass
class Joint:
    """One joint of the hierarchy; `parent` is an index, -1 for the root. End sites are named "PARENT#end"."""

    name: str
    parent: int
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    channels: list[tuple[str, int]] = field(default_factory=list)


def read(path: Path, head: bytes) -> SkeletonSequence | None:
    """joints (T, 1, 25, 3) in Kinect v2 layout and axes, metres (guessed unit).

    None where it is no BVH; FloraError where it is broken or its joints cannot be told.
    """
    if not claims(path, head):
        return None
    data = _input.read_bytes(path, _input.MAX_JSON_BYTES)
    split = re.search(rb"\bMOTION\b", data)
    if not _opens_like_bvh(head) or split is None:
        problem = "has no MOTION section" if split is None else "does not begin with HIERARCHY"
        raise FloraError(f"{problem} (it looks like {_input.looks_like(head)})", path=path, remedy=_input.COPY_AGAIN)
    joints = _hierarchy(data[: split.start()], path)
    values, fps = _motion(data[split.end() :], sum(len(joint.channels) for joint in joints), path)
    _input.check_size(path, len(values), 1, len(joints))
    recipe = kinect_recipe(joints, path)
    positions = np.concatenate(
        [recipe @ positions_of(joints, values[t : t + _CHUNK]) for t in range(0, len(values), _CHUNK)]
    )
    metres = positions * (unit_of(joints, recipe) * np.array([-1.0, 1.0, -1.0]))
    return SkeletonSequence(_input.as_joints(metres[:, None], path), fps, name=path.stem, source=path)


def _hierarchy(data: bytes, path: Path) -> list[Joint]:
    """Joints in file order (parents before children), which is also the order of the channels."""
    if len(data) > 2**20:
        raise _wrong("has a hierarchy of more than 1 MiB", data, 0, path)
    words = [(match[0].decode("latin-1"), match.start()) for match in re.finditer(rb"\S+", data)][1:]
    joints: list[Joint] = []
    open_joints: list[int] = []
    at = 0

    def take(count: int) -> list[str]:
        nonlocal at
        found = [word for word, _ in words[at : at + count]]
        at += count
        if len(found) < count:
            raise _wrong("ends in the middle of its hierarchy", data, len(data), path)
        return found

    while at < len(words):
        start = words[at][1]
        (word,) = take(1)
        if word in ("ROOT", "JOINT", "End"):
            name: list[str] = []
            while (part := take(1)[0]) != "{":  # names may hold blanks
                name.append(part)
            if (word == "ROOT") != (not joints) or (word != "ROOT" and not open_joints) or len(joints) >= MAX_JOINTS:
                raise _wrong(f"has a misplaced or surplus {word}", data, start, path)
            parent = open_joints[-1] if open_joints else -1
            label = f"{joints[parent].name}#end" if word == "End" else " ".join(name)
            open_joints.append(len(joints))
            joints.append(Joint(label, parent))
        elif word == "}" and open_joints:
            open_joints.pop()
        elif word == "OFFSET" and open_joints:
            x, y, z = (_number(text, data, start, path) for text in take(3))
            joints[open_joints[-1]].offset = (x, y, z)
        elif word == "CHANNELS" and open_joints:
            (count,) = take(1)
            names = take(int(count)) if count in "0123456" and count else [count]
            if not all(name in _CHANNELS for name in names) or joints[open_joints[-1]].channels:
                raise _wrong("has CHANNELS that are not rotations and positions about X, Y, Z", data, start, path)
            joints[open_joints[-1]].channels = [_CHANNELS[name] for name in names]
        else:
            raise _wrong(f"holds {word[:20]!r} where a joint, OFFSET, CHANNELS or a brace should be", data, start, path)
    if open_joints or not joints:
        raise _wrong("ends in the middle of its hierarchy", data, len(data), path)
    return joints


def _number(text: str, data: bytes, at: int, path: Path) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) < 1e9:
        raise _wrong(f"holds {text[:20]!r} where a number should be", data, at, path)
    return value


def _wrong(problem: str, data: bytes, at: int, path: Path) -> FloraError:
    line = data.count(b"\n", 0, at) + 1
    return FloraError(problem, path=path, where=f"line {line}", remedy=_input.COPY_AGAIN)


def _motion(data: bytes, channels: int, path: Path) -> tuple[Array, float]:
    """The channel values (T, channels) and the frame rate."""
    header = re.match(rb"\s*Frames:\s*(\d{1,9})\s+Frame\s+Time:\s*(\S{1,40})\s", data, re.IGNORECASE)
    if header is None:
        raise FloraError("has no `Frames:` and `Frame Time:` after MOTION", path=path, remedy=_input.COPY_AGAIN)
    frames, step = int(header[1]), _number(header[2].decode("latin-1"), data, 0, path)
    if not 1 / MAX_FPS <= step <= 1000:
        raise FloraError(
            f"has a frame time of {step:g} seconds", path=path, remedy="Correct it; 0.0333 is 30 a second."
        )
    try:
        values = _input.floats_of(data, header.end())
    except ValueError as error:
        raise FloraError(
            f"holds something that is not a number ({str(error)[:80]})",
            path=path,
            where="after Frame Time",
            remedy=_input.COPY_AGAIN,
        ) from None
    complete = values.size // channels if channels else 0
    if not 0 < frames <= complete:
        raise FloraError(
            f"says it holds {frames} frames of {channels} channels, but has {complete} complete ones",
            path=path,
            remedy=_input.COPY_AGAIN,
        )
    values = values[: frames * channels]
    values = values.reshape(frames, channels)
    wild = ~(np.abs(values) < 1e9)
    if wild.any():
        frame = int(np.argwhere(wild)[0][0]) + 1
        raise FloraError("holds a channel that is NaN or infinite", path=path, where=f"frame {frame}",
                         remedy=_input.COPY_AGAIN)  # fmt: skip
    return values, 1.0 / step


def _rotation(axis: int, degrees: Array) -> Array:
    """(T, 3, 3) rotations about one axis, for column vectors."""
    angle = np.radians(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.zeros((len(angle), 3, 3))
    second, third = (axis + 1) % 3, (axis + 2) % 3
    matrix[:, axis, axis] = 1
    matrix[:, second, second] = matrix[:, third, third] = cos
    matrix[:, second, third], matrix[:, third, second] = -sin, sin
    return matrix


def positions_of(joints: list[Joint], values: Array) -> Array:
    """Forward kinematics: world positions (T, J, 3), in the file's unit and axes, of channel values (T, channels).

    A joint's rotation is the product of its channels' in the order they are listed; position channels replace the
    offset of the root and are added to those of other joints, as the usual importers do.
    """
    frames = len(values)
    places = np.zeros((frames, len(joints), 3))
    turns: list[Array] = []
    channel = 0
    for index, joint in enumerate(joints):
        turn = np.broadcast_to(np.eye(3), (frames, 3, 3))
        moved = np.zeros((frames, 3))
        has_position = False
        for kind, axis in joint.channels:
            column = values[:, channel]
            channel += 1
            if kind == "rotation":
                turn = turn @ _rotation(axis, column)
            else:
                moved[:, axis] += column
                has_position = True
        if joint.parent < 0:
            places[:, index] = moved if has_position else np.array(joint.offset)
            turns.append(turn)
        else:
            above = turns[joint.parent]
            shift = np.array(joint.offset) + moved
            places[:, index] = places[:, joint.parent] + np.einsum("tij,tj->ti", above, shift)
            turns.append(above @ turn)
    return places


# For every Kinect joint what it may be called, the first that is there wins; SIDE stands for the left or right names.
# A tuple is a mean. Names are compared without case, blanks, signs and "mixamorig:"-like prefixes.
_TRUNK: dict[str, tuple[str, ...]] = {
    "hips": ("hips", "hip", "pelvis", "root"),
    "spine": ("spine1", "spine01", "spine001", "chest", "spine", "lowerback", "abdomen", "torso", "spine2"),
    "neck": ("neck", "neck01", "neck1", "upperchest", "spine3", "chest2"),
    "head": ("head",),
}
_LIMBS: dict[str, tuple[str, ...]] = {
    "shoulder": ("arm", "uparm", "upperarm", "shldr", "shoulder"),
    "elbow": ("elbow", "forearm", "lowarm", "lowerarm"),
    "wrist": ("wrist", "hand"),
    "hip": ("upleg", "upperleg", "thigh", "hip"),
    "knee": ("knee", "lowleg", "lowerleg", "shin", "calf", "leg"),
    "ankle": ("ankle", "foot"),
}
_HANDS: dict[str, tuple[str, ...]] = {
    "hand": ("handmiddle1", "middle1", "middle01", "fingerbase", "handindex1", "index1", "index01", "hand", "palm"),
    "hand tip": (
        "handmiddle4",
        "handmiddle3",
        "middle3",
        "middle03",
        "handindex4",
        "handindex3",
        "handindex1",
        "index3",
    ),
    "thumb": ("handthumb3", "handthumb2", "thumb3", "thumb03", "thumb", "handthumb1"),
    "foot": ("toebase", "toe", "toes", "ball", "foot"),
}


class _Names:
    """Finds joints by any of the ways to write their names."""

    def __init__(self, joints: list[Joint]) -> None:
        self.index: dict[str, int] = {}
        for i, joint in enumerate(joints):
            base, end, _ = joint.name.rpartition("#end")
            name = (base if end else joint.name).rsplit(":", 1)[-1].lower()
            key = re.sub(r"^mixamorig\d?|[^a-z0-9]", "", name)
            self.index.setdefault(key + ("#end" if end else ""), i)

    def trunk(self, part: str) -> int | None:
        return next((self.index[name] for name in _TRUNK[part] if name in self.index), None)

    def side(self, side: str, names: tuple[str, ...], suffix: str = "") -> int | None:
        first = side[0]
        for name in names:
            for spelled in (side + name, first + name, name + first, name + side):
                if spelled + suffix in self.index:
                    return self.index[spelled + suffix]
        return None


def kinect_recipe(joints: list[Joint], path: Path) -> Array:
    """(25, J): the weights of the file's joints in each Kinect joint; FloraError naming the body parts not found."""
    names = _Names(joints)
    parts: dict[str, list[int]] = {}
    missing: list[str] = []

    def need(target: str, found: int | None) -> None:
        if found is None:
            missing.append(target)
        else:
            parts[target] = [found]

    hips, spine, neck, head = (names.trunk(part) for part in _TRUNK)
    need("spine base", hips if hips is not None else 0)
    need("head", head)
    for side in ("left", "right"):
        for part, spellings in _LIMBS.items():
            need(f"{side} {part}", names.side(side, spellings))
    if missing:
        shown = _input.shown(", ".join(joint.name for joint in joints[:8]))
        raise FloraError(
            f"has no joint that is called {' or '.join(missing[:4])} in any known way (it has {shown} ...)",
            path=path,
            remedy="Rename its joints as CMU or Mixamo do (Hips, Spine, Neck, Head, LeftArm, LeftForeArm, LeftHand, "
            "LeftUpLeg, LeftLeg, LeftFoot), or convert it to .npz.",
        )
    for side in ("left", "right"):
        _extremities(names, side, parts)
    shoulders = parts["left shoulder"] + parts["right shoulder"]
    parts["spine mid"] = [spine] if spine is not None else parts["spine base"] + shoulders[:1] + shoulders[1:]
    parts["spine shoulder"] = [neck] if neck is not None else shoulders
    end = names.index.get("head#end", names.index.get("headtopend"))
    parts["neck"] = parts["spine shoulder"] + parts["head"]
    parts["head"] = parts["head"] + ([end] if end is not None else [])
    recipe = np.zeros((len(KINECT_V2.joints), len(joints)))
    for row, target in enumerate(KINECT_V2.joints):
        for source in parts[target]:
            recipe[row, source] += 1 / len(parts[target])
    return recipe


def _extremities(names: _Names, side: str, parts: dict[str, list[int]]) -> None:
    """Hand, hand tip, thumb and foot: by name, else the end site of what is above, else a copy of it."""
    wrist, ankle = parts[f"{side} wrist"][0], parts[f"{side} ankle"][0]
    wrist_end = names.side(side, _LIMBS["wrist"], "#end")
    hand = names.side(side, _HANDS["hand"])
    if hand is not None and hand != wrist:
        parts[f"{side} hand"] = [hand]
    else:
        parts[f"{side} hand"] = [wrist] if wrist_end is None else [wrist, wrist_end]
    tip = names.side(side, _HANDS["hand tip"])
    parts[f"{side} hand tip"] = [i for i in (tip, wrist_end) if i is not None][:1] or parts[f"{side} hand"]
    thumb = names.side(side, _HANDS["thumb"])
    parts[f"{side} thumb"] = [thumb] if thumb is not None else parts[f"{side} hand"]
    foot = names.side(side, _HANDS["foot"])
    if foot is None or foot == ankle:
        foot = names.side(side, _LIMBS["ankle"], "#end")
    parts[f"{side} foot"] = [foot if foot is not None else ankle]


def unit_of(joints: list[Joint], recipe: Array) -> float:
    """Metres per unit: the known unit that brings the hip-knee-ankle length nearest to a grown-up's."""
    places = positions_of(joints, np.zeros((1, sum(len(joint.channels) for joint in joints))))
    rest = (recipe @ places)[0]
    index = {name: i for i, name in enumerate(KINECT_V2.joints)}
    legs = [
        np.linalg.norm(rest[index[f"{side} {a}"]] - rest[index[f"{side} {b}"]])
        for side in ("left", "right")
        for a, b in (("hip", "knee"), ("knee", "ankle"))
    ]
    length = float(np.sum(legs)) / 2
    if length <= 0:
        return 1.0
    return min(_UNITS, key=lambda unit: abs(np.log(length * unit / _LEG)))
