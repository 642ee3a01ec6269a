"""The motion of one person in each of B recordings, prepared once for all measurements: 17 points, in torsos, at 30
frames per second. The recordings have the same number of frames, frame rate and layout; axis 0 is theirs, axis 1 time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from flora_engine.descriptors.filters import RATE, Floats, bridge, despike, quantile, resample, smooth, velocity
from flora_engine.descriptors.opening import opening
from flora_engine.descriptors.signals import Ints, angle, length
from flora_engine.errors import FloraError
from flora_engine.skeleton.layouts import KINECT_V2, LAYOUTS
from flora_engine.skeleton.retarget import retarget_matrix
from flora_engine.skeleton.sequence import SkeletonSequence

Floats32 = NDArray[np.float32]
Mask = NDArray[np.bool_]
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
    """One person in each of B recordings. N frames at 30 per second; coordinates are (right, up, forward).

    seconds: (N,) moments in the recording. world: (B, N, 17, 3) torsos, y up, floor at 0. body: the same relative to
    the chest, in the facing frame; legs: relative to the hips. NaN in a point whose joints are missing.
    body_velocity, legs_velocity: torsos per second in that frame. heading: (B, N) radians, growing while the
    person turns to the right. right, forward: (B, N, 3) unit vectors, level.
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

    def part(self, chosen: Ints) -> Motion:
        """The same of some of the recordings."""
        return Motion(self.seconds, **{f.name: getattr(self, f.name)[chosen] for f in fields(self)[1:]})


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


def _good_samples(sequences: Sequence[SkeletonSequence], person: int, joints: Floats32) -> Mask:
    """(B, T, V): samples (B, T, V, 3) that were measured: finite, not all zero, not marked as lost by the sensor."""
    nonzero = np.isfinite(joints).all(axis=3) & (joints != 0).any(axis=3)
    never = ~nonzero.any(axis=1)
    for b in np.flatnonzero((never.sum(axis=1) == 1) & nonzero.any(axis=(1, 2))).tolist():
        joint, present = int(never[b].argmax()), nonzero[b].any(axis=1)
        if _is_origin(joints[b, present], joint, sequences[b].layout):
            nonzero[b, present, joint] = True
    if sequences[0].tracking is not None:
        nonzero &= np.stack([one.tracking[:, person] > 0 for one in sequences if one.tracking is not None])
    return np.asarray(nonzero)


def _is_origin(joints: NDArray[np.float32], joint: int, layout: str) -> bool:
    """Whether a joint that is always zero is the origin of centred coordinates, not a missing joint."""
    touching = [a + b - joint for a, b in LAYOUTS[layout].bones if joint in (a, b)]
    extent = float(np.median(np.ptp(joints, axis=1).max(axis=1)))
    return all(float(np.median(np.linalg.norm(joints[:, k], axis=1))) < 0.5 * extent for k in touching)


def _raw_points(sequences: Sequence[SkeletonSequence], person: int) -> tuple[Floats, Mask]:
    """(B, T, 17, 3) metres, y up, gaps filled, and (B, T) present, nowhere if the person is not there."""
    measured = np.stack([one.joints[:, person] for one in sequences])
    good = _good_samples(sequences, person, measured)
    seen = good.sum(axis=2)
    present = seen >= np.maximum(0.5 * seen.max(axis=1, initial=0), 1)[:, None]
    counts = (good & present[..., None]).sum(axis=1)
    usable = 2 * counts >= np.maximum(present.sum(axis=1), 1)[:, None]
    joints = measured.astype(np.float64)
    for b, v in np.argwhere(usable & ~good.all(axis=1)):
        joints[b, :, v] = bridge(joints[b, :, v], good[b, :, v], sequences[0].fps)
    joints.swapaxes(1, 2)[~usable] = 0
    layout, found = sequences[0].layout, np.empty((*joints.shape[:2], POINTS, 3))
    for pattern in np.unique(usable, axis=0):
        alike = (usable == pattern).all(axis=1)
        matrix = _point_matrix(layout, frozenset(np.flatnonzero(~pattern).tolist()))
        found[alike] = (joints[alike].swapaxes(2, 3) @ matrix.T).swapaxes(2, 3)
    up = LAYOUTS[layout].up
    return (found if up == "+y" else found @ _upright(up).T), present


