"""What every kind of text encoder offers, and where a model lies on this disk."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from flora_engine.resources import cache_folder

EXPORT_VERSION = 1  # raise it whenever the graph or the manifest changes: older cache folders are then not found

# Runs an exported graph: inputs by name → its outputs in order.
Run = Callable[[dict[str, NDArray[np.int64]]], list[NDArray[np.float32]]]


class Kind(Protocol):
    """One kind of text model. A new kind is one module with these names, and its entry in `KINDS`."""

    NAME: str
    MODEL_TYPES: tuple[str, ...]  # what config.json of such a model calls it
    INPUTS: tuple[str, ...]  # of the exported graph: "ids", then "mask" if padding is masked
    OUTPUTS: tuple[str, ...]

    def load_torch(self, folder: Path) -> tuple[Any, Any, dict[str, Any]]:
        """The torch module that maps INPUTS to OUTPUTS, its tokenizer and what Hugging Face says of the loading."""

    def encode(self, run: Run, ids: list[list[int]], pad_id: int, tokens: int) -> NDArray[np.float32]:
        """Token ids of n texts → float32 (n, tokens + 1, d): the token states, then the pooled vector."""


@dataclass(frozen=True)
class Source:
    """A text model in Hugging Face layout on this disk. kind: a key of `KINDS`."""

    name: str
    folder: Path
    kind: str
    sha256: str

    @property
    def cached(self) -> Path:
        """Where its exported form belongs; the name changes with the weights and with the export."""
        return cache_folder() / "text-encoders" / f"{self.name}-{self.sha256[:16]}-v{EXPORT_VERSION}"


def padded(ids: list[list[int]], length: int, pad_id: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Token ids filled up to `length`, and the mask that is 1 at real tokens: int64 (n, length) each."""
    filled = np.full((len(ids), length), pad_id, np.int64)
    mask = np.zeros((len(ids), length), np.int64)
    for row, values in enumerate(ids):
        filled[row, : len(values)] = values
        mask[row, : len(values)] = 1
    return filled, mask


def from_folder(model: str, tokenizer: str, folder: Path, **options: Any) -> tuple[Any, Any, dict[str, Any]]:
    """A Hugging Face model in float32, its tokenizer and what was missing in its weights; nothing is downloaded.

    model, tokenizer: names of classes of `transformers`.
    """
    transformers: Any = importlib.import_module("transformers")
    common: dict[str, Any] = {"local_files_only": True, "attn_implementation": "eager", "output_loading_info": True}
    found, loading = getattr(transformers, model).from_pretrained(folder, **common, **options)
    found = found.float()  # the option that asks for it has had two names
    return found, getattr(transformers, tokenizer).from_pretrained(folder, local_files_only=True), loading
