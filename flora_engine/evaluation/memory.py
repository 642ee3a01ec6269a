"""Finished pieces of a run on disk, so that a run that is started again does not compute them twice.

Every piece is deterministic given the configuration, so a resumed run gives what an uninterrupted one gives.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flora_engine.training.checkpoint import load, save


class Memory:
    """Pieces by name below `folder`; without a folder nothing is kept."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    def recall(self, name: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The piece `name`, computed where it is not there yet. A piece holds tensors and JSON values."""
        if self.folder is None:
            return compute()
        path = self.folder / f"{name}.safetensors"
        if path.exists():
            return load(path)
        piece = compute()
        save(path, piece)
        return piece
