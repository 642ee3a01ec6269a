"""One person's motion, prepared once for all measurements: 17 points, in torsos, at 30 frames per second."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from flora_engine.descriptors.filters import RATE, Floats, despike, interpolate, quantile, resample, smooth, velocity
from flora_engine.descriptors.signals import angle
from flora_engine.errors import FloraError
from flora_engine.skeleton.layouts import KINECT_V2, LAYOUTS
from flora_engine.skeleton.retarget import retarget_matrix
from flora_engine.skeleton.sequence import SkeletonSequence

# Points by number. Pairs are (right, left), so that [:, HANDS] has the sides on one axis.
BASE, MID, NECK, HEAD, CHEST = range(5)
SHOULDERS, ELBOWS, HANDS, HIPS, KNEES, FEET = ((5 + 2 * i, 6 + 2 * i) for i in range(6))
POINTS = 17
SIDES = ("right", "left")
OUTWARD = np.array([1.0, -1.0])  # the sign of "to the right" that is outward for either side
# The recipes of points in Kinect v2 joints, best first: a later one serves if the earlier one's joints are missing.
_CENTRE: dict[int, tuple[tuple[str, ...], ...]] = {
    BASE: (("spine base",), ("left hip", "right hip")),
    MID: (
        ("spine mid",),
        ("spine base", "spine shoulder"),
        ("left hip", "right hip", "left shoulder", "right shoulder"),
    ),
    NECK: (("neck",), ("spine shoulder",), ("left shoulder", "right shoulder")),
    HEAD: (("head",),),
    CHEST: (("spine shoulder",), ("left shoulder", "right shoulder"), ("neck",)),
}
_LIMBS = {
    SHOULDERS: (("shoulder",),),
    ELBOWS: (("elbow",),),
    HANDS: (("wrist", "hand"), ("wrist",), ("hand",)),
    HIPS: (("hip",),),
    KNEES: (("knee",),),
    FEET: (("ankle", "foot"), ("ankle",), ("foot",)),
}
_UP = np.array([0.0, 1.0, 0.0])
_SHORT_GAP = 0.5  # seconds; in a longer one nobody knows what the person did
_FASTEST = 25.0  # torsos per second; some 12 m/s, a fast punch


@dataclass(frozen=True)
class Motion:
    """One person. N frames at 30 per second; coordinates are (right, up, forward).

    seconds: (N,) moments in the recording. world: (N, 17, 3) torsos, y up, floor at 0. body: the same relative to the
    chest, in the facing frame; legs: relative to the hips. NaN in a point whose joints are missing.
    body_velocity, legs_velocity: torsos per second in that frame. heading: (N,) radians, growing while the
    person turns to the right. right, forward: (N, 3) unit vectors, level.
    """

    seconds: Floats
    world: Floats
    body: Floats
    legs: Floats
    body_velocity: Floats
    legs_velocity: Floats
    right: Floats
    forward: Floats
    heading: Floats

    @property
    def duration(self) -> float:
        """Seconds; one frame lasts a thirtieth."""
        return len(self.seconds) / RATE


@cache
def _point_matrix(layout: str, missing: frozenset[int]) -> NDArray[np.float64]:
    """(17, V): weights of source joints per point; a row of NaN if too many of its joints are missing."""
    sources = (
        np.eye(len(KINECT_V2.joints)) if layout == KINECT_V2.name else retarget_matrix(layout, matched=True)
    ).astype(np.float64)
    lost = {KINECT_V2.joints[j] for j in range(len(sources)) if any(sources[j, v] > 0 for v in missing)}
    matrix = np.full((POINTS, sources.shape[1]), np.nan)
    recipes = dict(_CENTRE)
    for pair, parts in _LIMBS.items():
        for point, side in zip(pair, SIDES, strict=True):
            recipes[point] = tuple(tuple(f"{side} {name}" for name in names) for names in parts)
    for point, choices in recipes.items():
        for names in choices:
            if lost.isdisjoint(names):
                matrix[point] = sources[[KINECT_V2.joints.index(name) for name in names]].mean(axis=0)
                break
    return matrix


@cache
def _upright(up: str) -> NDArray[np.float64]:
    """(3, 3): the rotation that brings the layout's up axis to y."""
    sign = 1.0 if up[0] == "+" else -1.0
    axis = "xyz".index(up[1])
    rotation = np.zeros((3, 3))
    rotation[1, axis] = sign
    rotation[0, (axis + 2) % 3] = sign
    rotation[2, (axis + 1) % 3] = 1.0
    return rotation


