"""From a recording to its descriptors' values, and to the moment and joints that made a value."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from flora_engine.descriptors import hands, legs, pair, repetition, trunk
from flora_engine.descriptors.catalogue import Descriptor, catalogue
from flora_engine.descriptors.filters import RATE, Floats, box, quantile
from flora_engine.descriptors.motion import SIDES, Motion, Person, floor_height, level, motion, prepare
from flora_engine.descriptors.signals import Signals, Wholes
from flora_engine.skeleton.sequence import SkeletonSequence

# Frames of the moving average that an extreme is taken from, and at each end for a change.
_EXTREME, _PEAK, _END = 5, 3, 12
# A second body counts if it is there this share of the time, and is between half and twice as tall: sensors see
# bodies in chairs and doors.
_SECOND_SHARE, _SECOND_SIZE = 0.3, 2.0


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
    series with their seconds, values of the whole recording, and the side that is the more active.
    """

    values: NDArray[np.float32]
    signals: Signals
    seconds: dict[str, Floats]
    wholes: Wholes
    active: dict[str, str]

    def moment(self, descriptor: Descriptor) -> Moment:
        """When and where the value of this descriptor was reached; the whole recording if at no single time."""
        joints = tuple(self._joint(name) for name in descriptor.joints)
        if descriptor.name in self.wholes:
            found, seconds = self.wholes[descriptor.name], self.seconds["one"]
            return _between(seconds, found.first, found.last, joints)
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
    average = box(x, 2 * half + 1)
    high, low = int(average.argmax()), int(average.argmin())
    if statistic in ("max", "peak"):
        return max(high - half, 0), min(high + half, len(x) - 1)
    if statistic == "min":
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
    """Every statistic of every signal, into the values."""
    x = np.stack(list(signals.values()), axis=1)
    plan = _plan(tuple(signals))
    average, ends = box(x, _EXTREME), min(len(x), _END)
    for statistic, (places, columns) in plan.items():
        if statistic == "max":
            values[places] = average[:, columns].max(axis=0)
        elif statistic == "min":
            values[places] = average[:, columns].min(axis=0)
        elif statistic == "range":
            values[places] = np.ptp(average[:, columns], axis=0)
        elif statistic == "peak":
            values[places] = box(x[:, columns], _PEAK).max(axis=0)
        elif statistic == "typical":
            values[places] = quantile(x[:, columns], 0.5)
        elif statistic in ("mean", "share"):
            values[places] = x[:, columns].mean(axis=0)
        elif statistic == "change":
            ended, began = x[-ends:, columns], x[:ends, columns]
            values[places] = quantile(ended, 0.5) - quantile(began, 0.5)


@cache
def _wanted() -> frozenset[str]:
    return frozenset(d.signal for d in catalogue().values())


def _persons(sequence: SkeletonSequence) -> list[Person]:
    """The one or two persons that are there longest, if the second is a person."""
    found = [person for k in range(sequence.persons) if (person := prepare(sequence, k)) is not None]
    found.sort(key=lambda person: -int(person.present.sum()))
    if len(found) < 2:
        return level(found)
    first, second = found[:2]
    together = (first.present & second.present).sum() / first.present.sum()
    size = max(first.torso / second.torso, second.torso / first.torso)
    return level(found[:2] if together >= _SECOND_SHARE and size <= _SECOND_SIZE else found[:1])


def _moving(person: Person, keep: NDArray[np.bool_], scale: Person) -> Motion:
    floor = floor_height(scale.points[scale.present])
    return motion(person.points, keep, scale.torso, floor)


def _activity(m: Motion) -> float:
    return float(np.nan_to_num(trunk.limb_speeds(m)).mean())


def _more_active(speeds: Floats) -> int:
    """0 right, 1 left: the side with the longer path."""
    return int(np.nan_to_num(speeds).sum(axis=0).argmax())


def _one_person(m: Motion) -> tuple[Signals, Wholes, dict[str, str]]:
    hand_sides, leg_sides = hands.sided(m), legs.sided(m)
    hand, foot = _more_active(hand_sides["hand_speed"]), _more_active(leg_sides["foot_speed"])
    sides = np.stack([*hand_sides.values(), *leg_sides.values()], axis=2)
    names = [*hand_sides, *leg_sides]
    near, far = (dict(zip(names, both.T, strict=True)) for both in (sides.min(axis=1), sides.max(axis=1)))
    found = hands.joint(m, near, far) | legs.joint(m, near) | trunk.signals(m)
    for i, name in enumerate(names):
        active = hand if name in hand_sides else foot
        for prefix, column in (("right", 0), ("left", 1), ("active", active)):
            found[f"{prefix}_{name}"] = sides[:, column, i]
    wholes = hands.whole(m) | legs.whole(m) | trunk.whole(m)
    wholes |= repetition.whole(m, hand, foot, found["jump_height"])
    return found, wholes, {"hand": SIDES[hand], "foot": SIDES[foot]}


def _two_persons(one: Person, other: Person) -> tuple[Signals, Wholes, Floats]:
    keep = one.present & other.present
    acting, second = _moving(one, keep, one), _moving(other, keep, one)
    return pair.signals(acting, second), pair.whole(acting, second), acting.seconds


def analyse(sequence: SkeletonSequence) -> Measurement:
    """Measure a recording of one or two persons, of any layout, length and frame rate.

    With two, everything but the descriptors of pairs is measured on the person who moves more. Raises FloraError if
    the frame rate is not a positive number.
    """
    values = np.full(len(catalogue()), np.nan, np.float32)
    persons = _persons(sequence)
    motions = [_moving(person, person.present, person) for person in persons]
    if not persons:
        return Measurement(values, {}, {"one": np.zeros(1)}, {}, {})
    if len(persons) == 2 and _activity(motions[1]) > _activity(motions[0]):
        persons, motions = persons[::-1], motions[::-1]
    signals, wholes, active = _one_person(motions[0])
    signals = {name: series for name, series in signals.items() if name in _wanted()}
    seconds = {"one": motions[0].seconds}
    signals["second_person"] = np.zeros(len(motions[0].seconds))
    if len(persons) == 2:
        signals["second_person"] = persons[1].present[persons[0].present].astype(np.float64)
    _summarise(signals, values)
    if len(persons) == 2:
        together, pair_wholes, seconds["pair"] = _two_persons(*persons)
        _summarise(together, values)
        signals, wholes = signals | together, wholes | pair_wholes
    for place, name in enumerate(catalogue()):
        if name in wholes:
            values[place] = wholes[name].value
    values[~np.isfinite(values)] = np.nan
    return Measurement(values, signals, seconds, wholes, active)


def measure(sequence: SkeletonSequence) -> NDArray[np.float32]:
    """float32 (D,): the values of all descriptors in the catalogue's order; NaN for what cannot be measured."""
    return analyse(sequence).values
