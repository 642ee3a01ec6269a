"""A pose of calibration with which a recording begins: both arms straight out to the sides, then lowered.

Many recordings of motion capture and of depth sensors begin so. What the arms do there says nothing of the action, and
would be the largest reach, spread and height of the whole recording.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flora_engine.descriptors.filters import RATE, Floats
from flora_engine.descriptors.signals import Ints, angle, length

_STRAIGHT, _OPPOSITE = 40.0, 145.0  # degrees: bend of the elbows at most, angle between both arms seen from above
_LEVEL, _SLANTED = 0.35, 0.8  # sine of the arms' elevation: in the pose, and at the latest while they are lowered
_HANGING = 0.5  # torsos below the shoulder
_START, _LONGEST, _SHORTEST_REST = 0.3, 2.5, 0.7  # seconds: to find the pose in, of the lowering, of what must remain
_AGAIN = 0.02  # share of the rest in which the pose may be seen: more, and it belongs to the action
_RAISED = 0.2  # torsos that a hand may still rise before it is lowered
_SETTLED = 0.02  # torsos per frame: hands that sink more slowly have arrived


def opening(shoulders: Floats, elbows: Floats, hands: Floats) -> Ints:
    """(B,): how many frames at the start are such a pose and its end; 0 if the pose comes back, or nothing remains.

    Points (B, N, 2, 3) of both sides, in torsos, y up.
    """
    count = np.zeros(len(hands), np.int64)
    arms = hands - shoulders
    size = np.maximum(length(arms), 1e-6)
    rising = arms[..., 1] / size
    flat = arms * np.array([1.0, 0.0, 1.0])
    apart = (angle(flat[:, :, 0], flat[:, :, 1]) > _OPPOSITE) & (rising < _LEVEL).all(axis=2)
    apart &= (angle(elbows - shoulders, hands - elbows) < _STRAIGHT).all(axis=2)
    spread = apart & (rising > -_LEVEL).all(axis=2)
    slanted = apart & (rising > -_SLANTED).all(axis=2)
    for b in np.flatnonzero(slanted[:, : int(_START * RATE)].any(axis=1)):
        count[b] = _length(arms[b, :, :, 1], spread[b], slanted[b])
    return count


def _length(heights: Floats, spread: NDArray[np.bool_], slanted: NDArray[np.bool_]) -> int:
    """Frames of one recording's opening pose, from the hands' heights (N, 2) above the shoulders."""
    begin = int(slanted.argmax())
    end = begin + int(np.append(~slanted[begin:], True).argmax())
    hanging = (heights[end:] < -_HANGING).all(axis=1)
    if not hanging.any() or hanging.argmax() > _LONGEST * RATE:
        return 0
    down = end + int(hanging.argmax())
    sinking = np.diff(heights[down:].max(axis=1)) < -_SETTLED
    down += int(np.append(~sinking, True).argmax())
    rest = len(heights) - down
    rose = heights[begin : down + 1].max() - heights[begin].max() > _RAISED
    again = spread[down:].mean() > _AGAIN
    return 0 if rose or again or rest < max(_SHORTEST_REST * RATE, down) else down
