"""Signals of two persons: distance, approach, facing, which part touches which, who acts."""

from __future__ import annotations

import numpy as np

from flora_engine.descriptors.filters import Floats, velocity
from flora_engine.descriptors.motion import BASE, CHEST, FEET, HANDS, HEAD, HIPS, KNEES, MID, Motion
from flora_engine.descriptors.signals import Signals, Whole, Wholes, dot, length, ramp
from flora_engine.descriptors.trunk import limb_speeds

_LEVEL = np.array([1.0, 0.0, 1.0])
_TRUNK = [CHEST, MID, BASE]
_TARGETS = [*_TRUNK, *HIPS, *KNEES]


def _nearest(tips: Floats, targets: Floats) -> Floats:
    """(B, N, K): each tip's distance to the nearest target, (B, N, K, 3) and (B, N, L, 3)."""
    return np.asarray(length(tips[:, :, :, None] - targets[:, :, None]).min(axis=3))


def _toward(me: Motion, you: Motion, tips: tuple[int, int], target: int) -> Floats:
    """(B, N): speed of the faster tip toward the other's target, as if the target stood still."""
    way = you.world[:, :, target, None] - me.world[:, :, tips]
    unit = way / np.maximum(length(way), 0.1)[..., None]
    return np.asarray(dot(velocity(me.world[:, :, tips]), unit).max(axis=2))


def _behind(me: Motion, you: Motion) -> Floats:
    """(B, N): how far my hand is behind your chest, as far as it is near your trunk; below 0 in front of it."""
    depth = dot(you.world[:, :, CHEST, None] - me.world[:, :, HANDS], you.forward[:, :, None])
    near = _nearest(me.world[:, :, HANDS], you.world[:, :, _TRUNK])
    return np.asarray((depth * ramp(0.9 - near, 0.0, 0.4)).max(axis=2))


def signals(one: Motion, other: Motion) -> Signals:
    """(B, N) signals of the acting person `one` and the other, in the acting person's torsos, floor and frames."""
    both = ((one, other), (other, one))
    between = (other.world[:, :, BASE] - one.world[:, :, BASE]) * _LEVEL
    gap = length(between)
    unit = between / np.maximum(gap, 1e-6)[..., None]
    touches = [_nearest(me.world[:, :, HANDS], you.world[:, :, _TRUNK]) for me, you in both]
    facing = (dot(unit, one.forward) - dot(unit, other.forward)) / 2
    hands = length(one.world[:, :, HANDS, None] - other.world[:, :, None, HANDS]).min(axis=(2, 3))
    heads = np.minimum(*(length(me.world[:, :, HANDS] - you.world[:, :, HEAD, None]).min(axis=2) for me, you in both))
    feet = np.minimum(*(_nearest(me.world[:, :, FEET], you.world[:, :, _TARGETS]).min(axis=2) for me, you in both))
    trunks = np.minimum(*(touch.min(axis=2) for touch in touches))
    return {
        "persons_distance": gap,
        "persons_approach": -velocity(gap),
        "persons_facing": facing,
        "persons_same_heading": dot(one.forward, other.forward),
        "hand_to_other_hand": hands,
        "hand_to_other_head": heads,
        "hand_to_other_trunk": trunks,
        "hand_to_other_back": np.maximum(_behind(one, other), _behind(other, one)),
        "both_hands_to_other_trunk": np.minimum(*(touch.max(axis=2) for touch in touches)),
        "foot_to_other": feet,
        "heads_distance": length(one.world[:, :, HEAD] - other.world[:, :, HEAD]),
        "hand_toward_other": np.maximum(*(_toward(me, you, HANDS, CHEST) for me, you in both)),
        "foot_toward_other": np.maximum(*(_toward(me, you, FEET, BASE) for me, you in both)),
        "touch": ramp(0.4 - np.minimum(np.minimum(hands, heads), trunks), 0.0, 0.2),
        "one_actor": _one_actor(one, other),
        "other_recoil": dot(velocity(other.world[:, :, CHEST]), unit),
    }


def _one_actor(one: Motion, other: Motion) -> Floats:
    """(B, N) constant: the difference of both persons' limb motion as a share of their sum."""
    paths = [limb_speeds(person).mean(axis=(1, 2)) for person in (one, other)]
    share = np.abs(paths[0] - paths[1]) / (paths[0] + paths[1] + 0.1)
    return np.broadcast_to(share[:, None], one.world.shape[:2])


def whole(one: Motion, other: Motion) -> Wholes:
    """Values of the whole recordings."""
    speeds = [limb_speeds(person).mean(axis=2) for person in (one, other)]
    power = np.sqrt(speeds[0].var(axis=1) * speeds[1].var(axis=1)) + 0.01
    apart = [speed - speed.mean(axis=1, keepdims=True) for speed in speeds]
    together = (apart[0] * apart[1]).mean(axis=1) / power
    return {"persons_synchrony": Whole(together)}
