"""Encoder features of a zero-shot split, for both phases (docs/method.md, sections 4 and 8)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STRETCHES = 3  # of time, into which local features cut a recording, as PURLS does


@dataclass(frozen=True)
class Features:
    """The unified feature file of the published benchmarks.

    train_data: float32 (N, F), the train part of the seen classes. zsl_data: the test part of the unseen classes.
    gzsl_data: the whole test part. Labels int64, 0-based over all K classes.
    """

    train_data: NDArray[np.float32]
    train_label: NDArray[np.int64]
    zsl_data: NDArray[np.float32]
    zsl_label: NDArray[np.int64]
    gzsl_data: NDArray[np.float32]
    gzsl_label: NDArray[np.int64]
