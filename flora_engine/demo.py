"""Plainly synthetic recordings: a parametric 25-joint body that acts out described actions.

For people without data, for tests and for a first look. They are drawn from a handful of joint angles and are never
evidence of how well a model recognises real people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.jobs import Job
from flora_engine.skeleton import KINECT_V2, SkeletonSequence

VERSION = 4  # raise it with any change of what is written: kept demo recordings are then made anew
Floats = NDArray[np.float64]
# Degrees. A limb's direction is (elevation, azimuth): elevation 0 hangs down, 90 is level, 180 points up; azimuth 0 is
# forward, 90 to the body's own side, -90 across the body, 180 backward. trunk is (pitch forward, lean right,
# turn left). root is (right, up, forward) in body heights; the lower foot stands on the floor unless root lifts it.
Pose = dict[str, tuple[float, ...]]
Keys = tuple[tuple[float, Pose], ...]

REST: Pose = {
    "left upper arm": (8, 90),
    "left forearm": (12, 45),
    "right upper arm": (8, 90),
    "right forearm": (12, 45),
    "left thigh": (3, 60),
    "left shin": (1, 180),
    "right thigh": (3, 60),
    "right shin": (1, 180),
    "trunk": (2, 0, 0),
    "head": (0, 0),
    "root": (0, 0, 0),
}


@dataclass(frozen=True)
class Action:
    """A synthetic action: poses at moments 0..1 of one cycle, repeated; `other` is what a second person does."""

    name: str
    description: str
    keys: Keys
    repeats: int = 1
    other: Keys | None = None


def _cycle(*poses: Pose) -> Keys:
    """Evenly spaced poses that come back to the first."""
    return tuple((i / len(poses), pose) for i, pose in enumerate((*poses, poses[0])))


def _once(*poses: Pose) -> Keys:
    """Evenly spaced poses from first to last."""
    return tuple((i / (len(poses) - 1), pose) for i, pose in enumerate(poses))


def _there_and_back(pose: Pose) -> Keys:
    return ((0.0, {}), (0.3, pose), (0.7, pose), (1.0, {}))


def _right_arm(upper: tuple[float, float], fore: tuple[float, float], **more: tuple[float, ...]) -> Pose:
    return {"right upper arm": upper, "right forearm": fore, **more}


def _both_arms(upper: tuple[float, float], fore: tuple[float, float], **more: tuple[float, ...]) -> Pose:
    return {**_right_arm(upper, fore), "left upper arm": upper, "left forearm": fore, **more}


def _legs(thigh: tuple[float, float], shin: tuple[float, float]) -> Pose:
    return {"left thigh": thigh, "right thigh": thigh, "left shin": shin, "right shin": shin}


_SEATED: Pose = _legs((85, 10), (2, 180)) | {"trunk": (6, 0, 0)}
_CROUCH: Pose = _legs((95, 20), (35, 180)) | {"trunk": (25, 0, 0)}


def _stride(swing: float, knee: float, arm: float, limp: float = 1.0) -> Keys:
    left: Pose = {
        "left thigh": (swing, 0),
        "left shin": (2, 0),
        "right thigh": (swing * limp, 180),
        "right shin": (knee * limp, 180),
        "right upper arm": (arm, 0),
        "left upper arm": (arm, 180),
    }
    right: Pose = {
        "right thigh": (swing * limp, 0),
        "right shin": (2, 0),
        "left thigh": (swing, 180),
        "left shin": (knee, 180),
        "left upper arm": (arm, 0),
        "right upper arm": (arm, 180),
        "trunk": (2, 12 * (1 - limp), 0),
    }
    return _cycle(left, right)


_WAVING: Keys = (
    (0, {}),
    (0.2, _right_arm((100, 80), (170, 90))),
    *((0.2 + 0.1 * i, _right_arm((100, 80), (145, 90) if i % 2 else (150, -90))) for i in range(1, 7)),
    (1, {}),
)
_SHAKING: Keys = (
    (0, {}),
    (0.25, _right_arm((40, 5), (80, 0))),
    *((0.25 + 0.1 * i, _right_arm((40, 5), (68 if i % 2 else 90, 0))) for i in range(1, 6)),
    (1, {}),
)
_STAGGERING: Keys = (
    (0, {}),
    (0.45, {}),
    (0.65, _both_arms((50, 60), (80, 40), trunk=(-22, 0, 0), root=(0, 0, -0.2))),
    (1, {"root": (0, 0, -0.25)}),
)

ACTIONS: tuple[Action, ...] = (
    Action(
        "wave right hand",
        "the right hand is held up beside the head and swings from side to side",
        _WAVING,
    ),
    Action(
        "wave both hands",
        "both arms are raised above the head and swing from side to side",
        _cycle(_both_arms((150, 90), (170, 90)), _both_arms((150, 90), (165, -90))),
        repeats=4,
    ),
    Action(
        "drink water",
        "one hand lifts a cup from waist height to the mouth, holds it there and lowers it",
        _there_and_back(_right_arm((30, 20), (150, -115), head=(-12, 0))),
    ),
    Action(
        "sit down",
        "the hips lower backward onto a seat while the knees bend",
        _once({}, {"trunk": (30, 0, 0), **_legs((45, 10), (18, 180))}, _SEATED, _SEATED),
    ),
    Action(
        "stand up",
        "the body rises from a seat until the legs are straight",
        _once(_SEATED, {"trunk": (35, 0, 0), **_legs((60, 10), (15, 180))}, {}, {}),
    ),
    Action(
        "squat",
        "both knees bend deeply and straighten again with the arms stretched forward",
        _cycle(_both_arms((85, 5), (88, 5)), _CROUCH | _both_arms((90, 5), (90, 5))),
        repeats=2,
    ),
    Action(
        "jump up",
        "the knees bend, then the whole body leaves the floor and lands",
        (
            (0.0, {}),
            (0.3, _legs((55, 10), (35, 180)) | _both_arms((15, 180), (15, 180))),
            (0.5, _both_arms((75, 10), (85, 10), root=(0, 0.2, 0))),
            (0.7, _legs((40, 10), (25, 180))),
            (1.0, {}),
        ),
        repeats=2,
    ),
    Action("walk", "the legs step alternately and the arms swing gently", _stride(28, 25, 22), repeats=4),
    Action("jog", "quick springing steps with bent knees and bent arms", _stride(45, 85, 40), repeats=6),
    Action(
        "limp",
        "uneven steps, one leg hardly bends and the trunk leans over it",
        _stride(30, 35, 20, limp=0.25),
        repeats=4,
    ),
    Action(
        "kick",
        "one leg swings forward and up to waist height",
        (
            (0.0, {}),
            (0.3, {"right thigh": (25, 180), "right shin": (75, 180)}),
            (0.55, {"right thigh": (85, 0), "right shin": (85, 0), "trunk": (-12, 0, 0)}),
            (1.0, {}),
        ),
        repeats=2,
    ),
    Action(
        "bow",
        "the trunk bends forward from the hips and comes up again",
        _there_and_back({"trunk": (65, 0, 0), "head": (20, 0)}),
    ),
    Action(
        "clap",
        "both hands meet again and again in front of the chest",
        _cycle(_both_arms((55, 40), (85, 35)), _both_arms((55, 10), (88, -32))),
        repeats=6,
    ),
    Action(
        "raise both arms",
        "both arms go up sideways above the head and come down",
        _there_and_back(_both_arms((172, 90), (175, 90))),
    ),
    Action(
        "check the time",
        "the left forearm is lifted across the chest and the head looks down at the wrist",
        _there_and_back({"left upper arm": (40, 30), "left forearm": (95, -60), "head": (35, 15)}),
    ),
    Action(
        "throw",
        "one arm swings back behind the shoulder and whips forward",
        (
            (0.0, {}),
            (0.35, _right_arm((95, 150), (150, 170), trunk=(-8, 0, -30))),
            (0.55, _right_arm((110, 10), (95, 0), trunk=(15, 0, 25))),
            (0.75, _right_arm((40, -20), (50, -30), trunk=(20, 0, 25))),
            (1.0, {}),
        ),
    ),
    Action(
        "pick up from the floor",
        "the body bends down, one hand reaches the floor, and it stands up again",
        _there_and_back(_legs((75, 15), (40, 180)) | _right_arm((30, 0), (20, 0), trunk=(60, 0, 0))),
    ),
    Action(
        "make a phone call",
        "one hand is held at the ear with the elbow bent",
        _there_and_back(_right_arm((40, 70), (165, -75), head=(5, -12))),
    ),
    Action(
        "salute",
        "the right hand is brought to the brow with the elbow lifted sideways",
        _there_and_back(_right_arm((85, 75), (145, -60))),
    ),
    Action(
        "fall down",
        "the body tips over, the knees give way and it ends lying low",
        _once({}, _CROUCH, _CROUCH | {"trunk": (80, 10, 0)}, _legs((100, 30), (60, 180)) | {"trunk": (100, 15, 0)}),
    ),
    Action(
        "shake hands",
        "two people face each other, join right hands and move them up and down",
        _SHAKING,
        other=_SHAKING,
    ),
    Action(
        "push the other person",
        "one person thrusts both hands forward and the other staggers back",
        (
            (0, {}),
            (0.3, _both_arms((40, 10), (110, 0))),
            (0.5, _both_arms((85, 5), (88, 5), trunk=(18, 0, 0), root=(0, 0, 0.2))),
            (1.0, {}),
        ),
        other=_STAGGERING,
    ),
    Action(
        "point at the other person",
        "one arm is stretched out toward the other person, who stands still",
        _there_and_back(_right_arm((85, 0), (88, 0))),
        other=((0, {}), (1, {})),
    ),
)

# Bone lengths in body heights (rough adult proportions).
_LENGTHS = {
    "spine": 0.13,
    "chest": 0.16,
    "neck": 0.05,
    "head": 0.09,
    "shoulder": 0.105,
    "upper arm": 0.165,
    "forearm": 0.145,
    "hand": 0.045,
    "hip": 0.05,
    "thigh": 0.24,
    "shin": 0.23,
    "foot": 0.09,
}


@dataclass(frozen=True)
class _Body:
    """What differs from person to person and take to take."""

    height: float
    lengths: dict[str, float]
    amplitude: float


def _direction(elevation: float, azimuth: float) -> Floats:
    """Unit vector of a right limb in the trunk's frame: x right of the body, y up, z forward."""
    e, a = np.radians(elevation), np.radians(azimuth)
    return np.array([np.sin(e) * np.sin(a), -np.cos(e), np.sin(e) * np.cos(a)])


