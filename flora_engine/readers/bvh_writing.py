"""Writing BVH: a rest pose from the bones' mean lengths, and for every frame the rotations that bring it to the joints.

Joints hold no rotations about their bones, so each turns as little as it can. Bones of a recording that stretch do not
stretch in BVH: a joint lies where its bone's mean length ends.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.files import write_text
from flora_engine.skeleton import KINECT_V2, SkeletonSequence, to_kinect_v2

Array = NDArray[np.float64]
_TO_FILE = np.array([-100.0, 100.0, -100.0])  # centimetres, y up, facing +z
# The neck of Kinect v2 lies between the spine's upper end and the head, as readers of BVH find it again.
_TRUNK = (("Hips", "spine base", ""), ("Spine1", "spine mid", "Hips"), ("Neck", "spine shoulder", "Spine1"),
          ("Head", "head", "Neck"))  # fmt: skip
_SIDE = (("Arm", "shoulder", "Neck"), ("ForeArm", "elbow", "Arm"), ("Hand", "wrist", "ForeArm"),
         ("HandMiddle1", "hand", "Hand"), ("HandMiddle3", "hand tip", "HandMiddle1"), ("HandThumb2", "thumb", "Hand"),
         ("UpLeg", "hip", "Hips"), ("Leg", "knee", "UpLeg"), ("Foot", "ankle", "Leg"),
         ("ToeBase", "foot", "Foot"))  # fmt: skip
# The way each bone points in the rest pose, a T pose, for the left side; what is not here keeps its own mean direction.
_REST = {"Arm": (1, 0, 0), "ForeArm": (1, 0, 0), "Hand": (1, 0, 0), "HandMiddle1": (1, 0, 0), "HandMiddle3": (1, 0, 0),
         "Leg": (0, -1, 0), "Foot": (0, -1, 0), "ToeBase": (0, 0, 1), "Neck": (0, 1, 0)}  # fmt: skip


def _bones() -> list[tuple[str, int, str]]:
    """(name, Kinect joint, parent) of every joint, parents first."""
    index = {name: i for i, name in enumerate(KINECT_V2.joints)}
    bones = [(name, index[joint], parent) for name, joint, parent in _TRUNK]
    for side in ("left", "right"):
        for name, joint, parent in _SIDE:
            above = parent if parent in ("Hips", "Neck") else side.title() + parent
            bones.append((side.title() + name, index[f"{side} {joint}"], above))
    return bones


BONES = _bones()
# The joint of the head lies below its centre, by this share of the way from the neck, and its end as far above: so the
# middle of both, which readers take, is the centre, and programs that draw bones see one that has a length.
_HEAD = 0.26
_TIP = 3.0  # centimetres from the last joint of a finger or toe to its tip


def write_bvh(sequence: SkeletonSequence, path: Path, person: int = 0) -> None:
    """Write one person (from 0) in the 25 Kinect joints; a frame without it repeats the one before, or the first."""
    body = to_kinect_v2(sequence).joints[:, person].astype(np.float64)
    here = np.flatnonzero(np.any(body != 0, axis=(1, 2)))
    if not here.size:
        raise FloraError(f"holds nobody as person {person + 1}", path=sequence.source)
    before = np.maximum(np.searchsorted(here, np.arange(len(body)), side="right") - 1, 0)
    places = body[here[before]] * _TO_FILE
    children = {name: [bone for bone in BONES if bone[2] == name] for name, _, _ in BONES}
    offsets, turns = _rest_and_turns(places, children)
    whole = {**offsets, "Head": (1 - _HEAD) * offsets["Head"]}
    ends = {name: _end(name, offsets[name]) for name, _, _ in BONES if not children[name]}
    lines = ["HIERARCHY", *_hierarchy("Hips", children, whole, ends, ""), "MOTION", f"Frames: {len(places)}"]
    lines.append(f"Frame Time: {1 / sequence.fps:.10f}")
    order = _order("Hips", children)
    columns = [places[:, 0], *(_angles(turns, name) for name in order)]
    lines += [" ".join(f"{value:.5f}" for value in row) for row in np.concatenate(columns, axis=1)]
    write_text(path, "\n".join(lines) + "\n")


def _end(name: str, offset: Array) -> Array:
    """(3,) Where a bone without children ends, from its joint (cm)."""
    return 2 * _HEAD * offset if name == "Head" else _TIP * _unit(offset)


def _unit(vectors: Array) -> Array:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(length > 1e-9, length, 1.0))


def _rest_and_turns(
    places: Array, children: dict[str, list[tuple[str, int, str]]]
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Per joint its offset (3,) in the rest pose, and its rotation (T, 3, 3) in the axes of the file."""
    offsets, turns = {"Hips": np.zeros(3)}, dict[str, Array]()
    for name, joint, parent in BONES:
        below = children[name]
        steps = {child: places[:, other] - places[:, joint] for child, other, _ in below}
        above = turns[parent] if parent else np.broadcast_to(np.eye(3), (len(places), 3, 3))
        if name in ("Hips", "Neck"):
            up = (
                steps["Spine1"] if name == "Hips" else places[:, joint] - places[:, KINECT_V2.joints.index("spine mid")]
            )
            across = (
                steps["LeftUpLeg"] - steps["RightUpLeg"] if name == "Hips" else steps["LeftArm"] - steps["RightArm"]
            )
            turns[name] = _frame(up, across)
        elif below:
            child = below[0][0]
            way = np.array(_REST[child.removeprefix("Left").removeprefix("Right")], np.float64)
            if child.startswith("Right"):
                way[0] *= -1
            turns[name] = _least_turn(above @ way, _unit(steps[child])) @ above
        else:
            turns[name] = above
        for number, (child, _, _) in enumerate(below):
            local = np.einsum("tji,tj->ti", turns[name], steps[child]).mean(axis=0)
            length = float(np.linalg.norm(steps[child], axis=1).mean())
            single = number == 0 and name not in ("Hips", "Neck")
            offsets[child] = length * way if single else local
    return offsets, turns


