"""A bundle's descriptors, learned on the recordings of its own training, and how much they count beside its graphs.

Held-out folds of the training part choose the weights, by the rule of the head `ensemble_descriptors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flora_engine.config import FloraSettings
from flora_engine.evaluation.calibration import best_temperature
from flora_engine.evaluation.metrics import accuracy
from flora_engine.evaluation.protocols import Experiment
from flora_engine.evaluation.selection import Fold, make_folds, remembered
from flora_engine.heads import Array, Fit, Scorer, descriptors, head
from flora_engine.jobs import Job
from flora_engine.labelling.bundle import BUILTIN, DESCRIPTORS
from flora_engine.models.descriptors import DescriptorModel, fit_descriptors, load_descriptor_model
from flora_engine.models.together import GRID, Weights, spread
from flora_engine.runs.progress import Memory

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Weighed:
    """weights: as the folds chose. validation: their accuracy on the folds, by pair of `GRID`. temperature: of the
    graphs' scores, their spread on the folds included; that of the model makes its scores count as the weights say.
    """

    weights: Weights
    validation: tuple[float, ...]
    temperature: float
    model: DescriptorModel

    @property
    def said(self) -> str:
        """The choice in a sentence."""
        best, alone, graphs = max(self.validation), self.validation[0], self.validation[-1]
        return (
            f"graphs count {self.weights.graphs:g} and measurements {self.weights.descriptors:g}: {best:.1%} on "
            f"held-out folds ({alone:.1%} by measurements alone, {graphs:.1%} by graphs alone)"
        )


def weigh(
    job: Job,
    name: str,
    experiment: Experiment,
    settings: FloraSettings,
    pick: Mapping[str, Any],
    seed: int,
    words: Floats,
    memory: Memory,
) -> Weighed | None:
    """Choose the weights for the trained head `name`; None if no descriptors of the recordings are at hand.

    pick: what the folds chose for the head. words: (K, d) text vectors of all classes. memory: of the run; what folds
    of it scored is taken from there, and trained anew if it is not. Raises Cancelled.
    """
    if experiment.described is None:
        return None
    graphs = make_folds(experiment.read_by(name).problem(seed), settings)
    measured = make_folds(experiment.read_by("descriptors").problem(seed), settings)  # the same recordings
    found = []
    for number, (one, other) in enumerate(zip(graphs, measured, strict=True)):
        scores = remembered(memory, name, settings, pick["choice"], number, pick["evaluations"])
        scores = _by_graphs(job, name, one, settings, pick) if scores is None else scores
        found.append(_sums(scores, other))
    validation = [float(np.mean([one.accuracies[i] for one in found])) for i in range(len(GRID))]
    best = int(np.argmax(validation))  # of equals the first, which has the least of the graphs
    temperature = best_temperature(
        np.concatenate([one.scores[best] for one in found]), np.concatenate([one.labels for one in found])
    )
    values, labels = experiment.described.values.train_data, experiment.features.train_label
    described = experiment.described
    model = fit_descriptors({"training": (values, labels, described.expectations, words)}, described.pool)
    z, seen = model.standardise(values), np.unique(labels)
    unit = spread(np.asarray(model.scores(z, experiment.described.expectations[seen], words[seen]), np.float32))
    known = load_descriptor_model(BUILTIN / DESCRIPTORS)  # few classes say nothing of “none of these”
    model = model.calibrated(temperature * unit, (float(known.odds[0]), float(known.odds[1])))
    own = float(np.mean([one.spread for one in found]))
    return Weighed(GRID[best], tuple(validation), temperature * own, model)


@dataclass(frozen=True)
class _Found:
    """Of one fold: by pair of weights the accuracy and the scores (N, U); labels (N,) are their columns; the spread of
    what the graphs alone scored.
    """

    accuracies: list[float]
    scores: list[Array]
    labels: NDArray[np.int64]
    spread: float


def _by_graphs(job: Job, name: str, fold: Fold, settings: FloraSettings, pick: Mapping[str, Any]) -> Array:
    """(N, U): what the head scores on a fold's pseudo-unseen samples and classes, trained once more as picked."""
    rows = np.isin(fold.labels, fold.unseen)
    found: list[Array] = []

    def watch(evaluation: int, score: Scorer, _baseline: Scorer | None) -> None:
        if evaluation == pick["evaluations"]:
            found.append(score(np.ascontiguousarray(fold.data[rows]), fold.unseen))

    head(name).fit(Fit(job, fold.problem, pick["choice"], settings, watch, pick["evaluations"]))
    return found[0]


def _sums(graphs: Array, fold: Fold) -> _Found:
    """Of the weighed sums with what descriptors say of the same fold, learned without its pseudo-unseen classes."""
    rows, problem = np.isin(fold.labels, fold.unseen), fold.problem
    model = descriptors.train(problem, problem.data)
    share = 1 / spread(descriptors.scores(model, problem, problem.data, problem.seen, learned=True))
    measured = share * descriptors.scores(model, problem, fold.data[rows], fold.unseen, learned=True)
    own = spread(graphs)
    sums = [np.asarray(one.graphs / own * graphs + one.descriptors * measured, np.float32) for one in GRID]
    labels = fold.labels[rows]
    right = [accuracy(fold.unseen[one.argmax(axis=1)], labels) for one in sums]
    return _Found(right, sums, np.searchsorted(fold.unseen, labels), own)
