"""Flora, the nearest mean and ridge regression together: the sum of their scores, each in units of its own spread.

Nothing tells beforehand which of them suits a data set, and the sum does about as well as the best. The spread of
Flora's −log e is about 1 everywhere and stays as it is; that of the other two is measured on the training samples.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from flora_engine.config import FloraSettings
from flora_engine.heads import Choice, Fit, eszsl, flora, nearest_mean, unwatched
from flora_engine.heads.learning.model import FloraModel
from flora_engine.models.flora.direct import DirectMap

# Chosen on held-out folds of UTD-MHAD and Northwestern-UCLA together (docs/decisions/0004-ensemble.md).
MARGIN, EVALUATIONS, RIDGE = 0.3, 4, 10.0
SPREAD_SAMPLES = 4096  # about so many tell a spread; all of a large set would take hundreds of MB


FLOW = True


def choices(settings: FloraSettings) -> list[Choice]:
    """The attunements of the settings, for Flora."""
    return flora.choices(settings)


def fit_direct(task: Fit) -> DirectMap:
    """Nearest mean and ridge regression as one map, each with a spread of 1 over the seen classes."""

    problem = task.problem
    quiet = replace(task, watch=unwatched, checkpoint=None)
    nearest = nearest_mean.fit(replace(quiet, choice={"margin": MARGIN}, evaluations=EVALUATIONS))
    ridge = eszsl.fit(replace(quiet, choice={"features": RIDGE, "texts": RIDGE})).to(problem.device)
    with torch.no_grad():
        some = problem.data[:: max(1, len(problem.data) // SPREAD_SAMPLES)]
        x = torch.from_numpy(some).to(problem.device)
        vectors = torch.from_numpy(problem.vectors[problem.seen]).to(problem.device)
        scores = torch.stack([part(x) @ vectors.T for part in (nearest, ridge)])
        spread = (scores - scores.mean(dim=2, keepdim=True)).square().mean(dim=(1, 2)).sqrt()
    return DirectMap(nearest, ridge, 1 / spread.clamp_min(1e-12))


def fit(task: Fit) -> FloraModel:
    """Train all three; `task.watch` sees Flora's evaluations, with the other two finished."""
    return flora.fit(task, direct=fit_direct(task))
