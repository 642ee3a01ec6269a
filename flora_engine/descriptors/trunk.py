"""Signals of head, trunk and the whole body: bending, posture, travel, turning, stillness."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flora_engine.descriptors.filters import RATE, Floats, quantile, smooth, velocity
from flora_engine.descriptors.motion import (
    BASE,
    CHEST,
    ELBOWS,
    FEET,
    HANDS,
    HEAD,
    HIPS,
    KNEES,
    MID,
    SHOULDERS,
    Motion,
)
from flora_engine.descriptors.signals import Signals, Whole, Wholes, angle, dot, length, ramp

_UP = np.array([0.0, 1.0, 0.0])
_LIMBS = [*HANDS, *ELBOWS]
_LEGS = [*KNEES, *FEET]


def _twist(m: Motion) -> Floats:
    """Degrees between the shoulder line and the hip line, seen from above."""
    lines = [m.legs[:, :, pair[0]] - m.legs[:, :, pair[1]] for pair in (SHOULDERS, HIPS)]
    headings = [np.arctan2(line[..., 2], line[..., 0]) for line in lines]
    return np.asarray(np.degrees(np.abs((headings[0] - headings[1] + np.pi) % (2 * np.pi) - np.pi)))


def limb_speeds(m: Motion) -> Floats:
    """(B, N, 9): hands and elbows relative to the chest, knees and feet to the hips, the head to the hips."""
    speeds = [m.body_velocity[:, :, _LIMBS], m.legs_velocity[:, :, _LEGS], m.legs_velocity[:, :, HEAD, None]]
    return length(np.concatenate(speeds, axis=2))


def signals(m: Motion) -> Signals:
    """(B, N) signals of head, trunk, posture and the whole body."""
    head_speed = velocity(m.world[:, :, HEAD, 1])
    trunk = m.legs[:, :, CHEST]
    bend = angle(trunk, _UP)
    above = np.abs(trunk[..., 1])
    speeds = limb_speeds(m)
    base = m.world[:, :, BASE]
    sway = dot(base - smooth(base, 0.6), m.right)
    return {
        "head_height": m.world[:, :, HEAD, 1],
        "head_drop": -head_speed,
        "head_forward": m.body[:, :, HEAD, 2],
        "head_side": np.abs(m.body[:, :, HEAD, 0]),
        "head_motion": length(m.body_velocity[:, :, HEAD]),
        "trunk_bend": bend,
        "trunk_forward": np.degrees(np.arctan2(trunk[..., 2], above)),
        "trunk_backward": -np.degrees(np.arctan2(trunk[..., 2], above)),
        "trunk_side": np.degrees(np.arctan2(np.abs(trunk[..., 0]), above)),
        "trunk_twist": _twist(m),
        "pelvis_height": base[..., 1],
        "motion": speeds.mean(axis=2),
        "still": ramp(0.4 - speeds.max(axis=2), 0.0, 0.4),
        "sway": sway,
        "travel_speed": length(smooth(velocity(base * np.array([1.0, 0.0, 1.0])), 0.2)),
        "turn_speed": np.degrees(np.abs(smooth(velocity(m.heading), 0.2))),
        **_postures(m, bend),
    }


def _postures(m: Motion, bend: Floats) -> Signals:
    """Degrees of belonging to each posture, 0 to 1, from the trunk's angle, the thighs' level and heights."""
    thighs = m.legs[:, :, HIPS] - m.legs[:, :, KNEES]
    # The thigh's upward part: 1 standing, 0 level, below 0 with the knees above the hips.
    thigh = thighs[..., 1] / np.maximum(length(thighs), 1e-6)
    hips, knee = m.world[:, :, BASE, 1], m.world[:, :, KNEES, 1].min(axis=2)
    straight = ramp(50 - bend, 0.0, 20)
    level = ramp(0.6 - thigh.max(axis=2), 0.0, 0.2)
    # Who crouches keeps the feet below the hips; who sits has them in front, or sits on the floor.
    feet = length(m.legs[:, :, FEET].mean(axis=2)[..., [0, 2]])
    balanced = ramp(0.5 - feet, 0.0, 0.2) * ramp(hips, 0.3, 0.1)
    kneeling = ramp(0.3 - knee, 0.0, 0.2) * straight * ramp(hips, 0.5, 0.2)
    return {
        "upright": ramp(thigh.max(axis=2), 0.8, 0.2) * ramp(30 - bend, 0.0, 20),
        "seated": level * straight * (1 - balanced) * (1 - kneeling),
        "crouched": level * balanced * ramp(75 - bend, 0.0, 20) * (1 - kneeling),
        "kneeling": kneeling,
        "lying": ramp(bend, 60, 20) * ramp(1.1 - m.world[:, :, HEAD, 1], 0.0, 0.3),
    }


def _every(frames: int, seconds: float) -> NDArray[np.int64]:
    """Frame numbers this far apart, the last frame among them."""
    return np.append(np.arange(0, frames - 1, int(seconds * RATE)), frames - 1)


def _travel(m: Motion) -> Wholes:
    """Travel and turning, from hips and heading without jitter: sampled each quarter of a second."""
    base = smooth(m.world[:, :, BASE] * np.array([1.0, 0.0, 1.0]), 0.15)
    speed, frames = velocity(base), base.shape[1]
    steps = length(np.diff(base[:, _every(frames, 0.25)], axis=1))
    heading = smooth(m.heading, 0.2)
    turns = np.abs(np.diff(heading[:, _every(frames, 0.5)], axis=1))
    turn = np.degrees(heading[:, -1] - heading[:, 0])
    return {
        "travel_distance": Whole(length(base[:, -1] - base[:, 0])),
        "travel_path": Whole(np.where(steps > 0.03, steps, 0.0).sum(axis=1) / max(m.duration, 1.0)),
        "travel_forward": Whole(dot(speed, m.forward).sum(axis=1) / RATE),
        "travel_sideways": Whole(np.abs(dot(speed, m.right).sum(axis=1) / RATE)),
        "turn_total": Whole(np.degrees(np.where(turns > np.radians(5), turns, 0.0).sum(axis=1))),
        "turn_net": Whole(np.abs(turn)),
        "right_turn_net": Whole(turn),
        "left_turn_net": Whole(-turn),
    }


def whole(m: Motion) -> Wholes:
    """Values of the whole recordings."""
    found = _travel(m) if np.isfinite(m.heading).all() else {}
    pose = np.concatenate([m.legs[:, :, [*_LIMBS, *_LEGS, HEAD]], m.world[:, :, BASE, None] * _UP], axis=2)
    if not np.isfinite(pose).all():
        return found
    frames = pose.shape[1]
    ends = min(frames, int(0.4 * RATE))
    change = quantile(pose[:, -ends:], 0.5) - quantile(pose[:, :ends], 0.5)
    tips = m.legs[:, :, [*HANDS, *FEET]] - m.legs[:, :, MID, None]
    speeds = limb_speeds(m).sum(axis=1)
    found["pose_change"] = Whole(length(change).mean(axis=1))
    found["pose_extent"] = Whole(quantile(length(tips).mean(axis=2), 0.5))
    found["arms_motion_share"] = Whole(speeds[:, :4].sum(axis=1) / (speeds[:, :8].sum(axis=1) + 0.2 * frames))
    return found
