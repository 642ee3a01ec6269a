"""Batch norms that only evaluate, as a scale and a shift that other weights take in."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from flora_engine.models.shift_gcn.network import Pointwise

Array = NDArray[np.float64]


def array(x: Tensor) -> Array:
    """A float64 copy: folding in float32 would cost a digit."""
    values: Array = x.detach().cpu().to(torch.float64).numpy().copy()
    return values


def scale_and_shift(bn: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[Array, Array]:
    """An evaluating batch norm as y = scale·x + shift, each (channels,)."""
    if bn.running_mean is None or bn.running_var is None:
        raise ValueError("the batch norm keeps no running statistics")
    scale = array(bn.weight) / np.sqrt(array(bn.running_var) + bn.eps)
    return scale, array(bn.bias) - scale * array(bn.running_mean)


def folded(pointwise: Pointwise) -> tuple[Array, Array]:
    """Weight (C', C) and bias (C',) of a 1×1 convolution with its batch norm inside."""
    scale, shift = scale_and_shift(pointwise.bn)
    weight, bias = array(pointwise.conv.weight)[:, :, 0, 0], conv_bias(pointwise.conv)
    return weight * scale[:, None], bias * scale + shift


def conv_bias(conv: nn.Conv2d) -> Array:
    """(C',), zeros if the convolution has none."""
    return np.zeros(conv.out_channels) if conv.bias is None else array(conv.bias)
