"""Filters over time, axis 1 of B recordings at once: despiking, smoothing, resampling, repetition. Numpy only."""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
RATE = 30.0  # frames per second of everything that is measured
# A joint that leaves its neighbours in time by more than this is a spike: 0.2 torsos of noise, and 6 torsos (3 m) a
# second of motion that neighbours do not show.
_SPIKE_NOISE, _SPIKE_SPEED = 0.2, 6.0
# A gap of at most so many seconds is bridged by a curve that goes on as the frames around it do: a straight line cuts
# off the turning point of a hand that swings. Longer ones are not measured, and a curve might swing far out.
_CURVED, _BEFORE = 0.35, 3  # frames before a gap that say how fast it is entered
_SMALL = 250_000  # multiplications of a matrix product that BLAS does on one thread: waking others costs more


@lru_cache(maxsize=16)
def _averaging(kernel: tuple[float, ...], frames: int) -> Floats:
    """(N, N): the moving average with these weights as a matrix; the ends continue."""
    half = len(kernel) // 2
    wide = np.zeros((frames, frames + 2 * half))
    down, across = wide.strides
    np.lib.stride_tricks.as_strided(wide, (frames, len(kernel)), (down + across, across))[:] = kernel
    matrix = wide[:, half : half + frames].copy()
    matrix[:, 0] += wide[:, :half].sum(axis=1)
    matrix[:, -1] += wide[:, half + frames :].sum(axis=1)
    return matrix


def _weighted(x: Floats, kernel: tuple[float, ...]) -> Floats:
    """The moving average of (B, N, …) with these weights, an odd number; the ends continue beyond themselves."""
    frames, half = x.shape[1], len(kernel) // 2
    flat = x.reshape(len(x), frames, -1)
    if frames <= 4 * len(kernel) and frames * flat[0].size <= _SMALL:  # more steps, but many more at once
        return np.asarray(_averaging(kernel, frames) @ flat).reshape(x.shape)
    padded = flat[:, np.clip(np.arange(-half, frames + half), 0, frames - 1)]
    each, step, across = padded.strides
    shape = (len(x), frames, len(kernel), flat.shape[2])
    windows = np.lib.stride_tricks.as_strided(padded, shape, (each, step, step, across))
    return np.asarray(np.einsum("btwc,w->btc", windows, np.array(kernel))).reshape(x.shape)


def box(x: Floats, width: int) -> Floats:
    """The moving average of (B, N, …) over `width` (odd) frames."""
    return _weighted(x, (1 / width,) * width)


def running_mean(series: Floats, width: int) -> Floats:
    """The moving average of (…, N), time last, over `width` (odd) frames."""
    frames, half = series.shape[-1], width // 2
    padded = series[..., np.clip(np.arange(-half, frames + half), 0, frames - 1)]
    total = padded[..., :frames].copy()
    for k in range(1, width):
        total += padded[..., k : k + frames]
    return np.asarray(total / width)


@cache
def _bell(seconds: float) -> tuple[float, ...]:
    """Weights close to a Gaussian of this standard deviation."""
    half = max(1, int(np.ceil(2.5 * seconds * RATE)))
    weights = np.exp(-0.5 * (np.arange(-half, half + 1) / (seconds * RATE)) ** 2)
    return tuple((weights / weights.sum()).tolist())


def smooth(x: Floats, seconds: float) -> Floats:
    """The moving average of (B, N, …) under a Gaussian of this standard deviation."""
    return _weighted(x, _bell(seconds))


def velocity(x: Floats) -> Floats:
    """Central differences per second of (B, N, …); one-sided at both ends."""
    found = np.zeros_like(x)
    if x.shape[1] > 1:
        found[:, 1:-1] = (x[:, 2:] - x[:, :-2]) * (RATE / 2)
        found[:, 0], found[:, -1] = (x[:, 1] - x[:, 0]) * RATE, (x[:, -1] - x[:, -2]) * RATE
    return found


def quantile(x: Floats, share: float) -> Floats:
    """The value below which this share of each series (B, N, …) lies; the mean of two neighbours if between them.

    NumPy's own costs ten times as much on a hundred frames.
    """
    ranked, place = np.sort(x, axis=1), share * (x.shape[1] - 1)
    return np.asarray((ranked[:, int(np.floor(place))] + ranked[:, int(np.ceil(place))]) / 2)


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


