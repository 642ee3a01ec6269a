"""Mutual-information scoring: a network scores (feature, text) pairs, true pairs above shuffled ones.

After Zhou et al., "Zero-shot Skeleton-based Action Recognition via Mutual Information Estimation and Maximization" (ACM
MM 2023): the Jensen–Shannon estimate −softplus(−T(x, e)) − softplus(T(x, e')) is maximised, and the class of largest
T wins. Its temporal part needs features over time, which a feature file does not hold, and is left out.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flora_engine.config import FloraSettings
from flora_engine.heads import Array, Choice, Fit, Labels
from flora_engine.heads.learning.optimise import optimise

STEPS = 1500
NEGATIVES = 4  # other classes that a sample is paired with in a step
SCORING_ELEMENTS = 1 << 22  # hidden values of one chunk of pairs


FLOW = False


def choices(settings: FloraSettings) -> list[Choice]:
    """Hidden sizes of the scoring network."""
    return [{"hidden": 512}, {"hidden": 128}]


def others(own: Tensor, classes: int, generator: torch.Generator) -> Tensor:
    """NEGATIVES classes for each of `own` (B,), drawn uniformly, with repeats, among the others. (B, NEGATIVES)."""
    away = torch.randint(1, classes, (len(own), NEGATIVES), generator=generator, device=own.device)
    return (own[:, None] + away) % classes


def fit(task: Fit) -> nn.ModuleList:
    """Learn the scoring network on seen classes; nothing is sampled at scoring."""
    device, seen = task.problem.device, task.problem.seen
    x = torch.from_numpy(task.problem.data).to(device)
    labels = torch.from_numpy(np.searchsorted(seen, task.problem.labels)).to(device)
    vectors = torch.from_numpy(task.problem.vectors).to(device)
    seen_vectors = vectors[torch.from_numpy(seen).to(device)]
    generator = torch.Generator(device).manual_seed(task.problem.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(task.problem.seed)
        features = nn.Sequential(nn.LayerNorm(x.shape[1]), nn.Linear(x.shape[1], task.choice["hidden"])).to(device)
        texts = nn.Linear(vectors.shape[1], task.choice["hidden"]).to(device)
        judge = nn.Sequential(nn.ReLU(), nn.Linear(task.choice["hidden"], task.choice["hidden"]), nn.ReLU()).to(device)
        final = nn.Linear(task.choice["hidden"], 1).to(device)

    parts = nn.ModuleList([features, texts, judge, final])

    def judged(feature: Tensor, text: Tensor) -> Tensor:
        """(N, hidden) and (C, hidden), or (N, C, hidden) where every sample has classes of its own → (N, C)."""
        return final(judge(feature[:, None] + text)).squeeze(2)  # type: ignore[no-any-return]

    def loss(rows: Tensor) -> Tensor:
        own = labels[rows]
        pairs = torch.cat([own[:, None], others(own, len(seen), generator)], dim=1)
        scores = judged(features(x[rows]), texts(seen_vectors)[pairs])
        return F.softplus(-scores[:, 0]).mean() + F.softplus(scores[:, 1:]).mean()

    def score(data: Array, classes: Labels) -> Array:
        with torch.no_grad():
            text = texts(vectors[torch.from_numpy(classes).to(device)])
            rows = max(1, SCORING_ELEMENTS // text.numel())
            parts = [
                judged(features(torch.from_numpy(data[i : i + rows]).to(device)), text).cpu().numpy()
                for i in range(0, len(data), rows)
            ]
        return np.concatenate(parts)

    optimise(
        task.job,
        "train mutual information",
        parts.parameters(),
        loss,
        samples=len(x),
        steps=STEPS,
        generator=generator,
        look=lambda number: task.watch(number, score, None),
        evaluations=task.evaluations,
        learning_rate=3e-4,
    )
    return parts
