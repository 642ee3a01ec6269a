"""The temperature of a ranking against scipy's search, and at its limits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from flora_engine.evaluation.calibration import best_temperature


def loss(log_temperature: float, scores: np.ndarray, labels: np.ndarray) -> float:
    soft = scores.astype(np.float64) / np.exp(log_temperature)
    soft -= soft.max(axis=1, keepdims=True)
    return -float((soft[np.arange(len(labels)), labels] - np.log(np.exp(soft).sum(axis=1))).mean())


@pytest.mark.parametrize("scale", [0.01, 0.5, 3.0])
def test_it_is_the_temperature_that_scipy_finds(scale: float) -> None:
    random = np.random.default_rng(3)
    scores = random.normal(size=(300, 6)).astype(np.float32)
    labels = (scores + 0.8 * random.gumbel(size=scores.shape)).argmax(axis=1)
    scores = (scores * scale).astype(np.float32)
    expected = minimize_scalar(loss, args=(scores, labels), bounds=(-7, 3), method="bounded", options={"xatol": 1e-8})
    assert best_temperature(scores, labels) == pytest.approx(float(np.exp(expected.x)), rel=1e-4)


def test_scores_that_are_always_right_or_never_end_at_a_limit() -> None:
    scores = np.eye(5, dtype=np.float32)
    assert best_temperature(scores, np.arange(5)) == pytest.approx(np.exp(-7), rel=0.2)
    assert best_temperature(scores, (np.arange(5) + 1) % 5) == pytest.approx(np.exp(3), rel=1e-3)
