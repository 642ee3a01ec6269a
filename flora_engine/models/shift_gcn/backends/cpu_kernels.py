"""Row kernels for the CPU, compiled by Numba on first use and cached beside this file.

Arrays are (C, V, T) of one body, time innermost: both shifts of Shift-GCN only move rows, so that one pass over
contiguous rows does everything between two matrix products. All kernels release the GIL and run on one thread.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Rows = np.ndarray[Any, np.dtype[Any]]
# Sums may be reordered (so that they vectorise), NaN and infinity are respected.
kernel = njit(cache=True, nogil=True, fastmath={"contract", "nsz", "reassoc"}, error_model="numpy")
# What kernels call is inlined into each. As functions of their own, several compiled copies (reordered differently)
# would carry one name, and which of them runs would depend on whether the cache was there: other last bits.
part = njit(cache=True, nogil=True, fastmath={"contract", "nsz", "reassoc"}, error_model="numpy", forceinline=True)


@kernel
def mask_and_shift_in(x: Rows, mask: Rows, out: Rows) -> None:
    """out[c, v] = mask[c, v] · x[c, (v + c) mod V]."""
    channels, joints, frames = x.shape
    for c in range(channels):
        for v in range(joints):
            source = (v + c) % joints
            for t in range(frames):
                out[c, v, t] = mask[c, v] * x[c, source, t]


@kernel
def finish_spatial(
    y: Rows, kept: Rows, scale: Rows, shift: Rows, scale_in: Rows, shift_in: Rows, ypos: Rows, row: Rows, out: Rows
) -> None:
    """Joint shift-out, batch norm, residual, ReLU, then the temporal part's batch norm and first shift.

    y, kept: (C, V, T) the mixed channels and what is added to them. scale, shift: (C, V); scale_in, shift_in, ypos:
    (C,). row: scratch (3·T + 4,), zero at its ends.
    """
    channels, joints, frames = y.shape
    pad = frames + 2
    for c in range(channels):
        k, share = whole_and_share(ypos[c], frames)
        for v in range(joints):
            source, a, b = (v - c) % joints, scale[c, v], shift[c, v]
            a_in, b_in = scale_in[c], shift_in[c]
            for t in range(frames):
                z = a * y[c, source, t] + b + kept[c, v, t]
                z = z if z > 0 else np.float32(0)
                row[pad + t] = a_in * z + b_in
            first = pad + k
            for t in range(frames):
                out[c, v, t] = row[first + t] * (np.float32(1) - share) + row[first + t + 1] * share


@kernel
def finish_temporal(
    h: Rows, bias: Rows, ypos: Rows, stride: int, scale: Rows, shift: Rows, kept: Rows, row: Rows, out: Rows
) -> None:
    """Bias, ReLU, second shift with stride, batch norm, residual, ReLU.

    h: (C, V, T); kept, out: (C, V, ⌊T/stride⌋), which may be one array; bias, ypos, scale, shift: (C,); row as above.
    """
    channels, joints, frames = h.shape
    after, pad = frames // stride, frames + 2
    for c in range(channels):
        k, share = whole_and_share(ypos[c], frames)
        a, b, low, high = scale[c], shift[c], np.float32(1) - share, share
        low, high = low * a, high * a
        for v in range(joints):
            for t in range(frames):
                z = h[c, v, t] + bias[c]
                row[pad + t] = z if z > 0 else np.float32(0)
            first = pad + k
            if stride == 1:
                for t in range(after):
                    z = row[first + t] * low + row[first + t + 1] * high + b + kept[c, v, t]
                    out[c, v, t] = z if z > 0 else np.float32(0)
            else:
                for t in range(after):
                    at = first + t * stride
                    z = row[at] * low + row[at + 1] * high + b + kept[c, v, t]
                    out[c, v, t] = z if z > 0 else np.float32(0)


@njit(cache=True, nogil=True, inline="always")
def whole_and_share(y: float, frames: int) -> tuple[int, float]:
    """floor(y), brought to where everything is outside if it is farther, and the share of the next frame."""
    below = np.floor(y)
    return max(min(int(below), frames), -frames - 1), y - below


@kernel
def shift_time(x: Rows, ypos: Rows, stride: int, out: Rows) -> None:
    """The temporal shift of bodies: x (B, C, V, T) float32 or float64, ypos (C,) → out (B, C, V, ⌊T/stride⌋)."""
    bodies, channels, joints, frames = x.shape
    after = out.shape[3]
    for b in range(bodies):
        for c in range(channels):
            k, high = whole_and_share(ypos[c], frames)
            low = 1 - high
            first, last = inner_range(k, stride, frames, after)
            for v in range(joints):
                source, target = x[b, c, v], out[b, c, v]
                for t in range(first, last):
                    at = t * stride + k
                    target[t] = low * source[at] + high * source[at + 1]
                for t in range(first):
                    target[t] = at_edge(source, t * stride + k, low, high)
                for t in range(last, after):
                    target[t] = at_edge(source, t * stride + k, low, high)


@kernel
def shift_time_backward(x: Rows, grad: Rows, ypos: Rows, stride: int, grad_x: Rows, grad_y: Rows) -> None:
    """grad (B, C, V, T') of the output → grad_x (B, C, V, T) and per body grad_y (B, C), the derivative by ypos."""
    bodies, channels, joints, frames = x.shape
    after = grad.shape[3]
    for b in range(bodies):
        for c in range(channels):
            k, high = whole_and_share(ypos[c], frames)
            low = 1 - high
            first, last = inner_range(k, stride, frames, after)
            total = 0.0
            for v in range(joints):
                source, g, target = x[b, c, v], grad[b, c, v], grad_x[b, c, v]
                part = x.dtype.type(0)
                for t in range(first, last):
                    at = t * stride + k
                    part += g[t] * (source[at + 1] - source[at])
                total += part
                target[:] = 0
                if stride == 1 and first < last:
                    target[first + k] = low * g[first]
                    for t in range(first + 1, last):
                        target[t + k] = low * g[t] + high * g[t - 1]
                    target[last + k] = high * g[last - 1]
                else:
                    for t in range(first, last):
                        target[t * stride + k] = low * g[t]
                        target[t * stride + k + 1] = high * g[t]
                for t in range(first):
                    total += edge_backward(source, target, g[t], t * stride + k, low, high)
                for t in range(last, after):
                    total += edge_backward(source, target, g[t], t * stride + k, low, high)
            grad_y[b, c] = total


@njit(cache=True, nogil=True, inline="always")
def inner_range(k: int, stride: int, frames: int, after: int) -> tuple[int, int]:
    """The outputs [first, last) of which both taps, t·stride + k and the next, lie inside the clip."""
    first = min(max(-(k // stride), 0), after)  # ceil(-k / stride)
    last = (frames - 2 - k) // stride + 1
    return first, max(first, min(last, after))


@njit(cache=True, nogil=True)
def at_edge(row: Rows, at: int, low: float, high: float) -> Any:
    """The interpolated value where taps `at` and `at + 1` may lie outside."""
    value = row.dtype.type(0)
    if 0 <= at < len(row):
        value += low * row[at]
    if 0 <= at + 1 < len(row):
        value += high * row[at + 1]
    return value


@njit(cache=True, nogil=True)
def edge_backward(row: Rows, target: Rows, grad: float, at: int, low: float, high: float) -> Any:
    """Add the edge's part of the input gradient to `target`; returns its part of the offset's derivative."""
    slope = row.dtype.type(0)
    if 0 <= at < len(row):
        target[at] += low * grad
        slope -= row[at]
    if 0 <= at + 1 < len(row):
        target[at + 1] += high * grad
        slope += row[at + 1]
    return slope * grad
