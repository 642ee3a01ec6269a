"""Numbers of ranking typed actions on data that a model never saw: recalls over all classes and over draws of five, and
what calibrates a model on such data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flora_engine.models.descriptors import excess

Floats = NDArray[np.floating]
Labels = NDArray[np.int64]

DRAWS, DRAWN, SAMPLES, SEED = 50, 5, 500, 0
FALSE_ACCEPTS = 0.3  # stated: of recordings of none of the actions, this share gets a label at the threshold of 50 %


@dataclass(frozen=True)
class Left:
    """A set that was left out, ranked by a model that never saw it. scores: (N, K) of its classes, larger is better.
    rivals: (N, E) of the lexicon's actions. labels: (N,).
    """

    scores: Floats
    rivals: Floats
    labels: Labels


@dataclass(frozen=True)
class Outcome:
    """All in per cent. every, five: mean of class recalls with the ends of a 95 % interval. most: share of the most
    predicted class among all. chance: of all classes.
    """

    every: tuple[float, float, float]
    five: tuple[float, float, float]
    most: float
    chance: float
    classes: int


def recall(predicted: Labels, labels: Labels) -> float:
    """Mean over the classes in `labels` of the share of their recordings that got their own class."""
    return float(np.mean([np.mean(predicted[labels == c] == c) for c in np.unique(labels)]))


def draws(classes: int) -> list[Labels]:
    """DRAWS seeded sets of DRAWN classes (all of them, if there are fewer), each in increasing order."""
    random = np.random.default_rng(SEED)
    size = min(DRAWN, classes)
    return [np.sort(random.choice(classes, size, replace=False)) for _ in range(DRAWS)]


def _interval(right: NDArray[np.bool_], labels: Labels) -> tuple[float, float]:
    """Bootstrap over classes and over the recordings of each: 2.5th and 97.5th percentile of the mean recall."""
    random = np.random.default_rng(SEED)
    hits = [right[labels == c] for c in np.unique(labels)]
    counts = np.array([len(one) for one in hits])
    rates = np.array([one.mean() for one in hits])
    means = []
    for _ in range(SAMPLES):
        chosen = random.integers(len(hits), size=len(hits))
        means.append(np.mean(random.binomial(counts[chosen], rates[chosen]) / counts[chosen]))
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def measure(scores: Floats, labels: Labels) -> Outcome:
    """The outcome of one head on one set from its scores (N, K), larger is better."""
    classes = scores.shape[1]
    predicted = scores.argmax(axis=1)
    fives = []
    for drawn in draws(classes):
        rows = np.isin(labels, drawn)
        fives.append(recall(drawn[scores[np.ix_(rows, drawn)].argmax(axis=1)], labels[rows]))
    spread = 1.96 * float(np.std(fives, ddof=1)) / np.sqrt(len(fives))
    five, every = float(np.mean(fives)), recall(predicted, labels)
    low, high = _interval(predicted == labels, labels)
    return Outcome(
        every=(100 * every, 100 * low, 100 * high),
        five=(100 * five, 100 * (five - spread), 100 * (five + spread)),
        most=100 * float(np.bincount(predicted, minlength=classes).max() / len(labels)),
        chance=100 / classes,
        classes=classes,
    )


def present_and_absent(scores: Floats, labels: Labels, rivals: Floats | None = None) -> tuple[Floats, Floats]:
    """Over draws of five, of recordings of a drawn class, and of all others: the best scores, or with `rivals` their
    excess.
    """
    present, absent = [], []
    for drawn in draws(scores.shape[1]):
        some = np.asarray(scores[:, drawn], np.float64)
        best = some.max(axis=1) if rivals is None else excess(some, np.asarray(rivals, np.float64))
        inside = np.isin(labels, drawn)
        present.append(best[inside])
        absent.append(best[~inside])
    return np.concatenate(present), np.concatenate(absent)


def odds(sets: Mapping[str, Left]) -> tuple[float, float] | None:
    """Intercept and slope of the log-odds of “none of these”: logistic regression with each set counting alike, moved
    so that `FALSE_ACCEPTS` of the recordings of none lie below 50 %. None if no set has more classes than are drawn.
    """
    x, y, w, absents = [], [], [], []
    for one in sets.values():
        if one.scores.shape[1] <= DRAWN:
            continue
        present, absent = present_and_absent(one.scores, one.labels, one.rivals)
        for values, target in ((present, 0.0), (absent, 1.0)):
            x.append(values)
            y.append(np.full(len(values), target))
            w.append(np.full(len(values), 1 / len(values)))
        absents.append(absent)
    if not absents:
        return None
    slope = _logistic(np.concatenate(x), np.concatenate(y), np.concatenate(w))
    threshold = float(np.mean([np.quantile(absent, 1 - FALSE_ACCEPTS) for absent in absents]))
    return -slope * threshold, slope


def _logistic(best: Floats, target: Floats, weight: Floats) -> float:
    """The slope of a weighted logistic regression with an intercept, by Newton's method."""
    a = b = 0.0
    for _ in range(50):
        p = 1 / (1 + np.exp(-(a + b * best)))
        g = np.array([(weight * (p - target)).sum(), (weight * (p - target) * best).sum()])
        h = weight * p * (1 - p)
        hessian = np.array([[h.sum(), (h * best).sum()], [(h * best).sum(), (h * best**2).sum()]])
        step = np.linalg.solve(hessian + 1e-9 * np.eye(2), g)
        a, b = a - step[0], b - step[1]
    return float(b)


def temperature(sets: Mapping[str, Left]) -> float:
    """The softmax temperature of least surprise over draws of five, each set counting alike."""
    tried = np.geomspace(0.1, 3, 30)
    losses = np.zeros(len(tried))
    for one in sets.values():
        loss = np.zeros(len(tried))
        for drawn in draws(one.scores.shape[1]):
            rows = np.isin(one.labels, drawn)
            logits = one.scores[np.ix_(rows, drawn)]
            own = np.searchsorted(drawn, one.labels[rows])
            for i, t in enumerate(tried):
                scaled = (logits - logits.max(axis=1, keepdims=True)) / t
                loss[i] += (np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(own)), own]).mean()
        losses += loss
    return float(tried[losses.argmin()])