def _rotation(pitch: float, lean: float, turn: float) -> Floats:
    p, r, t = np.radians([pitch, -lean, -turn])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    about_y = np.array([[np.cos(t), 0, np.sin(t)], [0, 1, 0], [-np.sin(t), 0, np.cos(t)]])
    rotation: Floats = about_y @ about_z @ about_x
    return rotation


def _between(a: Floats, b: Floats, share: float) -> Floats:
    """The unit vector at `share` of the arc from a to b."""
    angle = float(np.arccos(np.clip(a @ b, -1, 1)))
    if angle < 1e-6:
        return a
    arc: Floats = (np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle)
    return arc


def _pose_at(keys: Keys, phase: float) -> dict[str, Floats]:
    """Cosine-eased pose between the two keys around `phase`; what a key does not name is at rest."""
    times = [t for t, _ in keys]
    right = int(np.clip(np.searchsorted(times, phase, side="right"), 1, len(keys) - 1))
    (t0, before), (t1, after) = keys[right - 1], keys[right]
    share = (1 - np.cos(np.pi * np.clip((phase - t0) / (t1 - t0), 0, 1))) / 2
    pose = {}
    for name, rest in REST.items():
        a, b = (np.array(key.get(name, rest), float) for key in (before, after))
        if len(rest) == 2 and name != "head":
            # Directions are blended, not angles, so that a limb takes the short way round; at an even pace.
            pose[name] = _between(_direction(a[0], a[1]), _direction(b[0], b[1]), share)
        else:
            pose[name] = a + share * (b - a)
    return pose


