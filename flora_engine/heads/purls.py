"""PURLS: a recording against descriptions of body parts and stretches of time as well as of the whole action.

Zhu et al., "Part-Aware Unified Representation of Language and Skeleton for Zero-Shot Action Recognition" (CVPR 2024): a
projection (batch norm, dropout ½, linear, SiLU, batch norm, dropout ½, linear, tanh; 1,024 hidden) gives one vector for
each of eight descriptions: head, hands, torso, legs; start, middle, end; the whole. Loss: for each, cross entropy of
recordings against texts and of texts against recordings, with a factor of its own that is learned and begins at
log(1/0.07). The vector of the whole decides. Left out: the adaptive partition, which lets every description attend to
the joints and frames of a recording, for a frozen feature has none; all eight vectors come from the same feature.
Descriptions are those of `class_parts`, not of GPT-3. Recordings of one class in a batch count as right for its text.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flora_engine.config import FloraSettings
from flora_engine.heads import Choice, Fit, Problem
from flora_engine.heads.learning.tensors import Tensors, learn, seeded, watched

FLOW, PARTS = False, True
STEPS = 400
DROPPED = 0.5
# Descriptions, by the parts of texts that they join.
DESCRIPTIONS = (("head",), ("hand", "arm"), ("hip",), ("leg", "foot"), ("start",), ("middle",), ("end",))


def choices(settings: FloraSettings) -> list[Choice]:
    """Hidden channels of the projection: the published number, and one for few recordings."""
    return [{"hidden": 1024}, {"hidden": 256}]


class Projection(nn.Module):
    """Features (N, F) → one vector per description, of the widths `sizes`; and the factors of their losses."""

    def __init__(self, features: int, sizes: list[int], hidden: int) -> None:
        super().__init__()
        self.sizes = sizes
        self.first, self.second = nn.BatchNorm1d(features), nn.BatchNorm1d(hidden)
        self.inner, self.outer = nn.Linear(features, hidden), nn.Linear(hidden, sum(sizes))
        self.factors = nn.Parameter(torch.full((len(sizes),), math.log(1 / 0.07)))

    def forward(self, x: Tensor, dropping: torch.Generator | None = None) -> tuple[Tensor, ...]:
        """dropping: draws what is left out, in training."""
        x = F.silu(self.inner(_dropped(self.first(x), dropping)))
        return torch.tanh(self.outer(_dropped(self.second(x), dropping))).split(self.sizes, dim=1)  # type: ignore[no-any-return,no-untyped-call]


def _dropped(x: Tensor, generator: torch.Generator | None) -> Tensor:
    if generator is None:
        return x
    kept = torch.rand(x.shape, generator=generator, device=x.device) >= DROPPED
    return x * kept / (1 - DROPPED)


def contrast(similarity: Tensor, own: Tensor) -> Tensor:
    """Cross entropy of recordings (rows) against classes (columns), plus that of the classes that occur against rows.

    similarity: (B, S). own: (B,). The right answer of a class is any of its recordings alike.
    """
    right = F.one_hot(own, similarity.shape[1]).float()
    there = right.sum(dim=0) > 0
    wanted = right[:, there] / right[:, there].sum(dim=0)
    texts = -(wanted * similarity[:, there].log_softmax(dim=0)).sum(dim=0).mean()
    return F.cross_entropy(similarity, own) + texts


def descriptions(problem: Problem, tensors: Tensors) -> list[Tensor]:
    """Vectors (K, ·) of unit length of all eight descriptions, the whole last."""
    parts = [sum((problem.part(name) for name in names[1:]), problem.part(names[0])) for names in DESCRIPTIONS]
    return [tensors.vectors(one) for one in (*parts, problem.vectors)]


def fit(task: Fit) -> Projection:
    """Learn the projection on seen classes."""
    tensors = Tensors.of(task.problem)
    texts = descriptions(task.problem, tensors)
    sizes = [text.shape[1] for text in texts]
    model = seeded(task.problem, lambda: Projection(tensors.x.shape[1], sizes, int(task.choice["hidden"])))

    def loss(rows: Tensor) -> Tensor:
        found = model.train()(tensors.x[rows], tensors.generator)
        own = tensors.own[rows]
        similar = (f * (one @ text[tensors.seen].T) for f, one, text in zip(model.factors, found, texts, strict=True))
        return torch.stack([contrast(one, own) for one in similar]).sum()

    def score(x: Tensor, classes: Tensor) -> Tensor:
        whole: Tensor = model.eval()(x)[-1]
        return whole @ texts[-1][classes].T

    return learn(task, tensors, "train PURLS", model, loss, watched(task, tensors.scorer(score)), STEPS)
