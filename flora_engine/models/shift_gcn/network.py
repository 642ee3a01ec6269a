"""Shift-GCN (CVPR 2020) in plain PyTorch: the skeleton encoder (docs/method.md, section 4).

N sequences, C channels, T frames, V joints, M persons, B = N·M bodies. Inside, tensors are (B, C, V, T): with time
innermost both shifts move whole rows, which no device has to gather element by element.
"""

from __future__ import annotations

import math
from functools import cache
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flora_engine.models.shift_gcn.temporal_shift import NEGLIGIBLE_XPOS, ShiftGradient, temporal_shift

# (width in base channels, temporal stride) of the ten blocks.
BLOCKS = ((1, 1), (1, 1), (1, 1), (1, 1), (2, 2), (2, 1), (2, 1), (4, 2), (4, 1), (4, 1))
MINIMUM_FRAMES = 4  # two blocks halve the frames


@cache
def shift_in_rows(channels: int, joints: int) -> tuple[int, ...]:
    """For every row c·V + v of the shifted tensor the row it is read from: channel c of joint (v + c) mod V."""
    return tuple(c * joints + (v + c) % joints for c in range(channels) for v in range(joints))


@cache
def shift_out_rows(channels: int, joints: int) -> tuple[int, ...]:
    """The inverse of `shift_in_rows`: channel c of joint (v − c) mod V."""
    return tuple(c * joints + (v - c) % joints for c in range(channels) for v in range(joints))


