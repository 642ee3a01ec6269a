"""Joint layouts as data: names, bones, axes, and how to make the model's 25 joints from each."""

from __future__ import annotations

from dataclasses import dataclass, field

# A target joint is the mean of these named source joints (one name: a copy).
Recipe = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Layout:
    """A skeleton's joints, in file order.

    bones: (child, parent) index pairs, 0-based. mirror: (left, right) index pairs. up: the axis that points up in
    sequences of this layout, as its reader gives them ("+y"). to_kinect_v2: for every Kinect v2 joint name the source
    joints whose mean it is, by the joints' names; empty for Kinect v2 itself. matched: the same, but so that the body
    gets Kinect v2's proportions; empty where names do as well.
    """

    name: str
    title: str
    joints: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]
    mirror: tuple[tuple[int, int], ...]
    up: str
    to_kinect_v2: Recipe
    matched: Recipe = field(default_factory=dict)


def _pairs(joints: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """Left/right index pairs from the names themselves."""
    index = {name: i for i, name in enumerate(joints)}
    return tuple(
        (i, index["right" + n[4:]]) for n, i in index.items() if n.startswith("left") and "right" + n[4:] in index
    )


def _bones(joints: tuple[str, ...], parents: dict[str, str]) -> tuple[tuple[int, int], ...]:
    index = {name: i for i, name in enumerate(joints)}
    return tuple((index[child], index[parent]) for child, parent in parents.items())


def _arm_and_leg(side: str) -> dict[str, str]:
    return {
        f"{side} elbow": f"{side} shoulder",
        f"{side} wrist": f"{side} elbow",
        f"{side} hand": f"{side} wrist",
        f"{side} knee": f"{side} hip",
        f"{side} ankle": f"{side} knee",
        f"{side} foot": f"{side} ankle",
    }


_V2_JOINTS = (
    *("spine base", "spine mid", "neck", "head"),
    *("left shoulder", "left elbow", "left wrist", "left hand"),
    *("right shoulder", "right elbow", "right wrist", "right hand"),
    *("left hip", "left knee", "left ankle", "left foot"),
    *("right hip", "right knee", "right ankle", "right foot"),
    *("spine shoulder", "left hand tip", "left thumb", "right hand tip", "right thumb"),
)
# Bones as published with NTU RGB+D (docs/method.md, section 1), in joint order; the parent of the hand tip is the
# thumb's neighbour there: 22-23, 23-8, 24-25, 25-12.
_V2_BONES_1BASED = (
    *((1, 2), (2, 21), (3, 21), (4, 3), (5, 21), (6, 5), (7, 6), (8, 7), (9, 21), (10, 9), (11, 10), (12, 11)),
    *(
        (13, 1),
        (14, 13),
        (15, 14),
        (16, 15),
        (17, 1),
        (18, 17),
        (19, 18),
        (20, 19),
        (22, 23),
        (23, 8),
        (24, 25),
        (25, 12),
    ),
)
KINECT_V2 = Layout(
    name="kinect_v2",
    title="Kinect v2 (25 joints; NTU RGB+D, PKU-MMD)",
    joints=_V2_JOINTS,
    bones=tuple((c - 1, p - 1) for c, p in _V2_BONES_1BASED),
    mirror=_pairs(_V2_JOINTS),
    up="+y",
    to_kinect_v2={},
)

_V1_PARENTS = {
    "spine": "hip centre",
    "shoulder centre": "spine",
    "head": "shoulder centre",
    "left shoulder": "shoulder centre",
    "right shoulder": "shoulder centre",
    "left hip": "hip centre",
    "right hip": "hip centre",
    **_arm_and_leg("left"),
    **_arm_and_leg("right"),
}
_V1_LIMBS: Recipe = {
    **{
        f"{side} {part}": (f"{side} {part}",)
        for side in ("left", "right")
        for part in ("shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle", "foot")
    },
    **{f"{side} {part}": (f"{side} hand",) for side in ("left", "right") for part in ("hand tip", "thumb")},
}
_V1_TO_V2: Recipe = {
    "spine base": ("hip centre",),
    "spine mid": ("spine",),
    "neck": ("shoulder centre", "head"),
    "head": ("head",),
    "spine shoulder": ("shoulder centre",),
    **_V1_LIMBS,
}
# Kinect v1 puts its hip centre well above the hips, and its shoulder centre where v2 has the neck; the weights bring
# trunk and thighs to v2's proportions (docs/decisions/0003-kinect-v1-joints.md). A name twice counts twice.
_V1_SHOULDERS = 3 * ("left shoulder", "right shoulder") + 2 * ("shoulder centre",)
_V1_HIPS = 4 * ("left hip", "right hip") + ("left knee", "right knee")
_V1_MATCHED: Recipe = {
    **_V1_LIMBS,
    "spine base": _V1_HIPS,
    "spine mid": 4 * _V1_HIPS + 7 * _V1_SHOULDERS,
    "spine shoulder": _V1_SHOULDERS,
    "neck": ("shoulder centre",),
    "head": ("shoulder centre", "head", "head"),
    **{f"{side} hip": 4 * (f"{side} hip",) + (f"{side} knee",) for side in ("left", "right")},
}


def _kinect_v1(name: str, title: str, trunk: tuple[str, ...], up: str) -> Layout:
    limbs = tuple(
        f"{side} {part}"
        for parts in (("shoulder", "elbow", "wrist", "hand"), ("hip", "knee", "ankle", "foot"))
        for side in ("left", "right")
        for part in parts
    )
    joints = trunk + limbs
    return Layout(name, title, joints, _bones(joints, _V1_PARENTS), _pairs(joints), up, _V1_TO_V2, _V1_MATCHED)


KINECT_V1_UTD = _kinect_v1(
    "kinect_v1_utd",
    "Kinect v1 in UTD-MHAD order (20 joints)",
    ("head", "shoulder centre", "spine", "hip centre"),
    "+y",
)
KINECT_V1 = _kinect_v1(
    "kinect_v1",
    "Kinect v1 SDK order (20 joints; NW-UCLA)",
    ("hip centre", "spine", "shoulder centre", "head"),
    "+y",
)

_MEDIAPIPE_JOINTS = (
    *("nose", "left eye inner", "left eye", "left eye outer", "right eye inner", "right eye", "right eye outer"),
    *("left ear", "right ear", "left mouth", "right mouth"),
    *(
        f"{side} {part}"
        for part in (
            "shoulder",
            "elbow",
            "wrist",
            "pinky",
            "index",
            "thumb",
            "hip",
            "knee",
            "ankle",
            "heel",
            "foot index",
        )
        for side in ("left", "right")
    ),
)


def _mediapipe_side(side: str) -> dict[str, str]:
    """Parents of one side. There is no trunk joint: the shoulders hang together, and each on its hip."""
    return {
        f"{side} eye inner": "nose",
        f"{side} eye": f"{side} eye inner",
        f"{side} eye outer": f"{side} eye",
        f"{side} ear": f"{side} eye outer",
        f"{side} shoulder": f"{side} hip",
        f"{side} elbow": f"{side} shoulder",
        f"{side} wrist": f"{side} elbow",
        **{f"{side} {finger}": f"{side} wrist" for finger in ("pinky", "index", "thumb")},
        f"{side} knee": f"{side} hip",
        f"{side} ankle": f"{side} knee",
        f"{side} heel": f"{side} ankle",
        f"{side} foot index": f"{side} heel",
    }


def _mediapipe_recipe(side: str) -> Recipe:
    return {
        **{f"{side} {part}": (f"{side} {part}",) for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")},
        f"{side} hand": (f"{side} index", f"{side} pinky"),
        f"{side} hand tip": (f"{side} index",),
        f"{side} thumb": (f"{side} thumb",),
        f"{side} foot": (f"{side} foot index",),
    }


_SHOULDERS, _HIPS = ("left shoulder", "right shoulder"), ("left hip", "right hip")
MEDIAPIPE_33 = Layout(
    name="mediapipe_33",
    title="MediaPipe Pose (33 world landmarks)",
    joints=_MEDIAPIPE_JOINTS,
    bones=(
        *_bones(_MEDIAPIPE_JOINTS, {**_mediapipe_side("left"), **_mediapipe_side("right")}),
        *_bones(_MEDIAPIPE_JOINTS, {"right mouth": "left mouth", "right hip": "left hip"}),
        *_bones(_MEDIAPIPE_JOINTS, {"right shoulder": "left shoulder"}),
    ),
    mirror=_pairs(_MEDIAPIPE_JOINTS),
    up="+y",
    to_kinect_v2={
        "spine base": _HIPS,
        "spine mid": (*_HIPS, *_SHOULDERS),
        "spine shoulder": _SHOULDERS,
        # A name twice counts twice: the neck lies two thirds of the way from the mouth to the shoulders.
        "neck": (*_SHOULDERS, *_SHOULDERS, "left mouth", "right mouth"),
        "head": ("left ear", "right ear"),
        **_mediapipe_recipe("left"),
        **_mediapipe_recipe("right"),
    },
)

_SBU_JOINTS = (
    *("head", "neck", "torso"),
    *(f"{side} {part}" for side in ("left", "right") for part in ("shoulder", "elbow", "hand")),
    *(f"{side} {part}" for side in ("left", "right") for part in ("hip", "knee", "foot")),
)


def _sbu_recipe(side: str) -> Recipe:
    """One side. Its hand and foot are the limbs' ends, a little beyond the wrist and at the ankle of Kinect v2."""
    return {
        **{f"{side} {part}": (f"{side} {part}",) for part in ("shoulder", "elbow", "hand", "hip", "knee", "foot")},
        f"{side} wrist": (f"{side} elbow", *4 * (f"{side} hand",)),
        f"{side} hand tip": (f"{side} hand",),
        f"{side} thumb": (f"{side} hand",),
        f"{side} ankle": (f"{side} foot",),
    }


SBU_15 = Layout(
    name="sbu_15",
    title="Kinect v1 with 15 joints (SBU Kinect Interaction)",
    joints=_SBU_JOINTS,
    bones=_bones(
        _SBU_JOINTS,
        {
            "head": "neck",
            "neck": "torso",
            **{f"{side} shoulder": "neck" for side in ("left", "right")},
            **{f"{side} elbow": f"{side} shoulder" for side in ("left", "right")},
            **{f"{side} hand": f"{side} elbow" for side in ("left", "right")},
            **{f"{side} hip": "torso" for side in ("left", "right")},
            **{f"{side} knee": f"{side} hip" for side in ("left", "right")},
            **{f"{side} foot": f"{side} knee" for side in ("left", "right")},
        },
    ),
    mirror=_pairs(_SBU_JOINTS),
    up="+y",
    to_kinect_v2={
        "spine base": _HIPS,
        "spine mid": ("torso",),
        "spine shoulder": ("neck", *_SHOULDERS),
        "neck": ("neck", "neck", "head"),
        "head": ("head",),
        **_sbu_recipe("left"),
        **_sbu_recipe("right"),
    },
)

LAYOUTS: dict[str, Layout] = {
    layout.name: layout for layout in (KINECT_V2, KINECT_V1, KINECT_V1_UTD, MEDIAPIPE_33, SBU_15)
}
