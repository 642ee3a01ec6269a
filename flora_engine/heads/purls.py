"""PURLS: a recording against descriptions of body parts and stretches of time as well as of the whole action.

Zhu et al., "Part-Aware Unified Representation of Language and Skeleton for Zero-Shot Action Recognition" (CVPR 2024): a
projection (batch norm, dropout ½, linear, SiLU, batch norm, dropout ½, linear, tanh; 1,024 hidden) gives one vector for
each of eight descriptions: head, hands, torso, legs; start, middle, end; the whole. Loss: for each, cross entropy of
recordings against texts and of texts against recordings, with a factor of its own that is learned and begins at
log(1/0.07). The vector of the whole decides. If there are local features, the projection reads eight of them side by
side: each description attends to all joints and stretches of time (2 heads of 150 channels whose scores are averaged;
vectors of unit length). The published code asks with the description of a recording's own class, which nobody knows of
a recording to label; here each description asks with a learned query for all classes. Without local features all eight
vectors come from the same feature. Descriptions are those of `class_parts`, not of GPT-3. Recordings of one class in a
batch count as right for its text.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flora_engine.config import FloraSettings
from flora_engine.heads import Choice, Fit, Problem
from flora_engine.heads.learning.tensors import Tensors, learn, seeded, split_local, watched

FLOW, PARTS, LOCAL = False, True, True
STEPS = 400
DROPPED = 0.5
ATTENTION_HEADS, KEYS = 2, 150
# Descriptions, by the parts of texts that they join.
DESCRIPTIONS = (("head",), ("hand", "arm"), ("hip",), ("leg", "foot"), ("start",), ("middle",), ("end",))


def choices(settings: FloraSettings) -> list[Choice]:
    """Hidden channels of the projection: the published number, and one for few recordings."""
    return [{"hidden": 1024}, {"hidden": 256}]


class Partition(nn.Module):
    """Rows (N, F + S·V·F) → (N, P·F): for each of P descriptions the local features that it attends to, summed.

    shape: (S, V), see `Problem.local`.
    """

    def __init__(self, features: int, descriptions: int, shape: tuple[int, int]) -> None:
        super().__init__()
        self.shape = shape
        self.keys = nn.Linear(features, ATTENTION_HEADS * KEYS, bias=False)
        self.queries = nn.Parameter(torch.randn(descriptions, ATTENTION_HEADS * KEYS))

    def weights(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Local features of unit length (N, S·V, F), and how much of each a description takes (N, P, S·V)."""
        local = F.normalize(split_local(x, self.shape)[1].flatten(1, 2), dim=2)
        scores = self.queries @ self.keys(local).transpose(1, 2) / (ATTENTION_HEADS * KEYS**0.5)
        return local, scores.softmax(dim=2)

    def forward(self, x: Tensor) -> Tensor:
        local, weights = self.weights(x)
        return (weights @ local).flatten(1)


class Projection(nn.Module):
    """Features (N, F) → one vector per description, of the widths `sizes`; and the factors of their losses.

    partition: makes the features from rows that hold local ones.
    """

    def __init__(self, features: int, sizes: list[int], hidden: int, partition: Partition | None = None) -> None:
        super().__init__()
        self.sizes, self.partition = sizes, partition
        self.first, self.second = nn.BatchNorm1d(features), nn.BatchNorm1d(hidden)
        self.inner, self.outer = nn.Linear(features, hidden), nn.Linear(hidden, sum(sizes))
        self.factors = nn.Parameter(torch.full((len(sizes),), math.log(1 / 0.07)))

    def forward(self, x: Tensor, dropping: torch.Generator | None = None) -> tuple[Tensor, ...]:
        """dropping: draws what is left out, in training."""
        if self.partition is not None:
            x = self.partition(x)
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


def _projection(x: Tensor, local: tuple[int, int] | None, sizes: list[int], hidden: int) -> Projection:
    if local is None:
        return Projection(x.shape[1], sizes, hidden)
    width = split_local(x[:1], local)[0].shape[1]
    return Projection(width * len(sizes), sizes, hidden, Partition(width, len(sizes), local))


def fit(task: Fit) -> Projection:
    """Learn the projection on seen classes."""
    tensors = Tensors.of(task.problem)
    texts = descriptions(task.problem, tensors)
    sizes = [text.shape[1] for text in texts]
    model = seeded(task.problem, lambda: _projection(tensors.x, task.problem.local, sizes, int(task.choice["hidden"])))

    def loss(rows: Tensor) -> Tensor:
        found = model.train()(tensors.x[rows], tensors.generator)
        own = tensors.own[rows]
        similar = (f * (one @ text[tensors.seen].T) for f, one, text in zip(model.factors, found, texts, strict=True))
        return torch.stack([contrast(one, own) for one in similar]).sum()

    def score(x: Tensor, classes: Tensor) -> Tensor:
        whole: Tensor = model.eval()(x)[-1]
        return whole @ texts[-1][classes].T

    return learn(task, tensors, "train PURLS", model, loss, watched(task, tensors.scorer(score)), STEPS)
