"""Neighbour-aware semantics: each class borrows a little from the classes most like it (docs/method.md, section 5)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def neighbours(states: NDArray[np.float32], count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The `count` most similar other classes of each class and their cosine similarities, most similar first.

    states: float32 (K, L+1, C), every class, seen and unseen. Similarity is the cosine between token means.
    Returns int64 (K, count) and float32 (K, count); count is cut to K−1.
    """
    count = min(count, len(states) - 1)
    means = states.mean(axis=1, dtype=np.float64)
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    similarity = means @ means.T
    np.fill_diagonal(similarity, -np.inf)
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :count]
    return order, np.take_along_axis(similarity, order, axis=1).astype(np.float32)


def attune(states: NDArray[np.float32], count: int, weight: float) -> NDArray[np.float32]:
    """Ê_i = E_i + (weight/count)·Σ_j s_ij·E_j over the `count` nearest classes j; count 0 changes nothing.

    states and result: float32 (K, L+1, C). Where fewer than `count` other classes exist, all of them are used.
    """
    if count == 0 or weight == 0 or len(states) < 2:
        return states
    indices, similarities = neighbours(states, count)
    factor = (weight / indices.shape[1] * similarities).astype(np.float32)
    attuned = states.copy()
    for position in range(indices.shape[1]):  # one neighbour at a time: no (K, count, L+1, C) in memory
        attuned += factor[:, position, None, None] * states[indices[:, position]]
    return attuned
