"""How soft scores have to be to mean what they say: one temperature, fitted on held-out classes.

Source: Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017), temperature scaling.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

_LOG_RANGE = (-7.0, 3.0)


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

    return float(np.exp(minimize_scalar(loss, bounds=_LOG_RANGE, method="bounded").x))
