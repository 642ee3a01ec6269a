"""Shift-GCN written the plain way: index tables and gathers, one eager operation after another.

Slow and obviously right: the measure for the real implementation's results and speed. Module and parameter names are
those of the published checkpoints, so that their state loads with `load_state_dict(strict=True)` and no renaming.
Layout everywhere (N·M, C, T, V), as published.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def read_at(x: Tensor, axis: int, index: Tensor) -> Tensor:
    """x (B, C, T, V) gathered along `axis` at index (C, P) per channel; 0 where the index is outside."""
    shape = [1, x.shape[1], 1, 1]
    shape[axis] = index.shape[1]
    inside = ((index >= 0) & (index < x.shape[axis])).view(shape)
    size = list(x.shape)
    size[axis] = index.shape[1]
    found = x.gather(axis, index.clamp(0, x.shape[axis] - 1).view(shape).expand(size))
    return found * inside


def interpolate(x: Tensor, axis: int, positions: Tensor, offset: Tensor) -> Tensor:
    shape = [1, x.shape[1], 1, 1]
    below = offset.floor()
    share = (offset - below).view(shape)
    index = positions + below.long()[:, None]
    return read_at(x, axis, index) * (1 - share) + read_at(x, axis, index + 1) * share


def normalised(ypos: Tensor) -> Tensor:
    """ypos itself; its gradient becomes 0.01 times its sign, 0.0001 where it is 0."""
    y = ypos + 0
    if y.requires_grad:
        y.register_hook(lambda grad: torch.where(grad == 0, torch.full_like(grad, 0.0001), 0.01 * grad.sign()))
    return y


class Shift(nn.Module):
    def __init__(self, channels: int, stride: int, published_gradient: bool = True) -> None:
        super().__init__()
        self.stride, self.published_gradient = stride, published_gradient
        self.xpos = nn.Parameter(torch.empty(channels).uniform_(-1e-8, 1e-8))
        self.ypos = nn.Parameter(torch.empty(channels).uniform_(-1, 1))

    def forward(self, x: Tensor) -> Tensor:
        xpos, ypos = self.xpos, self.ypos
        if self.published_gradient:
            xpos, ypos = xpos.detach(), normalised(ypos)
        if self.stride == 2:
            ypos = ypos + 0.5
        frames = torch.arange(x.shape[2] // self.stride, device=x.device) * self.stride
        x = interpolate(x, 2, frames, ypos)
        if xpos.abs().max() >= 1e-6:
            x = interpolate(x, 3, torch.arange(x.shape[3], device=x.device), xpos)
        return x


class ShiftTCN(nn.Module):
    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shift_in = Shift(channels, 1)
        self.shift_out = Shift(channels, stride)
        self.temporal_linear = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn2(self.shift_out(torch.relu(self.temporal_linear(self.shift_in(self.bn(x))))))


class ShiftGCNLayer(nn.Module):
    def __init__(self, channels: int, width: int, joints: int) -> None:
        super().__init__()
        self.width = width
        self.Linear_weight = nn.Parameter(torch.randn(channels, width) / width**0.5)
        self.Linear_bias = nn.Parameter(torch.zeros(1, 1, width))
        self.Feature_Mask = nn.Parameter(torch.zeros(1, joints, channels))
        self.bn = nn.BatchNorm1d(joints * width)
        if channels != width:
            self.down = nn.Sequential(nn.Conv2d(channels, width, 1), nn.BatchNorm2d(width))
        size_in, size_out = joints * channels, joints * width
        table_in = [(v * channels + c + c * channels) % size_in for v in range(joints) for c in range(channels)]
        table_out = [(v * width + c - c * width) % size_out for v in range(joints) for c in range(width)]
        self.shift_in = nn.Parameter(torch.tensor(table_in), requires_grad=False)
        self.shift_out = nn.Parameter(torch.tensor(table_out), requires_grad=False)

    def forward(self, x0: Tensor) -> Tensor:
        n, c, t, v = x0.shape
        x = x0.permute(0, 2, 3, 1).reshape(n * t, v * c)
        x = x.index_select(1, self.shift_in).view(n * t, v, c)
        x = x * (torch.tanh(self.Feature_Mask) + 1)
        x = torch.einsum("nvc,cd->nvd", x, self.Linear_weight) + self.Linear_bias
        x = x.reshape(n * t, -1).index_select(1, self.shift_out)
        x = self.bn(x).view(n, t, v, self.width).permute(0, 3, 1, 2)
        return torch.relu(x + (self.down(x0) if hasattr(self, "down") else x0))


class Residual(nn.Module):
    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv2d(channels, width, 1, stride=(stride, 1))
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x[:, :, : x.shape[2] // self.stride * self.stride]))


class Unit(nn.Module):
    def __init__(self, channels: int, width: int, joints: int, stride: int, first: bool) -> None:
        super().__init__()
        self.first = first
        self.gcn1 = ShiftGCNLayer(channels, width, joints)
        self.tcn1 = ShiftTCN(width, stride)
        if not first and (channels != width or stride != 1):
            self.residual = Residual(channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.tcn1(self.gcn1(x))
        if not self.first:
            y = y + (self.residual(x) if hasattr(self, "residual") else x)
        return torch.relu(y)


class PlainShiftGCN(nn.Module):
    """x (N, 3, T, V, M) → logits (N, classes); `features` (N, 4·base)."""

    def __init__(self, classes: int, joints: int = 25, persons: int = 2, channels: int = 3, base: int = 64) -> None:
        super().__init__()
        self.data_bn = nn.BatchNorm1d(persons * channels * joints)
        widths = [(1, 1)] * 4 + [(2, 2), (2, 1), (2, 1), (4, 2), (4, 1), (4, 1)]
        for number, (multiple, stride) in enumerate(widths, 1):
            setattr(self, f"l{number}", Unit(channels, multiple * base, joints, stride, number == 1))
            channels = multiple * base
        self.fc = nn.Linear(channels, classes)

    def features(self, x: Tensor) -> Tensor:
        n, c, t, v, m = x.shape
        x = self.data_bn(x.permute(0, 4, 3, 1, 2).reshape(n, m * v * c, t))
        x = x.view(n, m, v, c, t).permute(0, 1, 3, 4, 2).reshape(n * m, c, t, v)
        for number in range(1, 11):
            x = getattr(self, f"l{number}")(x)
        return x.reshape(n, m, x.shape[1], -1).mean(3).mean(1)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.features(x))
