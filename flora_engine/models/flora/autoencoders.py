"""The two Gaussian encoders and two decoders that align texts and skeletons (docs/method.md, section 6)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GaussianEncoder(nn.Module):
    """(…, inputs) → mean and log variance, both (…, hidden): Linear-ReLU-Linear, then one linear head each."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden))
        self.mean = nn.Linear(hidden, hidden)
        self.log_variance = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.backbone(x)
        return self.mean(h), self.log_variance(h)

    def means(self, x: Tensor) -> Tensor:
        """The means alone: what deterministic decisions use."""
        return self.mean(self.backbone(x))  # type: ignore[no-any-return]


class Decoder(nn.Module):
    """(…, hidden) → (…, outputs): Linear-ReLU-Linear of the output's width."""

    def __init__(self, hidden: int, outputs: int) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(hidden, outputs), nn.ReLU(), nn.Linear(outputs, outputs))

    def forward(self, z: Tensor) -> Tensor:
        return self.backbone(z)  # type: ignore[no-any-return]


def sample(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """mean + noise·σ; all broadcast together."""
    return mean + noise * torch.exp(0.5 * log_variance)
