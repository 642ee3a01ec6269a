"""Signals of legs and feet: bending, kicks, stance, jumps, steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flora_engine.descriptors.filters import Floats, turning_points
from flora_engine.descriptors.hands import mirror_correlation
from flora_engine.descriptors.motion import BASE, CHEST, FEET, HIPS, KNEES, OUTWARD, Motion
from flora_engine.descriptors.signals import Signals, Whole, Wholes, angle, length, ramp


def sided(m: Motion) -> Signals:
    """Signals with one column per side, (N, 2), by their names without side."""
    foot, speed = m.legs[:, FEET], m.legs_velocity[:, FEET]
    knee = m.legs[:, KNEES]
    return {
        "knee_bend": 180 - angle(m.legs[:, HIPS] - knee, foot - knee),
        "knee_height": knee[..., 1],
        "foot_height": m.world[:, FEET, 1],
        "foot_speed": length(speed),
        "foot_forward": foot[..., 2],
        "foot_backward": -foot[..., 2],
        "foot_outward": foot[..., 0] * OUTWARD,
        "foot_thrust": speed[..., 2],
    }


def joint(m: Motion, sides: Signals) -> Signals:
    """Signals of both legs together, (N,)."""
    foot = m.legs[:, FEET]
    apart = foot[:, 0] - foot[:, 1]
    thigh_bend = 180 - angle(m.legs[:, CHEST, None], m.legs[:, KNEES] - m.legs[:, HIPS])
    return {
        "both_knees_bend": sides["knee_bend"].min(axis=1),
        "hip_bend": thigh_bend.mean(axis=1),
        "one_foot_raised": ramp(np.abs(apart[:, 1]), 0.3, 0.2),
        "feet_distance": length(apart[:, [0, 2]]),
        "feet_side_distance": np.abs(apart[:, 0]),
        "feet_crossed": -apart[:, 0],
        "jump_height": _flight(m),
        "step_length": np.abs(apart[:, 2]),
        "step_height": np.abs(apart[:, 1]),
    }


def _flight(m: Motion) -> Floats:
    """Torsos by which both feet and the hips are above where they usually are."""
    lower = m.world[:, FEET, 1].min(axis=1)
    hips = m.world[:, BASE, 1]
    return np.asarray(np.clip(np.minimum(lower - np.median(lower), hips - np.percentile(hips, 75)), 0, None))


def _asymmetry(ahead: Floats, changes: NDArray[np.int64]) -> float:
    """Difference of right and left steps, in length and duration, as a share; NaN for fewer than three changes."""
    if len(changes) < 3:
        return float("nan")
    inside = ahead[changes[0] : changes[-1]]
    right, left = inside[inside > 0], -inside[inside < 0]
    if not len(right) or not len(left):
        return float("nan")
    lengths = abs(right.max() - left.max()) / (right.max() + left.max())
    return float((lengths + abs(len(right) - len(left)) / len(inside)) / 2)


def whole(m: Motion, active: int) -> Wholes:
    """Values of the whole recording. active: the more active side, 0 right, 1 left."""
    foot, speed = m.legs[:, FEET], m.legs_velocity[:, FEET]
    if not np.isfinite(foot).all():
        return {}
    path = length(speed).sum(axis=0)
    total = path.sum() + 0.1 * len(foot)
    apart = foot[:, 0] - foot[:, 1]
    steps = turning_points(apart[:, 1:], 0.2)
    flight = _flight(m) > 0.12
    flights = np.flatnonzero(np.diff(np.concatenate([[False], flight]).astype(np.int64)) > 0)
    swings = turning_points(foot[:, active], 0.15)
    return {
        "right_foot_motion_share": Whole(float((path[0] + 0.05 * len(foot)) / total)),
        "left_foot_motion_share": Whole(float((path[1] + 0.05 * len(foot)) / total)),
        "one_foot_dominance": Whole(float(abs(path[0] - path[1]) / total)),
        "feet_symmetry": Whole(mirror_correlation(speed)),
        "active_foot_repetition_rate": Whole.counted(swings, m),
        "jump_rate": Whole.counted(flights, m),
        "step_rate": Whole.counted(steps, m),
        "step_asymmetry": Whole(_asymmetry(apart[:, 2], turning_points(apart[:, 2:], 0.2))),
    }
