# mypy: disable-error-code="untyped-decorator, no-untyped-def, no-untyped-call"
"""Back end triton: the temporal shift with what precedes it and the joint shift with its mask, as kernels for CUDA.

Tested in Triton's interpreter; not measured on a GPU yet. Import it only where Triton is installed. Tensors are
contiguous (B, C, V, T), float32, bfloat16, float16 or float64; sums are kept in float32 (float64 for
float64). With TRITON_INTERPRET=1 the kernels also run on CPU tensors, slowly.
"""

from __future__ import annotations

import os
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn import functional as F

from flora_engine.models.shift_gcn.backends.runner import Runner, track
from flora_engine.models.shift_gcn.network import Block, SpatialShift, TemporalShift, spatial_shift
from flora_engine.models.shift_gcn.temporal_shift import NEGLIGIBLE_XPOS, ShiftGradient, normalise

# A program of the interpreter costs far more than its elements.
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
BLOCK = 4096 if INTERPRETED else 1024
TINY = tl.constexpr(NEGLIGIBLE_XPOS)


@triton.jit
def _offsets(xpos, y, c, live, WIDE: tl.constexpr):
    """Whole frames and joints, and the shares of the next ones, of channels c; tiny joint offsets are 0."""
    dtype = tl.float64 if WIDE else tl.float32
    yy = tl.load(y + c, mask=live, other=0.0).to(dtype)
    xx = tl.load(xpos + c, mask=live, other=0.0).to(dtype)
    xx = tl.where(tl.abs(xx) < TINY, 0.0, xx)
    k, kx = tl.floor(yy), tl.floor(xx)
    return k.to(tl.int32), kx.to(tl.int32), yy - k, xx - kx


