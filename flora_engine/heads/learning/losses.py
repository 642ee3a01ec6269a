"""Losses that several heads share. Rows B, classes S, channels D."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def ranking_hinge(similarity: Tensor, own: Tensor, margin: float) -> Tensor:
    """How far each class comes within `margin` of the own one: (B, S), 0 for the own class.

    similarity: (B, S). own: (B,), columns. Frome et al., "DeViSE" (NeurIPS 2013), equation 1.
    """
    close = F.relu(margin - similarity.gather(1, own[:, None]) + similarity)
    return close.masked_fill(F.one_hot(own, similarity.shape[1]).bool(), 0.0)


def discrepancy(a: Tensor, b: Tensor, kernel: float) -> Tensor:
    """The squared maximum mean discrepancy of two samples (B, D) under exp(−kernel·|u − v|²), the biased estimate.

    Gretton et al., "A Kernel Two-Sample Test" (JMLR 2012), equation 5.
    """

    def mean(u: Tensor, v: Tensor) -> Tensor:
        squares = u.square().sum(dim=1)[:, None] + v.square().sum(dim=1) - 2 * u @ v.T
        return torch.exp(-kernel * squares.clamp_min(0)).mean()

    return mean(a, a) + mean(b, b) - 2 * mean(a, b)


def hardest_triplet(embedded: Tensor, groups: Tensor, margin: float) -> Tensor:
    """Mean over rows of max(0, margin − s(row, its least similar partner) + s(row, its most similar other)).

    embedded: (B, D) of unit length. groups: (B,); partners share one. Rows of a group that fills the batch count as 0.
    """
    similarity = embedded @ embedded.T
    same = groups[:, None] == groups
    partner = similarity.masked_fill(~same, torch.inf).amin(dim=1)
    other = similarity.masked_fill(same, -torch.inf).amax(dim=1)
    return F.relu(margin - partner + other).mean()


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback–Leibler divergence from the unit Gaussian: the sum over channels, the mean over rows."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
