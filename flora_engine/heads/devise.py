"""DeViSE: a linear map from features into the text space, under a hinge that ranks the own class first.

Frome et al., "DeViSE: A Deep Visual-Semantic Embedding Model" (NeurIPS 2013): t·Mv of the own class must exceed that
of every other by a margin of 0.1; class vectors have unit length, mapped features are not normalised. In a step the sum
over the other classes is cut after the first, in random order, that comes too close. The class of the nearest vector
wins. Left out: the paper trains on through its image network; here the encoder stays as it is. `nearest_mean` is the
variant that this program ships: cosines, all classes in a step, a layer norm before the map.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flora_engine.config import FloraSettings
from flora_engine.heads import Choice, Fit
from flora_engine.heads.learning.losses import ranking_hinge
from flora_engine.heads.learning.tensors import Tensors, learn, seeded, watched

FLOW = False
STEPS = 1000


def choices(settings: FloraSettings) -> list[Choice]:
    """Margins: the published one, and one that suits standardised features of few recordings."""
    return [{"margin": 0.1}, {"margin": 1.0}]


def first_too_close(hinge: Tensor, order: Tensor) -> Tensor:
    """Of each row of `hinge` (B, S) the positive entry that `order` (B, S) puts first (largest); 0 without any."""
    first = order.masked_fill(hinge <= 0, -1.0).argmax(dim=1)
    return hinge.gather(1, first[:, None])[:, 0]


def fit(task: Fit) -> nn.Linear:
    """Learn the map on seen classes."""
    tensors = Tensors.of(task.problem)
    vectors = tensors.vectors(task.problem.vectors)
    project = seeded(task.problem, lambda: nn.Linear(tensors.x.shape[1], vectors.shape[1], bias=False))
    margin = float(task.choice["margin"])

    def loss(rows: Tensor) -> Tensor:
        similarity = project(tensors.x[rows]) @ vectors[tensors.seen].T
        hinge = ranking_hinge(similarity, tensors.own[rows], margin)
        order = torch.rand(hinge.shape, generator=tensors.generator, device=hinge.device)
        return first_too_close(hinge, order).mean()

    score = tensors.scorer(lambda x, classes: F.normalize(project(x), dim=1) @ vectors[classes].T)
    return learn(task, tensors, "train DeViSE", project, loss, watched(task, score), STEPS)
