"""TDSM: a diffusion model denoises skeletons under a text; the class whose text denoises best wins.

Do and Kim, "Bridging the Skeleton-Text Modality Gap: Diffusion-Powered Modality Alignment for Zero-shot Skeleton-based
Action Recognition" (ICCV 2025): a feature x becomes √ᾱ_t·x + √(1 − ᾱ_t)·ε, t one of 50 steps; a transformer with the
feature and the text's tokens side by side, modulated by t and the pooled text, predicts ε. Loss: the squared error e₊
under the own text + max(0, e₊ − e₋ + τ), e₋ under the text of another seen class, τ = 1. Decision: the smallest error
at t = 25 for three noises that stay the same. ᾱ is that of β from 0.00085 to 0.012, linear in √β, as in their files.
Changed: one block of 128 channels instead of 12 of 768, and 500 steps instead of 50,000, so that a fit takes seconds
on one core; the tokens of a text are merged into four, each the mean of neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from flora_engine.config import FloraSettings
from flora_engine.heads import Choice, Fit
from flora_engine.heads.learning.tensors import Tensors, learn, seeded, watched
from flora_engine.models.denoiser import Denoiser

FLOW = False
STEPS, BATCH, LEARNING_RATE = 500, 64, 1e-3
TIMES, DECISION_TIME, NOISES = 50, 25, 3
BETAS = (0.00085, 0.012)
HIDDEN, BLOCKS, HEADS, TOKENS = 128, 1, 4, 4


def choices(settings: FloraSettings) -> list[Choice]:
    """Margins τ: the published one, and one of the size of the errors of small trainings."""
    return [{"margin": 1.0}, {"margin": 0.1}]


def kept_shares() -> Tensor:
    """ᾱ (TIMES,): the share of a feature's variance that is left at each step of time."""
    roots = torch.linspace(BETAS[0] ** 0.5, BETAS[1] ** 0.5, TIMES, dtype=torch.float64)
    return (1 - roots.square()).cumprod(dim=0).float()


def noised(x: Tensor, noise: Tensor, kept: Tensor) -> Tensor:
    """√ᾱ·x + √(1 − ᾱ)·ε. kept: ᾱ of each row, (B,) or ()."""
    kept = kept.reshape(-1, 1)
    return kept.sqrt() * x + (1 - kept).sqrt() * noise


def triplet(own: Tensor, other: Tensor, differ: Tensor, margin: float) -> Tensor:
    """Mean of e₊ + max(0, e₊ − e₋ + τ), the latter only if the texts differ. All (B,)."""
    return (own + F.relu(own - other + margin) * differ).mean()


@dataclass(frozen=True)
class Texts:
    """pooled: (K, D). tokens: (K, TOKENS, D), the merged states of neighbouring places."""

    pooled: Tensor
    tokens: Tensor

    @classmethod
    def of(cls, states: Tensor) -> Texts:
        spread = states.square().mean().sqrt()
        groups = [group.mean(dim=1) for group in (states[:, :-1] / spread).tensor_split(TOKENS, dim=1) if group.numel()]
        return cls(states[:, -1] / states[:, -1].square().mean().sqrt(), torch.stack(groups, dim=1))


def fit(task: Fit) -> Denoiser:
    """Learn to denoise features of seen classes under their texts."""
    tensors = Tensors.of(task.problem)
    texts = Texts.of(torch.from_numpy(task.problem.states).to(tensors.x.device))
    sizes = tensors.x.shape[1], texts.pooled.shape[1], texts.tokens.shape[1], HIDDEN, BLOCKS, HEADS
    model = seeded(task.problem, lambda: Denoiser(*sizes))
    kept = kept_shares().to(tensors.x.device)
    fixed = tensors.normal(NOISES, tensors.x.shape[1])

    def drawn(below: int, rows: Tensor) -> Tensor:
        return torch.randint(below, (len(rows),), generator=tensors.generator, device=rows.device)

    def loss(rows: Tensor) -> Tensor:
        own, time = tensors.own[rows], drawn(TIMES, rows)
        other = drawn(len(tensors.seen), rows)
        noise = tensors.normal(len(rows), tensors.x.shape[1])
        noisy = noised(tensors.x[rows], noise, kept[time])
        both = tensors.seen[torch.cat([own, other])]
        found = model(noisy.repeat(2, 1), time.repeat(2), texts.pooled[both], texts.tokens[both])
        errors = (found - noise.repeat(2, 1)).square().mean(dim=1)
        right, wrong = errors.chunk(2)
        return triplet(right, wrong, (own != other).float(), float(task.choice["margin"]))

    def score(x: Tensor, classes: Tensor) -> Tensor:
        time = torch.tensor([DECISION_TIME], device=x.device)
        scores = torch.zeros((len(x), len(classes)), device=x.device)
        for noise in fixed:
            noisy = noised(x, noise, kept[DECISION_TIME])
            for column, label in enumerate(classes.tolist()):
                found = model(noisy, time, texts.pooled[label][None], texts.tokens[label][None])
                scores[:, column] -= (found - noise).square().mean(dim=1) / NOISES
        return scores

    return learn(
        task,
        tensors,
        "train TDSM",
        model,
        loss,
        watched(task, tensors.scorer(score)),
        STEPS,
        learning_rate=LEARNING_RATE,
        batch=BATCH,
    )
