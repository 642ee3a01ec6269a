"""Back end cpu_kernels: Shift-GCN's blocks on the CPU in few passes over memory.

Layout (C, V, B, T): channels outermost, so that every 1×1 convolution is one matrix product over the whole batch and
every batch norm is a sum over contiguous memory, and threads take channels. All between two products is one kernel
(`cpu_kernels`), forward and backward. Results are those of the layers in `network`, to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from flora_engine.models.shift_gcn.backends import cpu_kernels as kernels
from flora_engine.models.shift_gcn.backends.runner import Runner, track
from flora_engine.models.shift_gcn.network import Block, Pointwise, SpatialShift, TemporalShift
from flora_engine.models.shift_gcn.temporal_shift import NEGLIGIBLE_XPOS, ShiftGradient, normalise

Norm = nn.BatchNorm1d | nn.BatchNorm2d


class CpuKernels(Runner):
    """Trains with batch statistics, and evaluates with running ones if no gradient is asked for."""

    name = "cpu_kernels"

    def takes(self, block: Block, x: Tensor) -> bool:
        if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64):
            return False
        norms = [module for module in block.modules() if isinstance(module, Norm)]
        if block.training:
            usual = all(norm.training and norm.momentum is not None for norm in norms)
        else:
            usual = not any(norm.training or norm.running_mean is None for norm in norms)
            usual = usual and not torch.is_grad_enabled()
        shifts = (block.temporal.shift_in, block.temporal.shift_out)
        learns_xpos = block.temporal.gradient == "true" and any(shift.xpos.requires_grad for shift in shifts)
        same_type = all(parameter.dtype == x.dtype for parameter in block.parameters())
        xpos = torch.cat([shift.xpos.detach() for shift in shifts])
        still = bool((xpos.abs() < NEGLIGIBLE_XPOS).all())
        return usual and same_type and still and not (block.training and learns_xpos)

    def run_blocks(self, x: Tensor) -> Tensor:
        """As the general one, but between blocks of this back end x stays (C, V, B, T)."""
        inside = False
        for block, known in zip(self.model.blocks, self.known, strict=True):
            ours = known and isinstance(block, Block) and self.takes(block, x)
            if ours != inside:
                x = (_channels_first(x) if ours else _bodies_first(x)).contiguous()
                inside = ours
            if ours and isinstance(block, Block):
                x = _block(block, x)
                if self.watch is not None:
                    self.watch(x)
            else:
                x = block(x)
        return _bodies_first(x) if inside else x

    def run_block(self, block: Block, x: Tensor) -> Tensor:
        return _bodies_first(_block(block, _channels_first(x).contiguous()))


def _channels_first(x: Tensor) -> Tensor:
    return x.permute(1, 2, 0, 3)  # (B, C, V, T) → (C, V, B, T)


def _bodies_first(x: Tensor) -> Tensor:
    return x.permute(2, 0, 1, 3)


def _block(block: Block, x: Tensor) -> Tensor:
    """x (C, V, B, T) → (C', V, B, ⌊T/stride⌋)."""
    y = _temporal_input(block.spatial, block.temporal, x)
    h = _mix(block.temporal.conv.weight.flatten(1), y)
    kept = None
    if block.has_residual:
        kept = x if block.residual is None else _pointwise(block.residual, x)
    return _finish_block(block.temporal, h, kept)


def _temporal_input(spatial: SpatialShift, temporal: TemporalShift, x: Tensor) -> Tensor:
    """x through the spatial part, and through the temporal part's first batch norm and shift."""
    joints, norm, norm_in = x.shape[1], spatial.bn, temporal.bn_in
    mixed = _mix(spatial.weight.t(), _MaskIn.apply(x, torch.tanh(spatial.mask) + 1))  # type: ignore[no-untyped-call]
    kept = x if spatial.down is None else _pointwise(spatial.down, x)
    mean, inverse = (value.view(-1, joints) for value in _statistics(norm))
    mean_in, inverse_in = _statistics(norm_in)
    if not norm.training:
        mean = mean - spatial.bias.detach()[:, None]  # `mixed` is without the bias
    y: Tensor = _FinishSpatial.apply(  # type: ignore[no-untyped-call]
        mixed, kept, spatial.bias, norm.weight.view(-1, joints), norm.bias.view(-1, joints), norm_in.weight,
        norm_in.bias, temporal.shift_in.xpos, temporal.shift_in.ypos, norm.eps, temporal.gradient,
        not norm.training, mean, inverse, mean_in, inverse_in,
    )  # fmt: skip
    # The batch norm takes the spatial bias away again, so it is only seen by the running mean.
    _track(norm, (mean + spatial.bias.detach()[:, None]).flatten(), inverse.flatten(), x[0, 0].numel())
    _track(norm_in, mean_in, inverse_in, x[0].numel())
    return y


def _finish_block(temporal: TemporalShift, h: Tensor, kept: Tensor | None) -> Tensor:
    """From the temporal convolution h to the block's output; `kept` is what its residual adds."""
    norm = temporal.bn_out
    mean, inverse = _statistics(norm)
    out: Tensor = _FinishTemporal.apply(  # type: ignore[no-untyped-call]
        h, temporal.conv.bias, temporal.shift_out.xpos, temporal.shift_out.ypos, norm.weight, norm.bias,
        kept, temporal.stride, norm.eps, temporal.gradient, not norm.training, mean, inverse,
    )  # fmt: skip
    _track(norm, mean, inverse, out[0].numel())
    return out


def _statistics(norm: Norm) -> tuple[Tensor, Tensor]:
    """Mean and 1 / sqrt(variance + eps) of an evaluating norm; of a training one, room for what the kernel finds."""
    if norm.training or norm.running_mean is None or norm.running_var is None:
        return torch.empty_like(norm.weight), torch.empty_like(norm.weight)
    return norm.running_mean.clone(), torch.rsqrt(norm.running_var + norm.eps)


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


def _track(norm: Norm, mean: Tensor, inverse: Tensor, count: int) -> None:
    """Running statistics of a training norm from what the kernels give for a batch of `count` values per channel."""
    if norm.training:
        track(norm, mean, (inverse**-2 - norm.eps) * (count / max(count - 1, 1)))


def _in_chunks(work: Callable[[slice], None], count: int) -> None:
    """Run `work` on slices of `count` things, on as many threads as torch uses."""
    threads = min(torch.get_num_threads(), count)
    if threads <= 1:
        work(slice(0, count))
        return
    edges = [count * i // threads for i in range(threads + 1)]
    list(_pool(threads).map(work, [slice(a, b) for a, b in pairwise(edges)]))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="cpu-kernels")


def _in_channels(kernel: Any, *arguments: Any) -> None:
    """Run a kernel over all channels of its first argument, on as many threads as torch uses."""
    channels = len(arguments[0])
    arrays = [a.detach().numpy() if isinstance(a, Tensor) else a for a in arguments]
    _in_chunks(lambda part: kernel(*arrays, part.start, part.stop), channels)


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
    """From the mixed channels to the first temporal shift. Unless `known`, the statistics (mean, inverse, and those of
    the norm before the shift) are written into the tensors given for them."""

    @staticmethod
    def forward(
        ctx: Any, y: Tensor, kept: Tensor, spatial_bias: Tensor, weight: Tensor, bias: Tensor, weight_in: Tensor,
        bias_in: Tensor, xpos: Tensor, ypos: Tensor, eps: float, gradient: ShiftGradient, known: bool, mean: Tensor,
        inverse: Tensor, mean_in: Tensor, inverse_in: Tensor,
    ) -> Tensor:  # fmt: skip
        z, out = torch.empty_like(y), torch.empty_like(y)
        _in_channels(
            kernels.finish_spatial, y, kept.contiguous(), weight, bias, mean, inverse, weight_in, bias_in, mean_in,
            inverse_in, ypos, eps, known, z, out,
        )  # fmt: skip
        ctx.save_for_backward(y, z, weight, mean, inverse, weight_in, bias_in, mean_in, inverse_in, ypos)
        ctx.gradient = gradient
        return out

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
        return grad_y, grad_kept, zeros, *rows, channels[0], channels[1], zeros, grad_ypos, *[None] * 7


class _FinishTemporal(torch.autograd.Function):
    """From the temporal convolution to the block's output; the statistics as above."""

    @staticmethod
    def forward(
        ctx: Any, h: Tensor, bias: Tensor, xpos: Tensor, ypos: Tensor, weight: Tensor, shift: Tensor,
        kept: Tensor | None, stride: int, eps: float, gradient: ShiftGradient, known: bool, mean: Tensor,
        inverse: Tensor,
    ) -> Tensor:  # fmt: skip
        offset = ypos if stride == 1 else ypos + 0.5
        q = h.new_empty(*h.shape[:3], h.shape[3] // stride)
        out = torch.empty_like(q)
        add = q if kept is None else kept.contiguous()
        _in_channels(
            kernels.finish_temporal, h, bias, offset, stride, weight, shift, mean, inverse, add, kept is not None,
            eps, known, q, out,
        )  # fmt: skip
        ctx.save_for_backward(out, h, q, bias, offset, weight, mean, inverse)
        ctx.stride, ctx.gradient, ctx.has_kept = stride, gradient, kept is not None
        return out

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
        return grad_h, grad_bias, zeros, grad_ypos, grad_weight, grad_shift, kept, *[None] * 6


def _offset_gradient(derivative: Tensor, gradient: ShiftGradient) -> Tensor:
    return normalise(derivative) if gradient == "normalised" else derivative
