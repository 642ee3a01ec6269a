"""ONNX Runtime: the only module that imports it, so that no process loads it with its telemetry on.

ONNX Runtime 1.32 writes a device id and an event database into the user's cache and looks for Microsoft's server as
soon as its library is loaded. `flora_engine` sets ORT_DISABLE_TELEMETRY, which prevents all three;
`disable_telemetry_events` alone comes too late for them, and is what the Windows builds for apps listen to.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from flora_engine.errors import FloraError


@functools.cache
def onnx_runtime() -> Any:
    """The `onnxruntime` module without telemetry, loaded at the first call (0.1 s). Raises ImportError."""
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    return onnxruntime


def load_session(model: Path | bytes, *, threads: int | None = None, cuda: bool = False) -> Any:
    """An `InferenceSession` of the graph in the file `model`, or of its bytes.

    threads: how many one run may use; None: one per core. cuda: use an NVIDIA GPU if this build of ONNX Runtime has
    that provider. Raises FloraError if the file is missing or is not a graph that this version reads.
    """
    runtime = onnx_runtime()
    options = runtime.SessionOptions()
    if threads is not None:
        options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # an idle window burns no processor
    options.log_severity_level = 3  # errors only
    wanted = ("CUDAExecutionProvider", "CPUExecutionProvider") if cuda else ("CPUExecutionProvider",)
    providers = [name for name in wanted if name in runtime.get_available_providers()]
    try:
        source = model if isinstance(model, bytes) else str(model)
        return runtime.InferenceSession(source, options, providers=providers)
    except Exception as error:  # ONNX Runtime has a type for each status, all children of Exception
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        path = model if isinstance(model, Path) else None
        raise FloraError(f"ONNX Runtime {runtime.__version__} cannot read this model: {reason}", path=path) from None