def _good_samples(sequence: SkeletonSequence, person: int) -> NDArray[np.bool_]:
    """(T, V): samples that were measured: finite, not all zero, not marked as lost by the sensor."""
    joints = sequence.joints[:, person]
    finite = np.isfinite(joints).all(axis=2)
    nonzero = finite & (joints != 0).any(axis=2)
    present = nonzero.any(axis=1)
    never = np.flatnonzero(present.any() & ~nonzero[present].any(axis=0))
    if len(never) == 1 and _is_origin(joints[present], int(never[0]), sequence.layout):
        nonzero[present, never[0]] = True
    if sequence.tracking is not None:
        nonzero &= sequence.tracking[:, person] > 0
    return np.asarray(nonzero)


def _is_origin(joints: NDArray[np.float32], joint: int, layout: str) -> bool:
    """Whether a joint that is always zero is the origin of centred coordinates, not a missing joint."""
    touching = [a + b - joint for a, b in LAYOUTS[layout].bones if joint in (a, b)]
    extent = float(np.median(np.ptp(joints, axis=1).max(axis=1)))
    return all(float(np.median(np.linalg.norm(joints[:, k], axis=1))) < 0.5 * extent for k in touching)


def _raw_points(sequence: SkeletonSequence, person: int) -> tuple[Floats, NDArray[np.bool_]] | None:
    """(T, 17, 3) metres, y up, gaps filled, and (T,) present; None if the person is not there."""
    good = _good_samples(sequence, person)
    seen = good.sum(axis=1)
    present = seen >= max(0.5 * seen.max(initial=0), 1)
    if not present.any():
        return None
    usable = good[present].mean(axis=0) >= 0.5
    joints = sequence.joints[:, person].astype(np.float64)
    for v in np.flatnonzero(usable & ~good.all(axis=0)):
        joints[:, v] = interpolate(joints[:, v], good[:, v])
    joints[:, ~usable] = 0
    matrix = _point_matrix(sequence.layout, frozenset(np.flatnonzero(~usable).tolist()))
    points = matrix @ joints
    up = LAYOUTS[sequence.layout].up
    return (points if up == "+y" else points @ _upright(up).T), present


def torso_length(points: Floats) -> float:
    """The median distance from hips to shoulders, in the points' unit; NaN if it cannot be measured."""
    return float(quantile(np.linalg.norm(points[:, CHEST] - points[:, BASE], axis=1), 0.5))


@dataclass(frozen=True)
class Person:
    """points: (N, 17, 3) metres, smooth, 30 per second, gaps filled. present: (N,), short gaps too. torso: metres."""

    points: Floats
    present: NDArray[np.bool_]
    torso: float


def prepare(sequence: SkeletonSequence, person: int) -> Person | None:
    """One person's points; None if the person is never there or has no trunk.

    Raises FloraError if the frame rate is not a positive number.
    """
    if not (np.isfinite(sequence.fps) and sequence.fps > 0):
        raise FloraError(f"the frame rate is {sequence.fps}", path=sequence.source, remedy="Give frames per second.")
    raw = _raw_points(sequence, person)
    if raw is None:
        return None
    points, present = raw
    torso = torso_length(points[present])
    if not torso > 0:
        return None
    points = despike(points / torso, sequence.fps)
    flat = resample(points.reshape(len(points), -1), sequence.fps)
    here = resample(present[:, None].astype(np.float64), sequence.fps)[:, 0] > 0
    known = np.flatnonzero(here)
    gaps = np.diff(known)
    for i in np.flatnonzero((gaps > 1) & (gaps <= _SHORT_GAP * RATE)):
        here[known[i] : known[i + 1]] = True
    return Person(smooth(flat, 0.04).reshape(len(flat), POINTS, 3) * torso, here, torso)


