"""The 25 Kinect joints from the joints of an animation rig, found by the names that tools give them.

Known are the names of CMU, Mixamo, MotionBuilder, Biped, Xsens, Perception Neuron, Rokoko, Cascadeur, Bandai Namco,
LaFAN1, Unreal, Blender, DAZ and SMPL rigs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flora_engine.skeleton.layouts import KINECT_V2, SIDES
from flora_engine.skeleton.names import index_of

END = "#end"  # an end site is named after its parent

# For every part what it may be called, the first that is there wins. Side and tool prefixes are taken off before.
_TRUNK: dict[str, tuple[str, ...]] = {
    "hips": ("hips", "hip", "pelvis", "root", "rootjoint"),
    "spine": (
        *(
            "spine1",
            "spine01",
            "spine001",
            "chest",
            "l3",
            "stomach",
            "spine",
            "lowerback",
            "abdomen",
            "torso",
            "spine2",
        ),
    ),
    "neck": ("neck", "neck01", "neck1", "lowerneck", "upperchest", "spine3", "chest4", "chest2"),
    "head": ("head",),
}
_LIMBS: dict[str, tuple[str, ...]] = {
    "shoulder": ("arm", "uparm", "upperarm", "shldr", "shldrbend", "uarm", "humerus", "shoulder"),
    "elbow": ("elbow", "forearm", "forearmbend", "lowarm", "lowerarm", "farm"),
    "wrist": ("wrist", "hand"),
    "hip": ("upleg", "upperleg", "thigh", "thighbend", "hip"),
    "knee": ("knee", "lowleg", "lowerleg", "shin", "calf", "leg"),
    "ankle": ("ankle", "foot"),
}
_HAND = (
    *("handmiddle1", "middle1", "middle01", "fingerbase", "handindex1", "index1", "index01", "finger2", "hand", "palm"),
)
_TIP = ("handmiddle4", "handmiddle3", "middle3", "middle03", "handindex4", "handindex3", "handindex1", "index3")
_THUMB = ("handthumb3", "handthumb2", "thumb3", "thumb03", "thumb", "handthumb1", "finger0")
_TOE = ("toebase", "toe", "toes", "toe0", "ball", "foot")


@dataclass(frozen=True)
class Rig:
    """matrix: (25, J) weights of the file's joints in each Kinect joint. missing: limbs' joints that were
    not found; the matrix is of no use then. invented: those made up from others.
    """

    matrix: NDArray[np.float64]
    missing: tuple[str, ...]
    invented: tuple[str, ...]


Weights = dict[int, float]


def recognise(names: Sequence[str]) -> Rig:
    """Find the Kinect joints among named joints; an end site is called PARENT#end."""
    joints = _Names(names)
    parts: dict[str, Weights] = {}
    invented: list[str] = []
    hips, spine, neck, head = (joints.first(_TRUNK[part]) for part in _TRUNK)
    for side in SIDES:
        for part, spellings in _LIMBS.items():
            found = joints.first(spellings, side)
            if found is not None:
                parts[f"{side} {part}"] = {found: 1.0}
        if {f"{side} {part}" for part in _LIMBS} <= parts.keys():
            _extremities(joints, side, parts, invented)
    if {f"{side} {part}" for side in SIDES for part in ("shoulder", "hip")} <= parts.keys():
        parts["spine base"] = _mean(hips) or {**parts["left hip"], **parts["right hip"]}
        if hips is None:
            parts["spine base"] = dict.fromkeys(parts["spine base"], 0.5)
        _upper_trunk(joints, spine, neck, head, parts, invented)
    missing = tuple(name for side in SIDES for part in _LIMBS if (name := f"{side} {part}") not in parts)
    matrix = np.zeros((len(KINECT_V2.joints), len(names)))
    for row, target in enumerate(KINECT_V2.joints):
        for source, weight in parts.get(target, {}).items():
            matrix[row, source] += weight
    return Rig(matrix, missing, tuple(invented))


