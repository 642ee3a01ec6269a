"""Nearest class vector in an aligned space: a linear map from features to text vectors under a ranking loss.

After Frome et al., "DeViSE: A Deep Visual-Semantic Embedding Model" (NeurIPS 2013): the mapped feature must be closer
(cosine) to the text of its class than to any other seen class by a margin. `devise` follows that paper more closely.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from flora_engine.config import FloraSettings
from flora_engine.heads import Array, Choice, Fit, Labels
from flora_engine.heads.learning.losses import ranking_hinge
from flora_engine.heads.learning.optimise import optimise
from flora_engine.models.flora.direct import Projection

STEPS = 1000


FLOW = False


def choices(settings: FloraSettings) -> list[Choice]:
    """Ranking margins."""
    return [{"margin": 0.1}, {"margin": 0.3}]


def fit(task: Fit) -> Projection:
    """Learn the map on seen classes; nothing is sampled here."""
    device, seen = task.problem.device, task.problem.seen
    x = torch.from_numpy(task.problem.data).to(device)
    labels = torch.from_numpy(np.searchsorted(seen, task.problem.labels)).to(device)
    vectors = F.normalize(torch.from_numpy(task.problem.vectors).to(device), dim=1)
    seen_vectors = vectors[torch.from_numpy(seen).to(device)]
    generator = torch.Generator(device).manual_seed(task.problem.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(task.problem.seed)
        project = Projection(x.shape[1], vectors.shape[1]).to(device)

    def loss(rows: Tensor) -> Tensor:
        similarity = project(x[rows]) @ seen_vectors.T
        return ranking_hinge(similarity, labels[rows], float(task.choice["margin"])).sum(dim=1).mean()

    def score(features: Array, classes: Labels) -> Array:
        with torch.no_grad():
            candidates = vectors[torch.from_numpy(classes).to(device)]
            scores: Array = (project(torch.from_numpy(features).to(device)) @ candidates.T).cpu().numpy()
            return scores

    optimise(
        task.job,
        "train nearest mean",
        project.parameters(),
        loss,
        samples=len(x),
        steps=STEPS,
        generator=generator,
        look=lambda number: task.watch(number, score, None),
        evaluations=task.evaluations,
    )
    return project