def _stance(person: Person) -> tuple[Floats, float]:
    """The mean direction (3,) from knees to shoulders while the person stands straight, and its weight 0 … 1."""
    points = person.points[person.present]
    if not np.isfinite(points[:, [BASE, CHEST, *HIPS, *KNEES, *FEET]]).all():
        return _UP, 0.0
    hips, knees, feet = (points[:, pair].mean(axis=1) for pair in (HIPS, KNEES, FEET))
    thigh, shin, trunk = hips - knees, knees - feet, points[:, CHEST] - points[:, BASE]
    one_leg = np.abs(points[:, FEET[0], 1] - points[:, FEET[1], 1]) > 0.2 * person.torso
    straight = (angle(thigh, shin) < 20) & (angle(trunk, points[:, BASE] - feet) < 15) & ~one_leg
    if not straight.any():
        return _UP, 0.0
    line = (points[straight, CHEST] - knees[straight]).mean(axis=0)
    # Somebody who lies is straight too; a sensor is hardly ever tilted by more than 30 degrees.
    likely = np.clip((35 - angle(line, _UP)) / 10, 0, 1)
    return line / np.linalg.norm(line), float(likely * np.clip((straight.mean() - 0.1) / 0.2, 0, 1))


def level(persons: list[Person]) -> list[Person]:
    """The persons in coordinates in which those who stand straight stand vertical.

    A sensor that looks down or up tilts all its coordinates, often by 5 to 15 degrees.
    """
    stances = [_stance(person) for person in persons]
    total = sum(weight for _, weight in stances)
    if total == 0:
        return persons
    strongest = max(weight for _, weight in stances)
    mean = np.sum([weight * line for line, weight in stances], axis=0) / total
    up = strongest * mean + (1 - strongest) * _UP
    up /= np.linalg.norm(up)
    # The smallest rotation that brings `up` to the y axis (Rodrigues), for points as rows.
    x, y, z = up
    across = -x * z / (1 + y)
    turn = np.array([[1 - x * x / (1 + y), x, across], [-x, y, -z], [across, z, 1 - z * z / (1 + y)]])
    return [replace(person, points=person.points @ turn) for person in persons]


def _heading(points: Floats) -> Floats:
    """(N, 3): the level unit vector to the person's right, from shoulders and hips."""
    pairs = [points[:, pair[0]] - points[:, pair[1]] for pair in (SHOULDERS, HIPS)]
    known = [pair for pair in pairs if np.isfinite(pair).all()]
    if not known:
        return np.full((len(points), 3), np.nan)
    across = np.sum(known, axis=0) * np.array([1.0, 0.0, 1.0])
    right = smooth(across, 0.2)
    # Seen from the side, or lying on a side, the line is short and its direction noise: a longer average decides.
    for longer in (smooth(across, 1.0), np.broadcast_to(across.mean(axis=0), across.shape)):
        right = np.where(np.linalg.norm(right, axis=1, keepdims=True) < 0.2, longer, right)
    length = np.linalg.norm(right, axis=1, keepdims=True)
    return np.asarray(np.where(length > 1e-6, right / np.maximum(length, 1e-6), [1.0, 0.0, 0.0]))


def _limited(speed: Floats) -> Floats:
    """Velocities of at most what a body can do, direction kept."""
    size = np.sqrt(np.einsum("tkc,tkc->tk", speed, speed))
    if not np.nanmax(size, initial=0) > _FASTEST:
        return speed
    return np.asarray(speed * (_FASTEST / np.maximum(size, _FASTEST))[..., None])


def floor_height(points: Floats) -> float:
    """The height of the floor: where the lowest points of (N, 17, 3) are at their lowest, without outliers."""
    heights = points[..., 1]
    return float(quantile(np.where(np.isnan(heights), np.inf, heights).min(axis=1), 0.05))


def motion(points: Floats, keep: NDArray[np.bool_], torso: float, floor: float) -> Motion:
    """The motion of prepared points (metres) in the frames `keep`, with lengths in torsos of `torso` metres."""
    world = (points - np.array([0.0, floor, 0.0])) / torso
    right = _heading(world)
    forward = np.stack([right[:, 2], np.zeros(len(right)), -right[:, 0]], axis=1)
    axes = np.stack([right, np.broadcast_to([0.0, 1.0, 0.0], right.shape), forward], axis=2)
    body = (world - world[:, CHEST : CHEST + 1]) @ axes
    legs = (world - world[:, BASE : BASE + 1]) @ axes
    return Motion(
        seconds=np.flatnonzero(keep) / RATE,
        world=world[keep],
        body=body[keep],
        legs=legs[keep],
        body_velocity=_limited(velocity(body))[keep],
        legs_velocity=_limited(velocity(legs))[keep],
        right=right[keep],
        forward=forward[keep],
        heading=np.unwrap(np.arctan2(right[:, 2], right[:, 0]))[keep],
    )
