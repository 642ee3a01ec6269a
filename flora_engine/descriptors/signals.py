"""What modules that measure signals share: types, angles, soft thresholds, values with their moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flora_engine.descriptors.filters import Floats

Signals = dict[str, Floats]


@dataclass(frozen=True)
class Whole:
    """One value for a whole recording. first, last: the frames that made it; last -1 is the end."""

    value: float
    first: int = 0
    last: int = -1


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


def mirror_correlation(velocities: Floats) -> float:
    """Correlation of one side's velocity (N, 2, 3) with the other's, mirrored: 1 as in a mirror, -1 alternating.

    0 if one side hardly moves: motion of less than 0.1 torsos/s is noise.
    """
    right, left = velocities[:, 0], velocities[:, 1] * np.array([-1.0, 1.0, 1.0])
    power = np.sqrt(np.einsum("tc,tc->", right, right) * np.einsum("tc,tc->", left, left))
    return float(np.einsum("tc,tc->", right, left) / (power + 0.01 * len(right)))


def shares(speed: Floats, part: str) -> Wholes:
    """What each side has of the path of both, from (N, 2) speeds; equal shares if neither moves."""
    path = speed.sum(axis=0)
    rest = 0.05 * len(speed)
    right = float((path[0] + rest) / (path.sum() + 2 * rest))
    return {
        f"right_{part}_motion_share": Whole(right),
        f"left_{part}_motion_share": Whole(1 - right),
        f"one_{part}_dominance": Whole(abs(2 * right - 1)),
    }
