"""The ensemble and the descriptors together, as a bundle of a user's own training ranks.

The sum of the ensemble's scores, whose parts have a spread of about 1 each, and of the descriptors', brought to a
spread of 1 over the training samples and seen classes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from flora_engine.config import FloraSettings
from flora_engine.heads import Array, Choice, Fit, Labels, Scorer, descriptors, ensemble
from flora_engine.heads.learning.model import FloraModel
from flora_engine.models.descriptors import DescriptorModel

FLOW = False  # no model of the sum is kept: a bundle adds descriptors by itself
READS = "both"
WEIGHT = 1.0  # of the descriptors beside each part of the ensemble


def choices(settings: FloraSettings) -> list[Choice]:
    """Those of the ensemble."""
    return ensemble.choices(settings)


def fit(task: Fit) -> tuple[FloraModel, DescriptorModel]:
    """Train both; `task.watch` sees Flora's evaluations, with all else finished."""
    problem = task.problem
    assert problem.expectations is not None  # `Experiment.read_by` sees to it
    width = problem.data.shape[1] - problem.expectations.shape[1]
    measured = problem.data[:, width:]
    model = descriptors.train(problem, measured)
    known = descriptors.scores(model, problem, measured, problem.seen, learned=True)
    share = WEIGHT / max(float((known - known.mean(axis=1, keepdims=True)).std()), 1e-12)

    def watch(evaluation: int, score: Scorer, baseline: Scorer | None) -> None:
        def both(data: Array, classes: Labels) -> Array:
            added = descriptors.scores(model, problem, data[:, width:], classes, learned=True)
            return np.asarray(score(data[:, :width], classes) + share * added, np.float32)

        task.watch(evaluation, both, None)

    inner = replace(problem, data=np.ascontiguousarray(problem.data[:, :width]), expectations=None)
    return ensemble.fit(replace(task, problem=inner, watch=watch)), model
