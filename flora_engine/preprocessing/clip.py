"""Our own preparation, for any recording and the built-in model: short or long, any frame rate, one person or many.

What the action looks like must stay; who did it, where the camera stood and how long the file is must not matter:
choose persons, trim, interpolate to a fixed number of frames, centre, turn the shoulders to the x axis, scale.
The result is always finite, whatever the file holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from flora_engine.skeleton import SkeletonSequence, to_kinect_v2

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
PERSONS = 2
SPINE_BASE, SPINE_MID, LEFT_SHOULDER, RIGHT_SHOULDER, SPINE_SHOULDER = 0, 1, 4, 8, 20
# Spine base to spine shoulder of a grown-up as Kinect v2 sees it, in metres: the size that every person is scaled to.
TORSO = 0.5
# A track shorter than this share of the longest one is a ghost (furniture, a passer-by), not a partner.
SHORTEST_TRACK = 0.2
# Absences up to this long are bridged by a straight line; a longer one means that the person was away.
LONGEST_GAP_SECONDS = 0.7
# Coordinates beyond this (metres) are no measurement; they would overflow float32 further on.
LARGEST = 1e6


@dataclass(frozen=True)
class Options:
    """What `prepare` does to a recording.

    centre: "first" subtracts person 1's spine mid of its first frame, so walking across the room stays visible;
    "frame" subtracts it frame by frame, for both persons. turn: rotate about the vertical so that the mean shoulder
    line of person 1 lies on x. scale: make person 1's torso `TORSO` long. matched: bring other sensors' joints to
    Kinect v2's proportions, for a model that is to read more than one sensor.
    """

    centre: Literal["first", "frame"] = "first"
    turn: bool = True
    scale: bool = True
    matched: bool = False


DEFAULT, MATCHED = Options(), Options(matched=True)


def upright(joints: Array, up: str) -> Array:
    """Turn (…, 3) coordinates whose `up` axis points up ("+y", "-y", "+z", …) so that +y does; a pure rotation."""
    x, y, z = joints[..., 0], joints[..., 1], joints[..., 2]
    turned = {
        "+y": (x, y, z),
        "-y": (x, -y, -z),
        "+z": (x, z, -y),
        "-z": (x, -z, y),
        "+x": (-y, x, z),
        "-x": (y, -x, z),
    }[up]
    return np.asarray(np.stack(turned, axis=-1))


def _clean(joints: Array) -> tuple[Array, Mask]:
    """Joints (T, M, V, 3) without NaN, infinities and absurd values, and presence (T, M).

    A bad joint of a person who is there takes its own value of the nearest good frame in time, or the person's mean.
    """
    good: Mask = np.all(np.abs(np.nan_to_num(joints, nan=np.inf)) < LARGEST, axis=-1)
    joints = np.where(good[..., None], joints, 0.0)
    present: Mask = np.any(joints != 0, axis=(2, 3))
    for person, joint in np.argwhere((~good & present[:, :, None]).any(axis=0)):
        here, usable = present[:, person], present[:, person] & good[:, person, joint]
        track = joints[:, person]
        if usable.any():
            known = np.flatnonzero(usable)
            nearest = known[np.abs(np.arange(len(usable))[:, None] - known).argmin(axis=1)]
            track[here, joint] = track[nearest[here], joint]
        else:
            others = good[here, person]
            track[here, joint] = track[here].sum(axis=1) / others.sum(axis=1, keepdims=True)
    return joints, present


def motion(joints: Array, present: Mask) -> Array:
    """(M,): the share of frames a person is there times the spread of its joints over them.

    joints (T, M, V, 3), present (T, M). The spread is the sum over x, y, z of the standard deviation over frames and
    joints, so that a person outweighs furniture.
    """
    scores = np.zeros(joints.shape[1])
    for person in np.flatnonzero(present.any(axis=0)):
        here = present[:, person]
        scores[person] = here.mean() * (joints[here, person].std(axis=(0, 1)).sum() + 1e-9)
    return scores


def _place(joints: Array, present: Mask) -> tuple[Array, Mask]:
    """The two persons that move most: (T, 2, V, 3) and (T, 2).

    Sensors lose a person and find it again under another id: a track that never overlaps a stronger one continues it.
    """
    placed = np.zeros((len(joints), PERSONS, *joints.shape[2:]))
    taken = np.zeros((len(joints), PERSONS), bool)
    counts = present.sum(axis=0)
    if not counts.any():
        return placed, taken
    scores = motion(joints, present)
    for track in np.argsort(-scores, kind="stable"):
        here = present[:, track]
        if counts[track] < max(1, SHORTEST_TRACK * counts.max()):
            continue
        for slot in range(PERSONS):
            if not (taken[:, slot] & here).any():
                placed[here, slot] = joints[here, track]
                taken[here, slot] = True
                break
    return placed, taken


def _resample(track: Array, here: Mask, times: Array, longest_gap: float) -> Array:
    """One person (T, V, 3) at `times` (in frames), linearly between the frames in which it was there.

    Zeros where it was away: before its first frame, after its last, and inside absences over `longest_gap` frames.
    """
    known = np.flatnonzero(here)
    after = np.clip(np.searchsorted(known, times, side="left"), 0, len(known) - 1)
    before = np.maximum(np.searchsorted(known, times, side="right") - 1, 0)
    left, right = known[before], known[after]
    span = np.maximum(right - left, 1)
    weight = np.clip((times - left) / span, 0.0, 1.0)[:, None, None]
    result: Array = track[left] * (1 - weight) + track[right] * weight
    nearest = np.minimum(np.abs(times - left), np.abs(times - right))
    away = (nearest > 0.5) & ((times < known[0]) | (times > known[-1]) | (right - left - 1 > longest_gap))
    result[away] = 0.0
    return result


def _turn(person: Array) -> Array:
    """(3, 3) rotation about y that lays the mean shoulder line of `person` (T, V, 3) on +x (left to right shoulder)."""
    line = (person[:, RIGHT_SHOULDER] - person[:, LEFT_SHOULDER]).mean(axis=0)
    length = float(np.hypot(line[0], line[2]))
    if length < 1e-6:
        return np.eye(3)
    cos, sin = line[0] / length, line[2] / length
    return np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])


def _torso(person: Array) -> float:
    """Median length of the bent line spine base, spine mid, spine shoulder over the frames of `person` (T, V, 3)."""
    lower = np.linalg.norm(person[:, SPINE_MID] - person[:, SPINE_BASE], axis=-1)
    upper = np.linalg.norm(person[:, SPINE_SHOULDER] - person[:, SPINE_MID], axis=-1)
    return float(np.median(lower + upper))


def _normalise(persons: Array, options: Options) -> Array:
    """Centre, turn and scale (T, M, V, 3) by what person 1 does; persons who are away stay zeros."""
    here: Mask = np.any(persons != 0, axis=(2, 3))
    lead = persons[here[:, 0], 0]
    if not len(lead):
        return persons
    if options.centre == "frame":
        middle = np.where(here[:, 0, None], persons[:, 0, SPINE_MID], lead[0, SPINE_MID])[:, None, None]
    else:
        middle = lead[0, SPINE_MID]
    moved: Array = persons - middle
    if options.turn:
        moved = moved @ _turn(lead).T
    if options.scale and (torso := _torso(lead)) > 1e-4:
        moved = moved * (TORSO / torso)
    return np.where(here[:, :, None, None], moved, 0.0)


def prepare(sequence: SkeletonSequence, frames: int = 64, options: Options = DEFAULT) -> NDArray[np.float32]:
    """Prepare a recording for the built-in model: float32 (3, frames, 25, 2), metres, y up.

    Any layout, length ≥ 0, frame rate and number of persons; deterministic and always finite. The time axis covers
    the frames in which a person is present, so a long and a short recording of one action look alike. A second person
    who is not there is all zeros, and so is everything for a recording of nobody.
    """
    up = sequence.skeleton.up
    joints = upright(to_kinect_v2(sequence, options.matched).joints.astype(np.float64), up)
    placed, taken = _place(*_clean(joints))
    result = np.zeros((frames, PERSONS, 25, 3))
    somebody = np.flatnonzero(taken.any(axis=1))
    if len(somebody):
        times = np.linspace(somebody[0], somebody[-1], frames)
        for slot in np.flatnonzero(taken.any(axis=0)):
            gap = LONGEST_GAP_SECONDS * sequence.fps
            result[:, slot] = _resample(placed[:, slot], taken[:, slot], times, gap)
        result = _normalise(result, options)
    return np.ascontiguousarray(result.transpose(3, 0, 2, 1), dtype=np.float32)
