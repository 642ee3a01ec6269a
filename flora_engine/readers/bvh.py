"""BVH motion capture: hierarchy and channels to the 25 Kinect joints.

Joint positions follow from offsets and angles and are mapped by name (`skeleton.rigs`). BVH says neither unit nor axes;
both are read from the body (`skeleton.orientation`). Y up, with the rest pose facing +z, is the usual.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.readers import _input, _telling
from flora_engine.readers._archive import MAX_FPS
from flora_engine.readers._guessing import finish
from flora_engine.readers.assembly import from_names
from flora_engine.skeleton import KINECT_V2, Note, SkeletonSequence, rigs
from flora_engine.skeleton.names import keys
from flora_engine.skeleton.orientation import Claim, look
from flora_engine.skeleton.topology import names_by_shape

Array = NDArray[np.float64]
MAX_JOINTS = 500
_CHUNK = 512  # frames turned into positions at once, to bound the memory of long recordings
_CHANNELS = {f"{axis}{kind}": (kind, i) for i, axis in enumerate("XYZ") for kind in ("position", "rotation")}
_USUAL = np.diag([-1.0, 1.0, -1.0])  # y up, facing +z, the left at +x


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
    """joints (T, 1, 25, 3) in Kinect v2 layout; axes and unit are guessed.

    None where it is no BVH; FloraError where it is broken or its joints are not known.
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
    rest = positions_of([replace(joint, channels=[]) for joint in joints], np.zeros((1, 0)))[0]
    moving = absolute_positions(joints, values)
    names = [joint.name for joint in joints]
    if _telling.saw(names).layout is not None:
        places = np.concatenate([positions_of(moving, values[t : t + _CHUNK]) for t in range(0, len(values), _CHUNK)])
        return from_names(places[:, None], names, fps, path)
    rig, notes = kinect_joints(joints, rest, path)
    body = np.concatenate(
        [rig.matrix @ positions_of(moving, values[t : t + _CHUNK]) for t in range(0, len(values), _CHUNK)]
    )
    standing = look((rig.matrix @ rest)[None, None], KINECT_V2.name).up
    claim = Claim(_USUAL, "BVH files usually have +y up", standing)
    sequence = SkeletonSequence(_input.as_joints(body[:, None], path), fps, name=path.stem, source=path)
    return finish(sequence, path, claim=claim, invented=rig.invented, notes=notes)


def kinect_joints(joints: list[Joint], rest: Array, path: Path) -> tuple[rigs.Rig, tuple[Note, ...]]:
    """The Kinect joints among those of the hierarchy, by their names, else by the shape of the rest pose (J, 3).

    FloraError naming the body parts not found.
    """
    names = [joint.name for joint in joints]
    rig = rigs.recognise(names)
    if not rig.missing:
        return rig, ()
    found = names_by_shape([joint.parent for joint in joints], rest, [name.endswith(rigs.END) for name in names])
    if found is not None:
        rig = _by_shape(joints, rest, found)
        return rig, (Note("layout", "the joints are found by the shape of the skeleton, not by name", "likely"),)
    shown = _input.shown(", ".join(joint.name for joint in joints[:8]))
    raise FloraError(
        f"has no joint that is called {' or '.join(rig.missing[:4])} in any known way (it has {shown} ...)",
        path=path,
        remedy="Rename its joints as CMU or Mixamo do (Hips, Spine, Neck, Head, LeftArm, LeftForeArm, LeftHand, "
        "LeftUpLeg, LeftLeg, LeftFoot), or convert it to .npz.",
    )


def _by_shape(joints: list[Joint], rest: Array, found: dict[int, str]) -> rigs.Rig:
    """The rig of joints that were found by shape; left is what any names say, else where it is in right-handed axes."""
    said = [side for i, name in found.items() if (side := _agrees(joints[i].name, name))]
    rig = _rig_of(joints, found)
    if sum(said) < 0 or (not sum(said) and look((rig.matrix @ rest)[None, None], KINECT_V2.name).left_handed):
        rig = _rig_of(joints, {i: _other_side(name) for i, name in found.items()})
    return rig


def _rig_of(joints: list[Joint], found: dict[int, str]) -> rigs.Rig:
    names = [found.get(i, "") for i in range(len(joints))]
    for i, joint in enumerate(joints):
        if joint.name.endswith(rigs.END) and names[joint.parent]:
            names[i] = names[joint.parent] + rigs.END
    return rigs.recognise(names)


def _agrees(name: str, found: str) -> int:
    """1 if a joint's name is of the same side as what it was found to be, -1 if of the other, 0 if of none."""
    side = keys(name)[0].split()[0]
    return 0 if side not in ("left", "right") else 1 if found.lower().startswith(side) else -1


def _other_side(name: str) -> str:
    return name.replace("Left", "Right") if "Left" in name else name.replace("Right", "Left")


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


def about_axis(axis: int, degrees: Array) -> Array:
    """(T, 3, 3) rotations about one axis, for column vectors."""
    angle = np.radians(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.zeros((len(angle), 3, 3))
    second, third = (axis + 1) % 3, (axis + 2) % 3
    matrix[:, axis, axis] = 1
    matrix[:, second, second] = matrix[:, third, third] = cos
    matrix[:, second, third], matrix[:, third, second] = -sin, sin
    return matrix


def absolute_positions(joints: list[Joint], values: Array) -> list[Joint]:
    """The joints without the offsets that their position channels hold already.

    Some writers give every joint positions. They replace the offset in most files and are added to it in others; the
    channels themselves show which: they lie about the offset, or about zero.
    """
    channel, found = 0, []
    for joint in joints:
        positions = {axis: channel + i for i, (kind, axis) in enumerate(joint.channels) if kind == "position"}
        channel += len(joint.channels)
        if joint.parent >= 0 and len(positions) == 3:
            mean = values[:, [positions[axis] for axis in range(3)]].mean(axis=0)
            if np.linalg.norm(mean - joint.offset) < np.linalg.norm(mean):
                joint = replace(joint, offset=(0.0, 0.0, 0.0))  # noqa: PLW2901
        found.append(joint)
    return found


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
                turn = turn @ about_axis(axis, column)
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
