"""The compiled inner loop of the NTU reader: bytes in, x y z and tracking state out.

A `.skeleton` line has twelve numbers, of which four are needed, so a general number parser wastes most of its time.
This one walks the bytes once and turns only x y z into numbers. A decimal of at most 2**53 in digits and a power of ten
of at most 22 is exact as one product or quotient of two exact doubles (Clinger's fast path), hence equal to what
Python's `float` gives; all others ("hard" ones, nearly never seen) are left to the caller, who asks Python.

Numba comes with the extra `train`. Without it the same loop runs in plain Python, some hundred times slower: then
`_ntu_lines` reads what is regular, and this loop only says what is wrong with the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from flora_engine.readers._ntu_lines import JOINTS, MAX_BODIES

try:
    from numba import njit
except ModuleNotFoundError:
    COMPILED = False

    def njit(**_: Any) -> Callable[[Any], Any]:  # type: ignore[no-redef]
        """Numba's decorator, which then changes nothing."""
        return lambda function: function
else:
    COMPILED = True

# How parsing ended. Each but DONE stops at `position`, the byte where the trouble is.
DONE, CUT_SHORT, NOT_A_NUMBER, TOO_MANY_BODIES, NOT_25_JOINTS, NOT_12_NUMBERS, TRACKING_STATE = range(7)
# The shortest possible body: ten one-digit fields, the joint count, 25 lines of twelve one-digit fields.
BODY_BYTES = 10 * 2 + 3 + 25 * 12 * 2

_POWERS = 10.0 ** np.arange(23)


@njit(cache=True, nogil=True, inline="always")
def _skip_white(data, at, end):  # type: ignore[no-untyped-def]
    while at < end and data[at] <= 32:
        at += 1
    return at


@njit(cache=True, nogil=True)
def _integer(data, at, end):  # type: ignore[no-untyped-def]
    """(value, position after it); position -1 where there is no plain integer of at most 19 digits."""
    at = _skip_white(data, at, end)
    value = np.uint64(0)
    start = at
    while at < end and 48 <= data[at] <= 57:
        value = value * np.uint64(10) + np.uint64(data[at] - 48)
        at += 1
    if at == start or at - start > 19 or (at < end and data[at] > 32):
        return value, -1
    return value, at


@njit(cache=True, nogil=True)
def parse(  # type: ignore[no-untyped-def]  # noqa: PLR0911, PLR0912, PLR0915 - one loop, made for the compiler
    data, at, frames, frame_of, position_of, body_id, joints, tracking, hard
):
    """Parse `frames` frames from byte `at` on.

    data: uint8 (S,), or bytes if not compiled. Out, one row per body: frame_of, position_of int32; body_id uint64;
    joints float32 (., 75); tracking uint8 (., 25); hard int64 (., 2): (index into joints, byte) of every number left to
    the caller.
    Returns (status, position, frames finished, rows, hard numbers).
    """
    end = len(data)
    row = 0
    hards = 0
    for frame in range(frames):
        at = _skip_white(data, at, end)
        if at >= end:
            return CUT_SHORT, at, frame, row, hards
        bodies, after = _integer(data, at, end)
        if after < 0:
            return NOT_A_NUMBER, at, frame, row, hards
        if bodies > MAX_BODIES:
            return TOO_MANY_BODIES, at, frame, row, hards
        at = after
        for body in range(np.int64(bodies)):
            at = _skip_white(data, at, end)
            if at >= end or row >= frame_of.size:
                return CUT_SHORT, end, frame, row, hards
            identity, after = _integer(data, at, end)
            if after < 0:
                return NOT_A_NUMBER, at, frame, row, hards
            while after < end and data[after] != 10 and data[after] != 13:
                after += 1
            at = _skip_white(data, after, end)
            if at >= end:
                return CUT_SHORT, at, frame, row, hards
            count, after = _integer(data, at, end)
            if after < 0:
                return NOT_A_NUMBER, at, frame, row, hards
            if count != JOINTS:
                return NOT_25_JOINTS, at, frame, row, hards
            at = after
            for joint in range(JOINTS):
                for axis in range(3):
                    at = _skip_white(data, at, end)
                    if at >= end:
                        return CUT_SHORT, at, frame, row, hards
                    start = at
                    negative = data[at] == 45
                    if negative or data[at] == 43:
                        at += 1
                    mantissa = np.int64(0)
                    digits = 0
                    scale = 0
                    simple = True
                    while at < end and 48 <= data[at] <= 57:
                        mantissa = mantissa * 10 + (data[at] - 48)
                        digits += 1
                        at += 1
                    if at < end and data[at] == 46:
                        at += 1
                        point = at
                        while at < end and 48 <= data[at] <= 57:
                            mantissa = mantissa * 10 + (data[at] - 48)
                            at += 1
                        digits += at - point
                        scale = point - at
                    if digits > 0 and at < end and (data[at] == 69 or data[at] == 101):
                        at += 1
                        below = at < end and data[at] == 45
                        if at < end and (data[at] == 45 or data[at] == 43):
                            at += 1
                        first = at
                        exponent = 0
                        while at < end and 48 <= data[at] <= 57 and at - first < 4:
                            exponent = exponent * 10 + (data[at] - 48)
                            at += 1
                        simple = at > first
                        scale += -exponent if below else exponent
                    index = joint * 3 + axis
                    if (
                        not simple
                        or digits == 0
                        or digits > 18
                        or mantissa > 9007199254740992
                        or scale > 22
                        or scale < -22
                        or (at < end and data[at] > 32)
                    ):
                        while at < end and data[at] > 32:
                            at += 1
                        hard[hards, 0] = row * (JOINTS * 3) + index
                        hard[hards, 1] = start
                        hards += 1
                    else:
                        value = np.float64(mantissa)
                        value = value / _POWERS[-scale] if scale < 0 else value * _POWERS[scale]
                        joints[row, index] = -value if negative else value
                # The other eight fields are only counted; the last one, the tracking state, is one digit.
                fields = 0
                inside = False
                state = np.uint8(255)
                line = at
                while at < end and data[at] != 10 and data[at] != 13:
                    here = data[at] > 32
                    fields += here and not inside
                    if here:
                        state = data[at]
                    inside = here
                    at += 1
                if fields != 9:
                    return CUT_SHORT if at >= end else NOT_12_NUMBERS, line, frame, row, hards
                if state < 48 or state > 50:
                    return TRACKING_STATE, line, frame, row, hards
                tracking[row, joint] = state - 48
            frame_of[row] = frame
            position_of[row] = body
            body_id[row] = identity
            row += 1
    return DONE, at, frames, row, hards
