"""Signals of hands and arms: height, reach, nearness to other parts, velocity, repetition, circling."""

from __future__ import annotations

import numpy as np

from flora_engine.descriptors.filters import smooth
from flora_engine.descriptors.motion import (
    ELBOWS,
    FEET,
    HANDS,
    HEAD,
    HIPS,
    KNEES,
    NECK,
    OUTWARD,
    SHOULDERS,
    Motion,
)
from flora_engine.descriptors.signals import Signals, Whole, Wholes, angle, length, mirror_correlation, ramp, shares

# Where head parts lie from the head's centre, and the front of the chest from between the shoulders (torsos).
_MOUTH_FORWARD, _EAR_OUTWARD, _CHEST_FRONT = 0.12, 0.16, (0.0, -0.2, 0.15)


def sided(m: Motion) -> Signals:
    """Signals with one column per side, (B, N, 2), by their names without side."""
    hand, speed = m.body[:, :, HANDS], m.body_velocity[:, :, HANDS]
    elbow = m.body[:, :, ELBOWS]
    head = m.body[:, :, HEAD, None]
    mouth = 0.75 * head + 0.25 * m.body[:, :, NECK, None] + np.array([0.0, 0.0, _MOUTH_FORWARD])
    ears = head + _EAR_OUTWARD * OUTWARD[:, None] * np.array([1.0, 0.0, 0.0])
    outward, outward_speed = hand[..., 0] * OUTWARD, speed[..., 0] * OUTWARD
    return {
        "hand_height": hand[..., 1],
        "hand_forward": hand[..., 2],
        "hand_behind": -hand[..., 2],
        "hand_outward": outward,
        "hand_across": -outward,
        "hand_speed": length(speed),
        "hand_thrust": speed[..., 2],
        "hand_pull": -speed[..., 2],
        "hand_lift": speed[..., 1],
        "hand_drop": -speed[..., 1],
        "hand_sweep_out": outward_speed,
        "hand_sweep_in": -outward_speed,
        "hand_to_head": length(hand - head),
        "hand_to_mouth": length(hand - mouth),
        "hand_to_ear": length(hand - ears),
        "hand_to_chest": length(hand - np.array(_CHEST_FRONT)),
        "hand_to_hip": length(hand - m.body[:, :, HIPS]),
        "hand_raised": ramp(hand[..., 1], 0.0, 0.2),
        "hand_above_head": ramp(hand[..., 1] - head[..., 1], 0.1, 0.2),
        "hand_near_head": ramp(0.5 - length(hand - head), 0.0, 0.2),
        "hand_floor_height": m.world[:, :, HANDS, 1],
        "elbow_bend": 180 - angle(m.body[:, :, SHOULDERS] - elbow, hand - elbow),
        "elbow_height": elbow[..., 1],
    }


def joint(m: Motion, near: Signals, far: Signals) -> Signals:
    """Signals of both hands together, (B, N). near, far: the lower and the higher of both sides, by name."""
    hand = m.body[:, :, HANDS]
    other_forearm = (hand + m.body[:, :, ELBOWS])[:, :, ::-1] / 2
    feet = m.world[:, :, HANDS, None] - m.world[:, :, None, FEET]
    knees = m.world[:, :, HANDS, None] - m.world[:, :, None, KNEES]
    hanging = ramp(-0.65 - hand[..., 1], 0.0, 0.2)
    return {
        "any_hand_height": far["hand_height"],
        "any_hand_to_mouth": near["hand_to_mouth"],
        "any_hand_to_ear": near["hand_to_ear"],
        "any_hand_near_head": far["hand_near_head"],
        "any_hand_to_foot": length(feet).min(axis=(2, 3)),
        "any_hand_to_knee": length(knees).min(axis=(2, 3)),
        "any_hand_floor_height": near["hand_floor_height"],
        "any_hand_to_other_elbow": length(hand - other_forearm).min(axis=2),
        "any_hand_to_other_shoulder": length(hand - m.body[:, :, SHOULDERS][:, :, ::-1]).min(axis=2),
        "both_hands_height": near["hand_height"],
        "both_hands_above_head": near["hand_above_head"],
        "both_hands_forward": near["hand_forward"],
        "both_hands_outward": near["hand_outward"],
        "both_hands_to_head": far["hand_to_head"],
        "both_hands_to_chest": far["hand_to_chest"],
        "both_hands_to_hip": far["hand_to_hip"],
        "both_hands_behind": near["hand_behind"],
        "both_hands_floor_height": far["hand_floor_height"],
        "both_hands_speed": near["hand_speed"],
        "both_hands_hang": hanging.min(axis=2),
        "hands_distance": length(hand[:, :, 0] - hand[:, :, 1]),
        "hands_height_difference": np.abs(hand[:, :, 0, 1] - hand[:, :, 1, 1]),
        "hands_crossed": -(hand[..., 0, 0] - hand[..., 1, 0]),
    }


def whole(m: Motion) -> Wholes:
    """Values of the whole recordings."""
    speed = m.body_velocity[:, :, HANDS]
    if not np.isfinite(speed).all():
        return {}
    power = ((speed - speed.mean(axis=1, keepdims=True)) ** 2).sum(axis=(1, 2, 3))
    shaking = ((speed - smooth(speed, 0.12)) ** 2).sum(axis=(1, 2, 3))
    return {
        **shares(length(speed), "hand"),
        "hands_symmetry": Whole(mirror_correlation(speed)),
        "motion_jerk": Whole(shaking / (power + 0.01 * speed.shape[1])),
    }
