"""What zero-shot results are measured by. Scores are "larger is better", float (N, C); labels are class numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Labels = NDArray[np.int64]


def accuracy(predicted: Labels, labels: Labels) -> float:
    """Share of samples that are right; nan without samples."""
    return float(np.mean(predicted == labels)) if len(labels) else float("nan")


def per_class(predicted: Labels, labels: Labels) -> dict[int, float]:
    """Accuracy of each class that occurs in `labels`."""
    return {int(c): accuracy(predicted[labels == c], labels[labels == c]) for c in np.unique(labels)}


def confusion(predicted: Labels, labels: Labels, classes: int) -> NDArray[np.int64]:
    """Counts (K, K): row the true class, column the predicted one."""
    return np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def harmonic(a: float, b: float) -> float:
    """2ab/(a+b); 0 if both are 0."""
    return 2 * a * b / (a + b) if a + b > 0 else 0.0


def mean_and_error(values: list[float]) -> dict[str, object]:
    """Mean, standard error of the mean over runs (None for one run), and the values themselves."""
    array = np.asarray(values, np.float64)
    error = float(array.std(ddof=1) / np.sqrt(len(array))) if len(array) > 1 else None
    return {"mean": float(array.mean()), "error": error, "values": [float(v) for v in array]}


@dataclass(frozen=True)
class Generalised:
    """Everything that generalised decisions need, for any bonus of the unseen classes.

    best_seen, best_unseen: int64 (N,), the best class of each kind. margin: float64 (N,), best seen score minus best
    unseen score; in float32 a bonus between two margins may round to one of them. A sample goes to the unseen classes
    if the bonus is larger than its margin. labels: (N,). is_unseen: (N,). traits: float32 (N, 3), what a learned gate
    sees (`_traits`); (0, 0) if nothing is to be learned.
    """

    best_seen: Labels
    best_unseen: Labels
    margin: NDArray[np.float64]
    labels: Labels
    is_unseen: NDArray[np.bool_]
    traits: Array = field(default_factory=lambda: np.empty((0, 0), np.float32))

    @classmethod
    def of(cls, scores: Array, labels: Labels, seen: Labels, unseen: Labels) -> Generalised:
        """From scores (N, S + U): columns of the seen classes first, then of the unseen ones."""
        old, new = scores[:, : len(seen)], scores[:, len(seen) :]
        margin = (old.max(axis=1) - new.max(axis=1)).astype(np.float64)
        best = seen[old.argmax(axis=1)], unseen[new.argmax(axis=1)]
        return cls(*best, margin, labels, np.isin(labels, unseen), _traits(old, new))

    def decide(self, bonus: float) -> Labels:
        """Predicted classes (N,)."""
        return np.where(bonus > self.margin, self.best_unseen, self.best_seen)

    def accuracies(self, bonus: float) -> tuple[float, float]:
        """Share right among samples of seen classes and among those of unseen ones."""
        right = self.decide(bonus) == self.labels
        return float(right[~self.is_unseen].mean()), float(right[self.is_unseen].mean())

    def curve(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Bonuses in increasing order (M,) and the accuracy of seen and of unseen samples at each (M,).

        Bonuses lie between neighbouring margins, so every decision that any bonus can give occurs once.
        """
        steps, inverse = np.unique(self.margin, return_inverse=True)
        middle = (steps[1:] + steps[:-1]) / 2
        bonuses = np.concatenate([[steps[0] - 1], middle, [steps[-1] + 1]])
        seen_right = (~self.is_unseen) & (self.best_seen == self.labels)
        unseen_right = self.is_unseen & (self.best_unseen == self.labels)
        lost = np.concatenate([[0], np.cumsum(np.bincount(inverse, seen_right, len(steps)))])
        won = np.concatenate([[0], np.cumsum(np.bincount(inverse, unseen_right, len(steps)))])
        seen_count, unseen_count = max(1, int((~self.is_unseen).sum())), max(1, int(self.is_unseen.sum()))
        return bonuses, (seen_right.sum() - lost) / seen_count, won / unseen_count

    def area(self) -> float:
        """Area under the curve of unseen against seen accuracy (AUSUC), in 0..1."""
        _, seen, unseen = self.curve()
        return float(np.sum((seen[:-1] - seen[1:]) * (unseen[:-1] + unseen[1:]) / 2))


def _traits(old: Array, new: Array) -> Array:
    """Of scores of seen (N, S) and unseen classes (N, U): the best unseen less the best seen one, and the leads of the
    best over the second of each kind. float32 (N, 3)."""
    tops = [part.max(axis=1) for part in (old, new)]
    seconds = [np.partition(part, -2, axis=1)[:, -2] if part.shape[1] > 1 else part[:, 0] for part in (old, new)]
    leads = [top - second for top, second in zip(tops, seconds, strict=True)]
    return np.stack([tops[1] - tops[0], *leads], axis=1).astype(np.float32)


def best_bonus(parts: list[Generalised]) -> tuple[float, float]:
    """The bonus of largest harmonic mean, averaged over `parts` (folds), and that mean.

    Where several bonuses are equally good the middle of the first such stretch is taken.
    """
    curves = [part.curve() for part in parts]
    bonuses = np.unique(np.concatenate([curve[0] for curve in curves]))
    total = np.zeros(len(bonuses))
    for part, (_, seen, unseen) in zip(parts, curves, strict=True):
        # the state of a part at any bonus: as many of its margins as lie below
        position = np.searchsorted(np.unique(part.margin), bonuses, side="left")
        s, u = seen[position], unseen[position]
        total += np.divide(2 * s * u, s + u, out=np.zeros_like(s), where=s + u > 0)
    total /= len(parts)
    best = np.flatnonzero(total >= total.max() - 1e-12)
    stretch = best[: int(np.argmax(np.append(np.diff(best), 2) > 1)) + 1]
    return float(bonuses[stretch[len(stretch) // 2]]), float(total.max())
