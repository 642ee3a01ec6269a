"""The ensemble and the descriptors together, as a bundle of a user's own training ranks.

The sum of the ensemble's scores, whose parts have a spread of about 1 each, and of the descriptors', brought to a
spread of 1 over the training samples and seen classes. Held-out folds choose how much each counts (`together.GRID`),
for with few recordings the encoder may take away more than it adds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from flora_engine.config import FloraSettings
from flora_engine.heads import Array, Choice, Fit, Labels, Scorer, descriptors, ensemble
from flora_engine.models.descriptors import DescriptorModel
from flora_engine.models.together import GRID, UNCHOSEN, Weights, spread

FLOW = False  # no model of the sum is kept: a bundle adds descriptors by itself
READS = "both"
AFTER = ("graphs", "descriptors")


def choices(settings: FloraSettings) -> list[Choice]:
    """Those of the ensemble, each with every pair of weights."""
    return [{**choice, **vars(weights)} for choice in ensemble.choices(settings) for weights in GRID]


@dataclass(frozen=True)
class Summed:
    """A scorer: the weighed sum of two. What both gave is kept for the same scorer with other weights."""

    graphs: Scorer
    descriptors: Scorer
    weights: Weights
    kept: dict[tuple[int, bytes], tuple[Array, Array, Array]] = field(default_factory=dict)

    def __call__(self, data: Array, classes: Labels) -> Array:
        key = id(data), classes.tobytes()
        if key not in self.kept:  # with the data themselves, so that nothing else takes their id
            self.kept[key] = data, self.graphs(data, classes), self.descriptors(data, classes)
        _, graphs, measured = self.kept[key]
        return np.asarray(self.weights.graphs * graphs + self.weights.descriptors * measured, np.float32)

    def as_chosen(self, choice: Choice) -> Summed:
        """The same with the weights of another choice."""
        return replace(self, weights=weights_of(choice))


def weights_of(choice: Choice) -> Weights:
    """Those of a choice; equal ones if it names none."""
    found = {name: float(choice.get(name, value)) for name, value in vars(UNCHOSEN).items()}
    return Weights(**found)


def fit(task: Fit) -> tuple[Any, DescriptorModel]:
    """Train both; `task.watch` sees the evaluations of the ensemble, with all else finished."""
    return fit_beside(ensemble.fit, task)


def fit_beside(train: Callable[[Fit], Any], task: Fit) -> tuple[Any, DescriptorModel]:
    """Train a head that reads features by `train`, and the descriptors; the problem holds both side by side."""
    problem = task.problem
    assert problem.expectations is not None  # `Experiment.read_by` sees to it
    width = problem.data.shape[1] - problem.expectations.shape[1]
    inner = replace(problem, data=np.ascontiguousarray(problem.data[:, :width]), expectations=None)
    known = problem.data[:, width:]
    model = descriptors.train(problem, known)
    share = 1 / spread(descriptors.scores(model, problem, known, problem.seen, learned=True))

    def measured(data: Array, classes: Labels) -> Array:
        return share * descriptors.scores(model, problem, data[:, width:], classes, learned=True)

    def watch(evaluation: int, score: Scorer, baseline: Scorer | None) -> None:
        def graphs(data: Array, classes: Labels) -> Array:
            return score(np.ascontiguousarray(data[:, :width]), classes)

        task.watch(evaluation, Summed(graphs, measured, weights_of(task.choice)), None)

    choice = {key: value for key, value in task.choice.items() if key not in AFTER}
    return train(replace(task, problem=inner, choice=choice, watch=watch)), model
