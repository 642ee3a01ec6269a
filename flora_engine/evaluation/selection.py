"""Choosing hyper-parameters without unseen data: folds of pseudo-unseen classes taken from the seen part.

In each fold some seen classes play the unseen ones, and a share of the samples of the others is kept from training, so
that generalised decisions are tried on new samples of both kinds. What wins on average over the folds is used to
train on all seen classes and all their samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from flora_engine.config import FloraSettings
from flora_engine.errors import FloraError
from flora_engine.evaluation.calibration import best_temperature
from flora_engine.evaluation.gate import Gate, learn_gate
from flora_engine.evaluation.metrics import Array, Generalised, Labels, accuracy, best_bonus
from flora_engine.heads import Choice, Fit, Head, Problem, Scorer, head
from flora_engine.jobs import Job
from flora_engine.runs.progress import Memory, Progress


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
    """choice and evaluations: what to train. value: its mean over folds. bonus: added to unseen scores (GZSL). gate:
    what decides between seen and unseen classes instead, learned on the same folds (GZSL). temperature: how soft the
    scores of the first fold have to be (`best_temperature`); None if it was tried by an earlier version.
    """

    choice: Choice
    evaluations: int
    value: float
    bonus: float | None = None
    gate: Gate | None = None
    temperature: float | None = None

    def summary(self) -> dict[str, object]:
        """JSON-ready."""
        summary: dict[str, object] = {
            "choice": dict(self.choice),
            "evaluations": self.evaluations,
            "validation": self.value,
        }
        if self.bonus is not None:
            summary["calibration_factor"] = float(np.exp(-self.bonus))
        if self.gate is not None:
            summary["gate"] = asdict(self.gate)
        if self.temperature is not None:
            summary["temperature"] = self.temperature
        return summary


def select(
    job: Job,
    name: str,
    problem: Problem,
    settings: FloraSettings,
    fallback_bonus: float,
    memory: Memory | None = None,
    folds: Sequence[Fold] | None = None,
) -> Mapping[str, Pick]:
    """The best pick of head `name` for "zsl" and for "gzsl", by mean over the folds; ties go to the longer training.

    fallback_bonus: the bonus for data so scarce that no fold can hold out a sample of a class it trains on; then the
    pick of "zsl" serves "gzsl" too. folds: other ones than `make_folds` makes.
    """
    module, memory = head(name), memory or Memory()
    folds, choices = folds or make_folds(problem, settings), module.choices(settings)
    zsl: dict[tuple[int, int], list[float]] = {}
    gzsl: dict[tuple[int, int], list[Generalised]] = {}
    soft: dict[tuple[int, int], float | None] = {}
    for c, choice in enumerate(choices):
        for f, fold in enumerate(folds):
            job.log(f"{name}: fold {f + 1} of {len(folds)}, choice {c + 1} of {len(choices)}: {dict(choice)}")
            compute = partial(try_fold, job, module, fold, choice, settings)
            with job.part(f"fold {f + 1} of {len(folds)}, choice {c + 1} of {len(choices)}"):
                piece = memory.recall(f"fold-{name}-{c}-{f}", compute)
            for evaluation, found in piece["evaluations"].items():
                zsl.setdefault((c, int(evaluation)), []).append(found["zsl"])
                soft.setdefault((c, int(evaluation)), found.get("temperature"))
                if found["gzsl"] is not None:
                    arrays = {key: value.numpy() for key, value in found["gzsl"].items()}
                    gzsl.setdefault((c, int(evaluation)), []).append(Generalised(**arrays))
    values = {key: float(np.mean(found)) for key, found in zsl.items()}
    best = max(values, key=lambda key: (values[key], key[1]))
    picks = {"zsl": Pick(choices[best[0]], best[1], values[best], temperature=soft[best])}
    complete = {key: best_bonus(found) for key, found in gzsl.items() if len(found) == len(folds)}
    if complete:
        best = max(complete, key=lambda key: (complete[key][1], key[1]))
        gate = learn_gate(gzsl[best])
        bonus, value = complete[best]
        picks["gzsl"] = Pick(choices[best[0]], best[1], value, bonus, gate, soft[best])
    else:
        job.warn("too few samples to hold any out: the calibration factor is the published one, not a chosen one")
        picks["gzsl"] = replace(picks["zsl"], bonus=fallback_bonus)
    return picks


def try_fold(
    job: Job, module: Head, fold: Fold, choice: Choice, settings: FloraSettings, progress: Progress
) -> dict[str, Any]:
    """What each evaluation of one training on one fold gives: a piece that `select` remembers by choice and fold.

    Events: metrics ``held_out_zsl`` and ``held_out_harmonic`` (at its best calibration) by evaluation.
    """
    seen = fold.problem.seen
    classes = np.concatenate([seen, fold.unseen])
    is_unseen = np.isin(fold.labels, fold.unseen)

    def watch(evaluation: int, score: Scorer, baseline: Scorer | None) -> None:
        scores = score(fold.data, classes)
        among = scores[is_unseen][:, len(seen) :]
        predicted = fold.unseen[among.argmax(axis=1)]
        here: dict[str, Any] = {"zsl": accuracy(predicted, fold.labels[is_unseen]), "gzsl": None}
        here["temperature"] = best_temperature(among, np.searchsorted(fold.unseen, fold.labels[is_unseen]))
        if not is_unseen.all():
            generalised = Generalised.of(scores, fold.labels, seen, fold.unseen)
            here["gzsl"] = {key: torch.from_numpy(value) for key, value in vars(generalised).items()}
            job.emit("metric", name="held_out_harmonic", step=evaluation, value=best_bonus([generalised])[1])
        job.emit("metric", name="held_out_zsl", step=evaluation, value=here["zsl"])
        progress.keep(str(evaluation), here)

    module.fit(Fit(job, fold.problem, choice, settings, watch, checkpoint=progress.checkpoint()))
    return {"evaluations": progress.found}
