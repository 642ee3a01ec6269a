"""What repeats: direction changes of hands, head, trunk, hips and feet, steps, jumps, circles, periods.

Everything is measured on what is left after the moving average of a second is taken away, so that a hand that is
lifted, waved and lowered waves.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from flora_engine.descriptors.filters import RATE, Floats, smooth
from flora_engine.descriptors.motion import BASE, CHEST, FEET, HANDS, HEAD, OUTWARD, Motion
from flora_engine.descriptors.signals import Ints, Whole, Wholes, length

# Columns of the series that are looked at, three coordinates each but for the last two.
_HAND, _HEAD, _CHEST, _FOOT, _HIPS, _APART = (0, 3), 6, 9, (12, 15), 18, 19
_SLOW = 0.5  # seconds; the standard deviation of the moving average


def turning_points(level: Floats, threshold: float) -> NDArray[np.bool_]:
    """(B, N): frames at which series about zero (B, N, C) change sides, by at least `threshold` from side to side.

    The column with the most changes counts.
    """
    side = (level > threshold / 2).astype(np.int8) - (level < -threshold / 2)
    places = np.where(side != 0, np.arange(level.shape[1])[:, None], -1)
    last = np.maximum.accumulate(places, axis=1)[:, :-1]  # before each frame, the last one on either side
    before = np.take_along_axis(side, np.maximum(last, 0), axis=1)
    changes = np.zeros(level.shape, np.bool_)
    changes[:, 1:] = (last >= 0) & (side[:, 1:] != 0) & (side[:, 1:] != before)
    best = changes.sum(axis=1).argmax(axis=1)
    return np.asarray(np.take_along_axis(changes, best[:, None, None], axis=2)[:, :, 0])


def autocorrelation(level: Floats) -> tuple[Floats, Floats]:
    """(B,) strength 0 … 1 and (B,) seconds of the strongest period of series about zero (B, N, C); 0 if nothing
    repeats.

    A period lasts 0.25 to 4 s and occurs at least twice. The strength is the correlation at one period, or its height
    above the lowest correlation at shorter lags if that is less.
    """
    frames = level.shape[1]
    longest = min(int(4 * RATE), frames // 2)
    energy = np.einsum("btc,btc->bt", level, level)
    if longest < 10:
        return np.zeros(len(level)), np.zeros(len(level))
    size = 1 << int(np.ceil(np.log2(frames + longest + 1)))
    spectrum = np.fft.rfft(level, size, axis=1)
    product = np.fft.irfft((spectrum.real**2 + spectrum.imag**2).sum(axis=2), size, axis=1)[:, : longest + 1]
    power = np.concatenate([np.zeros((len(level), 1)), np.cumsum(energy, axis=1)], axis=1)
    lags = np.arange(longest + 1)
    early, late = power[:, frames - lags], power[:, frames, None] - power[:, lags]
    r = product / np.sqrt(np.maximum(early * late, 1e-12))
    # A period must stand out of a valley before it: slow motion is like itself at every lag. Towards the shortest and
    # the longest period the strength fades, so that a frame more or less decides nothing.
    depth = np.minimum(r, r - np.minimum.accumulate(r, axis=1))
    depth *= np.clip((lags - 6) / 3, 0, 1) * np.clip((longest - lags) / (0.1 * longest), 0, 1)
    best = np.argmax(depth, axis=1)
    moves = energy.mean(axis=1) >= 0.03**2
    strength = np.clip(depth[np.arange(len(level)), best], 0, 1)
    return np.where(moves, strength, 0.0), np.where(moves, best / RATE, 0.0)


def circling(radius: Floats, velocity: Floats) -> Floats:
    """(B, 3): how much of a motion (B, N, 3) about zero goes round each axis in one sense, -1 to 1.

    The area swept as a share of radius times path: 1 for a circle, 0 to and fro.
    """
    (x, y, z), (u, v, w) = np.moveaxis(radius, 2, 0), np.moveaxis(velocity, 2, 0)
    swept = np.stack([(y * w - z * v).sum(axis=1), (z * u - x * w).sum(axis=1), (x * v - y * u).sum(axis=1)], axis=1)
    # Noise of 0.04 torsos must not look like circles.
    path = (length(radius) * length(velocity)).sum(axis=1)
    return np.asarray(swept / (path + 0.02 * radius.shape[1])[:, None])


def _counted(changes: NDArray[np.bool_], duration: float) -> Whole:
    """Events per second, from the frames (B, N) at which they are. A recording counts as one second or longer."""
    count, last = changes.sum(axis=1), changes.shape[1] - 1
    ends = np.where(count > 0, last - changes[:, ::-1].argmax(axis=1), last)
    return Whole(count / max(duration, 1.0), changes.argmax(axis=1), ends)


def _asymmetry(ahead: Floats, changes: NDArray[np.bool_]) -> float:
    """Difference of right and left steps (N,), in length and duration, as a share; NaN for fewer than three changes."""
    frames = np.flatnonzero(changes)
    if len(frames) < 3:
        return float("nan")
    inside = ahead[frames[0] : frames[-1]]
    right, left = inside[inside > 0], -inside[inside < 0]
    if not len(right) or not len(left):
        return float("nan")
    lengths = abs(right.max() - left.max()) / (right.max() + left.max())
    return float((lengths + abs(len(right) - len(left)) / len(inside)) / 2)


def _series(m: Motion) -> Floats:
    """(B, N, 20): hands and head relative to the chest, chest and feet to the hips; hips' height; hands' distance."""
    hands, feet = m.body[:, :, HANDS], m.legs[:, :, FEET]
    apart = length(hands[:, :, 0] - hands[:, :, 1])
    parts = [hands[:, :, 0], hands[:, :, 1], m.body[:, :, HEAD], m.legs[:, :, CHEST], feet[:, :, 0], feet[:, :, 1]]
    return np.concatenate([*parts, m.world[:, :, BASE, 1:2], apart[..., None]], axis=2)


def _chosen(sides: tuple[Floats, Floats], active: Ints) -> Floats:
    """(B, N, C): of each recording the one of the two that its active side, 0 or 1, says."""
    return np.where(active[:, None, None] == 0, *sides)


def whole(m: Motion, hand: Ints, foot: Ints, flight: Floats) -> Wholes:
    """Values of the whole recordings. hand, foot: (B,) the more active side, 0 right, 1 left. flight: (B, N) height of
    jumps.
    """
    level = _series(m)
    level = level - smooth(level, _SLOW)
    hands = _chosen((level[..., _HAND[0] : _HAND[0] + 3], level[..., _HAND[1] : _HAND[1] + 3]), hand)
    feet = _chosen((level[..., _FOOT[0] : _FOOT[0] + 3], level[..., _FOOT[1] : _FOOT[1] + 3]), foot)

    def rate(columns: Floats, threshold: float) -> Whole:
        known = np.isfinite(columns).all(axis=(1, 2))
        found = _counted(turning_points(columns, threshold), m.duration)
        return replace(found, values=np.where(known, found.values, np.nan))

    found = {
        "active_hand_repetition_rate": rate(hands, 0.1),
        "hands_distance_repetition_rate": rate(level[..., _APART : _APART + 1], 0.1),
        "head_repetition_rate": rate(level[..., _HEAD : _HEAD + 3], 0.06),
        "trunk_repetition_rate": rate(level[..., _CHEST : _CHEST + 3], 0.1),
        "pelvis_repetition_rate": rate(level[..., _HIPS : _HIPS + 1], 0.08),
        "active_foot_repetition_rate": rate(feet, 0.15),
    }
    if np.isfinite(hands).all():
        speeds = m.body_velocity[:, :, HANDS]
        around = circling(hands, _chosen((speeds[:, :, 0], speeds[:, :, 1]), hand))
        found["active_hand_repetition_strength"] = Whole(autocorrelation(hands)[0])
        found["active_hand_circling"] = Whole(length(around))
        # Coordinates are (right, up): against the clock is positive, and outward at the top is clockwise on the right.
        found["active_hand_circling_outward"] = Whole(-around[:, 2] * OUTWARD[hand])
    if np.isfinite(level).all():
        strength, period = autocorrelation(level[..., :_APART])
        rates = np.clip(5 * strength - 1, 0, 1) / np.where(period > 0, period, np.inf)
        found["body_repetition_strength"] = Whole(strength)
        found["body_repetition_rate"] = Whole(rates)
    return found | _steps(m, level) | _jumps(m, flight)


def _steps(m: Motion, level: Floats) -> Wholes:
    feet = level[..., _FOOT[0] : _FOOT[0] + 3] - level[..., _FOOT[1] : _FOOT[1] + 3]
    if not np.isfinite(feet).all():
        return {}
    ahead = m.legs[:, :, FEET[0], 2] - m.legs[:, :, FEET[1], 2]
    turns = turning_points(feet[..., 2:], 0.2)
    return {
        "step_rate": _counted(turning_points(feet[..., 1:], 0.2), m.duration),
        "step_asymmetry": Whole(np.array([_asymmetry(*one) for one in zip(ahead, turns, strict=True)])),
    }


def _jumps(m: Motion, flight: Floats) -> Wholes:
    if not np.isfinite(flight).all():
        return {}
    up = flight > 0.12
    began = up.copy()
    began[:, 1:] &= ~up[:, :-1]
    return {"jump_rate": _counted(began, m.duration)}
