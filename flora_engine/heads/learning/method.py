"""The two losses of Flora on batches of samples, and how batches are drawn (docs/method.md, sections 6 and 7)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from flora_engine.config import FloraSettings
from flora_engine.errors import FloraError
from flora_engine.heads import Problem
from flora_engine.models.flora.autoencoders import sample
from flora_engine.models.flora.network import Flora, align_loss, flow_loss


@dataclass
class Method:
    """Tensors and losses of one training, on the device. Labels count the rows of `texts` (the seen classes)."""

    settings: FloraSettings
    network: Flora
    x: Tensor  # (N, F), sorted by label
    labels: Tensor  # (N,)
    first: Tensor  # (S,) row of the first sample of each class
    count: Tensor  # (S,) samples of each class
    texts: Tensor  # (S, L+1, 2d)
    seed: int
    generator: torch.Generator
    text_latents: tuple[Tensor, Tensor] = field(default_factory=lambda: (torch.empty(0), torch.empty(0)))

    @property
    def tokens(self) -> int:
        wanted, all_tokens = self.settings.tokens_per_step, self.texts.shape[1]
        return min(wanted or all_tokens, all_tokens)

    def align(self, rows: Tensor, tokens: Tensor) -> Tensor:
        """Phase-1 loss of samples `rows` (B,) at `tokens` (T,)."""
        x, labels, texts = self.x[rows], self.labels[rows], self.texts[:, tokens]
        if len(texts) > len(rows):  # fewer samples than classes: encode only the samples' own texts
            texts, labels = texts[labels], torch.arange(len(rows), device=rows.device)
        shape = (len(rows), len(tokens), self.network.hidden)
        noise = torch.randn((2, *shape), generator=self.generator, device=rows.device)
        return align_loss(self.network, x, texts, labels, noise[0], noise[1], self.settings.align_weight).total

    def flow(self, rows: Tensor, tokens: Tensor) -> Tensor:
        """Phase-2 loss of samples `rows` (B,) at `tokens` (T,)."""
        with torch.no_grad():
            text, skeleton = self._latents(torch.cat([rows, self._partners(rows)]), tokens)
            time = torch.sigmoid(torch.randn(len(rows), generator=self.generator, device=rows.device))
        pair, partner = zip(text.chunk(2), skeleton.chunk(2), strict=True)
        weight, sigma_min = self.settings.contrast_weight, self.settings.sigma_min
        return flow_loss(self.network.velocity, pair, partner, time, weight, sigma_min).total

    def _latents(self, rows: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        text = [part[:, tokens][self.labels[rows]] for part in self.text_latents]
        skeleton = [part[:, None] for part in self.network.skeleton_encoder(self.x[rows])]
        noise = torch.randn((2, *text[0].shape), generator=self.generator, device=rows.device)
        return sample(text[0], text[1], noise[0]), sample(skeleton[0], skeleton[1], noise[1])

    def _partners(self, rows: Tensor) -> Tensor:
        """A uniform sample of another class for each row: draw among the others, then step over the own class."""
        first, count = self.first[self.labels[rows]], self.count[self.labels[rows]]
        others = len(self.x) - count
        uniform = torch.rand(len(rows), generator=self.generator, device=rows.device)
        drawn = torch.minimum((uniform * others).long(), others - 1)
        return drawn + count * (drawn >= first)


def prepare(settings: FloraSettings, problem: Problem, attuned: NDArray[np.float32]) -> Method:
    seen = problem.seen
    if len(seen) < 2:
        raise FloraError("Flora needs at least two seen classes with samples", remedy="Add classes or recordings.")
    order = np.argsort(problem.labels, kind="stable")
    index = np.searchsorted(seen, problem.labels[order])
    count = np.bincount(index, minlength=len(seen))
    features, text = problem.data.shape[1], attuned.shape[2]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(problem.seed)
        network = Flora(features, text, settings.hidden, settings.velocity_layers, settings.velocity_heads)
    device = torch.device(problem.device)

    def tensor(array: NDArray[np.float32] | NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(array).to(device)

    return Method(
        settings,
        network.to(device),
        x=tensor(problem.data[order]),
        labels=tensor(index),
        first=tensor(np.cumsum(count) - count),
        count=tensor(count),
        texts=tensor(attuned[seen]),
        seed=problem.seed,
        generator=torch.Generator(device),
    )


def draws(trainer: Method, steps: int, seed: int) -> tuple[Tensor, Tensor]:
    """Rows (steps, B) from reshuffled passes over the data, and tokens (steps, T) of each step."""
    random = np.random.default_rng(seed)
    n, size = len(trainer.x), min(trainer.settings.batch_size, len(trainer.x))
    passes = [random.permutation(n) for _ in range(math.ceil(steps * size / n))]
    rows = np.concatenate(passes)[: steps * size].reshape(steps, size)
    all_tokens = trainer.texts.shape[1]
    tokens = np.stack([random.permutation(all_tokens)[: trainer.tokens] for _ in range(steps)])
    device = trainer.x.device
    return torch.from_numpy(rows).to(device), torch.from_numpy(tokens).to(device)