def torso_length(points: Floats) -> Floats:
    """(B,): the median distance from hips to shoulders, in the points' unit; NaN if it cannot be measured."""
    return quantile(length(points[:, :, CHEST] - points[:, :, BASE]), 0.5)


@dataclass(frozen=True)
class Person:
    """points: (B, N, 17, 3) metres, smooth, 30 per second, gaps filled. present: (B, N), short gaps too.

    torso: (B,) metres; NaN if the person is never there or has no trunk.
    """

    points: Floats
    present: Mask
    torso: Floats

    def part(self, chosen: Ints | slice) -> Person:
        """The same of some of the recordings."""
        return Person(self.points[chosen], self.present[chosen], self.torso[chosen])


def prepare(sequences: Sequence[SkeletonSequence], person: int) -> Person:
    """One person's points in recordings that are alike in frames, frame rate, layout and persons.

    Raises FloraError if the frame rate is not a positive number.
    """
    fps = sequences[0].fps
    if not (np.isfinite(fps) and fps > 0):
        source = sequences[0].source
        raise FloraError(f"the frame rate is {fps}", path=source, remedy="Give frames per second.")
    points, present = _raw_points(sequences, person)
    torso = np.full(len(points), np.nan)
    whole = present.all(axis=1)
    torso[whole] = torso_length(points[whole])
    for b in np.flatnonzero(present.any(axis=1) & ~whole):
        torso[b : b + 1] = torso_length(points[b : b + 1, present[b]])
    torso[~(torso > 0)] = np.nan
    scale = np.where(torso > 0, torso, 1.0)[:, None, None, None]
    points = despike(points / scale, fps)
    flat = resample(points.reshape(*points.shape[:2], POINTS * 3), fps)
    here = resample(present[..., None].astype(np.float64), fps)[..., 0] > 0
    for b in np.flatnonzero(~here.all(axis=1)):
        known = np.flatnonzero(here[b])
        gaps = np.diff(known)
        for i in np.flatnonzero((gaps > 1) & (gaps <= _SHORT_GAP * RATE)):
            here[b, known[i] : known[i + 1]] = True
    steady = smooth(flat, 0.04).reshape(*flat.shape[:2], POINTS, 3)
    here &= np.arange(here.shape[1]) >= opening(*(steady[:, :, pair] for pair in (SHOULDERS, ELBOWS, HANDS)))[:, None]
    return Person(steady * scale, here, torso)


def _stance(person: Person) -> tuple[Floats, Floats]:
    """(B, 3) the mean direction from knees to shoulders while the person stands straight, and (B,) its weight 0 … 1.

    All B are present in the same frames.
    """
    points = person.points[:, person.present[0]]
    nobody = np.broadcast_to(_UP, (len(points), 3)), np.zeros(len(points))
    if not np.isfinite(points[:, :, [BASE, CHEST, *HIPS, *KNEES, *FEET]]).all():
        return nobody
    hips, knees, feet = (points[:, :, pair].mean(axis=2) for pair in (HIPS, KNEES, FEET))
    thigh, shin, trunk = hips - knees, knees - feet, points[:, :, CHEST] - points[:, :, BASE]
    raised = np.abs(points[:, :, FEET[0], 1] - points[:, :, FEET[1], 1])
    one_leg = raised > 0.2 * person.torso[:, None]
    straight = (angle(thigh, shin) < 20) & (angle(trunk, points[:, :, BASE] - feet) < 15) & ~one_leg
    lines = np.where(straight[..., None], points[:, :, CHEST] - knees, 0.0)
    count = straight.sum(axis=1)
    line = np.where(count[:, None] > 0, lines.sum(axis=1) / np.maximum(count, 1)[:, None], _UP)
    # Somebody who lies is straight too; a sensor is hardly ever tilted by more than 30 degrees.
    likely = np.clip((35 - angle(line, _UP)) / 10, 0, 1)
    share = np.clip((count / straight.shape[1] - 0.1) / 0.2, 0, 1)
    return line / length(line)[:, None], likely * share