def _skeleton(pose: dict[str, Floats], body: _Body) -> Floats:
    """(25, 3) joints in metres, body facing +z, the lower foot on y = 0 plus the pose's lift."""
    size = {part: body.height * length for part, length in body.lengths.items()}
    trunk = _rotation(*pose["trunk"])
    head = trunk @ _rotation(pose["head"][0], 0, pose["head"][1])
    up = trunk @ np.array([0, 1.0, 0])
    joints: dict[str, Floats] = {"spine base": np.zeros(3)}
    joints["spine mid"] = size["spine"] * up
    joints["spine shoulder"] = joints["spine mid"] + size["chest"] * up
    joints["neck"] = joints["spine shoulder"] + size["neck"] * up
    joints["head"] = joints["neck"] + size["head"] * (head @ np.array([0, 1.0, 0]))
    for side, sign in (("right", 1), ("left", -1)):
        flip = np.array([sign, 1, 1])

        def along(limb: str, frame: Floats, side: str = side, flip: Floats = flip) -> Floats:
            vector = pose[f"{side} {limb}"] * flip
            turned: Floats = frame @ (vector / max(float(np.linalg.norm(vector)), 1e-6))
            return turned

        out = trunk @ np.array([sign, 0, 0.0])
        fore = along("forearm", trunk)
        joints[f"{side} shoulder"] = joints["spine shoulder"] + size["shoulder"] * out - 0.02 * up
        joints[f"{side} elbow"] = joints[f"{side} shoulder"] + size["upper arm"] * along("upper arm", trunk)
        joints[f"{side} wrist"] = joints[f"{side} elbow"] + size["forearm"] * fore
        joints[f"{side} hand"] = joints[f"{side} wrist"] + size["hand"] * fore
        joints[f"{side} hand tip"] = joints[f"{side} hand"] + 0.9 * size["hand"] * fore
        joints[f"{side} thumb"] = joints[f"{side} hand"] + 0.5 * size["hand"] * (fore - out)
        # Legs hang from the pelvis, which follows the trunk's turn but not its pitch.
        pelvis = _rotation(0, 0, pose["trunk"][2])
        ahead = pelvis @ np.array([0, -0.3, 1.0])
        joints[f"{side} hip"] = size["hip"] * (pelvis @ np.array([sign, 0, 0.0]))
        joints[f"{side} knee"] = joints[f"{side} hip"] + size["thigh"] * along("thigh", pelvis)
        joints[f"{side} ankle"] = joints[f"{side} knee"] + size["shin"] * along("shin", pelvis)
        joints[f"{side} foot"] = joints[f"{side} ankle"] + size["foot"] * ahead
    placed = np.stack([joints[name] for name in KINECT_V2.joints])
    right, lift, forward = body.height * pose["root"]
    placed[:, 1] += lift - placed[:, 1].min()
    # Kinect's axes are such that a person who looks along +z has the right side at smaller x.
    kinect: Floats = (placed + np.array([right, 0, forward])) * np.array([-1, 1, 1])
    return kinect


