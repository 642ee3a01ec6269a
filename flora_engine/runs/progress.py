"""Finished and unfinished pieces of a run on disk, so that a run that is started again computes nothing twice.

Every piece is deterministic given the configuration, so a resumed run gives what an uninterrupted one gives.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flora_engine.runs.checkpoint import load, save

SUFFIX = ".safetensors"


class Progress:
    """How far a piece is that is being computed: what was found so far, and a checkpoint for each of its trainings.

    A training looks at its model before it writes its checkpoint, so what lies before the checkpoint has been found.
    stem: path of the files, without their endings; None keeps nothing.
    """

    def __init__(self, stem: Path | None = None) -> None:
        self._stem = stem
        path = self._path("found")
        self.found: dict[str, Any] = load(path) if path is not None and path.exists() else {}

    def keep(self, name: str, value: Any) -> None:
        """Remember what was found under `name`: tensors and JSON values."""
        self.found[name] = value
        path = self._path("found")
        if path is not None:
            save(path, self.found)

    def checkpoint(self, training: int = 0) -> Path | None:
        """Where training number `training` of the piece continues from."""
        return self._path(f"training{training}")

    def forget(self) -> None:
        """The piece is finished: remove what was kept on the way."""
        if self._stem is not None:
            for path in self._stem.parent.glob(f"{self._stem.name}.*{SUFFIX}"):
                path.unlink()

    def _path(self, what: str) -> Path | None:
        return None if self._stem is None else self._stem.with_name(f"{self._stem.name}.{what}{SUFFIX}")


class Memory:
    """Pieces by name below `folder`; without a folder nothing is kept."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder

    def has(self, name: str) -> bool:
        """Whether the piece `name` is finished."""
        return self.folder is not None and (self.folder / f"{name}{SUFFIX}").exists()

    def recall(self, name: str, compute: Callable[[Progress], dict[str, Any]]) -> dict[str, Any]:
        """The piece `name`, begun or continued with if it is missing yet. It holds tensors and JSON values."""
        if self.folder is None:
            return compute(Progress())
        path = self.folder / f"{name}{SUFFIX}"
        if path.exists():
            return load(path)
        progress = Progress(self.folder / name)
        piece = compute(progress)
        save(path, piece)
        progress.forget()
        return piece
