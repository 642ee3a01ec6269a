"""Cross-modal variational autoencoders: one latent space, then a softmax classifier on latents.

After Schönfeld et al., "Generalized Zero- and Few-Shot Learning via Aligned Variational Autoencoders" (CVPR 2019): both
autoencoders reconstruct their own and the other's input, and their latent Gaussians are pulled together. The
classifier learns seen classes from latents of features and all classes from latents of texts.
"""

from __future__ import annotations

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


def fit(task: Fit) -> None:
    """Learn the autoencoders; at each evaluation a classifier of its own is learned on their latents."""
    device = task.problem.device
    mean, spread = task.problem.data.mean(axis=0), task.problem.data.std(axis=0) + 1e-6
    x = torch.from_numpy(((task.problem.data - mean) / spread).astype(np.float32)).to(device)
    labels = torch.from_numpy(task.problem.labels).to(device)
    vectors = torch.from_numpy(task.problem.vectors).to(device)
    vectors = vectors * vectors.shape[1] ** 0.5 / vectors.norm(dim=1, keepdim=True)  # unit variance per channel
    generator = torch.Generator(device).manual_seed(task.problem.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(task.problem.seed)
        models = nn.ModuleDict(
            {
                "see": GaussianEncoder(x.shape[1], LATENT),
                "read": GaussianEncoder(vectors.shape[1], LATENT),
                "draw": Decoder(LATENT, x.shape[1]),
                "write": Decoder(LATENT, vectors.shape[1]),
            }
        ).to(device)

    def drawn(gaussian: tuple[Tensor, Tensor]) -> Tensor:
        noise = torch.randn(gaussian[0].shape, generator=generator, device=device)
        return sample(gaussian[0], gaussian[1], noise)

    def loss(rows: Tensor) -> Tensor:
        feature, text = x[rows], vectors[labels[rows]]
        seeing, reading = models["see"](feature), models["read"](text)
        z = torch.stack([drawn(seeing), drawn(reading)])
        # both rebuild their own input and the other's
        rebuilt = 2 * ((models["draw"](z) - feature).abs().mean() + (models["write"](z) - text).abs().mean())
        spreads = (0.5 * seeing[1]).exp() - (0.5 * reading[1]).exp()
        apart = (seeing[0] - reading[0]).square().mean() + spreads.square().mean()
        total: Tensor = rebuilt + apart
        pull = float(task.choice["divergence"]) / LATENT
        return total + pull * (_divergence(*seeing) + _divergence(*reading))

    def classifier() -> nn.Linear:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(task.problem.seed)
            linear = nn.Linear(LATENT, len(vectors)).to(device)
        with torch.no_grad():
            seeing, reading = models["see"](x), models["read"](vectors)
        per_class = max(2, min(PER_CLASS, 4096 // len(vectors)))
        every = torch.arange(len(vectors), device=device).repeat(per_class)

        def classify(rows: Tensor) -> Tensor:
            latents = torch.cat(
                [drawn((seeing[0][rows], seeing[1][rows])), drawn((reading[0][every], reading[1][every]))]
            )
            return F.cross_entropy(linear(latents), torch.cat([labels[rows], every]))

        optimise(
            task.job,
            "train the classifier on latents",
            linear.parameters(),
            classify,
            samples=len(x),
            steps=CLASSIFIER_STEPS,
            generator=generator,
            learning_rate=1e-2,
        )
        return linear

    def look(number: int) -> None:
        linear = classifier()

        def score(data: Array, classes: Labels) -> Array:
            with torch.no_grad():
                scaled = torch.from_numpy(((data - mean) / spread).astype(np.float32)).to(device)
                logits: Tensor = linear(models["see"](scaled)[0])
                return logits[:, torch.from_numpy(classes).to(device)].cpu().numpy()

        task.watch(number, score, None)

    optimise(
        task.job,
        "train the aligned autoencoders",
        models.parameters(),
        loss,
        samples=len(x),
        steps=STEPS,
        generator=generator,
        look=look,
        evaluations=task.evaluations,
    )
