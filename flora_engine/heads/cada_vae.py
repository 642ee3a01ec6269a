"""Cross-modal variational autoencoders: one latent space, then a softmax classifier on latents.

After Schönfeld et al., "Generalized Zero- and Few-Shot Learning via Aligned Variational Autoencoders" (CVPR 2019): both
autoencoders reconstruct their own and the other's input, and their latent Gaussians are pulled together. The
classifier learns seen classes from latents of features and all classes from latents of texts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flora_engine.config import FloraSettings
from flora_engine.heads import Array, Choice, Fit, Labels
from flora_engine.heads.learning.optimise import optimise
from flora_engine.models.flora.autoencoders import Decoder, GaussianEncoder, sample

STEPS, CLASSIFIER_STEPS = 1500, 300
LATENT = 64
PER_CLASS = 64  # text latents per class in a classifier batch
FLOW = False


def choices(settings: FloraSettings) -> list[Choice]:
    """Weights of the divergence from the unit Gaussian."""
    return [{"divergence": 0.01}, {"divergence": 0.1}]


def _divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()


class _Autoencoders(nn.Module):
    """Two encoders into one latent space, and the two decoders out of it."""

    def __init__(self, features: int, texts: int) -> None:
        super().__init__()
        self.feature_encoder = GaussianEncoder(features, LATENT)
        self.text_encoder = GaussianEncoder(texts, LATENT)
        self.feature_decoder = Decoder(LATENT, features)
        self.text_decoder = Decoder(LATENT, texts)


@dataclass
class _Learner:
    """Tensors of one training on its device: standardised features x (N, F), labels (N,), class vectors (K, D)."""

    task: Fit
    mean: Array
    spread: Array
    x: Tensor
    labels: Tensor
    vectors: Tensor
    generator: torch.Generator
    models: _Autoencoders

    def drawn(self, gaussian: tuple[Tensor, Tensor]) -> Tensor:
        """One latent per row of a Gaussian's means and logarithms of variances."""
        noise = torch.randn(gaussian[0].shape, generator=self.generator, device=gaussian[0].device)
        return sample(gaussian[0], gaussian[1], noise)

    def loss(self, rows: Tensor) -> Tensor:
        """Reconstructions of both inputs from both latents, the distance of the Gaussians, and their divergence."""
        models, feature, text = self.models, self.x[rows], self.vectors[self.labels[rows]]
        seen, read = models.feature_encoder(feature), models.text_encoder(text)
        z = torch.stack([self.drawn(seen), self.drawn(read)])
        rebuilt = (models.feature_decoder(z) - feature).abs().mean() + (models.text_decoder(z) - text).abs().mean()
        spreads = (0.5 * seen[1]).exp() - (0.5 * read[1]).exp()
        apart = (seen[0] - read[0]).square().mean() + spreads.square().mean()
        pull = float(self.task.choice["divergence"]) / LATENT
        total: Tensor = 2 * rebuilt + apart + pull * (_divergence(*seen) + _divergence(*read))
        return total

    def classifier(self) -> nn.Linear:
        """A softmax classifier over all classes, learned on latents of features and of texts."""
        device, count = self.x.device, len(self.vectors)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.task.problem.seed)
            linear = nn.Linear(LATENT, count).to(device)
        with torch.no_grad():
            seen, read = self.models.feature_encoder(self.x), self.models.text_encoder(self.vectors)
        every = torch.arange(count, device=device).repeat(max(2, min(PER_CLASS, 4096 // count)))

        def loss(rows: Tensor) -> Tensor:
            features, texts = self.drawn((seen[0][rows], seen[1][rows])), self.drawn((read[0][every], read[1][every]))
            return F.cross_entropy(linear(torch.cat([features, texts])), torch.cat([self.labels[rows], every]))

        optimise(
            self.task.job,
            "train the classifier on latents",
            linear.parameters(),
            loss,
            samples=len(self.x),
            steps=CLASSIFIER_STEPS,
            generator=self.generator,
            learning_rate=1e-2,
        )
        return linear

    def look(self, number: int) -> None:
        """Show evaluation `number` to whoever watches the training."""
        linear, device = self.classifier(), self.x.device

        def score(data: Array, classes: Labels) -> Array:
            with torch.no_grad():
                scaled = torch.from_numpy(((data - self.mean) / self.spread).astype(np.float32)).to(device)
                logits: Tensor = linear(self.models.feature_encoder(scaled)[0])
                return logits[:, torch.from_numpy(classes).to(device)].cpu().numpy()

        self.task.watch(number, score, None)


def _learner(task: Fit) -> _Learner:
    problem, device = task.problem, task.problem.device
    mean, spread = problem.data.mean(axis=0), problem.data.std(axis=0) + 1e-6
    x = torch.from_numpy(((problem.data - mean) / spread).astype(np.float32)).to(device)
    vectors = torch.from_numpy(problem.vectors).to(device)
    vectors = vectors * vectors.shape[1] ** 0.5 / vectors.norm(dim=1, keepdim=True)  # unit variance per channel
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(problem.seed)
        models = _Autoencoders(x.shape[1], vectors.shape[1]).to(device)
    generator = torch.Generator(device).manual_seed(problem.seed)
    return _Learner(task, mean, spread, x, torch.from_numpy(problem.labels).to(device), vectors, generator, models)


def fit(task: Fit) -> None:
    """Learn the autoencoders; at each evaluation a classifier of its own is learned on their latents."""
    learner = _learner(task)
    optimise(
        task.job,
        "train the aligned autoencoders",
        learner.models.parameters(),
        learner.loss,
        samples=len(learner.x),
        steps=STEPS,
        generator=learner.generator,
        look=learner.look,
        evaluations=task.evaluations,
    )
