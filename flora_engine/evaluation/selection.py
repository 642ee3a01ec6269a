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
from flora_engine.heads import Choice, Fit, Head, Problem, Scorer, as_chosen, head, training_of
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


_Tried = tuple[int, int, int]  # which training, after how many evaluations, which of its choices


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
    folds, tried = folds or make_folds(problem, settings), trainings(module, settings)
    zsl: dict[_Tried, list[float]] = {}
    gzsl: dict[_Tried, list[Generalised]] = {}
    soft: dict[_Tried, float | None] = {}
    for c, choices in enumerate(tried):
        for f, fold in enumerate(folds):
            said = dict(training_of(module, choices[0]))
            job.log(f"{name}: fold {f + 1} of {len(folds)}, choice {c + 1} of {len(tried)}: {said}")
            compute = partial(try_fold, job, module, fold, choices, settings)
            with job.part(f"fold {f + 1} of {len(folds)}, choice {c + 1} of {len(tried)}"):
                piece = memory.recall(piece_name(name, c, f, len(choices)), compute)
            for number, found in piece["evaluations"].items():
                evaluation, _, place = number.partition(" ")
                key = (c, int(evaluation), int(place or 0))
                zsl.setdefault(key, []).append(found["zsl"])
                soft.setdefault(key, found.get("temperature"))
                if found["gzsl"] is not None:
                    arrays = {key: value.numpy() for key, value in found["gzsl"].items()}
                    gzsl.setdefault(key, []).append(Generalised(**arrays))
    values = {key: float(np.mean(found)) for key, found in zsl.items()}
    best = max(values, key=lambda key: (values[key], key[1], -key[2]))
    picks = {"zsl": Pick(tried[best[0]][best[2]], best[1], values[best], temperature=soft[best])}
    complete = {key: best_bonus(found) for key, found in gzsl.items() if len(found) == len(folds)}
    if complete:
        best = max(complete, key=lambda key: (complete[key][1], key[1], -key[2]))
        gate = learn_gate(gzsl[best])
        bonus, value = complete[best]
        picks["gzsl"] = Pick(tried[best[0]][best[2]], best[1], value, bonus, gate, soft[best])
    else:
        job.warn("too few samples to hold any out: the calibration factor is the published one, not a chosen one")
        picks["gzsl"] = replace(picks["zsl"], bonus=fallback_bonus)
    return picks


def trainings(module: Head, settings: FloraSettings) -> list[list[Choice]]:
    """The choices of a head, those of one training together, in their order."""
    found: list[list[Choice]] = []
    for choice in module.choices(settings):
        wanted = training_of(module, choice)
        known = next((one for one in found if training_of(module, one[0]) == wanted), None)
        if known is None:
            found.append([choice])
        else:
            known.append(choice)
    return found


def remembered(
    memory: Memory, name: str, settings: FloraSettings, choice: Choice, fold: int, evaluation: int
) -> Array | None:
    """What head `name` scored in a finished fold, (N, U): its pseudo-unseen samples and classes; None if not kept."""
    tried = trainings(head(name), settings)
    number = next((c for c, choices in enumerate(tried) if dict(choice) == dict(choices[0])), None)
    if number is None or not memory.has(piece := piece_name(name, number, fold, len(tried[number]))):
        return None
    found = memory.recall(piece, lambda _: {})["evaluations"].get(str(evaluation), {}).get("among")
    return None if found is None else np.asarray(found.numpy(), np.float32)


def piece_name(name: str, training: int, fold: int, choices: int) -> str:
    """By which `select` remembers one training of a head on one fold, that serves so many choices."""
    return f"fold-{name}-{training}-{fold}" + (f"-{choices}" if choices > 1 else "")


def try_fold(
    job: Job, module: Head, fold: Fold, choices: Sequence[Choice], settings: FloraSettings, progress: Progress
) -> dict[str, Any]:
    """What each evaluation of one training on one fold gives: a piece that `select` remembers by training and fold.

    choices: those that the training serves. What the first gives has the number of the evaluation as its key; the
    others' keys have their place in `choices` after it.

    Events: metrics ``held_out_zsl`` and ``held_out_harmonic`` (at its best calibration) by evaluation.
    """
    seen = fold.problem.seen
    classes = np.concatenate([seen, fold.unseen])
    is_unseen = np.isin(fold.labels, fold.unseen)

    def watch(evaluation: int, score: Scorer, baseline: Scorer | None) -> None:
        for place, choice in enumerate(choices):
            look(evaluation, place, as_chosen(score, choice)(fold.data, classes))

    def look(evaluation: int, place: int, scores: Array) -> None:
        among = scores[is_unseen][:, len(seen) :]
        predicted = fold.unseen[among.argmax(axis=1)]
        here: dict[str, Any] = {"zsl": accuracy(predicted, fold.labels[is_unseen]), "gzsl": None}
        if not place:  # for whoever adds another part to the sum afterwards (`recipes.weighing`)
            here["among"] = torch.from_numpy(np.ascontiguousarray(among))
        here["temperature"] = best_temperature(among, np.searchsorted(fold.unseen, fold.labels[is_unseen]))
        if not is_unseen.all():
            generalised = Generalised.of(scores, fold.labels, seen, fold.unseen)
            here["gzsl"] = {key: torch.from_numpy(value) for key, value in vars(generalised).items()}
            if place == 0:
                job.emit("metric", name="held_out_harmonic", step=evaluation, value=best_bonus([generalised])[1])
        if place == 0:
            job.emit("metric", name="held_out_zsl", step=evaluation, value=here["zsl"])
        progress.keep(f"{evaluation} {place}" if place else str(evaluation), here)

    module.fit(Fit(job, fold.problem, choices[0], settings, watch, checkpoint=progress.checkpoint()))
    return {"evaluations": progress.found}
