"""Random numbers that depend on what they are for, not on what was drawn before.

Every draw of training is a function of (seed, epoch, recording), so a resumed run, a run over several processes and
a run with other batches meet the same augmented recordings. The generator is a 32-bit integer hash: stateless, the
same on CPU and GPU, and vectorised over the batch.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_MASK = 0xFFFFFFFF


def _mix(x: Tensor) -> Tensor:
    """A bijection of 32-bit integers (held in int64) that scatters neighbours: Wellons' lowbias32."""
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & _MASK
    x = ((x ^ (x >> 15)) * 0x846CA68B) & _MASK
    return x ^ (x >> 16)


def sample_keys(seed: int, epoch: int, samples: Tensor) -> Tensor:
    """int64 (N,): one key for each of the recordings `samples` (N,) in this epoch of this seed."""
    start = _mix(torch.tensor([seed & _MASK], dtype=torch.int64, device=samples.device))
    return _mix(_mix(start ^ (epoch + 0x9E3779B9)) ^ samples.to(torch.int64))


def uniform(keys: Tensor, purpose: int, count: int) -> Tensor:
    """float32 (N, count) in [0, 1): `count` numbers for each key (N,); other purposes give other numbers."""
    stream = _mix(keys ^ (((purpose + 1) * 0x9E3779B1) & _MASK))[:, None]
    index = torch.arange(count, dtype=torch.int64, device=keys.device)
    return (_mix(_mix(index) ^ stream) >> 8).to(torch.float32) * 2.0**-24


def normal(keys: Tensor, purpose: int, count: int) -> Tensor:
    """float32 (N, count), standard normal (Box and Muller)."""
    half = (count + 1) // 2
    u = uniform(keys, purpose, 2 * half)
    radius = torch.sqrt(-2.0 * torch.log1p(-u[:, :half]))
    angle = 2.0 * math.pi * u[:, half:]
    return torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)], dim=1)[:, :count]


def epoch_order(seed: int, epoch: int, count: int) -> NDArray[np.int64]:
    """The order in which `count` recordings are visited in this epoch."""
    return np.random.default_rng([seed, epoch]).permutation(count).astype(np.int64)


def step_seed(seed: int, epoch: int, step: int, process: int) -> int:
    """A seed for what torch draws in one step (dropout), in 0 … 2³² − 1; another in each process."""
    return int(np.random.SeedSequence([seed, epoch, step, process]).generate_state(1)[0])


def hold_out(labels: NDArray[np.int64], share: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices to train on and indices held out: a seeded `share` of each class, never its last recording."""
    random = np.random.default_rng([seed, 0x401D])
    held = []
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        count = min(len(members) - 1, max(1, round(share * len(members)))) if share > 0 else 0
        held.append(members[:count])
    out = np.sort(np.concatenate(held)).astype(np.int64) if held else np.zeros(0, np.int64)
    return np.setdiff1d(np.arange(len(labels)), out).astype(np.int64), out
