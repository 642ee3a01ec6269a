"""A training step of Shift-GCN's blocks on the CPU in few passes over memory.

Layout (C, V, B, T): channels outermost, so that every 1×1 convolution is one matrix product over the whole batch and
every batch norm is a sum over contiguous memory, and threads take channels. All between two products is one kernel
(`cpu_training_kernels`), forward and backward. Results are those of the layers in shift_gcn, to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from flora_engine.models.shift_gcn.backends import cpu_training_kernels as kernels
from flora_engine.models.shift_gcn.network import Block, Pointwise, track
from flora_engine.models.shift_gcn.temporal_shift import NEGLIGIBLE_XPOS, ShiftGradient, in_chunks, normalise


def supports(blocks: list[Block], x: Tensor) -> bool:
    """Whether `run_blocks` can train these blocks on this input: CPU, batch statistics, no shifts of joints."""
    if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64):
        return False
    shifts = [shift for block in blocks for shift in (block.temporal.shift_in, block.temporal.shift_out)]
    same_type = all(p.dtype == x.dtype for block in blocks for p in block.parameters())
    norms = [m for block in blocks for m in block.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    # Training over several processes replaces the forward of the norms by one that asks the others.
    usual = all(norm.training and norm.momentum is not None and "forward" not in vars(norm) for norm in norms)
    learns_xpos = any(b.temporal.gradient == "true" and b.temporal.shift_in.xpos.requires_grad for b in blocks)
    xpos = torch.cat([shift.xpos.detach() for shift in shifts])
    return same_type and usual and not learns_xpos and bool((xpos.abs() < NEGLIGIBLE_XPOS).all())


def run_blocks(blocks: list[Block], x: Tensor, watch: Callable[[Tensor], None] | None = None) -> Tensor:
    """x (B, C, V, T) → (B, C'), the mean over joints and frames of the last block's output.

    `watch` is given each block's output; what it raises ends the step.
    """
    x = x.permute(1, 2, 0, 3).contiguous()  # (C, V, B, T)
    for block in blocks:
        x = _block(block, x)
        if watch is not None:
            watch(x)
    return x.mean((1, 3)).t()


def _block(block: Block, x: Tensor) -> Tensor:
    """x (C, V, B, T) → (C', V, B, ⌊T/stride⌋)."""
    spatial, temporal, joints = block.spatial, block.temporal, x.shape[1]
    mask = torch.tanh(spatial.mask) + 1
    mixed = _mix(spatial.weight.t(), _MaskIn.apply(x, mask))  # type: ignore[no-untyped-call]
    kept = x if spatial.down is None else _pointwise(spatial.down, x)
    norm, norm_in, norm_out = spatial.bn, temporal.bn_in, temporal.bn_out
    y, mean, inverse, mean_in, inverse_in = _FinishSpatial.apply(  # type: ignore[no-untyped-call]
        mixed, kept, spatial.bias, norm.weight.view(-1, joints), norm.bias.view(-1, joints), norm_in.weight,
        norm_in.bias, temporal.shift_in.xpos, temporal.shift_in.ypos, norm.eps, temporal.gradient,
    )  # fmt: skip
    # The batch norm takes the spatial bias away again, so it is only seen by the running mean.
    _track(norm, (mean + spatial.bias.detach()[:, None]).flatten(), inverse.flatten(), x[0, 0].numel())
    _track(norm_in, mean_in, inverse_in, x[0].numel())
    h = _mix(temporal.conv.weight.flatten(1), y)
    kept_out = None
    if block.has_residual:
        kept_out = x if block.residual is None else _pointwise(block.residual, x)
    out, mean, inverse = _FinishTemporal.apply(  # type: ignore[no-untyped-call]
        h, temporal.conv.bias, temporal.shift_out.xpos, temporal.shift_out.ypos, norm_out.weight, norm_out.bias,
        kept_out, temporal.stride, norm_out.eps, temporal.gradient,
    )  # fmt: skip
    _track(norm_out, mean, inverse, out[0].numel())
    result: Tensor = out
    return result


def _mix(weight: Tensor, x: Tensor) -> Tensor:
    """weight (C', C) times x (C, V, B, T)."""
    mixed: Tensor = _Product.apply(weight, x.flatten(1))  # type: ignore[no-untyped-call]
    return mixed.view(-1, *x.shape[1:])


def _pointwise(layer: Pointwise, x: Tensor) -> Tensor:
    frames = x.shape[3] // layer.stride * layer.stride
    mixed = _mix(layer.conv.weight.flatten(1), x[..., : frames : layer.stride].contiguous())
    if layer.conv.bias is not None:
        mixed = mixed + layer.conv.bias[:, None, None, None]
    normed: Tensor = layer.bn(mixed.flatten(2)[None])
    return normed.view(mixed.shape)


def _track(norm: nn.BatchNorm1d | nn.BatchNorm2d, mean: Tensor, inverse: Tensor, count: int) -> None:
    """Running statistics from what the kernels give for a batch of `count` values per channel."""
    track(norm, mean, (inverse**-2 - norm.eps) * (count / max(count - 1, 1)))


def _in_channels(kernel: Any, *arguments: Any) -> None:
    """Run a kernel over all channels of its first argument, on as many threads as torch uses."""
    channels = len(arguments[0])
    arrays = [a.detach().numpy() if isinstance(a, Tensor) else a for a in arguments]
    in_chunks(lambda part: kernel(*arrays, part.start, part.stop), channels)


class _Product(torch.autograd.Function):
    """A matrix product with few rows and very many columns, by NumPy's OpenBLAS, which measured faster than torch.mm
    there; the weight's gradient, a long sum, stays with torch. Under autocast in bfloat16 instead, which the rest of a
    block, being bound by memory, would not gain from."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, x: Tensor) -> Tensor:
        if torch.is_autocast_enabled("cpu") and x.dtype == torch.float32:
            weight, x = weight.bfloat16(), x.bfloat16()
            ctx.save_for_backward(weight, x)
            return (weight @ x).float()
        ctx.save_for_backward(weight, x)
        return torch.from_numpy(np.matmul(weight.detach().numpy(), x.detach().numpy()))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        weight, x = ctx.saved_tensors
        grad = gradients[0].contiguous()
        if x.dtype == torch.bfloat16:
            grad = grad.bfloat16()
            return (grad @ x.t()).float(), (weight.t() @ grad).float()
        return grad @ x.t(), torch.from_numpy(np.matmul(weight.detach().numpy().T, grad.numpy()))


class _MaskIn(torch.autograd.Function):
    """Joint shift-in and mask."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, mask: Tensor) -> Tensor:
        ctx.save_for_backward(x, mask)
        out = torch.empty_like(x)
        _in_channels(kernels.mask_in, x, mask.contiguous(), out)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        x, mask = ctx.saved_tensors
        grad_x, grad_mask = torch.empty_like(x), torch.empty_like(mask)
        _in_channels(kernels.mask_in_backward, x, mask, gradients[0].contiguous(), grad_x, grad_mask)
        return grad_x, grad_mask


class _FinishSpatial(torch.autograd.Function):
    """From the mixed channels to the first temporal shift; also gives the batch statistics."""

    @staticmethod
    def forward(
        ctx: Any, y: Tensor, kept: Tensor, spatial_bias: Tensor, weight: Tensor, bias: Tensor, weight_in: Tensor,
        bias_in: Tensor, xpos: Tensor, ypos: Tensor, eps: float, gradient: ShiftGradient,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        z, out = torch.empty_like(y), torch.empty_like(y)
        mean, inverse = torch.empty_like(weight), torch.empty_like(weight)
        mean_in, inverse_in = torch.empty_like(weight_in), torch.empty_like(weight_in)
        _in_channels(
            kernels.finish_spatial, y, kept.contiguous(), weight, bias, mean, inverse, weight_in, bias_in, mean_in,
            inverse_in, ypos, eps, z, out,
        )  # fmt: skip
        ctx.save_for_backward(y, z, weight, mean, inverse, weight_in, bias_in, mean_in, inverse_in, ypos)
        ctx.gradient = gradient
        ctx.mark_non_differentiable(mean, inverse, mean_in, inverse_in)
        return out, mean, inverse, mean_in, inverse_in

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        y, z, weight, mean, inverse, weight_in, bias_in, mean_in, inverse_in, ypos = ctx.saved_tensors
        grad_y, grad_kept = torch.empty_like(y), torch.empty_like(y)
        rows = [torch.empty_like(weight) for _ in range(2)]
        channels = [torch.empty_like(weight_in) for _ in range(3)]
        _in_channels(
            kernels.finish_spatial_backward, gradients[0].contiguous(), y, z, weight, mean, inverse, weight_in,
            bias_in, mean_in, inverse_in, ypos, grad_y, grad_kept, *rows, *channels,
        )  # fmt: skip
        grad_ypos = _offset_gradient(channels[2], ctx.gradient)
        zeros = torch.zeros_like(ypos)
        return grad_y, grad_kept, zeros, *rows, channels[0], channels[1], zeros, grad_ypos, None, None


class _FinishTemporal(torch.autograd.Function):
    """From the temporal convolution to the block's output; also gives the batch statistics."""

    @staticmethod
    def forward(
        ctx: Any, h: Tensor, bias: Tensor, xpos: Tensor, ypos: Tensor, weight: Tensor, shift: Tensor,
        kept: Tensor | None, stride: int, eps: float, gradient: ShiftGradient,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        offset = ypos if stride == 1 else ypos + 0.5
        q = h.new_empty(*h.shape[:3], h.shape[3] // stride)
        out, mean, inverse = torch.empty_like(q), torch.empty_like(weight), torch.empty_like(weight)
        add = q if kept is None else kept.contiguous()
        _in_channels(
            kernels.finish_temporal, h, bias, offset, stride, weight, shift, mean, inverse, add, kept is not None,
            eps, q, out,
        )  # fmt: skip
        ctx.save_for_backward(out, h, q, bias, offset, weight, mean, inverse)
        ctx.stride, ctx.gradient, ctx.has_kept = stride, gradient, kept is not None
        ctx.mark_non_differentiable(mean, inverse)
        return out, mean, inverse

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        out, h, q, bias, offset, weight, mean, inverse = ctx.saved_tensors
        grad_h, grad_kept = torch.empty_like(h), torch.empty_like(out)
        grad_bias, grad_ypos, grad_weight, grad_shift = (torch.empty_like(bias) for _ in range(4))
        _in_channels(
            kernels.finish_temporal_backward, gradients[0].contiguous(), out, h, q, bias, offset, ctx.stride, weight,
            mean, inverse, grad_h, grad_kept, grad_bias, grad_ypos, grad_weight, grad_shift,
        )  # fmt: skip
        grad_ypos = _offset_gradient(grad_ypos, ctx.gradient)
        kept = grad_kept if ctx.has_kept else None
        zeros = torch.zeros_like(offset)
        return grad_h, grad_bias, zeros, grad_ypos, grad_weight, grad_shift, kept, None, None, None


def _offset_gradient(derivative: Tensor, gradient: ShiftGradient) -> Tensor:
    return normalise(derivative) if gradient == "normalised" else derivative
