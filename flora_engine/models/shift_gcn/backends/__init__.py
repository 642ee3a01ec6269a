"""Back ends: ways to compute the layers of Shift-GCN, chosen by name (`backend:` of an encoder's configuration).

| name | what computes the blocks | where |
|---|---|---|
| torch | the layers of `network`, in PyTorch | anywhere |
| cpu_kernels | one Numba kernel between two matrix products | CPU |
| triton | the shifts with what precedes them as Triton kernels; not measured on a GPU yet | NVIDIA GPU |

Each takes only the blocks that are exactly those of `network` (`unchanged`) and leaves the others to PyTorch;
`agreement` compares it with PyTorch before a run. Nothing here imports torch, so that configurations can name them.
"""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING, Literal

from flora_engine.errors import FloraError

if TYPE_CHECKING:
    from flora_engine.models.shift_gcn.backends.runner import Runner
    from flora_engine.models.shift_gcn.network import ShiftGCN

BackendName = Literal["auto", "torch", "cpu_kernels", "triton"]


def choose_backend(name: BackendName, device: str, *, processes: int = 1, compiled: bool = False) -> BackendName:
    """The back end that `name` means on a device ("cpu" or "cuda"); never "auto".

    auto: the device's own kernels, but PyTorch if the batch norms ask other processes or torch.compile makes the code.
    Raises FloraError for a back end that cannot run there.
    """
    triton = importlib.util.find_spec("triton") is not None
    if name == "auto":
        if processes > 1 or compiled:
            return "torch"
        if device == "cpu":
            return "cpu_kernels"
        return "triton" if device == "cuda" and triton else "torch"
    if name == "cpu_kernels" and device != "cpu":
        raise FloraError(f"back end cpu_kernels runs on a CPU, not on {device}", remedy="Set `backend: auto`.")
    if name == "triton" and not triton:
        raise FloraError("back end triton needs Triton, which is not installed", remedy="Set `backend: auto`.")
    if name == "triton" and device != "cuda" and os.environ.get("TRITON_INTERPRET") != "1":
        raise FloraError(f"back end triton runs on an NVIDIA GPU, not on {device}", remedy="Set `backend: auto`.")
    return name


def make_runner(name: BackendName, model: ShiftGCN) -> Runner:
    """`model` run by a back end that `choose_backend` gave."""
    if name == "cpu_kernels":
        from flora_engine.models.shift_gcn.backends.cpu import CpuKernels

        return CpuKernels(model)
    if name == "triton":
        from flora_engine.models.shift_gcn.backends.triton import TritonKernels

        return TritonKernels(model)
    from flora_engine.models.shift_gcn.backends.runner import Runner

    return Runner(model)