def level(persons: list[Person]) -> list[Person]:
    """The persons in coordinates in which those who stand straight stand vertical.

    A sensor that looks down or up tilts all its coordinates, often by 5 to 15 degrees.
    """
    stances = [_stance(person) for person in persons]
    lines, weights = np.stack([line for line, _ in stances]), np.stack([weight for _, weight in stances])
    total, strongest = weights.sum(axis=0)[:, None], weights.max(axis=0)[:, None]
    mean = (weights[..., None] * lines).sum(axis=0) / np.where(total > 0, total, 1.0)
    up = strongest * mean + (1 - strongest) * _UP
    x, y, z = (up / length(up)[:, None]).T
    # The smallest rotation that brings `up` to the y axis (Rodrigues), for points as rows.
    across = -x * z / (1 + y)
    turn = np.empty((len(up), 3, 3))
    turn[:, 0] = np.stack([1 - x * x / (1 + y), x, across], axis=1)
    turn[:, 1] = np.stack([-x, y, -z], axis=1)
    turn[:, 2] = np.stack([across, z, 1 - z * z / (1 + y)], axis=1)
    return [replace(person, points=turned(person.points, turn)) for person in persons]


def turned(points: Floats, turn: Floats) -> Floats:
    """Points (B, N, 17, 3) as rows, times one matrix (B, 3, 3) per recording."""
    by, found = turn[:, None, None], np.empty_like(points)
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    for c in range(3):
        found[..., c] = x * by[..., 0, c] + y * by[..., 1, c] + z * by[..., 2, c]
    return found


def _heading(points: Floats) -> Floats:
    """(B, N, 3): the level unit vector to the person's right, from shoulders and hips."""
    pairs = [points[:, :, pair[0]] - points[:, :, pair[1]] for pair in (SHOULDERS, HIPS)]
    known = [pair for pair in pairs if np.isfinite(pair).all()]
    if not known:
        return np.full((*points.shape[:2], 3), np.nan)
    across = np.sum(known, axis=0) * np.array([1.0, 0.0, 1.0])
    right = smooth(across, 0.2)
    # Seen from the side, or lying on a side, the line is short and its direction noise: a longer average decides.
    short = np.flatnonzero((length(right) < 0.2).any(axis=1))
    if len(short):
        for longer in (smooth(across[short], 1.0), across[short].mean(axis=1, keepdims=True)):
            right[short] = np.where(length(right[short])[..., None] < 0.2, longer, right[short])
    size = length(right)[..., None]
    return np.asarray(np.where(size > 1e-6, right / np.maximum(size, 1e-6), [1.0, 0.0, 0.0]))


def _limited(speed: Floats) -> Floats:
    """Velocities of at most what a body can do, direction kept."""
    size = length(speed)
    if not (size > _FASTEST).any():
        return speed
    return np.asarray(speed * (_FASTEST / np.maximum(size, _FASTEST))[..., None])


def floor_height(points: Floats) -> Floats:
    """(B,): the height of the floor: where the lowest points of (B, N, 17, 3) are at their lowest, without outliers."""
    heights = points[..., 1]
    return quantile(np.where(np.isnan(heights), np.inf, heights).min(axis=2), 0.05)


def motion(points: Floats, keep: Mask, torso: Floats, floor: Floats) -> Motion:
    """The motion of prepared points (B, N, 17, 3; metres) in the frames `keep` (N,), with lengths in torsos of `torso`
    metres; floor: its height. Both (B,).
    """
    world = points - np.array([0.0, 1.0, 0.0]) * floor[:, None, None, None]
    world /= torso[:, None, None, None]
    right = _heading(world)
    forward = np.stack([right[..., 2], np.zeros(right.shape[:2]), -right[..., 0]], axis=2)
    body, legs = (_facing(world - world[:, :, point, None], right) for point in (CHEST, BASE))
    speeds = [_limited(velocity(part)) for part in (body, legs)]
    heading = np.unwrap(np.arctan2(right[..., 2], right[..., 0]), axis=1)
    every = (world, body, legs, *speeds, right, forward, heading)
    return Motion(np.flatnonzero(keep) / RATE, *(every if keep.all() else (part[:, keep] for part in every)))


def _facing(points: Floats, right: Floats) -> Floats:
    """Points (B, N, 17, 3) in coordinates (right, up, forward). right: (B, N, 3), level unit vectors."""
    x, z, found = points[..., 0], points[..., 2], np.empty_like(points)
    across, away = right[..., 0, None], right[..., 2, None]
    found[..., 0] = x * across + z * away
    found[..., 1] = points[..., 1]
    found[..., 2] = x * away - z * across
    return found
