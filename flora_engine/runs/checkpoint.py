"""Checkpoints: one safetensors file, replaced in one step; what is not a tensor is JSON in its header. No pickle.

A state is nested dicts, lists and tuples of tensors and JSON values: model weights, optimiser state, position, curves.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from flora_engine.errors import FloraError
from flora_engine.files import replacing

_TENSOR, _PAIRS, _TUPLE = "__tensor__", "__pairs__", "__tuple__"
FORMAT = "flora-checkpoint-1"


def save(path: Path, state: dict[str, Any]) -> None:
    """Replace `path` by `state`; a crash leaves the old file or the new one. TypeError if a value is neither."""
    tensors: dict[str, torch.Tensor] = {}
    plain = _pack(state, "", tensors)
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"format": FORMAT, "state": json.dumps(plain)})


def load(path: Path, device: str | torch.device = "cpu") -> dict[str, Any]:
    """What `save` wrote, tensors on `device`; raises FloraError if the file is absent, broken or of another kind."""
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise FloraError("this file is not a checkpoint of this program", path=path)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        state = _unpack(json.loads(metadata["state"]), tensors)
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        raise FloraError(
            f"cannot read the checkpoint: {error}", path=path, remedy="Choose another checkpoint of the run."
        ) from None
    assert isinstance(state, dict)
    return state


def _pack(value: Any, where: str, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        # A clone: views and tied weights would share storage, which safetensors refuses.
        tensors[where] = value.detach().cpu().clone().contiguous()
        return {_TENSOR: where}
    if isinstance(value, dict):
        packed = {key: _pack(item, f"{where}/{key}" if where else str(key), tensors) for key, item in value.items()}
        return packed if all(isinstance(key, str) for key in packed) else {_PAIRS: list(packed.items())}
    if isinstance(value, (list, tuple)):
        items = [_pack(item, f"{where}/{i}", tensors) for i, item in enumerate(value)]
        return {_TUPLE: items} if isinstance(value, tuple) else items
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a checkpoint cannot hold a {type(value).__name__} ({where})")


def _unpack(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, list):
        return [_unpack(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if _TENSOR in value:
        return tensors[value[_TENSOR]]
    if _PAIRS in value:
        return {key: _unpack(item, tensors) for key, item in value[_PAIRS]}
    if _TUPLE in value:
        return tuple(_unpack(item, tensors) for item in value[_TUPLE])
    return {key: _unpack(item, tensors) for key, item in value.items()}
