"""Where the joints of every layout lie on one standing person of 1.7 m, in shares of the height.

Heights and lengths of segments are those of Winter, Biomechanics and Motor Control of Human Movement (after Drillis and
Contini): ankle 0.039, knee 0.285, hip 0.53, wrist 0.485, elbow 0.63, shoulder 0.818, chin 0.87, foot 0.152 long. Axes:
x to the person's right, y up, z backwards, so that the person faces a Kinect.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flora_engine.skeleton import Layout

HEIGHT = 1.7
_MIDDLE = {
    "pelvis": (0.54, 0.0),
    "l5": (0.575, 0.01),
    "l3": (0.62, 0.01),
    "t12": (0.68, 0.015),
    "navel": (0.62, 0.0),
    "chest": (0.72, 0.01),
    "upper chest": (0.76, 0.01),
    "neck base": (0.835, 0.01),
    "head joint": (0.895, 0.0),
    "head centre": (0.936, 0.0),
    "head top": (1.0, 0.0),
    "mouth": (0.895, -0.05),
    "jaw": (0.88, -0.02),
    "nose": (0.915, -0.065),
    "hips": (0.53, 0.0),
    # of the bone lengths in the CMU database: three vertebrae of 0.055, upon a trunk of 0.2 above the root
    "lower neck": (0.79, 0.01),
    "forehead": (0.96, -0.045),
    **{"c7": (0.845, 0.045), "t10": (0.7, 0.06), "clav": (0.815, -0.035), "strn": (0.73, -0.055)},
    "upper neck": (0.845, 0.01),
    "skull base": (0.9, 0.0),
}
_SIDE = {
    "eye": (0.018, 0.936, -0.055),
    "eye inner": (0.012, 0.936, -0.055),
    "eye outer": (0.026, 0.936, -0.05),
    "ear": (0.043, 0.93, 0.0),
    "mouth": (0.015, 0.895, -0.05),
    "collar": (0.03, 0.815, 0.0),
    "shoulder": (0.11, 0.818, 0.0),
    "elbow": (0.115, 0.632, 0.0),
    "wrist": (0.115, 0.486, 0.0),
    "knuckles": (0.115, 0.435, 0.0),
    "finger middle": (0.115, 0.41, 0.0),
    "finger tip": (0.115, 0.385, 0.0),
    "thumb base": (0.115, 0.46, -0.015),
    "thumb tip": (0.115, 0.425, -0.025),
    "hip": (0.05, 0.53, 0.0),
    "knee": (0.05, 0.285, 0.0),
    "ankle": (0.05, 0.039, 0.0),
    "heel": (0.05, 0.01, 0.03),
    "ball": (0.05, 0.01, -0.08),
    "toe": (0.05, 0.01, -0.115),
    "small toe": (0.075, 0.01, -0.09),
    # markers on the skin, as the Plug-in Gait guide places them
    **{"fhd": (0.045, 0.96, -0.045), "bhd": (0.045, 0.96, 0.05), "sho": (0.115, 0.845, 0.0)},
    **{"elb": (0.135, 0.632, 0.0), "wra": (0.115, 0.486, -0.018), "wrb": (0.115, 0.486, 0.018)},
    **{"fin": (0.115, 0.44, 0.0), "asi": (0.07, 0.575, -0.055), "psi": (0.03, 0.575, 0.05)},
    **{
        "kne": (0.08, 0.285, 0.0),
        "ank": (0.075, 0.039, 0.0),
        "hee": (0.05, 0.02, 0.03),
        "toe marker": (0.05, 0.02, -0.085),
    },
}
# What the joints of single layouts are, where their names do not say it.
_TRUNK = {
    "kinect_v1": {"hip centre": "pelvis", "spine": "l3", "shoulder centre": "neck base", "head": "head centre"},
    "azure_kinect_32": {
        "spine navel": "navel",
        "spine chest": "chest",
        "neck": "neck base",
        "head": "head joint",
    },
    "zed_34": {"naval spine": "navel", "chest spine": "chest", "neck": "neck base", "head": "head joint"},
    "zed_38": {"spine 1": "navel", "spine 2": "t12", "spine 3": "chest", "neck": "neck base"},
    "smpl_22": {"spine 1": "l3", "spine 2": "t12", "spine 3": "chest", "neck": "neck base", "head": "head joint"},
    "human36m_17": {"hip": "hips", "spine": "t12", "thorax": "neck base", "head": "head top"},
    "halpe_26": {"head": "head top", "neck": "neck base", "hip": "hips"},
    "body_25": {"neck": "neck base", "mid hip": "hips"},
    "opencap_20": {"neck": "neck base", "mid hip": "hips"},
    "xsens_23": {"t8": "chest", "neck": "neck base", "head": "head joint"},
    "optitrack_21": {"hip": "pelvis", "ab": "l3", "chest": "t12", "neck": "neck base", "head": "head joint"},
    "cmu_31": {
        **{"root": "pelvis", "lowerback": "l3", "upperback": "t12", "thorax": "chest", "lowerneck": "lower neck"},
        **{"upperneck": "upper neck", "head": "skull base"},
    },
    "sbu_15": {"head": "head centre", "neck": "neck base", "torso": "l3"},
    "plug_in_gait_bones_19": {"pelo": "hips", "trxo": "clav", "hedo": "forehead"},
}
_TRUNK["kinect_v1_utd"] = _TRUNK["kinect_v1"]
_TRUNK["kinect_v2"] = {
    **{"spine base": "hips", "spine mid": "t12", "spine shoulder": "neck base", "neck": "head joint"},
    "head": "head centre",
}
_TRUNK["smpl_24"] = _TRUNK["smplx_55"] = _TRUNK["smpl_22"]
_LIMBS = {
    **{"clavicle": "collar", "index": "knuckles", "pinky": "knuckles", "thumb": "thumb tip"},
    **{"hand": "knuckles", "hand tip": "finger tip", "foot": "ball", "foot index": "toe", "big toe": "toe"},
    **{"hand thumb 4": "thumb tip", "hand index 1": "knuckles", "hand middle 4": "finger tip"},
    **{"hand pinky 1": "knuckles", "eye smplhf": "eye"},
    **{f"{finger} 1": "knuckles" for finger in ("index", "middle", "pinky", "ring")},
    **{f"{finger} 2": "finger middle" for finger in ("index", "middle", "pinky", "ring")},
    **{f"{finger} 3": "finger middle" for finger in ("index", "middle", "pinky", "ring")},
    **{"thumb 1": "thumb base", "thumb 2": "thumb base", "thumb 3": "thumb tip"},
}
_ORIGINS = {"shoulder": "collar", "hand": "wrist", "foot": "ankle", "toe": "ball"}
_OWN_LIMBS = {
    "xsens_23": {
        **_ORIGINS,
        **{"upper arm": "shoulder", "forearm": "elbow", "upper leg": "hip", "lower leg": "knee"},
    },
    "optitrack_21": {**_ORIGINS, "u arm": "shoulder", "f arm": "elbow", "thigh": "hip", "shin": "knee"},
    "cmu_31": {
        **{"hipjoint": "hip", "femur": "knee", "tibia": "ankle", "foot": "ball", "toes": "toe", "clavicle": "shoulder"},
        **{"humerus": "elbow", "radius": "wrist", "hand": "knuckles", "fingers": "finger tip"},
    },
    "plug_in_gait_30": {"toe": "toe marker"},
    "plug_in_gait_bones_19": {
        **{"clo": "shoulder", "huo": "elbow", "rao": "wrist", "hno": "finger tip"},
        **{"fep": "hip", "feo": "knee", "tio": "ankle", "foo": "ball"},
    },
    "sbu_15": {"hand": "knuckles", "foot": "ankle"},
}


_RIGHT_ARM = (
    *("elbow", "wrist", "knuckles", "finger middle", "finger tip", "thumb base", "thumb tip"),
    *("elb", "wra", "wrb", "fin"),
)


def _landmark(layout: Layout, joint: str) -> tuple[str, str]:
    """("", part) or (side, part) of a joint of the layout."""
    trunk, limbs = _TRUNK.get(layout.name, {}), {**_LIMBS, **_OWN_LIMBS.get(layout.name, {})}
    side, _, part = joint.partition(" ")
    return (side, limbs.get(part, part)) if side in ("left", "right") else ("", trunk.get(joint, joint))


def _place(side: str, part: str) -> tuple[float, float, float]:
    if not side:
        return (0.0, *_MIDDLE[part])
    x, y, z = _SIDE[part]
    return (x if side == "right" else -x), y, z


def standing(layout: Layout) -> NDArray[np.float64]:
    """(V, 3): the joints of a layout on the reference person, metres."""
    return HEIGHT * np.array([_place(*_landmark(layout, joint)) for joint in layout.joints])


def raising(layout: Layout, frames: int = 40) -> NDArray[np.float64]:
    """(T, V, 3): the reference person raises the stretched right arm forward, to the height of the shoulder."""
    joints = np.tile(standing(layout), (frames, 1, 1))
    moved = [i for i, joint in enumerate(layout.joints) if (m := _landmark(layout, joint))[0] == "right"
             and m[1] in _RIGHT_ARM]  # fmt: skip
    shoulder = HEIGHT * np.array(_place("right", "shoulder"))
    for t, angle in enumerate(np.linspace(0, np.pi / 2, frames)):
        cos, sin = np.cos(angle), np.sin(angle)
        turn = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
        joints[t, moved] = (joints[t, moved] - shoulder) @ turn.T + shoulder
    return joints