def bridge(x: Floats, good: NDArray[np.bool_], fps: float) -> Floats:
    """(T, C) with the frames that are not good filled: short gaps by a cubic curve with the speed of both sides, longer
    ones and the ends along straight lines.
    """
    found = interpolate(x, good)
    known = np.flatnonzero(good)
    steps = np.diff(known)
    for i in np.flatnonzero((steps > 1) & (steps <= _CURVED * fps + 1)):
        first, last = known[i], known[i + 1]
        gap, chord = last - first, (x[last] - x[first]) / (last - first)
        into = _speed(x, good, first, -1, chord)
        out = _speed(x, good, last, 1, chord)
        at = (np.arange(first + 1, last) - first)[:, None] / gap
        # What Hermite's cubic adds to the straight line.
        found[first + 1 : last] += gap * at * (1 - at) * ((into - chord) * (1 - at) - (out - chord) * at)
    return found


def _speed(x: Floats, good: NDArray[np.bool_], frame: int, side: int, otherwise: Floats) -> Floats:
    """(C,) per frame at the edge of a gap, from the good frames on its other side; `otherwise` if it stands alone."""
    away = 0
    while away < _BEFORE and 0 <= frame + side * (away + 1) < len(x) and good[frame + side * (away + 1)]:
        away += 1
    return otherwise if away == 0 else np.asarray((x[frame] - x[frame + side * away]) / (-side * away))


def despike(points: Floats, fps: float) -> Floats:
    """(B, T, K, 3) in torsos: a point far from its neighbours in time, which agree without it, is interpolated.

    The test uses distances only, so that it is the same in every coordinate system. It catches what lasts less than
    a tenth of a second.
    """
    stride = max(1, round(fps / RATE))
    frames = points.shape[1]
    if frames < 4 * stride + 1:
        return points
    # Beyond an end the frames come again from the other side of the frame itself.
    near = np.abs(np.arange(-2 * stride, frames + 2 * stride))
    near = np.where(near >= frames, 2 * (frames - 1) - near, near)
    padded = points[:, near]

    def apart(strides: int) -> Floats:
        gap = padded[:, strides * stride :] - padded[:, : padded.shape[1] - strides * stride]
        gap *= gap
        return np.asarray(np.sqrt(gap[..., 0] + gap[..., 1] + gap[..., 2]))

    def tap(distances: Floats, first: int) -> Floats:
        """Distances that begin `first` - 2 strides from each frame."""
        return distances[:, first * stride : first * stride + frames]

    one, two = apart(1), apart(2)
    away = np.sort(np.stack([tap(two, 0), tap(one, 1), tap(one, 2), tap(two, 2)]), axis=0)[1]
    limit = _SPIKE_NOISE + _SPIKE_SPEED * stride / fps
    if not np.any(away > limit):
        return points
    three, four = apart(3), apart(4)
    across = np.minimum.reduce([tap(two, 1), tap(four, 0), tap(three, 0), tap(three, 1)])
    own_motion = np.minimum(tap(one, 0), tap(one, 3))
    spikes = (away > limit) & (away > 3 * np.maximum(across, own_motion))
    points = points.copy()
    for b, k in np.argwhere(spikes.any(axis=1) & ~spikes.all(axis=1)):
        points[b, :, k] = interpolate(points[b, :, k], ~spikes[b, :, k])
    return points


def resample(x: Floats, fps: float) -> Floats:
    """(B, T, C) at `fps` to `RATE`, without aliases from faster rates."""
    if abs(fps - RATE) < 1e-6:
        return x
    if fps > 1.5 * RATE:
        x = box(x, round(fps / RATE) | 1)
    frames = x.shape[1]
    count = int(np.floor((frames - 1) * RATE / fps + 1e-6)) + 1
    at = np.arange(count, dtype=np.float64) * (fps / RATE)
    flat = interpolate(x.swapaxes(0, 1).reshape(frames, -1), np.ones(frames, np.bool_), at)
    return np.ascontiguousarray(flat.reshape(count, len(x), -1).swapaxes(0, 1))
