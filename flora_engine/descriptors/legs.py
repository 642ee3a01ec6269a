"""Signals of legs and feet: bending, kicks, stance, jumps, steps."""

from __future__ import annotations

import numpy as np

from flora_engine.descriptors.filters import Floats, quantile
from flora_engine.descriptors.motion import BASE, CHEST, FEET, HIPS, KNEES, OUTWARD, Motion
from flora_engine.descriptors.signals import Signals, Whole, Wholes, angle, length, mirror_correlation, ramp, shares


def sided(m: Motion) -> Signals:
    """Signals with one column per side, (B, N, 2), by their names without side."""
    foot, speed = m.legs[:, :, FEET], m.legs_velocity[:, :, FEET]
    knee = m.legs[:, :, KNEES]
    return {
        "knee_bend": 180 - angle(m.legs[:, :, HIPS] - knee, foot - knee),
        "knee_height": knee[..., 1],
        "foot_height": m.world[:, :, FEET, 1],
        "foot_speed": length(speed),
        "foot_forward": foot[..., 2],
        "foot_backward": -foot[..., 2],
        "foot_outward": foot[..., 0] * OUTWARD,
        "foot_thrust": speed[..., 2],
    }


def joint(m: Motion, near: Signals) -> Signals:
    """Signals of both legs together, (B, N). near: the lower of both sides, by name."""
    foot = m.legs[:, :, FEET]
    apart = foot[:, :, 0] - foot[:, :, 1]
    thigh_bend = 180 - angle(m.legs[:, :, CHEST, None], m.legs[:, :, KNEES] - m.legs[:, :, HIPS])
    return {
        "both_knees_bend": near["knee_bend"],
        "hip_bend": thigh_bend.mean(axis=2),
        "one_foot_raised": ramp(np.abs(apart[..., 1]), 0.3, 0.2),
        "feet_distance": length(apart[..., [0, 2]]),
        "feet_side_distance": np.abs(apart[..., 0]),
        "feet_crossed": -apart[..., 0],
        "jump_height": _flight(m),
        "step_length": np.abs(apart[..., 2]),
        "step_height": np.abs(apart[..., 1]),
    }


def _flight(m: Motion) -> Floats:
    """Torsos by which both feet and the hips are above their usual height."""
    lower = m.world[:, :, FEET, 1].min(axis=2)
    hips = m.world[:, :, BASE, 1]
    usual = quantile(lower, 0.5)[:, None], quantile(hips, 0.75)[:, None]
    return np.asarray(np.clip(np.minimum(lower - usual[0], hips - usual[1]), 0, None))


def whole(m: Motion) -> Wholes:
    """Values of the whole recordings."""
    speed = m.legs_velocity[:, :, FEET]
    if not np.isfinite(speed).all():
        return {}
    return {**shares(length(speed), "foot"), "feet_symmetry": Whole(mirror_correlation(speed))}