def _frame(up: Array, across: Array) -> Array:
    """(T, 3, 3) rotations whose columns are across (made square to up), up, and forward."""
    y = _unit(up)
    x = _unit(across - (across * y).sum(axis=1, keepdims=True) * y)
    return np.stack([x, y, np.cross(x, y)], axis=2)


def _least_turn(source: Array, target: Array) -> Array:
    """(T, 3, 3) the smallest rotations from unit vectors to others."""
    axis, cos = np.cross(source, target), (source * target).sum(axis=1)
    cross: Array = np.zeros((len(axis), 3, 3))
    cross[:, [2, 0, 1], [1, 2, 0]], cross[:, [1, 2, 0], [2, 0, 1]] = axis, -axis
    turns = [np.eye(3) + c + c @ c / max(1 + d, 1e-9) for c, d in zip(cross, cos.tolist(), strict=True)]
    for t in np.flatnonzero(cos < -1 + 1e-6).tolist():  # a half turn about anything square to it
        side = _unit(np.cross(source[t], np.eye(3)[int(np.argmin(np.abs(source[t])))]))
        turns[t] = 2 * np.outer(side, side) - np.eye(3)
    return np.array(turns)


def _angles(turns: dict[str, Array], name: str) -> Array:
    """(T, 3) degrees about z, x, y, in this order, of a joint against its parent."""
    parent = next(bone[2] for bone in BONES if bone[0] == name)
    local = turns[name] if not parent else turns[parent].transpose(0, 2, 1) @ turns[name]
    x = np.arcsin(np.clip(local[:, 2, 1], -1, 1))
    z = np.arctan2(-local[:, 0, 1], local[:, 1, 1])
    y = np.arctan2(-local[:, 2, 0], local[:, 2, 2])
    return np.asarray(np.degrees(np.stack([z, x, y], axis=1)))


def _order(name: str, children: dict[str, list[tuple[str, int, str]]]) -> list[str]:
    """The joints as the hierarchy lists them."""
    return [name, *(below for child, _, _ in children[name] for below in _order(child, children))]


def _hierarchy(
    name: str,
    children: dict[str, list[tuple[str, int, str]]],
    offsets: dict[str, Array],
    ends: dict[str, Array],
    indent: str,
) -> list[str]:
    channels = "3 Zrotation Xrotation Yrotation"
    word = "JOINT" if indent else "ROOT"
    if not indent:
        channels = f"6 Xposition Yposition Zposition{channels[1:]}"
    lines = [f"{indent}{word} {name}", f"{indent}{{", f"{indent}  OFFSET {_three(offsets[name])}"]
    lines.append(f"{indent}  CHANNELS {channels}")
    for child, _, _ in children[name]:
        lines += _hierarchy(child, children, offsets, ends, indent + "  ")
    if name in ends:
        lines += [f"{indent}  End Site", f"{indent}  {{", f"{indent}    OFFSET {_three(ends[name])}", f"{indent}  }}"]
    return [*lines, f"{indent}}}"]


def _three(vector: Array) -> str:
    return " ".join(f"{value:.5f}" for value in vector)
