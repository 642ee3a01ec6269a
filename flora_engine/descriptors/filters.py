"""Filters over time, all along axis 0: despiking, smoothing, resampling, repetition. Numpy only."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RATE = 30.0  # frames per second of everything that is measured
# A joint that leaves its neighbours in time by more than this is a spike: 0.2 torsos of noise, and 6 torsos (3 m) a
# second of motion that neighbours do not show.
_SPIKE_NOISE, _SPIKE_SPEED = 0.2, 6.0


def _weighted(x: Floats, kernel: Floats) -> Floats:
    """The moving average with these weights, an odd number; the first and last value continue beyond the ends."""
    half = len(kernel) // 2
    padded = x[np.clip(np.arange(-half, len(x) + half), 0, len(x) - 1)]
    if x.ndim == 1:
        return np.convolve(padded, kernel, "valid")
    flat = padded.reshape(len(padded), -1)
    step, across = flat.strides
    windows = np.lib.stride_tricks.as_strided(flat, (len(x), len(kernel), flat.shape[1]), (step, step, across))
    return np.asarray(np.einsum("twc,w->tc", windows, kernel)).reshape(x.shape)


def box(x: Floats, width: int) -> Floats:
    """The moving average over `width` (odd) frames."""
    return _weighted(x, np.full(width, 1 / width))


@cache
def _bell(seconds: float) -> Floats:
    """Weights close to a Gaussian of this standard deviation."""
    half = max(1, int(np.ceil(2.5 * seconds * RATE)))
    weights = np.exp(-0.5 * (np.arange(-half, half + 1) / (seconds * RATE)) ** 2)
    return np.asarray(weights / weights.sum())


def smooth(x: Floats, seconds: float) -> Floats:
    """The moving average under a Gaussian of this standard deviation."""
    return _weighted(x, _bell(seconds))


def velocity(x: Floats) -> Floats:
    """Central differences per second; one-sided at both ends."""
    found = np.zeros_like(x)
    if len(x) > 1:
        found[1:-1] = (x[2:] - x[:-2]) * (RATE / 2)
        found[0], found[-1] = (x[1] - x[0]) * RATE, (x[-1] - x[-2]) * RATE
    return found


def quantile(x: Floats, share: float) -> Floats:
    """The value below which this share of the series lies, per column; the mean of two neighbours if between them.

    NumPy's own costs ten times as much on a hundred frames.
    """
    ranked, place = np.sort(x, axis=0), share * (len(x) - 1)
    return np.asarray((ranked[int(np.floor(place))] + ranked[int(np.ceil(place))]) / 2)


def interpolate(x: Floats, good: NDArray[np.bool_], grid: Floats | None = None) -> Floats:
    """(T, C): columns between good frames along straight lines, at frame numbers `grid` (default: all T)."""
    at = np.arange(len(x), dtype=np.float64) if grid is None else grid
    known = np.flatnonzero(good)
    if len(known) == len(x):
        low = np.clip(at.astype(np.int64), 0, max(len(x) - 2, 0))
        part = (at - low)[:, None]
        high = np.minimum(low + 1, len(x) - 1)
        mixed: Floats = x[low] * (1 - part) + x[high] * part
        return mixed
    return np.stack([np.interp(at, known, x[known, c]) for c in range(x.shape[1])], axis=1)


def despike(points: Floats, fps: float) -> Floats:
    """(T, K, 3) in torsos: a point far from its neighbours in time, which agree without it, is interpolated.

    The test uses distances only, so that it is the same in every coordinate system. It catches what lasts less than
    a tenth of a second.
    """
    stride = max(1, round(fps / RATE))
    frames = len(points)
    if frames < 4 * stride + 1:
        return points
    near = np.arange(frames)[:, None] + stride * np.array([-2, -1, 0, 1, 2])
    # Beyond an end the frames come again from the other side of the frame itself.
    near = np.where(near < 0, -near, near)
    near = np.where(near >= frames, 2 * (frames - 1) - near, near)
    taps = points[near]

    def apart(a: int, b: int) -> Floats:
        gap = taps[:, a] - taps[:, b]
        return np.asarray(np.sqrt(np.einsum("tkc,tkc->tk", gap, gap)))

    away = np.sort(np.stack([apart(2, k) for k in (0, 1, 3, 4)]), axis=0)[1]
    limit = _SPIKE_NOISE + _SPIKE_SPEED * stride / fps
    if not np.any(away > limit):
        return points
    across = np.minimum.reduce([apart(1, 3), apart(0, 4), apart(0, 3), apart(1, 4)])
    own_motion = np.minimum(apart(0, 1), apart(3, 4))
    spikes = (away > limit) & (away > 3 * np.maximum(across, own_motion))
    points = points.copy()
    for k in np.flatnonzero(spikes.any(axis=0) & ~spikes.all(axis=0)):
        points[:, k] = interpolate(points[:, k], ~spikes[:, k])
    return np.asarray(points)


def resample(x: Floats, fps: float) -> Floats:
    """(T, C) at `fps` to `RATE`, without aliases from faster rates."""
    if abs(fps - RATE) < 1e-6:
        return x
    if fps > 1.5 * RATE:
        x = box(x, round(fps / RATE) | 1)
    count = int(np.floor((len(x) - 1) * RATE / fps + 1e-6)) + 1
    return interpolate(x, np.ones(len(x), np.bool_), np.arange(count, dtype=np.float64) * (fps / RATE))
