"""Flora itself: neighbour-aware texts, aligned autoencoders and a flow that decides (arXiv 2511.09388).

Its baseline is the nearest class mean, by cosine, in the very same aligned space: Flora without its flow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from flora_engine.config import FloraSettings
from flora_engine.heads import Array, Choice, Fit, Labels, Scorer
from flora_engine.heads.learning.flora import train_added, train_flora
from flora_engine.heads.learning.model import FloraModel
from flora_engine.models.flora.direct import DirectMap
from flora_engine.training.precision import uses_bfloat16

FLOW = True


def choices(settings: FloraSettings) -> list[Choice]:
    """The attunements of the settings."""
    return [{"neighbours": k, "weight": w} for k, w in settings.attunements]


@dataclass(frozen=True)
class FlowScorer:
    """Scores −log e_c of the flow's decision errors, plus what decides beside it.

    `model` is the one in training: copy it to keep it. merged, bfloat16: see `FloraModel.errors`.
    """

    model: FloraModel
    sampling: torch.Generator | None = None
    merged: int = 0
    bfloat16: bool = False

    def __call__(self, x: Array, classes: Labels) -> Array:
        errors = self.model.errors(x, classes, self.sampling, self.merged, self.bfloat16)
        return self.model.direct_scores(x, classes) - np.log(np.maximum(errors, 1e-30))


def nearest_scorer(model: FloraModel) -> Scorer:
    """Cosine between the skeleton's mean latent and each class's, averaged over its tokens."""

    def score(x: Array, classes: Labels) -> Array:
        skeleton, text = model.latents(x)
        skeleton /= np.maximum(np.linalg.norm(skeleton, axis=1, keepdims=True), 1e-12)
        text /= np.maximum(np.linalg.norm(text, axis=1, keepdims=True), 1e-12)
        return skeleton @ text[classes].T

    return score


def fit(task: Fit, direct: DirectMap | None = None) -> FloraModel:
    """Train both phases: see `train_flora`, and `train_added` for a Flora per stream. `watch` is called after each
    stretch of phase 2.
    """
    generator = torch.Generator(task.problem.device) if task.sampling else None
    bfloat16 = uses_bfloat16(task.settings.precision, task.problem.device)

    def look(done: int, model: FloraModel) -> None:
        if generator is not None:
            generator.manual_seed(task.problem.seed + done)
        task.watch(done, FlowScorer(model, generator, task.settings.scoring_tokens, bfloat16), nearest_scorer(model))

    train = train_added if task.settings.add_streams else train_flora
    return train(task, look, direct)
