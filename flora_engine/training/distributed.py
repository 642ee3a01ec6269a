"""One training over several processes (torchrun): the same numbers as one process with the same global batch.

Each process takes its share of every global batch, batch statistics are those of the global batch, gradients are
averaged by DistributedDataParallel, and only the first process writes. Without torchrun all of this does nothing.
"""

from __future__ import annotations

import contextlib
import datetime
import gc
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
import torch.distributed as dist
from torch import Tensor, nn

from flora_engine.errors import FloraError


@dataclass(frozen=True)
class World:
    """This process's place among `size` that train together."""

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def first(self) -> bool:
        return self.rank == 0

    def share(self, indices: Tensor) -> Tensor:
        """The part of `indices` (N,) that belongs to this process: every `size`-th from `rank` on."""
        return indices[self.rank :: self.size]

    def total(self, values: Tensor) -> Tensor:
        """The sum of `values` over all processes (the same tensor where there is one)."""
        if self.size > 1:
            dist.all_reduce(values)
        return values

    def any(self, flag: bool) -> bool:
        """Whether `flag` is true in any process."""
        if self.size == 1:
            return flag
        return bool(self.total(torch.tensor(float(flag), device=self.device)).item() > 0)

    def from_first(self, value: str) -> str:
        """The first process's `value`, in every process."""
        values = [value]
        if self.size > 1:
            dist.broadcast_object_list(values, src=0, device=self.device)
        return values[0]

    def barrier(self) -> None:
        """Wait until every process is here."""
        self.any(False)


def choose_device(name: str | None = None) -> torch.device:
    """`name`, else CUDA if it works, else the CPU; raises FloraError for a device that is not there."""
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise FloraError(f"there is no device “{name}”", remedy="Use cpu, cuda, or cuda:0, cuda:1 …") from None
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise FloraError(
                "no CUDA device works here", remedy="Use --device cpu, or install a CUDA build of PyTorch."
            )
        if device.index is not None and device.index >= torch.cuda.device_count():
            raise FloraError(f"there is no device “{name}”: {torch.cuda.device_count()} CUDA devices are here")
    return device


@contextlib.contextmanager
def world(device: str | None = None) -> Iterator[World]:
    """Join the processes that torchrun started (its environment variables say so); alone otherwise."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1 or dist.is_initialized():
        rank, size = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        chosen = choose_device(device)
        if dist.is_initialized() and chosen.type == "cuda":
            chosen = torch.device("cuda", torch.cuda.current_device())  # set where the processes joined
        yield World(rank, size, chosen)
        return
    chosen = choose_device(device)
    if chosen.type == "cuda":
        chosen = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
        torch.cuda.set_device(chosen)
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo", timeout=datetime.timedelta(minutes=30))
    try:
        yield World(dist.get_rank(), size, chosen)
        dist.barrier()  # nobody leaves while others still talk
    finally:
        gc.collect()  # a DistributedDataParallel in a cycle keeps the group's threads, which end the process at exit
        dist.destroy_process_group()


class _SumOverProcesses(torch.autograd.Function):
    """Sum a tensor over all processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, value: Tensor, group: dist.ProcessGroup) -> Tensor:
        ctx.group = group  # type: ignore[attr-defined]
        total = value.clone()
        dist.all_reduce(total, group=group)
        return total

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor) -> tuple[Tensor, None]:
        total = gradients[0].clone()
        dist.all_reduce(total, group=ctx.group)  # type: ignore[attr-defined]
        return total, None


def synchronised_batch_norm(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, group: dist.ProcessGroup
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Normalise x (N, C, …) by the mean and variance of each channel over all processes.

    Returns the output, and the mean, biased variance and count per channel. Two passes (mean, then centred squares):
    as accurate as the one-process batch norm where the mean is far from zero. A process may bring N = 0.
    """
    others = [axis for axis in range(x.dim()) if axis != 1]
    shape = [1, -1] + [1] * (x.dim() - 2)
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    local = wide.new_tensor([x.numel() // max(x.shape[1], 1)])
    totals: Tensor = _SumOverProcesses.apply(torch.cat([wide.sum(others), local]), group)  # type: ignore[no-untyped-call]
    count = totals[-1].detach()
    mean = totals[:-1] / count
    centred = wide - mean.view(shape)
    variance: Tensor = _SumOverProcesses.apply(centred.square().sum(others), group) / count  # type: ignore[no-untyped-call]
    out = centred * torch.rsqrt(variance + eps).view(shape)
    if weight is not None:
        out = out * weight.view(shape)
    if bias is not None:
        out = out + bias.view(shape)
    return out.to(x.dtype), mean.detach(), variance.detach(), count


def synchronise_batch_norms(model: nn.Module) -> nn.Module:
    """Make every batch norm of `model` use the statistics of the global batch while training, in place.

    PyTorch's own SyncBatchNorm works on CUDA only; this one works with gloo as well. Parameters, buffers and their
    names stay as they are, so checkpoints do too. A process group of its own keeps its sums apart from DDP's.
    """
    group = dist.new_group()
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.forward = _Synchronised(module, group)  # type: ignore[method-assign, assignment]
    return model


class _Synchronised:
    """The forward of one batch norm, over all processes while it trains."""

    def __init__(self, norm: nn.BatchNorm1d | nn.BatchNorm2d, group: dist.ProcessGroup) -> None:
        self._norm, self._group = norm, group

    def __call__(self, x: Tensor) -> Tensor:
        norm = self._norm
        if not norm.training:
            return type(norm).forward(norm, x)
        out, mean, variance, count = synchronised_batch_norm(x, norm.weight, norm.bias, norm.eps, self._group)
        if norm.running_mean is not None and norm.running_var is not None and norm.num_batches_tracked is not None:
            with torch.no_grad():
                norm.num_batches_tracked.add_(1)
                share = norm.momentum if norm.momentum is not None else 1.0 / float(norm.num_batches_tracked)
                norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), share)
                norm.running_var.lerp_((variance * count / (count - 1).clamp(min=1)).to(norm.running_var.dtype), share)
        return out
