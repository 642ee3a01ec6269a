"""What modules that measure signals share: types, angles, soft thresholds, values with their moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flora_engine.descriptors.filters import Floats
from flora_engine.descriptors.motion import Motion

Signals = dict[str, Floats]


@dataclass(frozen=True)
class Whole:
    """One value for a whole recording. first, last: the frames that made it; last -1 is the end."""

    value: float
    first: int = 0
    last: int = -1

    @staticmethod
    def counted(frames: NDArray[np.int64], m: Motion) -> Whole:
        """Events per second, from their frames. A recording counts as one second or longer."""
        first, last = (int(frames[0]), int(frames[-1])) if len(frames) else (0, -1)
        return Whole(len(frames) / max(m.duration, 1.0), first, last)


Wholes = dict[str, Whole]


def length(vectors: Floats) -> Floats:
    """Euclidean length along the last axis."""
    return np.asarray(np.sqrt(np.einsum("...c,...c->...", vectors, vectors)))


def angle(a: Floats, b: Floats) -> Floats:
    """Degrees between vectors along the last axis; 90 if one has no length."""
    cosine = np.einsum("...c,...c->...", a, b) / np.maximum(length(a) * length(b), 1e-9)
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def ramp(x: Floats, threshold: float, width: float) -> Floats:
    """0 below, 1 above the threshold, a straight line of this width between: a share without jumps."""
    return np.asarray(np.clip((x - threshold) / width + 0.5, 0, 1))
