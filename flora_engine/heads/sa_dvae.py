"""SA-DVAE: of a skeleton's latent only one part is aligned with the text; an adversary keeps the other independent.

Li et al., "SA-DVAE: Improving Zero-Shot Skeleton-Based Action Recognition by Disentangled Variational Autoencoders"
(ECCV 2024): linear Gaussian encoders and linear decoders; the latent of a skeleton has 160 channels of meaning and 8
of style. Both rebuild the skeleton; the meaning alone rebuilds the text; the text's latent with the style rebuilds the
skeleton. A discriminator learns every fifth step to tell pairs of (meaning, style) from pairs of different recordings,
and the encoders lower its confidence, an estimate of their total correlation. Cycles and the classifier are SynSE's.
Changed: cycles of 170 steps with a larger learning rate instead of 1,700 at 3·10⁻⁵; inputs have unit variance, and
decoders end without a ReLU.
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

FLOW = False
STEPS, CYCLES = 1700, 10
CROSSING = 0.8
DISCRIMINATOR_EVERY = 5
LEARNING_RATE = 1e-3


def choices(settings: FloraSettings) -> list[Choice]:
    """Channels of meaning and of style: the published numbers for NTU-60, and fewer for few recordings."""
    return [{"meaning": 160, "style": 8}, {"meaning": 32, "style": 8}]


class Autoencoders(nn.Module):
    """Of skeletons (N, F) and texts (K, D), with the discriminator of meaning and style."""

    def __init__(self, features: int, text: int, meaning: int, style: int) -> None:
        super().__init__()
        self.meaning, self.style = LinearGaussian(features, meaning), LinearGaussian(features, style)
        self.text = LinearGaussian(text, meaning)
        self.skeleton_decoder = nn.Linear(meaning + style, features)
        self.text_decoder = nn.Linear(meaning, text)

    def gaussians(self, x: Tensor, text: Tensor) -> list[Gaussian]:
        """Of the meaning of skeletons, of texts, and of the style of skeletons."""
        return [self.meaning(x), self.text(text), self.style(x)]


class Discriminator(nn.Module):
    """(N, meaning + style) → the logit (N,) that both are of one recording."""

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(latent, latent // 4), nn.ReLU(), nn.Linear(latent // 4, 1))

    def forward(self, meaning: Tensor, style: Tensor) -> Tensor:
        logits: Tensor = self.layers(torch.cat([meaning, style], dim=1))[:, 0]
        return logits


def discriminator_loss(judge: Discriminator, meanings: list[Tensor], style: Tensor, draw: torch.Generator) -> Tensor:
    """Cross entropy of true pairs against shuffled ones, the mean over `meanings` (of skeletons, of texts)."""
    shuffled = style[torch.randperm(len(style), generator=draw, device=style.device)]
    one = torch.ones(len(style), device=style.device)
    found = [
        F.binary_cross_entropy_with_logits(judge(meaning, other), truth)
        for meaning in meanings
        for other, truth in ((style, one), (shuffled, 1 - one))
    ]
    return torch.stack(found).mean()


def losses(
    models: Autoencoders, judge: Discriminator, x: Tensor, text: Tensor, draw: torch.Generator
) -> dict[str, Tensor]:
    """Of a batch x (B, F), text (B, D): reconstructions, divergences, and the dependence of meaning and style."""
    gaussians = models.gaussians(x, text)
    meaning, read, style = (drawn(one, draw) for one in gaussians)

    def skeleton(z: Tensor) -> Tensor:
        return F.mse_loss(models.skeleton_decoder(torch.cat([z, style], dim=1)), x)

    return {
        "own": skeleton(meaning) + F.mse_loss(models.text_decoder(read), text),
        "across": skeleton(read) + F.mse_loss(models.text_decoder(meaning), text),
        "skeleton": divergence(*gaussians[0]) + divergence(*gaussians[2]),
        "text": divergence(*gaussians[1]) + judge(meaning, style).sigmoid().mean(),
    }


def fit(task: Fit) -> Autoencoders:
    """Learn autoencoders and discriminator in turns; each evaluation learns a classifier of its own on latents."""
    tensors = Tensors.of(task.problem)
    vectors = tensors.vectors(task.problem.vectors)
    vectors = vectors * vectors.shape[1] ** 0.5  # unit variance per channel
    meaning, style = int(task.choice["meaning"]), int(task.choice["style"])
    models = seeded(task.problem, lambda: Autoencoders(tensors.x.shape[1], vectors.shape[1], meaning, style))
    judge = seeded(task.problem, lambda: Discriminator(meaning + style))
    adversary = torch.optim.Adam(judge.parameters(), LEARNING_RATE)
    steps, cycle = itertools.count(), Cycle(max(1, STEPS // CYCLES), CROSSING)

    def loss(rows: Tensor) -> Tensor:
        step, x, text = next(steps), tensors.x[rows], vectors[tensors.labels[rows]]
        if step % DISCRIMINATOR_EVERY == 0:
            with torch.no_grad():
                latents = [drawn(one, tensors.generator) for one in models.gaussians(x, text)]
            adversary.zero_grad(set_to_none=True)
            discriminator_loss(judge, latents[:2], latents[2], tensors.generator).backward()  # type: ignore[no-untyped-call]
            adversary.step()
        return cycle.total(losses(models, judge, x, text, tensors.generator), step)

    return learn(
        task,
        tensors,
        "train SA-DVAE",
        models,
        loss,
        look_with_classifier(task, tensors, models.meaning, lambda: models.text(vectors)),
        STEPS,
        learning_rate=LEARNING_RATE,
    )
