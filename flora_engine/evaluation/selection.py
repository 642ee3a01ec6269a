"""Choosing hyper-parameters without unseen data: folds of pseudo-unseen classes taken from the seen part.

In each fold some seen classes play the unseen ones, and a share of the samples of the others is kept from training, so
that generalised decisions are tried on new samples of both kinds. What wins on average over the folds is used to
train on all seen classes and all their samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from flora_engine.config import FloraSettings
from flora_engine.errors import FloraError
from flora_engine.evaluation.metrics import Array, Generalised, Labels, accuracy, best_bonus
from flora_engine.jobs import Job
from flora_engine.training.heads import Choice, Head, Problem, Scorer


@dataclass(frozen=True)
class Fold:
    """problem: what may be trained on. unseen: pseudo-unseen classes. data, labels: their samples and the held-out
    samples of the fold's seen classes."""

    problem: Problem
    unseen: Labels
    data: Array
    labels: Labels


def make_folds(problem: Problem, settings: FloraSettings) -> list[Fold]:
    """Rotating folds, the same for every head and seed. FloraError with fewer than four seen classes."""
    seen = problem.seen
    size = min(settings.validation_classes, len(seen) - 2, len(seen) // 2)
    if size < 2:
        raise FloraError(
            f"the held-out protocol needs at least four seen classes with samples, not {len(seen)}",
            remedy="Add classes, or use the published protocol.",
        )
    random = np.random.default_rng(0)
    order = random.permutation(seen)
    folds = []
    for number in range(settings.folds):
        unseen = np.sort(np.take(order, np.arange(number * size, (number + 1) * size), mode="wrap"))
        kept = np.isin(problem.labels, unseen)
        for label in np.setdiff1d(seen, unseen):
            members = random.permutation(np.flatnonzero(problem.labels == label))
            kept[members[: int(settings.held_out * len(members))]] = True
        inner = replace(problem, data=problem.data[~kept], labels=problem.labels[~kept])
        folds.append(Fold(inner, unseen, problem.data[kept], problem.labels[kept]))
    return folds


@dataclass(frozen=True)
class Pick:
    """choice and evaluations: what to train. value: its mean over folds. bonus: added to unseen scores (GZSL)."""

    choice: Choice
    evaluations: int
    value: float
    bonus: float | None = None

    def summary(self) -> dict[str, object]:
        """JSON-ready."""
        summary = {"choice": dict(self.choice), "evaluations": self.evaluations, "validation": self.value}
        return summary if self.bonus is None else {**summary, "calibration_factor": float(np.exp(self.bonus))}


@dataclass
class _Seen:
    """What one (choice, evaluation) gave in the folds so far."""

    zsl: list[float]
    gzsl: list[Generalised]


def select(
    job: Job, head: Head, problem: Problem, settings: FloraSettings, fallback_bonus: float
) -> Mapping[str, Pick]:
    """The best pick for "zsl" and for "gzsl", by mean over the folds; ties go to what was tried first.

    fallback_bonus: the bonus for data so scarce that no fold can hold out a sample of a class it trains on; then the
    pick of "zsl" serves "gzsl" too.
    """
    folds = make_folds(problem, settings)
    choices = head.choices(settings)
    found: dict[tuple[int, int], _Seen] = {}
    for c, choice in enumerate(choices):
        for f, fold in enumerate(folds):
            job.log(f"held-out fold {f + 1} of {len(folds)}, choice {c + 1} of {len(choices)}: {dict(choice)}")
            _try(job, head, fold, choice, settings, found, c)
    zsl = {key: float(np.mean(seen.zsl)) for key, seen in found.items()}
    best = max(zsl, key=lambda key: zsl[key])
    picks = {"zsl": Pick(choices[best[0]], best[1], zsl[best])}
    complete = {key: best_bonus(seen.gzsl) for key, seen in found.items() if len(seen.gzsl) == len(folds)}
    if complete:
        best = max(complete, key=lambda key: complete[key][1])
        bonus, value = complete[best]
        picks["gzsl"] = Pick(choices[best[0]], best[1], value, bonus)
    else:
        job.warn("too few samples to hold any out: the calibration factor is the published one, not a chosen one")
        picks["gzsl"] = replace(picks["zsl"], bonus=fallback_bonus)
    return picks


def _try(
    job: Job,
    head: Head,
    fold: Fold,
    choice: Choice,
    settings: FloraSettings,
    found: dict[tuple[int, int], _Seen],
    number: int,
) -> None:
    seen = fold.problem.seen
    classes = np.concatenate([seen, fold.unseen])
    is_unseen = np.isin(fold.labels, fold.unseen)

    def watch(evaluation: int, score: Scorer, baseline: Scorer | None) -> None:
        scores = score(fold.data, classes)
        here = found.setdefault((number, evaluation), _Seen([], []))
        predicted = fold.unseen[scores[is_unseen][:, len(seen) :].argmax(axis=1)]
        here.zsl.append(accuracy(predicted, fold.labels[is_unseen]))
        if not is_unseen.all():
            here.gzsl.append(Generalised.of(scores, fold.labels, seen, fold.unseen))

    head.fit(job, fold.problem, choice, settings, watch)
