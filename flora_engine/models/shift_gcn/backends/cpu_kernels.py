"""Row kernels for Shift-GCN's blocks on the CPU (see `cpu`), compiled by Numba on first use and cached on disk.

Arrays are (C, V, B, T): channels, joints, bodies, frames, contiguous, float32 or float64; time innermost, so that both
shifts only move rows. A kernel works on channels [start, stop), releases the GIL and runs on one thread, so that
threads share nothing. Batch norms use biased variances of the batch; `mean` and `inverse` are the mean and
1 / sqrt(variance + eps). With `known` they are given, else they are computed and written.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = np.ndarray[Any, np.dtype[Any]]
# Sums may be reordered (so that they vectorise), NaN and infinity are respected.
kernel = njit(cache=True, nogil=True, fastmath={"contract", "nsz", "reassoc"}, error_model="numpy")
# What kernels call is inlined into each. As functions of their own, several compiled copies (reordered differently)
# would carry one name, and which of them runs would depend on whether the cache was there: other last bits.
part = njit(cache=True, nogil=True, fastmath={"contract", "nsz", "reassoc"}, error_model="numpy", forceinline=True)


@njit(cache=True, nogil=True, inline="always")
def whole_and_share(y: float, frames: int) -> tuple[int, float]:
    """floor(y), brought to where everything is outside if it is farther, and the share of the next frame."""
    below = np.floor(y)
    return max(min(int(below), frames), -frames - 1), y - below


@njit(cache=True, nogil=True, inline="always")
def inner_range(k: int, stride: int, frames: int, after: int) -> tuple[int, int]:
    """The outputs [first, last) of which both taps, t·stride + k and the next, lie inside the clip."""
    first = min(max(-(k // stride), 0), after)  # ceil(-k / stride)
    last = (frames - 2 - k) // stride + 1
    return first, max(first, min(last, after))


@njit(cache=True, nogil=True)
def at_edge(row: Array, at: int, low: float, high: float) -> Any:
    """The interpolated value where taps `at` and `at + 1` may lie outside."""
    value = row.dtype.type(0)
    if 0 <= at < len(row):
        value += low * row[at]
    if 0 <= at + 1 < len(row):
        value += high * row[at + 1]
    return value


@njit(cache=True, nogil=True)
def edge_backward(row: Array, target: Array, grad: float, at: int, low: float, high: float) -> Any:
    """Add the edge's part of the input gradient to `target`; returns its part of the offset's derivative."""
    slope = row.dtype.type(0)
    if 0 <= at < len(row):
        target[at] += low * grad
        slope -= row[at]
    if 0 <= at + 1 < len(row):
        target[at + 1] += high * grad
        slope += row[at + 1]
    return slope * grad


@kernel
def mask_in(x: Array, mask: Array, out: Array, start: int, stop: int) -> None:
    """out[c, v] = mask[c, v] · x[c, (v + c) mod V]."""
    joints = x.shape[1]
    for c in range(start, stop):
        for v in range(joints):
            source, target, m = x[c, (v + c) % joints].ravel(), out[c, v].ravel(), mask[c, v]
            for i in range(len(source)):
                target[i] = m * source[i]


@kernel
def mask_in_backward(
    x: Array, mask: Array, grad: Array, grad_x: Array, grad_mask: Array, start: int, stop: int
) -> None:
    joints = x.shape[1]
    for c in range(start, stop):
        for v in range(joints):
            at = (v + c) % joints
            source, given, target, m = x[c, at].ravel(), grad[c, v].ravel(), grad_x[c, at].ravel(), mask[c, v]
            total = x.dtype.type(0)
            for i in range(len(source)):
                total += source[i] * given[i]
                target[i] = m * given[i]
            grad_mask[c, v] = total


@part
def moments(x: Array, eps: float) -> tuple[Any, Any]:
    """Mean and 1 / sqrt(variance + eps) of a flat array; two passes, for the digits."""
    total = x.dtype.type(0)
    for i in range(len(x)):
        total += x[i]
    mean = total / len(x)
    square = x.dtype.type(0)
    for i in range(len(x)):
        square += (x[i] - mean) * (x[i] - mean)
    return mean, x.dtype.type(1 / np.sqrt(square / len(x) + eps))


@kernel
def finish_spatial(
    y: Array, kept: Array, weight: Array, bias: Array, mean: Array, inverse: Array,
    weight_in: Array, bias_in: Array, mean_in: Array, inverse_in: Array,
    ypos: Array, eps: float, known: bool, z: Array, out: Array, start: int, stop: int,
) -> None:  # fmt: skip
    """Joint shift-out, batch norm per joint, add `kept`, ReLU → z; batch norm per channel, temporal shift → out.

    weight, bias, mean, inverse: (C, V); the others with _in, and ypos: (C,).
    """
    joints, bodies, frames = y.shape[1:]
    for c in range(start, stop):
        for v in range(joints):
            source, add, target = y[c, (v - c) % joints].ravel(), kept[c, v].ravel(), z[c, v].ravel()
            if not known:
                mean[c, v], inverse[c, v] = moments(source, eps)
            a = weight[c, v] * inverse[c, v]
            b = bias[c, v] - a * mean[c, v]
            for i in range(len(source)):
                value = a * source[i] + b + add[i]
                target[i] = value if value > 0 else 0
        if not known:
            mean_in[c], inverse_in[c] = moments(z[c].ravel(), eps)
        a = weight_in[c] * inverse_in[c]
        b = bias_in[c] - a * mean_in[c]
        k, high = whole_and_share(ypos[c], frames)
        low, first, last = 1 - high, *inner_range(k, 1, frames, frames)
        for v in range(joints):
            for n in range(bodies):
                source, target = z[c, v, n], out[c, v, n]
                for t in range(first, last):
                    target[t] = a * (low * source[t + k] + high * source[t + k + 1]) + b
                for t in range(first):
                    target[t] = norm_at_edge(source, t + k, low, high, a, b)
                for t in range(last, frames):
                    target[t] = norm_at_edge(source, t + k, low, high, a, b)


@part
def norm_at_edge(row: Array, at: int, low: float, high: float, a: float, b: float) -> Any:
    """The shifted a·row + b where taps may lie outside, where there is 0 and not b."""
    value = row.dtype.type(0)
    if 0 <= at < len(row):
        value += low * (a * row[at] + b)
    if 0 <= at + 1 < len(row):
        value += high * (a * row[at + 1] + b)
    return value


@part
def shift_back(grad: Array, k: int, low: Any, high: Any, stride: int, target: Array, row: Array) -> Any:
    """The input gradient of one row's temporal shift into `target`; returns the offset's derivative, given the
    shifted row itself."""
    frames, after = len(row), len(grad)
    first, last = inner_range(k, stride, frames, after)
    total = row.dtype.type(0)
    for t in range(first, last):
        at = t * stride + k
        total += grad[t] * (row[at + 1] - row[at])
    target[:] = 0
    if stride == 1 and first < last:
        target[first + k] = low * grad[first]
        for t in range(first + 1, last):
            target[t + k] = low * grad[t] + high * grad[t - 1]
        target[last + k] = high * grad[last - 1]
    else:
        for t in range(first, last):
            target[t * stride + k] = low * grad[t]
            target[t * stride + k + 1] = high * grad[t]
    for t in range(first):
        total += edge_backward(row, target, grad[t], t * stride + k, low, high)
    for t in range(last, after):
        total += edge_backward(row, target, grad[t], t * stride + k, low, high)
    return total


@part
def norm_back(x: Array, grad: Array, mean: Any, inverse: Any, weight: Any, target: Array) -> tuple[Any, Any]:
    """Batch norm backward over flat arrays; `target` may be `grad`. Returns the gradients of weight and bias."""
    total, slope = x.dtype.type(0), x.dtype.type(0)
    for i in range(len(x)):
        total += grad[i]
        slope += grad[i] * (x[i] - mean)
    slope *= inverse
    a, b = weight * inverse, total / len(x)
    d = slope / len(x) * inverse
    for i in range(len(x)):
        target[i] = a * (grad[i] - b - (x[i] - mean) * d)
    return slope, total


@kernel
def finish_spatial_backward(
    grad: Array, y: Array, z: Array, weight: Array, mean: Array, inverse: Array,
    weight_in: Array, bias_in: Array, mean_in: Array, inverse_in: Array, ypos: Array,
    grad_y: Array, grad_kept: Array, grad_weight: Array, grad_bias: Array,
    grad_weight_in: Array, grad_bias_in: Array, grad_ypos: Array, start: int, stop: int,
) -> None:  # fmt: skip
    joints, bodies, frames = y.shape[1:]
    normed = np.empty(frames, y.dtype)
    for c in range(start, stop):
        a = weight_in[c] * inverse_in[c]
        b = bias_in[c] - a * mean_in[c]
        k, high = whole_and_share(ypos[c], frames)
        low = 1 - high
        total = 0.0
        for v in range(joints):
            for n in range(bodies):
                row = z[c, v, n]
                for t in range(frames):
                    normed[t] = a * row[t] + b
                total += shift_back(grad[c, v, n], k, low, high, 1, grad_kept[c, v, n], normed)
        grad_ypos[c] = total
        slab, given = z[c].ravel(), grad_kept[c].ravel()
        grad_weight_in[c], grad_bias_in[c] = norm_back(slab, given, mean_in[c], inverse_in[c], weight_in[c], given)
        for i in range(len(slab)):
            given[i] = given[i] if slab[i] > 0 else 0
        for v in range(joints):
            at = (v - c) % joints
            grad_weight[c, v], grad_bias[c, v] = norm_back(
                y[c, at].ravel(),
                grad_kept[c, v].ravel(),
                mean[c, v],
                inverse[c, v],
                weight[c, v],
                grad_y[c, at].ravel(),
            )


@kernel
def finish_temporal(
    h: Array, bias: Array, ypos: Array, stride: int, weight: Array, shift: Array, mean: Array, inverse: Array,
    kept: Array, has_kept: bool, eps: float, known: bool, q: Array, out: Array, start: int, stop: int,
) -> None:  # fmt: skip
    """Bias, ReLU, temporal shift with stride → q; batch norm, add `kept`, ReLU → out. Parameters are (C,)."""
    joints, bodies, frames = h.shape[1:]
    after = out.shape[3]
    positive = np.empty(frames, h.dtype)
    for c in range(start, stop):
        k, high = whole_and_share(ypos[c], frames)
        low, first, last = 1 - high, *inner_range(k, stride, frames, after)
        for v in range(joints):
            for n in range(bodies):
                source, target = h[c, v, n], q[c, v, n]
                for t in range(frames):
                    value = source[t] + bias[c]
                    positive[t] = value if value > 0 else 0
                for t in range(first, last):
                    target[t] = low * positive[t * stride + k] + high * positive[t * stride + k + 1]
                for t in range(first):
                    target[t] = at_edge(positive, t * stride + k, low, high)
                for t in range(last, after):
                    target[t] = at_edge(positive, t * stride + k, low, high)
        slab, result = q[c].ravel(), out[c].ravel()
        if not known:
            mean[c], inverse[c] = moments(slab, eps)
        a = weight[c] * inverse[c]
        b = shift[c] - a * mean[c]
        if has_kept:
            add = kept[c].ravel()
            for i in range(len(slab)):
                value = a * slab[i] + b + add[i]
                result[i] = value if value > 0 else 0
        else:
            for i in range(len(slab)):
                value = a * slab[i] + b
                result[i] = value if value > 0 else 0


@kernel
def finish_temporal_backward(
    grad: Array, out: Array, h: Array, q: Array, bias: Array, ypos: Array, stride: int,
    weight: Array, mean: Array, inverse: Array,
    grad_h: Array, grad_kept: Array, grad_bias: Array, grad_ypos: Array, grad_weight: Array, grad_shift: Array,
    start: int, stop: int,
) -> None:  # fmt: skip
    joints, bodies, frames = h.shape[1:]
    after = out.shape[3]
    positive, slab_grad = np.empty(frames, h.dtype), np.empty((joints, bodies, after), h.dtype)
    for c in range(start, stop):
        given, result, kept, flat = grad[c].ravel(), out[c].ravel(), grad_kept[c].ravel(), slab_grad.ravel()
        for i in range(len(given)):
            kept[i] = given[i] if result[i] > 0 else 0
        grad_weight[c], grad_shift[c] = norm_back(q[c].ravel(), kept, mean[c], inverse[c], weight[c], flat)
        k, high = whole_and_share(ypos[c], frames)
        low = 1 - high
        total, total_bias = 0.0, 0.0
        for v in range(joints):
            for n in range(bodies):
                source, target = h[c, v, n], grad_h[c, v, n]
                for t in range(frames):
                    value = source[t] + bias[c]
                    positive[t] = value if value > 0 else 0
                total += shift_back(slab_grad[v, n], k, low, high, stride, target, positive)
                part = h.dtype.type(0)
                for t in range(frames):
                    target[t] = target[t] if positive[t] > 0 else 0
                    part += target[t]
                total_bias += part
        grad_ypos[c], grad_bias[c] = total, total_bias
