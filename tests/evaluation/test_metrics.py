"""Measures against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest

from flora_engine.evaluation import metrics
from flora_engine.evaluation.metrics import Generalised, best_bonus

SEEN, UNSEEN = np.array([0, 2]), np.array([1, 3])


def generalised(seed: int = 0, n: int = 60) -> tuple[Generalised, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 4, n)
    columns = np.array([0, 2, 1, 3])
    scores = (random.normal(size=(n, 4)) + 1.2 * (labels[:, None] == columns)).astype(np.float32)
    scores = np.round(scores, 1)  # ties between margins
    return Generalised.of(scores, labels, SEEN, UNSEEN), scores, labels


def by_hand(scores: np.ndarray, labels: np.ndarray, bonus: float) -> tuple[float, float]:
    columns = [0, 2, 1, 3]
    right: dict[bool, list[bool]] = {True: [], False: []}
    for row, label in zip(scores.astype(np.float64), labels, strict=True):
        best_seen = max(range(2), key=lambda c: row[c])
        best_unseen = max((2, 3), key=lambda c: row[c])
        margin = np.float32(row[best_seen]) - np.float32(row[best_unseen])
        chosen = best_unseen if bonus > margin else best_seen
        right[label in UNSEEN].append(columns[chosen] == label)
    return float(np.mean(right[False])), float(np.mean(right[True]))


def test_decisions_at_any_bonus_are_those_counted_by_hand() -> None:
    found, scores, labels = generalised()
    for bonus in (-3.0, -0.51, 0.0, 0.27, 4.0):
        assert found.accuracies(bonus) == pytest.approx(by_hand(scores, labels, bonus))


def test_the_curve_goes_through_every_decision() -> None:
    found, _, _ = generalised()
    bonuses, seen, unseen = found.curve()
    for bonus, s, u in zip(bonuses, seen, unseen, strict=True):
        assert found.accuracies(bonus) == pytest.approx((s, u))
    assert np.all(np.diff(seen) <= 0) and np.all(np.diff(unseen) >= 0)
    assert unseen[0] == 0 and seen[-1] == 0


def test_a_bonus_between_neighbouring_float32_margins_parts_them() -> None:
    """With whatever NumPy makes of a Python number beside float32."""
    low, high = np.float32(1), np.nextafter(np.float32(1), np.float32(2))
    scores = np.array([[low, -9, 0, -9], [high, -9, 0, -9]], np.float32)
    found = Generalised.of(scores, np.array([0, 0]), SEEN, UNSEEN)
    between = (float(low) + float(high)) / 2
    assert found.decide(between).tolist() == found.decide(np.float64(between)).tolist() == [UNSEEN[0], SEEN[0]]


def test_area() -> None:
    labels = np.array([0, 1])
    perfect = Generalised.of(np.array([[1, -9, 0, -9], [0, -9, 1, -9]], np.float32), labels, SEEN, UNSEEN)
    assert perfect.area() == pytest.approx(1.0)
    confused = Generalised.of(np.array([[0, -9, 1, -9], [1, -9, 0, -9]], np.float32), labels, SEEN, UNSEEN)
    assert confused.area() == pytest.approx(0.0)


def test_the_best_bonus_of_folds_is_the_best_of_a_fine_grid() -> None:
    parts = [generalised(seed)[0] for seed in range(3)]
    bonus, value = best_bonus(parts)
    grid = np.linspace(-6, 6, 3001)
    means = [np.mean([metrics.harmonic(*part.accuracies(b)) for part in parts]) for b in grid]
    assert value >= max(means) - 1e-9
    assert np.mean([metrics.harmonic(*part.accuracies(bonus)) for part in parts]) == pytest.approx(value)


def test_the_bonus_is_minus_the_logarithm_of_the_published_factor() -> None:
    import torch

    from flora_engine.models.flora.network import decide_generalised

    errors = torch.rand(50, 4, generator=torch.Generator().manual_seed(0)) + 0.1
    published = decide_generalised(errors, torch.from_numpy(SEEN), torch.from_numpy(UNSEEN), 0.75).numpy()
    scores = -np.log(errors.numpy())[:, [0, 2, 1, 3]]
    ours = Generalised.of(scores, np.zeros(50, np.int64), SEEN, UNSEEN).decide(-float(np.log(0.75)))
    np.testing.assert_array_equal(ours, published)
    assert len({int(c) in SEEN for c in ours}) == 2


def test_confusion_and_summaries() -> None:
    labels, predicted = np.array([0, 0, 2, 1]), np.array([0, 2, 2, 1])
    table = metrics.confusion(predicted, labels, 3)
    assert table.tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 1]]
    assert metrics.per_class(predicted, labels) == {0: 0.5, 1: 1.0, 2: 1.0}
    assert metrics.harmonic(0.0, 0.0) == 0.0 and metrics.harmonic(0.5, 1.0) == pytest.approx(2 / 3)
    summary = metrics.mean_and_error([0.2, 0.4, 0.6])
    assert summary["mean"] == pytest.approx(0.4)
    assert summary["error"] == pytest.approx(0.2 / 3**0.5)
    assert metrics.mean_and_error([0.5])["error"] is None
