"""What repeats: direction changes of hands, head, trunk, hips and feet, steps, jumps, circles, periods.

Everything is measured on what is left after the moving average of a second is taken away, so that a hand that is
lifted, waved and lowered waves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flora_engine.descriptors.filters import RATE, Floats, smooth
from flora_engine.descriptors.motion import BASE, CHEST, FEET, HANDS, HEAD, OUTWARD, Motion
from flora_engine.descriptors.signals import Whole, Wholes, length

# Columns of the series that are looked at, three coordinates each but for the last two.
_HAND, _HEAD, _CHEST, _FOOT, _HIPS, _APART = (0, 3), 6, 9, (12, 15), 18, 19
_SLOW = 0.5  # seconds; the standard deviation of the moving average


def turning_points(level: Floats, threshold: float) -> NDArray[np.int64]:
    """Frames at which a series about zero (T, C) changes sides, by at least `threshold` from side to side.

    The column with the most changes counts.
    """
    side = (level > threshold / 2).astype(np.int8) - (level < -threshold / 2)
    best = np.zeros(0, np.int64)
    for column in side.T:
        known = column.nonzero()[0]
        signs = column[known]
        changes = known[1:][signs[1:] != signs[:-1]]
        best = changes if len(changes) > len(best) else best
    return best


def autocorrelation(level: Floats) -> tuple[float, float]:
    """(strength 0 … 1, seconds) of the strongest period of a series about zero (T, C); (0, 0) if nothing repeats.

    A period lasts 0.25 to 4 s and occurs at least twice. The strength is the correlation at one period, or its height
    above the lowest correlation at shorter lags if that is less.
    """
    frames = len(level)
    longest = min(int(4 * RATE), frames // 2)
    energy = np.einsum("tc,tc->t", level, level)
    if longest < 10 or energy.mean() < 0.03**2:
        return 0.0, 0.0
    size = 1 << int(np.ceil(np.log2(frames + longest + 1)))
    spectrum = np.fft.rfft(level, size, axis=0)
    product = np.fft.irfft((spectrum.real**2 + spectrum.imag**2).sum(axis=1), size)[: longest + 1]
    power = np.concatenate([[0.0], np.cumsum(energy)])
    lags = np.arange(longest + 1)
    early, late = power[frames - lags], power[frames] - power[lags]
    r = product / np.sqrt(np.maximum(early * late, 1e-12))
    # A period must stand out of a valley before it: slow motion is like itself at every lag. Towards the shortest and
    # the longest period the strength fades, so that a frame more or less decides nothing.
    depth = np.minimum(r, r - np.minimum.accumulate(r))
    depth *= np.clip((lags - 6) / 3, 0, 1) * np.clip((longest - lags) / (0.1 * longest), 0, 1)
    best = int(np.argmax(depth))
    return float(np.clip(depth[best], 0, 1)), float(best / RATE)


def circling(radius: Floats, velocity: Floats) -> Floats:
    """(3,): how much of a motion (N, 3) about zero goes round each axis in one sense, -1 to 1.

    The area swept as a share of radius times path: 1 for a circle, 0 to and fro.
    """
    (x, y, z), (u, v, w) = radius.T, velocity.T
    swept = np.array([y @ w - z @ v, z @ u - x @ w, x @ v - y @ u])
    # Noise of 0.04 torsos must not look like circles.
    return np.asarray(swept / (length(radius) @ length(velocity) + 0.02 * len(radius)))


def _counted(frames: NDArray[np.int64], duration: float) -> Whole:
    """Events per second, from their frames. A recording counts as one second or longer."""
    first, last = (int(frames[0]), int(frames[-1])) if len(frames) else (0, -1)
    return Whole(len(frames) / max(duration, 1.0), first, last)


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


def _series(m: Motion) -> Floats:
    """(N, 20): hands and head relative to the chest, chest and feet to the hips; hips' height; hands' distance."""
    hands, feet = m.body[:, HANDS], m.legs[:, FEET]
    apart = length(hands[:, 0] - hands[:, 1])
    parts = [hands[:, 0], hands[:, 1], m.body[:, HEAD], m.legs[:, CHEST], feet[:, 0], feet[:, 1]]
    return np.concatenate([*parts, m.world[:, BASE, 1:2], apart[:, None]], axis=1)


def whole(m: Motion, hand: int, foot: int, flight: Floats) -> Wholes:
    """Values of the whole recording. hand, foot: the more active side, 0 right, 1 left. flight: (N,) jump height."""
    level = _series(m)
    level = level - smooth(level, _SLOW)
    measured = np.asarray(np.isfinite(level).all(axis=0))

    def rate(columns: slice, threshold: float) -> Whole:
        if not measured[columns].all():
            return Whole(float("nan"))
        return _counted(turning_points(level[:, columns], threshold), m.duration)

    used = slice(_HAND[hand], _HAND[hand] + 3)
    found = {
        "active_hand_repetition_rate": rate(used, 0.1),
        "hands_distance_repetition_rate": rate(slice(_APART, _APART + 1), 0.1),
        "head_repetition_rate": rate(slice(_HEAD, _HEAD + 3), 0.06),
        "trunk_repetition_rate": rate(slice(_CHEST, _CHEST + 3), 0.1),
        "pelvis_repetition_rate": rate(slice(_HIPS, _HIPS + 1), 0.08),
        "active_foot_repetition_rate": rate(slice(_FOOT[foot], _FOOT[foot] + 3), 0.15),
    }
    if measured[used].all():
        around = circling(level[:, used], m.body_velocity[:, HANDS[hand]])
        found["active_hand_repetition_strength"] = Whole(autocorrelation(level[:, used])[0])
        found["active_hand_circling"] = Whole(float(np.linalg.norm(around)))
        # Coordinates are (right, up): against the clock is positive, and outward at the top is clockwise on the right.
        found["active_hand_circling_outward"] = Whole(-float(around[2] * OUTWARD[hand]))
    if measured.all():
        strength, period = autocorrelation(level[:, :_APART])
        found["body_repetition_strength"] = Whole(strength)
        found["body_repetition_rate"] = Whole(min(1.0, max(0.0, 5 * strength - 1)) / period if period else 0.0)
    return found | _steps(m, level) | _jumps(m, flight)


def _steps(m: Motion, level: Floats) -> Wholes:
    feet = level[:, _FOOT[0] : _FOOT[0] + 3] - level[:, _FOOT[1] : _FOOT[1] + 3]
    if not np.isfinite(feet).all():
        return {}
    ahead = m.legs[:, FEET[0], 2] - m.legs[:, FEET[1], 2]
    return {
        "step_rate": _counted(turning_points(feet[:, 1:], 0.2), m.duration),
        "step_asymmetry": Whole(_asymmetry(ahead, turning_points(feet[:, 2:], 0.2))),
    }


def _jumps(m: Motion, flight: Floats) -> Wholes:
    if not np.isfinite(flight).all():
        return {}
    up = (np.concatenate([[0.0], flight]) > 0.12).astype(np.int8)
    return {"jump_rate": _counted(np.flatnonzero(np.diff(up) > 0), m.duration)}