@triton.jit
def _forward(x, scale, bias, xpos, y, out, total, C, V, T, T_OUT,
             STRIDE: tl.constexpr, AFFINE: tl.constexpr, RELU: tl.constexpr, WIDE: tl.constexpr,
             BLOCK: tl.constexpr):  # fmt: skip
    dtype = tl.float64 if WIDE else tl.float32
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    live = i < total
    t, row = (i % T_OUT).to(tl.int32), i // T_OUT
    v, c = (row % V).to(tl.int32), ((row // V) % C).to(tl.int32)
    k, kx, high, high_x = _offsets(xpos, y, c, live, WIDE)
    if AFFINE:
        a, b = tl.load(scale + c, mask=live, other=0.0).to(dtype), tl.load(bias + c, mask=live, other=0.0).to(dtype)
    value = tl.zeros((BLOCK,), dtype)
    for frame in tl.static_range(2):
        for joint in tl.static_range(2):
            w = (high if frame == 1 else 1.0 - high) * (high_x if joint == 1 else 1.0 - high_x)
            tt, vv = t * STRIDE + k + frame, v + kx + joint
            inside = live & (tt >= 0) & (tt < T) & (vv >= 0) & (vv < V) & (w != 0.0)
            tap = tl.load(x + (row - v + vv) * T + tt, mask=inside, other=0.0).to(dtype)
            if AFFINE:
                tap = tap * a + b
            if RELU:
                tap = tl.maximum(tap, 0.0)
            value += tl.where(inside, w * tap, 0.0)
    tl.store(out + i, value.to(out.dtype.element_ty), mask=live)


@triton.jit
def _parameter_sums(x, scale, bias, xpos, y, grad, sums, total, C, V, T, T_OUT, CHUNKS,
                    STRIDE: tl.constexpr, AFFINE: tl.constexpr, RELU: tl.constexpr, WITH_X: tl.constexpr,
                    WIDE: tl.constexpr, BLOCK: tl.constexpr):  # fmt: skip
    """One channel's share of four sums: the derivatives by y, xpos, scale and bias → sums (4, C, CHUNKS)."""
    dtype = tl.float64 if WIDE else tl.float32
    chunk, c = tl.program_id(0), tl.program_id(1)
    i = chunk.to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    live = i < total  # of this channel: bodies · V · T_OUT
    t, v, body = (i % T_OUT).to(tl.int32), ((i // T_OUT) % V).to(tl.int32), i // (V * T_OUT)
    channel = tl.zeros((BLOCK,), tl.int32) + c
    k, kx, high, high_x = _offsets(xpos, y, channel, live, WIDE)
    first_row = (body * C + c) * V
    g = tl.load(grad + (first_row + v) * T_OUT + t, mask=live, other=0.0).to(dtype)
    if AFFINE:
        a, b = tl.load(scale + c).to(dtype), tl.load(bias + c).to(dtype)
    by_y, by_x = tl.zeros((BLOCK,), dtype), tl.zeros((BLOCK,), dtype)
    by_scale, by_bias = tl.zeros((BLOCK,), dtype), tl.zeros((BLOCK,), dtype)
    for frame in tl.static_range(2):
        for joint in tl.static_range(2):
            wt = high if frame == 1 else 1.0 - high
            wx = high_x if joint == 1 else 1.0 - high_x
            tt, vv = t * STRIDE + k + frame, v + kx + joint
            inside = live & (tt >= 0) & (tt < T) & (vv >= 0) & (vv < V)
            if not WITH_X:
                inside = inside & (wx != 0.0)
            raw = tl.load(x + (first_row + vv) * T + tt, mask=inside, other=0.0).to(dtype)
            tap, slope = raw, tl.where(inside, 1.0, 0.0).to(dtype)
            if AFFINE:
                tap = tap * a + b
            if RELU:
                slope = tl.where(tap > 0.0, slope, 0.0)
                tap = tl.maximum(tap, 0.0)
            tap = tl.where(inside, tap, 0.0)
            by_y += wx * tap * (1.0 if frame == 1 else -1.0)
            if WITH_X:
                by_x += wt * tap * (1.0 if joint == 1 else -1.0)
            if AFFINE:
                by_scale += wt * wx * slope * raw
                by_bias += wt * wx * slope
    at, step = sums + c * CHUNKS + chunk, C * CHUNKS
    tl.store(at, tl.sum(g * by_y, axis=0))
    tl.store(at + step, tl.sum(g * by_x, axis=0))
    tl.store(at + 2 * step, tl.sum(g * by_scale, axis=0))
    tl.store(at + 3 * step, tl.sum(g * by_bias, axis=0))


@triton.jit
def _input_gradient(x, scale, bias, xpos, y, grad, constant, slope, out, total, C, V, T, T_OUT,
                    STRIDE: tl.constexpr, AFFINE: tl.constexpr, RELU: tl.constexpr, NORM: tl.constexpr,
                    WIDE: tl.constexpr, BLOCK: tl.constexpr):  # fmt: skip
    """The input's gradient; with NORM the batch norm's own part, constant + slope · x per channel, is added."""
    dtype = tl.float64 if WIDE else tl.float32
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    live = i < total
    t, row = (i % T).to(tl.int32), i // T
    v, c = (row % V).to(tl.int32), ((row // V) % C).to(tl.int32)
    k, kx, high, high_x = _offsets(xpos, y, c, live, WIDE)
    value = tl.zeros((BLOCK,), dtype)
    for frame in tl.static_range(2):
        for joint in tl.static_range(2):
            w = (high if frame == 1 else 1.0 - high) * (high_x if joint == 1 else 1.0 - high_x)
            back, vv = t - k - frame, v - kx - joint
            tt = back // STRIDE
            inside = live & (back >= 0) & (back % STRIDE == 0) & (tt < T_OUT) & (vv >= 0) & (vv < V) & (w != 0.0)
            g = tl.load(grad + (row - v + vv) * T_OUT + tt, mask=inside, other=0.0).to(dtype)
            value += tl.where(inside, w * g, 0.0)
    if RELU or NORM:
        raw = tl.load(x + i, mask=live, other=0.0).to(dtype)
    if AFFINE:
        a = tl.load(scale + c, mask=live, other=0.0).to(dtype)
        if RELU:
            b = tl.load(bias + c, mask=live, other=0.0).to(dtype)
            value = tl.where(raw * a + b > 0.0, value, 0.0)
        value *= a
    elif RELU:
        value = tl.where(raw > 0.0, value, 0.0)
    if NORM:
        value += tl.load(constant + c, mask=live, other=0.0).to(dtype)
        value += tl.load(slope + c, mask=live, other=0.0).to(dtype) * raw
    tl.store(out + i, value.to(out.dtype.element_ty), mask=live)


@triton.jit
def _move_joints(x, mask, out, total, C, V, T, BACK: tl.constexpr, WIDE: tl.constexpr,
                 BLOCK: tl.constexpr):  # fmt: skip
    """out[c, v] = mask[c, v] · x[c, (v + c) mod V]; BACK: out[c, v] = (mask · x)[c, (v − c) mod V]."""
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    live = i < total
    t, row = (i % T).to(tl.int32), i // T
    v, c = (row % V).to(tl.int32), ((row // V) % C).to(tl.int32)
    source = (v + V - c % V) % V if BACK else (v + c) % V
    value = tl.load(x + (row - v + source) * T + t, mask=live, other=0.0).to(tl.float64 if WIDE else tl.float32)
    value *= tl.load(mask + c * V + (source if BACK else v), mask=live, other=0.0).to(value.dtype)
    tl.store(out + i, value.to(out.dtype.element_ty), mask=live)


@triton.jit
def _mask_sums(x, grad, sums, size, C, V, T, WIDE: tl.constexpr, BLOCK: tl.constexpr):
    """sums[c, v] = sum over bodies and frames of grad[c, v] · x[c, (v + c) mod V]; one program each;
    size = bodies · frames."""
    row = tl.program_id(0)
    c, v = row // V, row % V
    source = c * V + (v + c) % V
    total = tl.zeros((BLOCK,), tl.float64 if WIDE else tl.float32)
    for start in range(0, size, BLOCK):
        i = start + tl.arange(0, BLOCK).to(tl.int64)
        live = i < size
        body, t = i // T, i % T
        left = tl.load(grad + (body * C * V + row) * T + t, mask=live, other=0.0).to(total.dtype)
        right = tl.load(x + (body * C * V + source) * T + t, mask=live, other=0.0).to(total.dtype)
        total += left * right
    tl.store(sums + row, tl.sum(total, axis=0))


def _grid(total: int) -> tuple[int]:
    return (triton.cdiv(total, BLOCK),)


class _Shift(torch.autograd.Function):
    """shift(relu(scale · x + bias)); with eps, the affine is a batch norm of weight `scale` over the batch itself."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, scale: Tensor | None, bias: Tensor | None, xpos: Tensor, y: Tensor, stride: int,
        relu: bool, gradient: ShiftGradient, eps: float | None,
    ) -> Any:  # fmt: skip
        x = x.contiguous()
        wide = x.dtype == torch.float64
        exact = torch.float64 if wide else torch.float32
        mean = variance = None
        a, b = scale, bias
        if eps is not None and scale is not None and bias is not None:
            variance, mean = torch.var_mean(x.to(exact), (0, 2, 3), correction=0)
            a = scale.to(exact) * torch.rsqrt(variance + eps)
            b = bias.to(exact) - mean * a
        frames = x.shape[3] // stride
        out = x.new_empty(*x.shape[:3], frames)
        if out.numel():
            _forward[_grid(out.numel())](
                x, a, b, xpos, y, out, out.numel(), *x.shape[1:], frames,
                STRIDE=stride, AFFINE=a is not None, RELU=relu, WIDE=wide, BLOCK=BLOCK,
            )  # fmt: skip
        ctx.save_for_backward(x, a, b, xpos, y, mean, variance)
        ctx.settings = (stride, relu, gradient, eps, wide)
        if eps is None:
            return out
        ctx.mark_non_differentiable(mean, variance)
        return out, mean, variance

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, a, b, xpos, y, mean, variance = ctx.saved_tensors
        stride, relu, gradient, eps, wide = ctx.settings
        grad = gradients[0].contiguous()
        bodies, channels, joints, frames = x.shape
        after = grad.shape[3]
        exact = torch.float64 if wide else torch.float32
        count_out = bodies * joints * after
        chunks = max(1, triton.cdiv(count_out, BLOCK))
        sums = torch.zeros(4, channels, chunks, dtype=exact, device=x.device)
        wants_x = ctx.needs_input_grad[3] and gradient == "true"
        if grad.numel() and (any(ctx.needs_input_grad[1:5]) or eps is not None):
            _parameter_sums[(chunks, channels)](
                x, a, b, xpos, y, grad, sums, count_out, channels, joints, frames, after, chunks,
                STRIDE=stride, AFFINE=a is not None, RELU=relu, WITH_X=wants_x, WIDE=wide, BLOCK=BLOCK,
            )  # fmt: skip
        by_y, by_x, by_scale, by_bias = sums.double().sum(2)
        constant = slope = None
        if eps is not None:
            count = bodies * joints * frames
            inverse = torch.rsqrt(variance.double() + eps)
            by_scale = inverse * (by_scale - mean.double() * by_bias)  # by the norm's weight from here on
            slope = -a.double() * inverse * by_scale / count
            constant = (-a.double() * by_bias / count - slope * mean.double()).to(exact)
            slope = slope.to(exact)
        grad_x = torch.empty_like(x)
        if x.numel():
            _input_gradient[_grid(x.numel())](
                x, a, b, xpos, y, grad, constant, slope, grad_x, x.numel(), channels, joints, frames, after,
                STRIDE=stride, AFFINE=a is not None, RELU=relu, NORM=eps is not None, WIDE=wide, BLOCK=BLOCK,
            )  # fmt: skip
        grad_xpos = by_x.to(xpos.dtype) if wants_x else torch.zeros_like(xpos)
        grad_y = (normalise(by_y) if gradient == "normalised" else by_y).to(y.dtype)
        affine = (by_scale.to(a.dtype), by_bias.to(a.dtype)) if a is not None else (None, None)
        return grad_x, *affine, grad_xpos, grad_y, None, None, None, None


def shift(
    x: Tensor, xpos: Tensor, y: Tensor, stride: int, gradient: ShiftGradient, *, relu: bool = False,
    scale: Tensor | None = None, bias: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """The temporal shift of relu(scale · x + bias) (each part optional; scale and bias (C,) together).

    `y` is the offset with the 0.5 of stride 2 already added.
    """
    out: Tensor = _Shift.apply(x, scale, bias, xpos, y, stride, relu, gradient, None)
    return out


def norm_shift(
    x: Tensor, weight: Tensor, bias: Tensor, xpos: Tensor, y: Tensor, eps: float, gradient: ShiftGradient
) -> tuple[Tensor, Tensor, Tensor]:
    """Batch norm by the batch's own statistics, then the temporal shift; also the mean and biased variance (C,)."""
    out, mean, variance = _Shift.apply(x, weight, bias, xpos, y, 1, False, gradient, eps)
    return out, mean, variance


class _MaskShift(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, mask: Tensor) -> Tensor:
        x, mask = x.contiguous(), mask.contiguous()
        ctx.save_for_backward(x, mask)
        out = torch.empty_like(x)
        _move(x, mask, out, back=False)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        x, mask = ctx.saved_tensors
        grad = gradients[0].contiguous()
        grad_x = torch.empty_like(x)
        _move(grad, mask, grad_x, back=True)
        wide = x.dtype == torch.float64
        sums = torch.empty(mask.shape, dtype=torch.float64 if wide else torch.float32, device=x.device)
        _mask_sums[(mask.numel(),)](x, grad, sums, x.shape[0] * x.shape[3], *x.shape[1:], WIDE=wide, BLOCK=BLOCK)
        return grad_x, sums.to(mask.dtype)


def _move(x: Tensor, mask: Tensor, out: Tensor, back: bool) -> None:
    wide = x.dtype == torch.float64
    _move_joints[_grid(x.numel())](x, mask, out, x.numel(), *x.shape[1:], BACK=back, WIDE=wide, BLOCK=BLOCK)


def mask_shift(x: Tensor, mask: Tensor) -> Tensor:
    """out[c, v] = mask[c, v] · x[c, (v + c) mod V] for x (B, C, V, T), mask (C, V)."""
    out: Tensor = _MaskShift.apply(x, mask)
    return out


class TritonKernels(Runner):
    """Training and evaluation, float32, bfloat16 under autocast, or float64."""

    name = "triton"

    def takes(self, block: Block, x: Tensor) -> bool:
        return x.is_cuda or INTERPRETED

    def run_block(self, block: Block, x: Tensor) -> Tensor:
        y = _temporal(block.temporal, _spatial(block.spatial, x))
        if block.has_residual:
            y = y + (x if block.residual is None else block.residual(x))
        return F.relu(y)


def _spatial(layer: SpatialShift, x: Tensor) -> Tensor:
    """`SpatialShift.forward` with the mask inside the joint shift's kernel."""
    shifted = mask_shift(x, torch.tanh(layer.mask) + 1)
    mixed = F.conv2d(shifted, layer.weight.t()[..., None, None], layer.bias)
    mixed = spatial_shift(mixed, layer.rows_out, layer.rows_out_back)
    mixed = layer.bn(mixed.flatten(1, 2)).view_as(mixed)
    return F.relu(mixed + (x if layer.down is None else layer.down(x)))


def _temporal(layer: TemporalShift, x: Tensor) -> Tensor:
    """`TemporalShift.forward` with the first batch norm and the ReLU inside the shifts' kernels."""
    norm, before, after = layer.bn_in, layer.shift_in, layer.shift_out
    if norm.training or norm.running_mean is None or norm.running_var is None:
        x, mean, variance = norm_shift(x, norm.weight, norm.bias, before.xpos, before.ypos, norm.eps, layer.gradient)
        count = x.numel() // x.shape[1]
        track(norm, mean, variance * (count / max(count - 1, 1)))
    else:
        scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
        bias = norm.bias - norm.running_mean * scale
        x = shift(x, before.xpos, before.ypos, 1, layer.gradient, scale=scale, bias=bias)
    ypos = after.ypos if layer.stride == 1 else after.ypos + 0.5
    x = shift(layer.conv(x), after.xpos, ypos, layer.stride, layer.gradient, relu=True)
    normed: Tensor = layer.bn_out(x)
    return normed
