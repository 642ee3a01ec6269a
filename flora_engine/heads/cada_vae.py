"""Cross-modal variational autoencoders: one latent space, then a softmax classifier on latents.

After Schönfeld et al., "Generalized Zero- and Few-Shot Learning via Aligned Variational Autoencoders" (CVPR 2019): both
autoencoders reconstruct their own and the other's input, and their latent Gaussians are pulled together. The
classifier learns seen classes from latents of features and all classes from latents of texts.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from flora_engine.config import FloraSettings
from flora_engine.heads import Choice, Fit
from flora_engine.heads.learning.latents import drawn, look_with_classifier
from flora_engine.heads.learning.losses import divergence
from flora_engine.heads.learning.tensors import Tensors, learn, seeded
from flora_engine.models.flora.autoencoders import Decoder, GaussianEncoder

FLOW = False
STEPS = 1500
LATENT = 64


def choices(settings: FloraSettings) -> list[Choice]:
    """Weights of the divergence from the unit Gaussian."""
    return [{"divergence": 0.01}, {"divergence": 0.1}]


class _Autoencoders(nn.Module):
    """Two encoders into one latent space, and the two decoders out of it."""

    def __init__(self, features: int, texts: int) -> None:
        super().__init__()
        self.feature_encoder = GaussianEncoder(features, LATENT)
        self.text_encoder = GaussianEncoder(texts, LATENT)
        self.feature_decoder = Decoder(LATENT, features)
        self.text_decoder = Decoder(LATENT, texts)


def fit(task: Fit) -> nn.Module:
    """Learn the autoencoders; at each evaluation a classifier of its own is learned on their latents."""
    tensors = Tensors.of(task.problem)
    vectors = tensors.vectors(task.problem.vectors)
    vectors = vectors * vectors.shape[1] ** 0.5  # unit variance per channel
    models = seeded(task.problem, lambda: _Autoencoders(tensors.x.shape[1], vectors.shape[1]))
    pull = float(task.choice["divergence"]) / LATENT

    def loss(rows: Tensor) -> Tensor:
        """Reconstructions of both inputs from both latents, the distance of the Gaussians, and their divergence."""
        feature, text = tensors.x[rows], vectors[tensors.labels[rows]]
        seen, read = models.feature_encoder(feature), models.text_encoder(text)
        z = torch.stack([drawn(seen, tensors.generator), drawn(read, tensors.generator)])
        rebuilt = (models.feature_decoder(z) - feature).abs().mean() + (models.text_decoder(z) - text).abs().mean()
        spreads = (0.5 * seen[1]).exp() - (0.5 * read[1]).exp()
        apart = (seen[0] - read[0]).square().mean() + spreads.square().mean()
        total: Tensor = 2 * rebuilt + apart + pull * (divergence(*seen) + divergence(*read))
        return total

    return learn(
        task,
        tensors,
        "train the aligned autoencoders",
        models,
        loss,
        look_with_classifier(task, tensors, models.feature_encoder, lambda: models.text_encoder(vectors)),
        STEPS,
    )
