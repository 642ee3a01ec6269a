"""The learned gate: calibrated stacking is one of it, and it finds what the margin alone does not tell."""

from __future__ import annotations

import numpy as np
import pytest

from flora_engine.evaluation.gate import RIDGES, Gate, learn_gate, logistic
from flora_engine.evaluation.metrics import Generalised, best_bonus

SEEN, UNSEEN = np.arange(4), np.arange(4, 7)


def scored(seed: int, n: int = 300, hidden: float = 0.0) -> Generalised:
    """Scores in which the own class stands out. hidden: how much lower the other seen classes score for samples of seen
    classes, which the margin between the two best does not show."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 7, n)
    scores = random.normal(size=(n, 7)) + 1.5 * (np.arange(7) == labels[:, None])
    other = np.arange(7) != labels[:, None]
    scores[:, :4] -= hidden * ((labels < 4)[:, None] & other[:, :4])
    return Generalised.of(scores.astype(np.float32), labels, SEEN, UNSEEN)


def test_traits_of_a_worked_case() -> None:
    scores = np.array([[0.5, 2.0, 1.0, 0.5, 3.0, 1.0, 2.5]], np.float32)
    traits = Generalised.of(scores, np.array([4]), SEEN, UNSEEN).traits
    assert traits[0].tolist() == pytest.approx([1.0, 1.0, 0.5])
    one = Generalised.of(scores[:, :5], np.array([4]), SEEN, UNSEEN[:1]).traits
    assert one[0].tolist() == pytest.approx([1.0, 1.0, 0.0]), "a single class leads over none"
    raised = Generalised.of(scores + 7, np.array([4]), SEEN, UNSEEN).traits
    np.testing.assert_allclose(raised, traits, atol=1e-5)


def test_a_gate_that_sees_the_margin_alone_is_calibrated_stacking() -> None:
    found = scored(0)
    for bonus in (-1.0, 0.0, 0.37, 2.0):
        gate = Gate((1.0, 0.0, 0.0), bonus, 1.0)
        np.testing.assert_array_equal(gate.on(found).decide(gate.bonus), found.decide(bonus))
    assert gate.on(found).area() == pytest.approx(found.area(), abs=1e-6)


def test_logistic_regression_against_plain_descent() -> None:
    random = np.random.default_rng(0)
    traits = random.normal(size=(80, 2)) * [3.0, 0.1] + [5.0, 0.0]
    unseen = traits[:, 0] / 3 + traits[:, 1] / 0.1 + random.normal(size=80) > 2.5
    x = (traits - traits.mean(axis=0)) / traits.std(axis=0)
    weights, intercept = np.zeros(2), 0.0
    share = np.where(unseen, 0.5 / unseen.sum(), 0.5 / (~unseen).sum())
    for _ in range(20_000):
        wrong = share * (1 / (1 + np.exp(-(x @ weights + intercept))) - unseen)
        weights, intercept = weights - 0.5 * (x.T @ wrong + [0.0, 0.1] * weights), intercept - 0.5 * wrong.sum()
    np.testing.assert_allclose(logistic(traits, unseen, 0.1), weights / traits.std(axis=0), rtol=1e-3)


def test_the_gate_finds_what_the_margin_does_not_show() -> None:
    folds, test = [scored(seed, hidden=3.0) for seed in (0, 1, 2)], scored(9, 2000, hidden=3.0)
    gate = learn_gate(folds)
    assert gate is not None and gate.ridge in RIDGES

    def harmonic(found: Generalised, bonus: float) -> float:
        seen, unseen = found.accuracies(bonus)
        return 2 * seen * unseen / (seen + unseen)

    stacking = harmonic(test, best_bonus(folds)[0])
    assert harmonic(gate.on(test), gate.bonus) > stacking + 0.03
    assert gate.on(test).area() > test.area() + 0.03


def test_a_strong_ridge_leaves_the_margin_alone() -> None:
    found = scored(0, hidden=3.0)
    weak, strong = (logistic(found.traits.astype(np.float64), found.is_unseen, ridge) for ridge in (0.01, 1e6))
    assert np.abs(strong[1:]).max() < 1e-4 < strong[0] and np.abs(weak[1:]).max() > 0.1


def test_nothing_is_learned_from_one_fold_or_without_traits() -> None:
    found = scored(0)
    bare = Generalised(found.best_seen, found.best_unseen, found.margin, found.labels, found.is_unseen)
    assert learn_gate([found]) is None
    assert learn_gate([found, bare]) is None
