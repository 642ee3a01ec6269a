"""The differentiable temporal shift of Shift-GCN (docs/method.md, section 4).

Every channel c of a tensor (N, C, V, T) moves by a learnt, real-valued offset of `ypos[c]` frames and `xpos[c]`
joints, with linear interpolation and zeros outside:

    out[v, t] = sum over i, j in {0, 1} of w_i(y) w_j(x) · x[v + floor(x) + j, t·stride + floor(y) + i]

Time is the innermost axis, so that a shift reads and writes whole rows. With stride 2, 0.5 is added to `ypos`, which
samples between two input frames; the output has floor(T / stride) frames.

Two gradients exist for the offsets. "true" is the derivative. "normalised" is the published training behaviour: only
the sign of the derivative is used (0.01 for `ypos`, 0.0001 where the derivative is exactly 0) and `xpos` gets none, so
that all offsets walk at the pace of the learning rate. The input's gradient is the same in both.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

ShiftGradient = Literal["normalised", "true"]

# Below this, a spatial offset changes the output by less than float32 can tell: the published xpos never leave 1e-8.
NEGLIGIBLE_XPOS = 1e-6
_STEP, _STEP_AT_ZERO = 0.01, 0.0001


def temporal_shift(
    x: Tensor, xpos: Tensor, ypos: Tensor, stride: int = 1, gradient: ShiftGradient = "normalised"
) -> Tensor:
    """Shift x (N, C, V, T) by `ypos` (C,) frames and `xpos` (C,) joints → (N, C, V, floor(T / stride)).

    Any floating dtype and device; the offsets may be of a wider dtype than `x`. `gradient` chooses what backward gives
    the offsets (see the module). ValueError for shapes that do not fit.
    """
    if x.dim() != 4 or xpos.shape != (x.shape[1],) or ypos.shape != (x.shape[1],):
        raise ValueError(f"expected (N, C, V, T) and two (C,), got {tuple(x.shape)}, {tuple(xpos.shape)}")
    if stride not in (1, 2):
        raise ValueError(f"stride must be 1 or 2, not {stride}")
    y = ypos if stride == 1 else ypos + 0.5
    shifted: Tensor = _TemporalShift.apply(x, xpos, y, stride, gradient)  # type: ignore[no-untyped-call]
    return shifted


class _TemporalShift(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, xpos: Tensor, y: Tensor, stride: int, gradient: ShiftGradient) -> Tensor:
        ctx.stride, ctx.gradient = stride, gradient
        ctx.save_for_backward(x, xpos, y)
        frames = torch.arange(x.shape[3] // stride, device=x.device) * stride
        joints = torch.arange(x.shape[2], device=x.device)
        return _sample(x, xpos, y, joints, frames)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, xpos, y = ctx.saved_tensors
        grad = gradients[0]
        wants_x, wants_xpos, wants_y = ctx.needs_input_grad[:3]
        grad_x = _input_gradient(grad, xpos, y, ctx.stride, x.shape[3]) if wants_x else None
        grad_xpos = grad_y = None
        if wants_y or (wants_xpos and ctx.gradient == "true"):
            grad_xpos, grad_y = _offset_gradients(x, grad, xpos, y, ctx.stride, ctx.gradient == "true")
        if ctx.gradient == "normalised":
            grad_xpos = torch.zeros_like(xpos) if wants_xpos else None
            grad_y = normalise(grad_y) if grad_y is not None else None
        return grad_x, grad_xpos, grad_y, None, None


def normalise(gradient: Tensor) -> Tensor:
    """The published step of `ypos`: 0.01 in the direction of the gradient, 0.0001 if it is exactly 0."""
    return torch.where(gradient == 0, torch.full_like(gradient, _STEP_AT_ZERO), gradient.sign() * _STEP)


def _input_gradient(grad: Tensor, xpos: Tensor, y: Tensor, stride: int, frames: int) -> Tensor:
    """Interpolation is symmetric: the input's gradient is the output's, spread to its frames and shifted back."""
    if stride == 1:
        spread = grad
    else:
        spread = grad.new_zeros(*grad.shape[:3], frames)
        spread[..., : grad.shape[3] * stride : stride] = grad
    steps = torch.arange(frames, device=grad.device)
    return _sample(spread, -xpos, -y, torch.arange(grad.shape[2], device=grad.device), steps)


def _offset_gradients(
    x: Tensor, grad: Tensor, xpos: Tensor, y: Tensor, stride: int, with_xpos: bool
) -> tuple[Tensor | None, Tensor]:
    """The derivatives (C,) of the loss for the joint offset (only if asked for) and the frame offset."""
    frames = torch.arange(grad.shape[3], device=x.device) * stride
    joints = torch.arange(x.shape[2], device=x.device)
    below_x, below_y = xpos.floor(), y.floor()
    slope_y = _sample(x, xpos, below_y + 1, joints, frames) - _sample(x, xpos, below_y, joints, frames)
    grad_y = (grad * slope_y).to(y.dtype).sum((0, 2, 3))
    if not with_xpos:
        return None, grad_y
    slope_x = _sample(x, below_x + 1, y, joints, frames) - _sample(x, below_x, y, joints, frames)
    return (grad * slope_x).to(xpos.dtype).sum((0, 2, 3)), grad_y


def _sample(x: Tensor, xpos: Tensor, y: Tensor, joints: Tensor, frames: Tensor) -> Tensor:
    """x (N, C, V, T) read at `joints` + xpos and `frames` + y, interpolated, zero outside."""
    x = _interpolate(x, y, frames, axis=3)
    if bool((xpos.abs() < NEGLIGIBLE_XPOS).all()):
        return x
    return _interpolate(x, xpos, joints, axis=2)


def _interpolate(x: Tensor, offset: Tensor, positions: Tensor, axis: int) -> Tensor:
    """x (N, C, V, T) read along `axis` at `positions` (P,) + offset (C,), linearly, zero outside."""
    below = offset.floor()
    share = (offset - below).to(x.dtype)
    index = positions + below.long()[:, None]  # (C, P)
    shape = [1, x.shape[1], 1, 1]
    shape[axis] = len(positions)
    taps = []
    for tap, weight in ((index, 1 - share), (index + 1, share)):
        inside = (tap >= 0) & (tap < x.shape[axis])
        weights = (weight[:, None] * inside).view(shape)
        where = tap.clamp(0, x.shape[axis] - 1).view(shape)
        full = [*x.shape]
        full[axis] = len(positions)
        taps.append(x.gather(axis, where.expand(full)) * weights)
    return taps[0] + taps[1]