class _SelectRows(torch.autograd.Function):
    """index_select of a permutation along axis 1; backward selects by the inverse instead of scattering."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, rows: Tensor, inverse: Tensor) -> Tensor:
        ctx.save_for_backward(inverse)
        return x.index_select(1, rows)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (inverse,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return gradients[0].index_select(1, inverse), None, None


def spatial_shift(x: Tensor, rows: Tensor, inverse: Tensor) -> Tensor:
    """x (B, C, V, T) with its C·V rows permuted by `rows` (C·V,); `inverse` undoes `rows`."""
    moved: Tensor = _SelectRows.apply(x.flatten(1, 2), rows, inverse)  # type: ignore[no-untyped-call]
    return moved.view(x.shape)


class Pointwise(nn.Module):
    """1×1 convolution over channels followed by batch norm: (B, C, V, T) → (B, C', V, ⌊T/stride⌋)."""

    def __init__(self, channels: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv2d(channels, width, 1)
        self.bn = nn.BatchNorm2d(width)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out")
        nn.init.zeros_(cast(Tensor, self.conv.bias))

    def forward(self, x: Tensor) -> Tensor:
        if self.stride > 1:
            x = x[..., : x.shape[3] // self.stride * self.stride : self.stride]
        x = self.bn(self.conv(x))
        return x


class SpatialShift(nn.Module):
    """Shift joints, mask, mix channels, shift back, batch norm per joint and channel, add the input, ReLU."""

    rows_in: Tensor
    rows_in_back: Tensor
    rows_out: Tensor
    rows_out_back: Tensor

    def __init__(self, channels: int, width: int, joints: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.mask = nn.Parameter(torch.zeros(channels, joints))
        self.bn = nn.BatchNorm1d(width * joints)  # row c·V + v
        self.down = Pointwise(channels, width) if channels != width else None
        nn.init.normal_(self.weight, 0, math.sqrt(1 / width))
        rows_in, rows_out = shift_in_rows, shift_out_rows
        for name, rows in {
            "rows_in": rows_in(channels, joints),
            "rows_in_back": rows_out(channels, joints),
            "rows_out": rows_out(width, joints),
            "rows_out_back": rows_in(width, joints),
        }.items():
            self.register_buffer(name, torch.tensor(rows), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        mask = torch.tanh(self.mask) + 1
        shifted = spatial_shift(x, self.rows_in, self.rows_in_back) * mask[..., None]  # (B, C, V, T)
        mixed = F.conv2d(shifted, self.weight.t()[..., None, None], self.bias)  # (B, C', V, T)
        mixed = spatial_shift(mixed, self.rows_out, self.rows_out_back)
        mixed = self.bn(mixed.flatten(1, 2)).view_as(mixed)  # (B, C'·V, T)
        return F.relu(mixed + (x if self.down is None else self.down(x)))


class TemporalShift(nn.Module):
    """Batch norm, shift, 1×1 convolution, ReLU, shift with stride, batch norm: (B, C, V, T) → (B, C, V, ⌊T/stride⌋)."""

    def __init__(self, channels: int, stride: int, gradient: ShiftGradient) -> None:
        super().__init__()
        self.stride, self.gradient = stride, gradient
        self.bn_in = nn.BatchNorm2d(channels)
        self.shift_in = Offsets(channels)
        self.conv = nn.Conv2d(channels, channels, 1)
        self.shift_out = Offsets(channels)
        self.bn_out = nn.BatchNorm2d(channels)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out")

    def forward(self, x: Tensor) -> Tensor:
        x = temporal_shift(self.bn_in(x), self.shift_in.xpos, self.shift_in.ypos, 1, self.gradient)
        x = F.relu(self.conv(x))
        x = temporal_shift(x, self.shift_out.xpos, self.shift_out.ypos, self.stride, self.gradient)
        normed: Tensor = self.bn_out(x)
        return normed


class Offsets(nn.Module):
    """Where each channel moves: `ypos` (C,) frames, `xpos` (C,) joints (which published training leaves at 0)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.xpos = nn.Parameter(torch.empty(channels).uniform_(-1e-8, 1e-8))
        self.ypos = nn.Parameter(torch.empty(channels).uniform_(-1, 1))


class Block(nn.Module):
    """ReLU(temporal(spatial(x)) + residual(x)): (B, C, V, T) → (B, C', V, ⌊T/stride⌋)."""

    def __init__(
        self, channels: int, width: int, joints: int, stride: int, residual: bool, gradient: ShiftGradient
    ) -> None:
        super().__init__()
        self.spatial = SpatialShift(channels, width, joints)
        self.temporal = TemporalShift(width, stride, gradient)
        self.has_residual = residual
        changes = channels != width or stride != 1
        self.residual = Pointwise(channels, width, stride) if residual and changes else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.temporal(self.spatial(x))
        if not self.has_residual:
            return F.relu(y)
        return F.relu(y + (x if self.residual is None else self.residual(x)))


class ShiftGCN(nn.Module):
    """The encoder and its classifier.

    joints (N, 3, T, V, M) float → logits (N, classes), or by `features` (N, 4·base_channels). `shift_gradient` is
    what the temporal shifts' offsets get in training (see temporal_shift). T ≥ 4; an odd T loses its last frame where
    a block halves time. The number of joints and persons is fixed at construction.
    """

    def __init__(
        self,
        classes: int,
        joints: int = 25,
        persons: int = 2,
        channels: int = 3,
        base_channels: int = 64,
        dropout: float = 0.0,
        shift_gradient: ShiftGradient = "normalised",
    ) -> None:
        super().__init__()
        self.classes, self.joints, self.persons, self.channels = classes, joints, persons, channels
        self.base_channels, self.dropout, self.shift_gradient = base_channels, dropout, shift_gradient
        self.data_bn = nn.BatchNorm1d(persons * joints * channels)
        blocks = []
        for number, (width, stride) in enumerate(BLOCKS):
            out = width * base_channels
            blocks.append(Block(channels, out, joints, stride, number > 0, shift_gradient))
            channels = out
        self.blocks = nn.Sequential(*blocks)
        self.classifier = nn.Linear(channels, classes)
        nn.init.normal_(self.classifier.weight, 0, math.sqrt(2 / classes))

    @property
    def feature_size(self) -> int:
        return self.classifier.in_features

    def each_block(self) -> list[Block]:
        return [block for block in self.blocks if isinstance(block, Block)]

    def bodies(self, x: Tensor) -> Tensor:
        """x (N, C, T, V, M) → (B, C, V, T), the data batch norm applied. ValueError for a shape that does not fit."""
        n, channels, frames, joints, persons = x.shape
        if (channels, joints, persons) != (self.channels, self.joints, self.persons) or frames < MINIMUM_FRAMES:
            raise ValueError(
                f"expected (N, {self.channels}, T ≥ {MINIMUM_FRAMES}, {self.joints}, {self.persons}), "
                f"got {tuple(x.shape)}"
            )
        x = x.permute(0, 4, 3, 1, 2).reshape(n, persons * joints * channels, frames)  # (N, M·V·C, T)
        normed: Tensor = self.data_bn(x)
        return normed.view(n * persons, joints, channels, frames).transpose(1, 2).contiguous()

    def pooled(self, x: Tensor) -> Tensor:
        """The last block's x (B, C, V, T) → (N, C): the mean over persons, frames and joints."""
        return x.mean((2, 3)).view(len(x) // self.persons, self.persons, x.shape[1]).mean(1)

    def features(self, x: Tensor) -> Tensor:
        """x (N, C, T, V, M) → (N, 4·base_channels)."""
        blocks: Tensor = self.blocks(self.bodies(x))
        return self.pooled(blocks)

    def logits(self, features: Tensor) -> Tensor:
        """features (N, 4·base_channels) → (N, classes), with dropout in training."""
        logits: Tensor = self.classifier(F.dropout(features, self.dropout, self.training))
        return logits

    def forward(self, x: Tensor) -> Tensor:
        """x (N, C, T, V, M) → logits (N, classes)."""
        return self.logits(self.features(x))


def has_spatial_offsets(model: ShiftGCN) -> bool:
    """Whether any temporal shift also moves joints by more than float32 can tell; published models have none."""
    shifts = [shift for block in model.each_block() for shift in (block.temporal.shift_in, block.temporal.shift_out)]
    return any(float(shift.xpos.detach().abs().max()) >= NEGLIGIBLE_XPOS for shift in shifts)


def parameter_groups(
    model: ShiftGCN, weight_decay: float = 1e-4, linear_weight_decay: float = 1e-3
) -> list[dict[str, object]]:
    """Optimiser groups with the published weight decays: more on the spatial weights, none on the masks."""
    spatial = [block.spatial for block in model.each_block()]
    weights, masks = [s.weight for s in spatial], [s.mask for s in spatial]
    special = {id(p) for p in (*weights, *masks)}
    rest = [p for p in model.parameters() if id(p) not in special]
    return [
        {"params": rest, "weight_decay": weight_decay},
        {"params": weights, "weight_decay": linear_weight_decay},
        {"params": masks, "weight_decay": 0.0},
    ]
