"""Augmentation of a batch of clips, as options of the encoder's training; vectorised in torch, on the batch's device.

Every draw depends only on (seed, epoch, recording): see `flora_engine.training.seeding`. An absent person, and a joint
that was not seen, is all zeros and stays so. Clips are joints in metres about the body's own origin.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor

from flora_engine.config.sections import Augmentation
from flora_engine.skeleton.layouts import KINECT_V2
from flora_engine.training.seeding import normal, sample_keys, uniform

ORDER: tuple[Augmentation, ...] = get_args(Augmentation)


@dataclass(frozen=True)
class Strength:
    """How far each augmentation goes.

    rotate: largest turn about the vertical, radians. scale: largest relative change of size. jitter: standard
    deviation in metres. crop: smallest share of the clip's time that is kept, then resampled to all frames. mirror,
    drop_joints: probabilities (of a clip; of each joint of a clip).
    """

    rotate: float = math.pi / 6
    scale: float = 0.15
    jitter: float = 0.01
    crop: float = 0.6
    mirror: float = 0.5
    drop_joints: float = 0.1


def augment(
    x: Tensor,
    names: Collection[str],
    seed: int,
    epoch: int,
    samples: Tensor,
    *,
    may_mirror: Tensor | None = None,
    up: str = "y",
    pairs: Sequence[tuple[int, int]] = KINECT_V2.mirror,
    strength: Strength = Strength(),
) -> Tensor:
    """A changed copy of the batch x (N, 3, T, V, M), float32.

    samples: int64 (N,), the recordings' numbers in the training set. may_mirror: bool (N,), False for clips whose
    label has a left or right in its meaning. up: the vertical axis, "y" or "z" ("z" after the "agcn" preparation).
    pairs: (left, right) joint indices. Raises KeyError for an unknown name.
    """
    for name in names:
        if name not in ORDER:
            raise KeyError(name)
    keys = sample_keys(seed, epoch, samples.to(x.device))
    for purpose, name in enumerate(ORDER):
        if name not in names:
            continue
        if name == "crop":
            x = crop(x, uniform(keys, purpose, 2), strength.crop)
        elif name == "mirror":
            chosen = uniform(keys, purpose, 1)[:, 0] < strength.mirror
            x = mirror(x, chosen if may_mirror is None else chosen & may_mirror.to(x.device), pairs)
        elif name == "rotate":
            x = rotate(x, (2 * uniform(keys, purpose, 1)[:, 0] - 1) * strength.rotate, up)
        elif name == "scale":
            x = x * (1 + (2 * uniform(keys, purpose, 1) - 1) * strength.scale)[:, :, None, None, None]
        elif name == "jitter":
            noise = normal(keys, purpose, x[0].numel()).view(x.shape)
            x = x + noise * strength.jitter * present(x)
        elif name == "drop_joints":
            dropped = uniform(keys, purpose, x.shape[3]) < strength.drop_joints
            x = x.masked_fill(dropped[:, None, None, :, None], 0.0)
        else:
            raise KeyError(name)
    return x


def present(x: Tensor) -> Tensor:
    """bool (N, 1, T, V, M): where a joint of x (N, C, T, V, M) is not all zeros."""
    return (x != 0).any(dim=1, keepdim=True)


def rotate(x: Tensor, angles: Tensor, up: str = "y") -> Tensor:
    """Turn x (N, 3, T, V, M) by angles (N,) about the vertical."""
    a, b = (2, 0) if up == "y" else (0, 1)  # the axis pair, right-handed about `up`
    cos, sin = torch.cos(angles)[:, None, None, None], torch.sin(angles)[:, None, None, None]
    turned = list(x.unbind(1))
    turned[a], turned[b] = cos * x[:, a] - sin * x[:, b], sin * x[:, a] + cos * x[:, b]
    return torch.stack(turned, dim=1)


def mirror(x: Tensor, chosen: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
    """Reflect the chosen (N,) clips of x (N, 3, T, V, M) left to right: x → −x, left joints ↔ right joints."""
    order = list(range(x.shape[3]))
    for left, right in pairs:
        order[left], order[right] = right, left
    reflected = x[:, :, :, order] * torch.tensor([-1.0, 1.0, 1.0], device=x.device).view(1, 3, 1, 1, 1)
    return torch.where(chosen[:, None, None, None, None], reflected, x)


def crop(x: Tensor, draws: Tensor, smallest: float) -> Tensor:
    """Keep a stretch of time of x (N, 3, T, V, M), at least `smallest` of it, and resample it to T frames.

    draws (N, 2) in [0, 1): how long, and where. Linear between frames, except next to a joint that is absent in one
    of the two: there the nearer frame is taken, so that no joint is drawn towards the origin.
    """
    frames = x.shape[2]
    length = (smallest + (1 - smallest) * draws[:, :1]) * (frames - 1)
    start = draws[:, 1:] * (frames - 1 - length)
    position = start + length * torch.linspace(0, 1, frames, device=x.device)  # (N, T)
    before = position.floor().clamp(0, max(frames - 2, 0)).long()
    weight = (position - before)[:, None, :, None, None]
    a = _frames(x, before)
    b = _frames(x, (before + 1).clamp(max=frames - 1))
    both = present(a) & present(b)
    return torch.where(both, a + weight * (b - a), torch.where(weight < 0.5, a, b))


def _frames(x: Tensor, index: Tensor) -> Tensor:
    """x (N, C, T, V, M) at the frames index (N, T)."""
    rows = torch.arange(len(x), device=x.device)[:, None]
    return x.transpose(1, 2)[rows, index].transpose(1, 2)
