"""SynSE: variational autoencoders of verbs and of nouns, each aligned with its half of a skeleton's latent.

Gupta et al., "Syntactically Guided Generative Embeddings for Zero-Shot Skeleton Action Recognition" (ICIP 2021): linear
Gaussian encoders and linear decoders; the latent of a skeleton (100 channels) is split, and its halves rebuild nouns
and verbs; the latents of both texts together rebuild the skeleton. Ten cycles, in which divergence and crossing set in
late (`Cycle`). A softmax classifier on latents decides. Changed: cycles of 170 steps with ten times the learning rate
instead of 1,700; inputs have unit variance, and decoders end without a ReLU, so that negative inputs can be rebuilt.
The published gate between seen and unseen classes is `evaluation.gate`, for all heads. Verbs and nouns are those of
`class_parts`.
"""

from __future__ import annotations

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flora_engine.config import FloraSettings
from flora_engine.heads import Choice, Fit
from flora_engine.heads.learning.latents import Cycle, Gaussian, LinearGaussian, drawn, look_with_classifier
from flora_engine.heads.learning.losses import divergence
from flora_engine.heads.learning.tensors import Tensors, learn, seeded

FLOW, PARTS = False, True
STEPS, CYCLES = 1700, 10
CROSSING = 14 / 17


def choices(settings: FloraSettings) -> list[Choice]:
    """Channels of a skeleton's latent: the published number for NTU-60, and one for few recordings."""
    return [{"latent": 100}, {"latent": 32}]


class Autoencoders(nn.Module):
    """Of skeletons (N, F), nouns and verbs (·, d); latent: channels of a skeleton, half of them per part of speech."""

    def __init__(self, features: int, text: int, latent: int) -> None:
        super().__init__()
        self.side = latent // 2
        self.skeleton = LinearGaussian(features, latent)
        self.skeleton_decoder = nn.Linear(latent, features)
        self.texts = nn.ModuleList(LinearGaussian(text, self.side) for _ in range(2))
        self.text_decoders = nn.ModuleList(nn.Linear(self.side, text) for _ in range(2))

    def read(self, texts: list[Tensor]) -> Gaussian:
        """Nouns and verbs (K, d) → one Gaussian (K, latent), nouns first."""
        found = [encoder(text) for encoder, text in zip(self.texts, texts, strict=True)]
        return torch.cat([mean for mean, _ in found], dim=1), torch.cat([spread for _, spread in found], dim=1)

    def rebuilt(self, z: Tensor) -> list[Tensor]:
        """Nouns and verbs from latents (·, latent)."""
        return [
            decoder(part) for decoder, part in zip(self.text_decoders, torch.split(z, self.side, dim=1), strict=True)
        ]


def losses(models: Autoencoders, x: Tensor, texts: list[Tensor], draw: torch.Generator) -> dict[str, Tensor]:
    """Of a batch x (B, F) with its nouns and verbs (B, d): own and crossed reconstructions, and both divergences."""
    seen, read = models.skeleton(x), models.read(texts)
    z, t = drawn(seen, draw), drawn(read, draw)

    def apart(found: list[Tensor]) -> Tensor:
        return torch.stack([F.mse_loss(one, text) for one, text in zip(found, texts, strict=True)]).sum()

    return {
        "own": F.mse_loss(models.skeleton_decoder(z), x) + apart(models.rebuilt(t)),
        "across": F.mse_loss(models.skeleton_decoder(t), x) + apart(models.rebuilt(z)),
        "skeleton": divergence(*seen),
        "text": divergence(*read),
    }


def fit(task: Fit) -> Autoencoders:
    """Learn the autoencoders; at each evaluation a classifier of its own is learned on their latents."""
    tensors = Tensors.of(task.problem)
    parts = [tensors.vectors(task.problem.part(name)) for name in ("nouns", "verbs")]
    parts = [part * part.shape[1] ** 0.5 for part in parts]  # unit variance per channel
    sizes = tensors.x.shape[1], parts[0].shape[1], int(task.choice["latent"])
    models = seeded(task.problem, lambda: Autoencoders(*sizes))
    steps, cycle = itertools.count(), Cycle(max(1, STEPS // CYCLES), CROSSING)

    def loss(rows: Tensor) -> Tensor:
        step, own = next(steps), tensors.labels[rows]
        found = losses(models, tensors.x[rows], [part[own] for part in parts], tensors.generator)
        return cycle.total(found, step)

    return learn(
        task,
        tensors,
        "train SynSE",
        models,
        loss,
        look_with_classifier(task, tensors, models.skeleton, lambda: models.read(parts)),
        STEPS,
    )
