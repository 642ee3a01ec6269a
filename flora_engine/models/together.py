"""A model's graphs and its descriptors together: the sum of their scores, weighed as held-out folds choose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Weights:
    """How much the scores of the graphs and of the descriptors count, each in units of its own spread."""

    graphs: float
    descriptors: float


# What held-out folds choose among. Their pseudo-unseen classes were seen by the encoder, which flatters the graphs: of
# equals the one with the least of them is taken, so it comes first.
GRID = (Weights(0, 1), Weights(0.25, 1), Weights(0.5, 1), Weights(1, 1), Weights(1, 0.5), Weights(1, 0))
UNCHOSEN = Weights(1, 1)  # if there are no recordings to choose by


def spread(scores: Array) -> float:
    """Of scores (N, K) about each recording's mean: a sum counts both parts alike if each is divided by its own."""
    return max(float((scores - scores.mean(axis=1, keepdims=True)).std()), 1e-12)
