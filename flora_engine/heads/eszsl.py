"""Ridge regression between features and text vectors, in closed form.

Romera-Paredes and Torr, "An embarrassingly simple approach to zero-shot learning" (ICML 2015):
V = (XᵀX + γI)⁻¹ Xᵀ Y S (SᵀS + λI)⁻¹, score = x V s_c, with Y ±1 over seen classes and S their text vectors.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from flora_engine.config import FloraSettings
from flora_engine.heads import Array, Choice, Fit, Labels
from flora_engine.models.flora.direct import Ridge

FLOW = False


def choices(settings: FloraSettings) -> list[Choice]:
    """Ridge of features (relative to the mean eigenvalue of XᵀX) and of texts (likewise)."""
    return [{"features": g, "texts": t} for g in (1.0, 0.1, 10.0) for t in (1.0, 0.1, 10.0)]


def _ridge(gram: NDArray[np.float64], relative: float) -> NDArray[np.float64]:
    size = len(gram)
    return gram + np.eye(size) * (relative * float(np.trace(gram)) / size)


def fit(task: Fit) -> Ridge:
    """Solve two linear systems in float64; nothing is iterated or sampled."""
    task.job.progress("solve the ridge regression", 0, 1)
    seen = task.problem.seen
    mean, spread = task.problem.data.mean(axis=0), task.problem.data.std(axis=0) + 1e-6
    x = ((task.problem.data - mean) / spread).astype(np.float64)
    vectors = task.problem.vectors.astype(np.float64)
    vectors = vectors - vectors.mean(axis=0)
    texts = vectors[seen]
    targets = np.where(task.problem.labels[:, None] == seen, 1.0, -1.0)
    left = np.linalg.solve(_ridge(x.T @ x, task.choice["features"]), x.T @ targets @ texts)
    weights = np.linalg.solve(_ridge(texts.T @ texts, task.choice["texts"]), left.T).T

    def score(features: Array, classes: Labels) -> Array:
        scaled = (features - mean) / spread
        return np.asarray(scaled @ weights @ vectors[classes].T, np.float32)

    task.watch(1, score, None)
    task.job.progress("solve the ridge regression", 1, 1)
    return Ridge(*(torch.from_numpy(np.asarray(part, np.float32)) for part in (mean, spread, weights)))
