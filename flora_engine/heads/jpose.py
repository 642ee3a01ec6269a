"""JPoSE: one space for verbs, one for nouns, and a joint space on top of both.

Wray et al., "Fine-Grained Action Retrieval Through Multiple Parts-of-Speech Embeddings" (ICCV 2019), as Gupta et al.
(SynSE, ICIP 2021) apply it to skeleton features: linear maps with tanh to 50 channels for each part of speech and for
the joint space, everything of unit length, margin 0.3. Loss: the ranking hinge in the three spaces + 0.01 times a
triplet of recordings with the hardest partner and the hardest other, for verbs and for nouns. Classes with the same
verb (noun) are not told apart in the space of verbs (nouns). Verbs and nouns are those of `class_parts`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flora_engine.config import FloraSettings
from flora_engine.heads import Choice, Fit
from flora_engine.heads.learning.losses import hardest_triplet, ranking_hinge
from flora_engine.heads.learning.tensors import Tensors, learn, seeded, watched

FLOW, PARTS = False, True
STEPS = 1000
SPACE = 50
TRIPLET = 0.01  # weight of the triplets


def choices(settings: FloraSettings) -> list[Choice]:
    """Margins: the published one, and a smaller one."""
    return [{"margin": 0.3}, {"margin": 0.1}]


class _Unit(nn.Module):
    """(N, inputs) → (N, SPACE) of unit length: linear, tanh."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.mapping = nn.Linear(inputs, SPACE)

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(torch.tanh(self.mapping(x)), dim=1)


class Spaces(nn.Module):
    """Skeletons (N, F) or parts of texts ((K, d) each) → verbs, nouns and the joint space, each (·, SPACE)."""

    def __init__(self, features: int, text: int) -> None:
        super().__init__()
        self.skeletons = nn.ModuleList([_Unit(features), _Unit(features), _Unit(2 * SPACE)])
        self.texts = nn.ModuleList([_Unit(text), _Unit(text), _Unit(2 * SPACE)])

    def of_skeletons(self, x: Tensor) -> list[Tensor]:
        return _joined(self.skeletons, x, x)

    def of_texts(self, verbs: Tensor, nouns: Tensor) -> list[Tensor]:
        return _joined(self.texts, verbs, nouns)


def _joined(maps: nn.ModuleList, verbs: Tensor, nouns: Tensor) -> list[Tensor]:
    first, second = maps[0](verbs), maps[1](nouns)
    return [first, second, maps[2](torch.cat([first, second], dim=1))]


def groups_of(vectors: Tensor) -> Tensor:
    """Numbers (K,) that classes with equal vectors (K, d) share."""
    numbers: Tensor = torch.unique(vectors, dim=0, return_inverse=True)[1]
    return numbers


def part_hinge(similarity: Tensor, own: Tensor, groups: Tensor, margin: float) -> Tensor:
    """The ranking hinge, without the classes that share the group of the own one: sum over classes, mean over rows."""
    hinge = ranking_hinge(similarity, own, margin)
    return hinge.masked_fill(groups[own][:, None] == groups, 0.0).sum(dim=1).mean()


def fit(task: Fit) -> Spaces:
    """Learn the three spaces on seen classes."""
    problem, tensors = task.problem, Tensors.of(task.problem)
    parts = [tensors.vectors(problem.part(name)) for name in ("verbs", "nouns")]
    groups = [*(groups_of(part[tensors.seen]) for part in parts), torch.arange(len(tensors.seen)).to(tensors.x.device)]
    spaces = seeded(problem, lambda: Spaces(tensors.x.shape[1], parts[0].shape[1]))
    margin = float(task.choice["margin"])

    def loss(rows: Tensor) -> Tensor:
        own = tensors.own[rows]
        found = spaces.of_skeletons(tensors.x[rows])
        read = spaces.of_texts(*(part[tensors.seen] for part in parts))
        hinges = [part_hinge(s @ t.T, own, g, margin) for s, t, g in zip(found, read, groups, strict=True)]
        triplets = [hardest_triplet(s, g[own], margin) for s, g in zip(found[:2], groups[:2], strict=True)]
        return torch.stack([*hinges, *(TRIPLET * one for one in triplets)]).sum()

    def score(x: Tensor, classes: Tensor) -> Tensor:
        joint = spaces.of_texts(*(part[classes] for part in parts))[2]
        return spaces.of_skeletons(x)[2] @ joint.T

    return learn(task, tensors, "train JPoSE", spaces, loss, watched(task, tensors.scorer(score)), STEPS)
