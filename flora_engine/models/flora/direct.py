"""Straight from skeleton features into the space of the class vectors, without Flora's own space."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Projection(nn.Module):
    """Features (N, F) → unit vectors (N, 2d): the map that the nearest mean learns."""

    def __init__(self, features: int, text: int) -> None:
        super().__init__()
        self.scale = nn.LayerNorm(features)
        self.mapping = nn.Linear(features, text)

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.mapping(self.scale(x)), dim=1)


class Ridge(nn.Module):
    """Features (N, F) → (N, 2d): ridge regression on standardised features; mean and spread (F,), weights (F, 2d)."""

    def __init__(self, mean: Tensor, spread: Tensor, weights: Tensor) -> None:
        super().__init__()
        self.mean, self.spread, self.weights = nn.Buffer(mean), nn.Buffer(spread), nn.Buffer(weights)

    def forward(self, x: Tensor) -> Tensor:
        return ((x - self.mean) / self.spread) @ self.weights


class DirectMap(nn.Module):
    """Features (N, F) → (N, 2d): both of them, weighted; times a class vector (2d,) it is the class's score.

    shares: (2,), of the projection and of the ridge regression.
    """

    def __init__(self, projection: Projection, ridge: Ridge, shares: Tensor) -> None:
        super().__init__()
        self.projection, self.ridge, self.shares = projection, ridge, nn.Buffer(shares)

    def forward(self, x: Tensor) -> Tensor:
        return self.shares[0] * self.projection(x) + self.shares[1] * self.ridge(x)  # type: ignore[no-any-return]

    @classmethod
    def blank(cls, features: int, text: int) -> DirectMap:
        """To load a state into."""
        ridge = Ridge(torch.zeros(features), torch.ones(features), torch.zeros(features, text))
        return cls(Projection(features, text), ridge, torch.zeros(2))
