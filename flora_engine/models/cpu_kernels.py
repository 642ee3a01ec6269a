"""Row kernels for the CPU, compiled by Numba on first use and cached beside this file.

Arrays are (C, V, T) of one body, time innermost: both shifts of Shift-GCN only move rows, so that one pass over
contiguous rows does everything between two matrix products. All kernels release the GIL and run on one thread.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Rows = np.ndarray[Any, np.dtype[np.float32]]
kernel = njit(cache=True, nogil=True, fastmath={"contract", "nsz"}, error_model="numpy")


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