def _person(keys: Keys, repeats: int, frames: int, body: _Body) -> Floats:
    """(T, 25, 3): one person acting."""
    phases = np.linspace(0, repeats, frames)
    cycles = np.where(phases >= repeats, 1.0, phases % 1.0)
    rest = _skeleton(_pose_at(((0.0, {}), (1.0, {})), 0.0), body)
    moving = np.stack([_skeleton(_pose_at(keys, float(c)), body) for c in cycles])
    return rest + body.amplitude * (moving - rest)


def _draw_body(random: np.random.Generator) -> _Body:
    lengths = {part: length * float(random.uniform(0.93, 1.07)) for part, length in _LENGTHS.items()}
    return _Body(float(random.uniform(1.4, 1.95)), lengths, float(random.uniform(0.85, 1.05)))


def synthesise(
    action: int, *, subject: int = 1, replication: int = 1, camera: int = 1, seed: int = 0
) -> SkeletonSequence:
    """One synthetic recording of `ACTIONS[action]` in Kinect camera axes, the same for the same arguments.

    The body depends on the subject; speed, sway and sensor noise on the take; the view on the camera (1, 2, 3: from
    the front, and turned 45 degrees either way).
    """
    chosen = ACTIONS[action]
    people = np.random.default_rng([seed, subject])
    take = np.random.default_rng([seed, subject, replication, camera, action])
    bodies = [_draw_body(people), _draw_body(people)]
    frames = int(take.uniform(45, 75) * (1 + 0.35 * (chosen.repeats - 1)))
    moves = [chosen.keys] if chosen.other is None else [chosen.keys, chosen.other]
    acted = np.stack([_person(keys, chosen.repeats, frames, b) for keys, b in zip(moves, bodies, strict=False)], axis=1)
    if len(moves) == 2:
        # Outstretched right hands just meet.
        gap = 0.33 * (bodies[0].height + bodies[1].height) * float(take.uniform(0.97, 1.05))
        acted[:, 0, :, 2] -= gap / 2
        acted[:, 1] = acted[:, 1] * np.array([-1, 1, -1]) + np.array([0, 0, gap / 2])
    view = {1: 0.0, 2: 45.0, 3: -45.0}.get(camera, 0.0) + float(take.normal(0, 6))
    # Facing the camera means looking along -z; two people stand side on to it.
    acted = acted @ _rotation(0, 0, view + (180.0 if len(moves) == 1 else 90.0)).T
    acted += np.array([take.uniform(-0.3, 0.3), -0.9, take.uniform(2.4, 3.2)])
    acted += take.normal(0, 0.006, acted.shape)
    return SkeletonSequence(
        joints=acted.astype(np.float32),
        fps=30.0,
        tracking=np.full(acted.shape[:3], 2, np.uint8),
        name=f"S001C{camera:03d}P{subject:03d}R{replication:03d}A{action + 1:03d}",
        metadata={
            **{"setup": 1, "camera": camera, "subject": subject, "replication": replication, "action": action + 1},
            "class_name": chosen.name,
        },
    )


