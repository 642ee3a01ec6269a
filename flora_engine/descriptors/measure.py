"""From recordings to their descriptors' values, and to the moment and joints that made a value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from flora_engine.descriptors import hands, legs, pair, repetition, trunk
from flora_engine.descriptors.catalogue import Descriptor, catalogue
from flora_engine.descriptors.filters import RATE, Floats, quantile, running_mean
from flora_engine.descriptors.motion import SIDES, Motion, Person, floor_height, level, motion, prepare
from flora_engine.descriptors.signals import Ints, Signals, Wholes
from flora_engine.skeleton.sequence import SkeletonSequence

# Frames of the moving average that an extreme is taken from, and at each end for a change.
_EXTREME, _PEAK, _END = 5, 3, 12
# A second body counts if it is there this share of the time, and is between half and twice as tall: sensors see
# bodies in chairs and doors.
_SECOND_SHARE, _SECOND_SIZE = 0.3, 2.0
_AT_ONCE = 6000  # frames of all persons that are measured together: more are no faster, and need more memory


@dataclass(frozen=True)
class Moment:
    """Where a value comes from: seconds of the recording, and Kinect v2 joint names (none: the whole body)."""

    start: float
    end: float
    joints: tuple[str, ...]


@dataclass(frozen=True)
class Measurement:
    """All that was measured of one recording.

    values: float32 (D,) in the catalogue's order, NaN for what cannot be measured. The rest is for `moment`: time
    series (N,) with their seconds, first and last frame of values of the whole recording, the side that is the more
    active.
    """

    values: NDArray[np.float32]
    signals: Signals
    seconds: dict[str, Floats]
    wholes: dict[str, tuple[int, int]]
    active: dict[str, str]

    def moment(self, descriptor: Descriptor) -> Moment:
        """When and where the value of this descriptor was reached; the whole recording if at no single time."""
        joints = tuple(self._joint(name) for name in descriptor.joints)
        if descriptor.name in self.wholes:
            return _between(self.seconds["one"], *self.wholes[descriptor.name], joints)
        if descriptor.signal not in self.signals:
            return Moment(0.0, 0.0, joints)
        seconds = self.seconds["pair" if descriptor.signal in _PAIR else "one"]
        return _between(seconds, *_span(self.signals[descriptor.signal], descriptor.statistic), joints)

    def _joint(self, name: str) -> str:
        part = name.removeprefix("active ")
        kind = "foot" if part in ("knee", "foot") else "hand"
        return f"{self.active[kind]} {part}" if part != name and self.active else name


def _between(seconds: Floats, first: int, last: int, joints: tuple[str, ...]) -> Moment:
    return Moment(float(seconds[first]), float(seconds[last] + 1 / RATE), joints)


def _span(x: Floats, statistic: str) -> tuple[int, int]:
    """First and last frame of what made a statistic of one time series."""
    if not np.isfinite(x).all():
        return 0, len(x) - 1
    half = (_PEAK if statistic == "peak" else _EXTREME) // 2
    average = running_mean(x, 2 * half + 1)
    high, low = int(average.argmax()), int(average.argmin())
    if statistic in ("max", "peak", "bump"):
        return max(high - half, 0), min(high + half, len(x) - 1)
    if statistic in ("min", "dip"):
        return max(low - half, 0), min(low + half, len(x) - 1)
    if statistic == "range":
        return min(high, low), max(high, low)
    inside = x > 0.5
    if statistic == "share" and inside.any():
        edges = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(np.int8)))
        longest = int(np.argmax(edges[1::2] - edges[::2]))
        return int(edges[2 * longest]), int(edges[2 * longest + 1] - 1)
    return 0, len(x) - 1


# Signals that only two persons have.
_PAIR = frozenset(
    d.signal for d in catalogue().values() if d.name.startswith(("persons_", "hand_to", "both_hands_to_other"))
) | {"foot_to_other", "heads_distance", "foot_toward_other", "touch", "one_actor", "other_recoil"}


@cache
def _plan(names: tuple[str, ...]) -> dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """statistic → (places among the values, columns of the signal matrix), for signals in this order."""
    column = {name: i for i, name in enumerate(names)}
    plan: dict[str, tuple[list[int], list[int]]] = {}
    for place, descriptor in enumerate(catalogue().values()):
        if descriptor.signal in column and descriptor.statistic != "whole":
            places, columns = plan.setdefault(descriptor.statistic, ([], []))
            places.append(place)
            columns.append(column[descriptor.signal])
    return {statistic: (np.array(a), np.array(b)) for statistic, (a, b) in plan.items()}


def _summarise(signals: Signals, values: NDArray[np.float32]) -> None:
    """Every statistic of every signal (B, N), into the values (B, D)."""
    x = np.stack(list(signals.values()))  # (S, B, N): time last, for speed
    plan, frames = _plan(tuple(signals)), x.shape[-1]
    average, ends = running_mean(x, _EXTREME), min(frames, _END)
    for statistic, (places, chosen) in plan.items():
        if statistic == "max":
            found = average[chosen].max(axis=-1)
        elif statistic == "min":
            found = average[chosen].min(axis=-1)
        elif statistic == "range":
            found = np.ptp(average[chosen], axis=-1)
        elif statistic == "peak":
            found = running_mean(x[chosen], _PEAK).max(axis=-1)
        elif statistic == "typical":
            found = _median(x[chosen])
        elif statistic in ("mean", "share"):
            found = x[chosen].mean(axis=-1)
        else:
            first, last = _median(x[chosen, :, :ends]), _median(x[chosen, :, -ends:])
            if statistic == "bump":
                found = average[chosen].max(axis=-1) - np.maximum(first, last)
            elif statistic == "dip":
                found = np.minimum(first, last) - average[chosen].min(axis=-1)
            else:  # change
                found = last - first
        values[:, places] = found.T


def _median(x: Floats) -> Floats:
    """Of series (S, B, N), (S, B)."""
    return quantile(x.reshape(-1, x.shape[-1]), 0.5).reshape(x.shape[:-1])


@cache
def _wanted() -> frozenset[str]:
    return frozenset(d.signal for d in catalogue().values())


def _groups(sequences: Sequence[SkeletonSequence]) -> Iterator[tuple[Ints, list[Person]]]:
    """Recordings in groups that can be measured together: their numbers, and the one or two persons that are there
    longest in each, if the second is a person. The sequences are alike in frames, frame rate, layout and persons.
    """
    everyone = [prepare(sequences, k) for k in range(sequences[0].persons)]
    groups: dict[tuple[bytes, ...], list[tuple[int, list[int]]]] = {}
    for b in range(len(sequences)):
        chosen = _chosen([person.part(slice(b, b + 1)) for person in everyone])
        parts = [everyone[k] for k in chosen]
        known = [np.isfinite(person.points[b]).all(axis=(0, 2)).tobytes() for person in parts]
        key = (*(person.present[b].tobytes() for person in parts), *known)
        groups.setdefault(key, []).append((b, chosen))
    for members in groups.values():
        numbers = np.array([b for b, _ in members])
        if members[0][1]:
            yield (
                numbers,
                [_gathered(everyone, numbers, places) for places in zip(*(c for _, c in members), strict=True)],
            )


def _gathered(everyone: list[Person], numbers: Ints, places: Sequence[int]) -> Person:
    """Of each recording the person at its place."""
    if len(set(places)) == 1:
        return everyone[places[0]].part(numbers)
    parts = [everyone[place].part(slice(b, b + 1)) for b, place in zip(numbers, places, strict=True)]
    every = [[getattr(part, name) for part in parts] for name in ("points", "present", "torso")]
    return Person(*(np.concatenate(arrays) for arrays in every))


def _chosen(everyone: list[Person]) -> list[int]:
    """Which one or two of the persons of one recording are measured, the longer one there first."""
    there = [k for k, person in enumerate(everyone) if person.torso[0] > 0]
    there.sort(key=lambda k: -int(everyone[k].present.sum()))
    if len(there) < 2:
        return there
    first, second = (everyone[k] for k in there[:2])
    together = (first.present & second.present).sum() / first.present.sum()
    size = max(first.torso[0] / second.torso[0], second.torso[0] / first.torso[0])
    return there[:2] if together >= _SECOND_SHARE and size <= _SECOND_SIZE else there[:1]


def _moving(person: Person, keep: NDArray[np.bool_], scale: Person) -> Motion:
    floor = floor_height(scale.points[:, scale.present[0]])
    return motion(person.points, keep, scale.torso, floor)


def _activity(m: Motion) -> Floats:
    return np.asarray(np.nan_to_num(trunk.limb_speeds(m)).mean(axis=(1, 2)))


def _more_active(speeds: Floats) -> Ints:
    """(B,) 0 right, 1 left: the side with the longer path, from (B, N, 2)."""
    return np.asarray(np.nan_to_num(speeds).sum(axis=1).argmax(axis=1))


def _one_person(m: Motion) -> tuple[Signals, Wholes, tuple[Ints, Ints]]:
    """Signals, values of the whole recordings, and which hand and foot of each are the more active."""
    hand_sides, leg_sides = hands.sided(m), legs.sided(m)
    hand, foot = _more_active(hand_sides["hand_speed"]), _more_active(leg_sides["foot_speed"])
    names = [*hand_sides, *leg_sides]
    sides = np.stack([*hand_sides.values(), *leg_sides.values()])  # (S, B, N, 2)
    right, left = np.ascontiguousarray(sides[..., 0]), np.ascontiguousarray(sides[..., 1])
    near = dict(zip(names, np.minimum(right, left), strict=True))
    far = dict(zip(names, np.maximum(right, left), strict=True))
    found = hands.joint(m, near, far) | legs.joint(m, near) | trunk.signals(m)
    for i, name in enumerate(names):
        active = hand if name in hand_sides else foot
        found[f"right_{name}"], found[f"left_{name}"] = right[i], left[i]
        found[f"active_{name}"] = np.where(active[:, None] == 0, right[i], left[i])
    wholes = hands.whole(m) | legs.whole(m) | trunk.whole(m)
    wholes |= repetition.whole(m, hand, foot, found["jump_height"])
    return {name: series for name, series in found.items() if name in _wanted()}, wholes, (hand, foot)


@dataclass(frozen=True)
class _Measured:
    """What was measured of B recordings: see Measurement. values: float32 (B, D)."""

    values: NDArray[np.float32]
    signals: Signals
    seconds: dict[str, Floats]
    wholes: Wholes
    active: tuple[Ints, Ints]


def _measure_group(persons: list[Person]) -> Iterator[tuple[Ints, _Measured]]:
    """Measure recordings whose persons are there in the same frames; yields which of them, and what was found."""
    persons = level(persons)
    motions = [_moving(person, person.present[0], person) for person in persons]
    if len(persons) < 2:
        yield np.arange(len(persons[0].torso)), _measure_acting(persons, motions[0])
        return
    second_acts = _activity(motions[1]) > _activity(motions[0])
    for acting in (0, 1):
        chosen = np.flatnonzero(second_acts == bool(acting))
        if len(chosen):
            ordered = [persons[acting].part(chosen), persons[1 - acting].part(chosen)]
            yield chosen, _measure_acting(ordered, motions[acting].part(chosen))


def _measure_acting(persons: list[Person], acting: Motion) -> _Measured:
    """As `_measure_group`, with the acting person first, whose motion is given."""
    values = np.full((len(acting.world), len(catalogue())), np.nan, np.float32)
    signals, wholes, active = _one_person(acting)
    seconds = {"one": acting.seconds}
    here = np.zeros(len(acting.seconds))
    if len(persons) == 2:
        here = persons[1].present[0, persons[0].present[0]].astype(np.float64)
    signals["second_person"] = np.broadcast_to(here, acting.world.shape[:2])
    _summarise(signals, values)
    if len(persons) == 2:
        together, pair_wholes, seconds["pair"] = _two_persons(persons[0], persons[1], acting)
        _summarise(together, values)
        signals, wholes = signals | together, wholes | pair_wholes
    for place, name in enumerate(catalogue()):
        if name in wholes:
            values[:, place] = wholes[name].values
    values[~np.isfinite(values)] = np.nan
    return _Measured(values, signals, seconds, wholes, active)


def _two_persons(one: Person, other: Person, acting: Motion) -> tuple[Signals, Wholes, Floats]:
    keep = one.present[0] & other.present[0]
    if not np.array_equal(keep, one.present[0]):
        acting = _moving(one, keep, one)
    second = _moving(other, keep, one)
    return pair.signals(acting, second), pair.whole(acting, second), acting.seconds


def analyse(sequence: SkeletonSequence) -> Measurement:
    """Measure a recording of one or two persons, of any layout, length and frame rate.

    With two, everything but the descriptors of pairs is measured on the person who moves more. Raises FloraError if
    the frame rate is not a positive number.
    """
    for _, persons in _groups([sequence]) if sequence.frames else ():
        _, found = next(_measure_group(persons))
        last = len(found.seconds["one"]) - 1
        wholes = {
            name: (0, last) if one.first is None or one.last is None else (int(one.first[0]), int(one.last[0]))
            for name, one in found.wholes.items()
        }
        signals = {name: series[0] for name, series in found.signals.items()}
        hand, foot = (SIDES[int(side[0])] for side in found.active)
        return Measurement(found.values[0], signals, found.seconds, wholes, {"hand": hand, "foot": foot})
    return Measurement(np.full(len(catalogue()), np.nan, np.float32), {}, {"one": np.zeros(1)}, {}, {})


def measure_all(sequences: Sequence[SkeletonSequence]) -> NDArray[np.float32]:
    """float32 (N, D): the values of all descriptors in the catalogue's order; NaN for what cannot be measured.

    Recordings of the same length, such as windows of one recording, are measured together, which is much quicker than
    one by one. Raises FloraError if a frame rate is not a positive number.
    """
    values = np.full((len(sequences), len(catalogue())), np.nan, np.float32)
    for numbers in _alike(sequences):
        for members, persons in _groups([sequences[i] for i in numbers]):
            for chosen, found in _measure_group(persons):
                values[numbers[members[chosen]]] = found.values
    return values


def _alike(sequences: Sequence[SkeletonSequence]) -> Iterator[Ints]:
    """Numbers of recordings of the same shape, as many as are measured at once."""
    found: dict[tuple[object, ...], list[int]] = {}
    for number, one in enumerate(sequences):
        if one.frames:
            key = (one.joints.shape, one.joints.dtype.str, one.fps, one.layout, one.tracking is None)
            found.setdefault(key, []).append(number)
    for numbers in found.values():
        one = sequences[numbers[0]]
        step = max(1, _AT_ONCE // (one.frames * max(1, one.persons)))
        for start in range(0, len(numbers), step):
            yield np.array(numbers[start : start + step])


def measure(sequence: SkeletonSequence) -> NDArray[np.float32]:
    """float32 (D,): the values of one recording, as `measure_all` gives them."""
    return np.asarray(measure_all([sequence])[0])
