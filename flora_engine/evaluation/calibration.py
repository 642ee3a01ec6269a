"""How soft scores have to be to mean what they say: one temperature, fitted on held-out classes.

Source: Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017), temperature scaling.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_LOG_RANGE = (-7.0, 3.0)
_TOLERANCE = 1e-6  # of the logarithm
_GOLDEN = (5**0.5 - 1) / 2


def _minimum(loss: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that falls and then rises is least, by golden section."""
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = loss(left), loss(right)
    while high - low > _TOLERANCE:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = loss(right)
    return (low + high) / 2


def best_temperature(scores: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The τ for which softmax(scores / τ) gives the labels the highest likelihood.

    scores: float32 (N, K), larger is better. labels: int64 (N,), columns of `scores`. τ is kept within e^−7 … e^3.
    """
    wide = scores.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)

    def loss(log_temperature: float) -> float:
        soft = wide / np.exp(log_temperature)
        likelihood = soft[np.arange(len(labels)), labels] - np.log(np.exp(soft).sum(axis=1))
        return -float(likelihood.mean())

    # The likelihood is concave in 1/τ, so the loss has one minimum in log τ.
    return float(np.exp(_minimum(loss, *_LOG_RANGE)))
