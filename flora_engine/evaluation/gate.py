"""A learned gate between seen and unseen classes, from how a head's scores are spread.

Chao et al., "An Empirical Study and Analysis of Generalized Zero-Shot Learning" (ECCV 2016) add a constant to the
scores of unseen classes (calibrated stacking): only the margin between the best seen and the best unseen score decides.
Atzmon and Chechik (CVPR 2019) and Gupta et al. (SynSE, ICIP 2021) learn a gate from the sorted scores of both kinds.
Here the gate is fitted on scores of held-out folds, which hold pseudo-unseen classes, and its ridge and its threshold
are chosen where the gate was fitted on the other folds. Numbers of classes differ between folds and test, so the gate
sees traits that hardly depend on them. The ridge pulls it towards the margin alone, that is calibrated stacking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from flora_engine.evaluation.metrics import Generalised, best_bonus

RIDGES = (0.01, 0.1, 1.0, 10.0)  # of standardised traits, per unit of weight; the last is nearly calibrated stacking
_ROUNDS = 30
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Gate:
    """logit(unseen) = weights · traits, up to the threshold `bonus`: a sample goes to the unseen if logit + bonus > 0.

    weights: (T,), of the traits of `Generalised`. ridge: the one that was chosen.
    """

    weights: tuple[float, ...]
    bonus: float
    ridge: float

    def on(self, scored: Generalised) -> Generalised:
        """The same best classes, with the gate's logit (negated) in place of the margin."""
        return replace(scored, margin=-(scored.traits @ np.asarray(self.weights)))


def logistic(traits: Floats, unseen: NDArray[np.bool_], ridge: float) -> Floats:
    """Weights (T,) of the traits (N, T), as they are, by penalised likelihood; both kinds weigh the same together.

    The penalty is ridge/2 · |w|², w of standardised traits. The first trait, the margin, and the intercept are free of
    it; the intercept is not returned. Newton's method.
    """
    mean, spread = traits.mean(axis=0), traits.std(axis=0) + 1e-12
    x = np.concatenate([(traits - mean) / spread, np.ones((len(traits), 1))], axis=1)
    share = np.where(unseen, 0.5 / max(1, unseen.sum()), 0.5 / max(1, (~unseen).sum()))
    penalty = np.array([1e-6, *[ridge] * (traits.shape[1] - 1), 1e-6])
    weights = np.zeros(x.shape[1])
    for _ in range(_ROUNDS):
        probable = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        slope = x.T @ (share * (probable - unseen)) + penalty * weights
        curvature = (x * (share * probable * (1 - probable))[:, None]).T @ x + np.diag(penalty)
        step = np.linalg.solve(curvature, slope)
        weights = weights - step
        if np.abs(step).max() < 1e-8:
            break
    return np.asarray(weights[:-1] / spread)


def learn_gate(folds: Sequence[Generalised]) -> Gate | None:
    """The gate for scores like those of `folds`; None if there are fewer than two folds, or no traits (older pieces).

    For each ridge a gate is fitted without each fold and tried on it; the ridge with the best mean harmonic accuracy at
    one threshold for all folds wins. The gate itself is fitted on all folds.
    """
    if len(folds) < 2 or any(fold.traits.shape[1] == 0 for fold in folds):
        return None
    found: list[tuple[float, float, float]] = []
    for ridge in RIDGES:
        tried = []
        for number, fold in enumerate(folds):
            others = [other for place, other in enumerate(folds) if place != number]
            tried.append(Gate(_fitted(others, ridge), 0.0, ridge).on(fold))
        bonus, value = best_bonus(tried)
        found.append((value, ridge, bonus))
    _, ridge, bonus = max(found)
    return Gate(_fitted(folds, ridge), bonus, ridge)


def _fitted(folds: Sequence[Generalised], ridge: float) -> tuple[float, ...]:
    traits = np.concatenate([fold.traits for fold in folds]).astype(np.float64)
    weights = logistic(traits, np.concatenate([fold.is_unseen for fold in folds]), ridge)
    return tuple(float(weight) for weight in weights)
