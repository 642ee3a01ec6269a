"""Labelled clips in memory, ready for an encoder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Clips:
    """N prepared recordings of one data set.

    joints: float32 (N, 3, T, V, M), the encoder's input. labels: int64 (N,), 0-based over `class_names`.
    subjects, cameras, setups: int64 (N,), as in the file names; 0 where unknown. names: recording names.
    """

    joints: NDArray[np.float32]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    class_names: tuple[str, ...]
    subjects: NDArray[np.int64]
    cameras: NDArray[np.int64]
    setups: NDArray[np.int64]
