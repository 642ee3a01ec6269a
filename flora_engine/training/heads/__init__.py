"""Heads: ways to name an action from encoder features and class texts, behind one small protocol.

A head is a module with `CHOICES`, the hyper-parameters among which a held-out protocol chooses, and `fit`. Scores are
"larger is better", and a constant added to the unseen classes calibrates generalised decisions (for Flora: log errors,
so that the constant is the logarithm of the published calibration factor).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
Scorer = Callable[[NDArray[np.float32]], Scores]
Choice = Mapping[str, Any]
Watch = Callable[[int, Scorer], None]


@dataclass(frozen=True)
class Problem:
    """What a head may see while it learns.

    data: float32 (N, F) encoder features of seen classes. labels: int64 (N,), 0-based over all K classes. states:
    float32 (K, L+1, 2d) raw class states of every class, seen and unseen. seed: of weights, batches and noise.
    """

    data: NDArray[np.float32]
    labels: NDArray[np.int64]
    states: NDArray[np.float32]
    seed: int = 0
    device: str = "cpu"

    @property
    def seen(self) -> NDArray[np.int64]:
        """Classes with training samples, increasing."""
        return np.unique(self.labels)
