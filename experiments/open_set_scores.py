"""Numbers of one ranking task: mean of class recalls over all classes and over draws of five, and their intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Labels = NDArray[np.int64]

DRAWS, DRAWN, SAMPLES, SEED = 50, 5, 500, 0


@dataclass(frozen=True)
class Outcome:
    """All in per cent. every, five: mean of class recalls with the ends of a 95 % interval. most: share of the most
    predicted class among all. chance: of all classes."""

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
    five = float(np.mean(fives))
    every = recall(predicted, labels)
    return Outcome(
        every=tuple(100 * x for x in (every, *_interval(predicted == labels, labels))),
        five=tuple(100 * x for x in (five, five - spread, five + spread)),
        most=100 * float(np.bincount(predicted, minlength=classes).max() / len(labels)),
        chance=100 / classes,
        classes=classes,
    )