class _Names:
    """Joints and end sites by what their names mean."""

    def __init__(self, names: Sequence[str]) -> None:
        ends = [i for i, name in enumerate(names) if name.endswith(END)]
        others = [i for i, name in enumerate(names) if not name.endswith(END)]
        self._joints = {key: others[i] for key, i in index_of([names[i] for i in others]).items()}
        self._ends = {key: ends[i] for key, i in index_of([names[i].removesuffix(END) for i in ends]).items()}

    def first(self, spellings: Sequence[str], side: str = "", *, end: bool = False) -> int | None:
        index = self._ends if end else self._joints
        wanted = (f"{side} {name}" if side else name for name in spellings)
        return next((index[key] for key in wanted if key in index), None)


def _mean(*places: int | None) -> Weights:
    known = [place for place in places if place is not None]
    weights: Weights = {}
    for place in known:
        weights[place] = weights.get(place, 0.0) + 1 / len(known)
    return weights


def _upper_trunk(
    joints: _Names,
    spine: int | None,
    neck: int | None,
    head: int | None,
    parts: dict[str, Weights],
    invented: list[str],
) -> None:
    base, (left,), (right,) = (parts[name] for name in ("spine base", "left shoulder", "right shoulder"))
    shoulders = _mean(left, right)
    parts["spine mid"] = _mean(spine) if spine is not None else _mixed((base, 0.43), (shoulders, 0.57))
    parts["spine shoulder"] = _mean(neck) if neck is not None else shoulders
    if head is not None:
        end = joints.first(("head",), end=True)
        top = end if end is not None else joints.first(("headtopend", "headend", "headtop", "headnub"))
        parts["head"] = _mean(head, top)
        parts["neck"] = _mixed((parts["spine shoulder"], 0.5), (_mean(head), 0.5))
        return
    end = joints.first(_TRUNK["neck"], end=True)
    # Without one, as far above the shoulders as the head of a Kinect v2 person is, as a share of the trunk.
    parts["head"] = _mean(end) if end is not None else _mixed((shoulders, 1.44), (base, -0.44))
    invented.append("head")
    parts["neck"] = _mixed((parts["spine shoulder"], 0.5), (parts["head"], 0.5))


def _mixed(*parts: tuple[Weights, float]) -> Weights:
    """The weighted sum of weights."""
    mixed: Weights = {}
    for weights, share in parts:
        for place, weight in weights.items():
            mixed[place] = mixed.get(place, 0.0) + share * weight
    return mixed


def _extremities(joints: _Names, side: str, parts: dict[str, Weights], invented: list[str]) -> None:
    """Hand, hand tip, thumb and foot: by name, else the end site of what is above, else a copy of it."""
    (wrist,), (ankle,) = parts[f"{side} wrist"], parts[f"{side} ankle"]
    wrist_end = joints.first(_LIMBS["wrist"], side, end=True)
    hand, tip = joints.first(_HAND, side), joints.first(_TIP, side)
    thumb, toe = joints.first(_THUMB, side), joints.first(_TOE, side)
    if hand in (None, wrist):
        parts[f"{side} hand"] = _mean(wrist, wrist_end)
        invented.append(f"{side} hand")
    else:
        parts[f"{side} hand"] = _mean(hand)
    end = tip if tip is not None else wrist_end
    parts[f"{side} hand tip"] = _mean(end) if end is not None else parts[f"{side} hand"]
    parts[f"{side} thumb"] = _mean(thumb) if thumb is not None else parts[f"{side} hand"]
    if end is None:
        invented.append(f"{side} hand tip")
    if thumb is None:
        invented.append(f"{side} thumb")
    if toe in (None, ankle):
        toe = joints.first(_LIMBS["ankle"], side, end=True)
    parts[f"{side} foot"] = _mean(toe if toe is not None else ankle)
    if toe is None:
        invented.append(f"{side} foot")
