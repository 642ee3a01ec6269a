"""What heads with variational autoencoders share: draws, the weights of their losses over a cycle, and a classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flora_engine.heads import Fit
from flora_engine.heads.learning.optimise import optimise
from flora_engine.heads.learning.tensors import Tensors, seeded
from flora_engine.models.flora.autoencoders import sample

CLASSIFIER_STEPS = 300
PER_CLASS = 64  # text latents per class in a classifier batch
Gaussian = tuple[Tensor, Tensor]  # means and logarithms of variances, (·, Z) each


def drawn(gaussian: Gaussian, generator: torch.Generator) -> Tensor:
    """One latent per row."""
    noise = torch.randn(gaussian[0].shape, generator=generator, device=gaussian[0].device)
    return sample(gaussian[0], gaussian[1], noise)


class LinearGaussian(nn.Module):
    """(N, inputs) → a Gaussian (N, latent): one linear map for the means, one for the logarithms of variances."""

    def __init__(self, inputs: int, latent: int) -> None:
        super().__init__()
        self.mean, self.log_variance = nn.Linear(inputs, latent), nn.Linear(inputs, latent)

    def forward(self, x: Tensor) -> Gaussian:
        return self.mean(x), self.log_variance(x)


@dataclass(frozen=True)
class Cycle:
    """Weights of the losses, which begin anew in every cycle, as in SynSE (Gupta et al.) and SA-DVAE (Li et al.).

    length: steps of a cycle; the published ones have 1,700. crossing: the share of a cycle after which latents are
    also decoded into the other modality.
    """

    length: int
    crossing: float

    def skeleton(self, step: int) -> float:
        """Weight of the divergence of skeletons: 0 for 1,000 of 1,700 steps, then rising to 0.1 · 700/3,000."""
        return max(0.0, 0.1 * (self._place(step) * 1700 - 1000) / 3000)

    def text(self, step: int) -> float:
        """Weight of the divergence of texts: from the third cycle on, rising after `crossing`."""
        return max(0.0, 0.1 * (self._place(step) - self.crossing) * 1700 / 3000) if step >= 2 * self.length else 0.0

    def across(self, step: int) -> float:
        """Weight of decoding into the other modality: 0, then 1."""
        return float(self._place(step) > self.crossing)

    def total(self, losses: Mapping[str, Tensor], step: int) -> Tensor:
        """The loss of a step: `own` plus the weighted `skeleton`, `text` and `across`."""
        weighted = [weigh(step) * losses[weigh.__name__] for weigh in (self.skeleton, self.text, self.across)]
        return torch.stack([losses["own"], *weighted]).sum()

    def _place(self, step: int) -> float:
        return step % self.length / self.length


def latent_classifier(task: Fit, tensors: Tensors, skeletons: Gaussian, texts: Gaussian) -> nn.Linear:
    """A softmax classifier over all classes, learned on latents of recordings (N, Z) and of texts (K, Z)."""
    device, count = tensors.x.device, len(texts[0])
    linear = seeded(task.problem, lambda: nn.Linear(texts[0].shape[1], count))
    every = torch.arange(count, device=device).repeat(max(2, min(PER_CLASS, 4096 // count)))

    def loss(rows: Tensor) -> Tensor:
        own = drawn((skeletons[0][rows], skeletons[1][rows]), tensors.generator)
        read = drawn((texts[0][every], texts[1][every]), tensors.generator)
        return F.cross_entropy(linear(torch.cat([own, read])), torch.cat([tensors.labels[rows], every]))

    optimise(
        task.job,
        "train the classifier on latents",
        linear.parameters(),
        loss,
        samples=len(tensors.x),
        steps=CLASSIFIER_STEPS,
        generator=tensors.generator,
        learning_rate=1e-2,
    )
    return linear


def look_with_classifier(
    task: Fit, tensors: Tensors, encode: Callable[[Tensor], Gaussian], read: Callable[[], Gaussian]
) -> Callable[[int], None]:
    """What to do at an evaluation: learn a classifier on the latents as they are, and show its scores.

    encode: features (n, F) → their Gaussian. read: the Gaussian of all K class texts.
    """

    def look(number: int) -> None:
        with torch.no_grad():
            skeletons, texts = encode(tensors.x), read()
        linear = latent_classifier(task, tensors, skeletons, texts)
        task.watch(number, tensors.scorer(lambda x, classes: linear(encode(x)[0])[:, classes]), None)

    return look
