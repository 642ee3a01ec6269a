"""Flora, the nearest mean and ridge regression together: the sum of their scores, each in units of its own spread.

Nothing tells beforehand which of them suits a data set, and the sum does about as well as the best. The spread of
Flora's −log e is about 1 everywhere and stays as it is; that of the other two is measured on the training samples.
"""

from __future__ import annotations

from pathlib import Path

import torch

from flora_engine.config import FloraSettings
from flora_engine.heads import eszsl, flora, nearest_mean
from flora_engine.heads.base import Choice, Problem, Watch
from flora_engine.heads.learning.flora import FloraModel
from flora_engine.jobs import Job
from flora_engine.models.flora.direct import DirectMap

# Chosen on held-out folds of UTD-MHAD and Northwestern-UCLA together (docs/decisions/0004-ensemble.md).
MARGIN, EVALUATIONS, RIDGE = 0.3, 4, 10.0
SPREAD_SAMPLES = 4096  # about so many tell a spread; all of a large set would take hundreds of MB


def choices(settings: FloraSettings) -> list[Choice]:
    """The attunements of the settings, for Flora."""
    return flora.choices(settings)


def fit_direct(job: Job, problem: Problem, settings: FloraSettings) -> DirectMap:
    """Nearest mean and ridge regression as one map, each with a spread of 1 over the seen classes."""

    def unwatched(*_: object) -> None:
        pass

    margin, ridges = {"margin": MARGIN}, {"features": RIDGE, "texts": RIDGE}
    nearest = nearest_mean.fit(job, problem, margin, settings, unwatched, EVALUATIONS)
    ridge = eszsl.fit(job, problem, ridges, settings, unwatched).to(problem.device)
    with torch.no_grad():
        some = problem.data[:: max(1, len(problem.data) // SPREAD_SAMPLES)]
        x = torch.from_numpy(some).to(problem.device)
        vectors = torch.from_numpy(problem.vectors[problem.seen]).to(problem.device)
        scores = torch.stack([part(x) @ vectors.T for part in (nearest, ridge)])
        spread = (scores - scores.mean(dim=2, keepdim=True)).square().mean(dim=(1, 2)).sqrt()
    return DirectMap(nearest, ridge, 1 / spread.clamp_min(1e-12))


def fit(
    job: Job,
    problem: Problem,
    choice: Choice,
    settings: FloraSettings,
    watch: Watch,
    evaluations: int | None = None,
    sampling: bool = False,
    checkpoint: Path | None = None,
) -> FloraModel:
    """Train all three; `watch` sees Flora's evaluations, with the other two finished."""
    direct = fit_direct(job, problem, settings)
    return flora.fit(job, problem, choice, settings, watch, evaluations, sampling, checkpoint, direct=direct)