def synthesise_stream(
    actions: Sequence[int], *, subject: int = 1, pause: float = 0.0, seed: int = 0
) -> tuple[SkeletonSequence, list[tuple[str, int, int]]]:
    """One long synthetic recording: takes of `actions` one after the other, `pause` seconds without anybody between.

    Beside it the truth: (name, first frame, last frame) of each. Places jump from one take to the next.
    """
    takes = [synthesise(action, subject=subject, replication=i + 1, seed=seed) for i, action in enumerate(actions)]
    persons, gap = max(take.persons for take in takes), round(pause * takes[0].fps)
    parts, truth, begin = [], [], 0
    for take in takes:
        joints = np.pad(take.joints, ((0, gap), (0, persons - take.persons), (0, 0), (0, 0)))
        parts.append(joints)
        truth.append((str(take.metadata["class_name"]), begin, begin + take.frames - 1))
        begin += len(joints)
    joined = np.concatenate(parts)[: begin - gap]
    return SkeletonSequence(joined, takes[0].fps, name="stream"), truth


def write_demo(job: Job, folder: Path, *, subjects: int = 2, replications: int = 1, seed: int = 0) -> list[Path]:
    """Write synthetic NTU `.skeleton` files of every action into `folder`; returns their paths.

    Beside them stands `classes.csv` (recording name, class name). Raises FloraError if the folder cannot be written.
    """
    from flora_engine.files import write_text
    from flora_engine.readers import write_ntu

    takes = [(a, s, r) for s in range(1, subjects + 1) for r in range(1, replications + 1) for a in range(len(ACTIONS))]
    paths, rows = [], ["name,class"]
    for done, (action, subject, replication) in enumerate(takes):
        job.progress("writing synthetic recordings", done, len(takes))
        sequence = synthesise(
            action, subject=subject, replication=replication, camera=1 + (subject + action) % 3, seed=seed
        )
        path = folder / f"{sequence.name}.skeleton"
        write_ntu(sequence, path)
        paths.append(path)
        rows.append(f"{sequence.name},{ACTIONS[action].name}")
    write_text(folder / "classes.csv", "\n".join(rows) + "\n")
    job.progress("writing synthetic recordings", len(takes), len(takes))
    return paths
