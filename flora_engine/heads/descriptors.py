"""Measured descriptors against what the class texts make expect (docs/method.md, section 9), learned on seen classes.

Direct attribute prediction (Lampert et al., CVPR 2009) with the lexicon's expectations as attributes. The map from
descriptors to expectations and the one to text vectors come from the training samples alone; the pool does too, as far
as they are many (`Problem.pool`).
"""

from __future__ import annotations

import numpy as np

from flora_engine.config import FloraSettings
from flora_engine.heads import Array, Choice, Fit, Labels, Problem
from flora_engine.models.descriptors import DescriptorModel, fit_descriptors, unit

FLOW = False
READS = "descriptors"


def choices(settings: FloraSettings) -> list[Choice]:
    """The whole sum, or the lexicon's word alone: few classes may teach a map that does not carry over."""
    return [{"learned": True}, {"learned": False}]


def train(problem: Problem, values: Array) -> DescriptorModel:
    """The model of these measured `values` (N, D), in the rows of the problem's labels."""
    assert problem.expectations is not None  # `Experiment.read_by` sees to it
    vectors = problem.vectors.astype(np.float64)
    return fit_descriptors({"training": (values, problem.labels, problem.expectations, vectors)}, problem.pool)


def scores(model: DescriptorModel, problem: Problem, values: Array, classes: Labels, learned: bool) -> Array:
    """float32 (N, C) of measured values (N, D), larger is better."""
    assert problem.expectations is not None
    z, expected = model.standardise(values), problem.expectations[classes]
    if not learned:
        return np.asarray(z @ unit(expected).T, np.float32)
    return np.asarray(model.scores(z, expected, problem.vectors[classes].astype(np.float64)), np.float32)


def fit(task: Fit) -> DescriptorModel:
    """Solve two linear systems in float64; nothing is iterated or sampled."""
    task.job.progress("learn from descriptors", 0, 1)
    model = train(task.problem, task.problem.data)
    task.watch(1, lambda data, classes: scores(model, task.problem, data, classes, task.choice["learned"]), None)
    task.job.progress("learn from descriptors", 1, 1)
    return model
