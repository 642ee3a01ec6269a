"""The descriptor model of data sets (docs/method.md, section 9): learned on all, calibrated and measured on what was
left out. Numpy only. The one place that trains such a model for a bundle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flora_engine.evaluation.open_sets import Left, Outcome, measure, odds, temperature
from flora_engine.jobs import Job
from flora_engine.labelling.bundle import BUILTIN, DESCRIPTORS
from flora_engine.models.descriptors import REFERENCE, DescriptorModel, fit_descriptors, load_descriptor_model

Floats = NDArray[np.float64]
_GROUPS = 2  # of the classes of a single set; each is left out once, as whole sets are of several
_FEWEST = 2  # classes that a group needs
# For model cards.
HELD = (
    f"The bundle holds statistics, regression weights, and of up to {REFERENCE} recordings how each measurement ranks "
    "among all; movements cannot be made from that, and no names of recordings are kept."
)


@dataclass(frozen=True)
class Evidence:
    """One data set as a model learns it.

    values: float32 (N, D). labels: int64 (N,) over K classes, all with recordings. expected: (K, D), what their names
    make expect. vectors: (K, d) of their names.
    """

    values: NDArray[np.float32]
    labels: NDArray[np.int64]
    expected: Floats
    vectors: Floats

    def part(self, classes: NDArray[np.int64]) -> Evidence:
        """Only the recordings of these classes, which are numbered anew in their order."""
        rows = np.isin(self.labels, classes)
        labels = np.searchsorted(classes, self.labels[rows])
        return Evidence(self.values[rows], labels, self.expected[classes], self.vectors[classes])


@dataclass(frozen=True)
class Learned:
    """A model, and what it reached on each part that was left out. calibrated: on these parts; else as the built-in
    model is.
    """

    model: DescriptorModel
    left_out: Mapping[str, Outcome]
    calibrated: bool


def learn(job: Job, sets: Mapping[str, Evidence], actions: tuple[Floats, Floats]) -> Learned:
    """Train on all sets. Each set is left out once, or each half of the classes of a single set, to calibrate the model
    and to measure it. actions: expectations (E, D) and vectors (E, d) of the lexicon's. Raises Cancelled.
    """
    parts = _parts(sets)
    left, total = {}, len(parts) + 1
    for done, (name, (seen, unseen)) in enumerate(parts.items()):
        job.progress("leaving out in turn", done, total)
        left[name] = _rank(_fit(seen), unseen, actions)
    job.progress("leaving out in turn", len(parts), total)
    model = _fit(sets)
    chances = odds(left)
    if chances is None:
        known = load_descriptor_model(BUILTIN / DESCRIPTORS)
        model = model.calibrated(float(known.temperature), (float(known.odds[0]), float(known.odds[1])))
    else:
        model = model.calibrated(temperature(left), chances)
    job.progress("leaving out in turn", total, total)
    outcomes = {name: measure(one.scores, one.labels) for name, one in left.items()}
    return Learned(model, outcomes, chances is not None)


def _parts(sets: Mapping[str, Evidence]) -> dict[str, tuple[Mapping[str, Evidence], Evidence]]:
    """What is learned from and what is left out, by the name of the latter."""
    if len(sets) > 1:
        return {
            name: ({other: evidence for other, evidence in sets.items() if other != name}, one)
            for name, one in sets.items()
        }
    ((name, one),) = sets.items()
    classes = np.random.default_rng(0).permutation(len(one.expected))
    groups = [np.sort(group) for group in np.array_split(classes, _GROUPS)]
    if min(len(group) for group in groups) < _FEWEST:
        return {}
    return {
        f"{name}, half {number} of its classes": (
            {name: one.part(np.setdiff1d(classes, group))},
            one.part(group),
        )
        for number, group in enumerate(groups, start=1)
    }


def _fit(sets: Mapping[str, Evidence]) -> DescriptorModel:
    return fit_descriptors({name: (one.values, one.labels, one.expected, one.vectors) for name, one in sets.items()})


def _rank(model: DescriptorModel, one: Evidence, actions: tuple[Floats, Floats]) -> Left:
    z = model.standardise(one.values)
    return Left(model.scores(z, one.expected, one.vectors), model.scores(z, *actions), one.labels)
