"""What modules that measure signals share: types, angles, soft thresholds, values with their moment.

Everything is measured on B recordings of N frames each at once, on axes 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flora_engine.descriptors.filters import Floats

Signals = dict[str, Floats]  # (B, N) each
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Whole:
    """One value for each of B whole recordings. first, last: (B,) frames that made it; None for all frames."""

    values: Floats
    first: Ints | None = None
    last: Ints | None = None

    def part(self, chosen: Ints) -> Whole:
        """The same of some of the recordings."""
        first = None if self.first is None else self.first[chosen]
        return Whole(self.values[chosen], first, None if self.last is None else self.last[chosen])


Wholes = dict[str, Whole]


def dot(a: Floats, b: Floats) -> Floats:
    """Scalar products of vectors of three along the last axis; einsum costs four times as much on so short ones."""
    product = a * b
    return np.asarray(product[..., 0] + product[..., 1] + product[..., 2])


def length(vectors: Floats) -> Floats:
    """Euclidean length along the last axis, of two or three."""
    squares = vectors * vectors
    total = squares[..., 0] + squares[..., 1]
    if vectors.shape[-1] > 2:
        total += squares[..., 2]
    return np.asarray(np.sqrt(total))


def angle(a: Floats, b: Floats) -> Floats:
    """Degrees between vectors along the last axis; 90 if one has no length."""
    cosine = dot(a, b) / np.maximum(length(a) * length(b), 1e-9)
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def ramp(x: Floats, threshold: float, width: float) -> Floats:
    """0 below, 1 above the threshold, a straight line of this width between: a share without jumps."""
    return np.asarray(np.clip((x - threshold) / width + 0.5, 0, 1))


def mirror_correlation(velocities: Floats) -> Floats:
    """Correlation of one side's velocity (B, N, 2, 3) with the other's, mirrored: 1 as in a mirror, -1 alternating.

    0 if one side hardly moves: motion of less than 0.1 torsos/s is noise.
    """
    right, left = velocities[:, :, 0], velocities[:, :, 1] * np.array([-1.0, 1.0, 1.0])
    power = np.sqrt(dot(right, right).sum(axis=1) * dot(left, left).sum(axis=1))
    return np.asarray(dot(right, left).sum(axis=1) / (power + 0.01 * right.shape[1]))


def shares(speed: Floats, part: str) -> Wholes:
    """What each side has of the path of both, from (B, N, 2) speeds; equal shares if neither moves."""
    path = speed.sum(axis=1)
    rest = 0.05 * speed.shape[1]
    right = (path[:, 0] + rest) / (path.sum(axis=1) + 2 * rest)
    return {
        f"right_{part}_motion_share": Whole(right),
        f"left_{part}_motion_share": Whole(1 - right),
        f"one_{part}_dominance": Whole(np.abs(2 * right - 1)),
    }
