"""The `.pt` layout in which Shift-GCN checkpoints were published, read and made (docs/method.md, section 4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from flora_engine.errors import FloraError
from flora_engine.models.shift_gcn.network import ShiftGCN, shift_in_rows, shift_out_rows

# Ours ↔ theirs, as the part of a key after the block's number.
_NAMES = (
    ("spatial.weight", "gcn1.Linear_weight"),
    ("spatial.bias", "gcn1.Linear_bias"),
    ("spatial.mask", "gcn1.Feature_Mask"),
    ("spatial.bn.", "gcn1.bn."),
    ("spatial.down.conv.", "gcn1.down.0."),
    ("spatial.down.bn.", "gcn1.down.1."),
    ("temporal.bn_in.", "tcn1.bn."),
    ("temporal.bn_out.", "tcn1.bn2."),
    ("temporal.shift_in.", "tcn1.shift_in."),
    ("temporal.shift_out.", "tcn1.shift_out."),
    ("temporal.conv.", "tcn1.temporal_linear."),
    ("residual.", "residual."),
)


def _published_key(key: str) -> str:
    key = re.sub(r"^blocks\.(\d+)\.", lambda match: f"l{int(match[1]) + 1}.", key)
    key = key.replace("classifier.", "fc.")
    for ours, theirs in _NAMES:
        if f".{ours}" in key:
            return key.replace(ours, theirs)
    return key


def _joint_major(rows: Tensor, joints: int) -> Tensor:
    """(C·V,) in our row order c·V + v → (V·C,) in theirs, v·C + c."""
    return rows.view(-1, joints).t().reshape(-1)


def _channel_major(rows: Tensor, joints: int) -> Tensor:
    return rows.view(joints, -1).t().reshape(-1)


def _is_row_norm(key: str) -> bool:
    return ".spatial.bn." in key and not key.endswith("num_batches_tracked")


def to_published(model: ShiftGCN) -> dict[str, Tensor]:
    """The model's state under the published keys and shapes, index tables included."""
    state: dict[str, Tensor] = {}
    for key, weights in model.state_dict().items():
        value = weights.detach().cpu().clone()
        if _is_row_norm(key):
            value = _joint_major(value, model.joints)
        elif key.endswith("spatial.bias"):
            value = value.view(1, 1, -1)
        elif key.endswith("spatial.mask"):
            value = value.t().contiguous()[None]
        state[_published_key(key)] = value
    for number, block in enumerate(model.each_block(), 1):
        channels, width = block.spatial.weight.shape
        state[f"l{number}.gcn1.shift_in"] = _published_rows(shift_in_rows(channels, model.joints), model.joints)
        state[f"l{number}.gcn1.shift_out"] = _published_rows(shift_out_rows(width, model.joints), model.joints)
    return state


def _published_rows(rows: tuple[int, ...], joints: int) -> Tensor:
    """Our row table, with positions and values renamed from c·V + v to v·C + c."""
    table = torch.tensor(rows).view(-1, joints)  # (C, V) of c·V + v
    channels = len(table)
    return (table % joints * channels + table // joints).t().reshape(-1)


def from_published(state: Mapping[str, Tensor], path: Path | None = None) -> ShiftGCN:
    """A model with the sizes and weights of a published state; FloraError if a key or shape does not fit."""
    try:
        classes, _ = state["fc.weight"].shape
        _, joints, channels = state["l1.gcn1.Feature_Mask"].shape
        persons = len(state["data_bn.weight"]) // (joints * channels)
        base = state["l1.gcn1.Linear_weight"].shape[1]
    except (KeyError, ValueError, AttributeError):
        raise FloraError("not a Shift-GCN checkpoint in the published layout", path=path) from None
    model = ShiftGCN(classes, joints, persons, channels, base)
    expected = to_published(model)
    missing, extra = sorted(expected.keys() - state.keys()), sorted(state.keys() - expected.keys())
    if missing or extra:
        raise FloraError("the checkpoint has other weights than Shift-GCN", path=path, where=f"{missing} {extra}")
    wrong = [key for key, value in expected.items() if state[key].shape != value.shape]
    tables = [key for key in expected if ".gcn1.shift_" in key]
    wrong += [key for key in tables if key not in wrong and not torch.equal(state[key].cpu(), expected[key])]
    if wrong:
        raise FloraError(
            "weights of the checkpoint have an unexpected shape or order", path=path, where=", ".join(wrong)
        )
    ours = {}
    for key, value in model.state_dict().items():
        given = state[_published_key(key)]
        if _is_row_norm(key):
            given = _channel_major(given, joints)
        elif key.endswith("spatial.mask"):
            given = given[0].t()
        ours[key] = given.reshape(value.shape)
    model.load_state_dict(ours, strict=True)
    return model.eval()


def read_published(path: Path) -> ShiftGCN:
    """Read a published `.pt` without running any code of it; FloraError if it is something else."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise FloraError(f"cannot read the checkpoint: {error.strerror}", path=path) from None
    except Exception as error:  # torch raises many kinds for foreign or damaged files, and says what means nothing here
        raise FloraError(
            "this file holds no weights, is damaged, or would run code", path=path,
            where=type(error).__name__, remedy="Choose the published .pt file of the encoder, or a run.",
        ) from None  # fmt: skip
    if not isinstance(state, Mapping):
        raise FloraError("not a Shift-GCN checkpoint in the published layout", path=path)
    return from_published({key.removeprefix("module."): value for key, value in state.items()}, path)
