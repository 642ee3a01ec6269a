"""The one error type that users see."""

from __future__ import annotations

from pathlib import Path

# Top-level modules that the core goes without → the extra of pyproject.toml that brings them.
_EXTRA_OF = {
    **dict.fromkeys(("PySide6", "pyqtgraph", "OpenGL"), "gui"),
    **dict.fromkeys(("numba", "torch", "onnx", "safetensors", "transformers"), "train"),
}


class FloraError(Exception):
    """Something the user can act on, said in one sentence.

    The message reads ``PATH: problem (where). remedy``; each part that is empty is left out. Readers, importers,
    configs and commands raise nothing else for bad input; any other exception is a bug of ours.
    """

    def __init__(self, problem: str, *, path: Path | str | None = None, where: str = "", remedy: str = "") -> None:
        self.problem, self.where, self.remedy = problem, where, remedy
        self.path = None if path is None else Path(path)
        text = f"{problem} ({where})" if where else problem
        if path is not None:
            text = f"{path}: {text}"
        if remedy:
            text = f"{text.rstrip('.')}. {remedy}"
        super().__init__(text)


class Cancelled(Exception):  # noqa: N818 - being stopped is not an error
    """Raised inside a job when its user asked it to stop; never an error."""


def extra_missing(error: ModuleNotFoundError) -> FloraError | None:
    """What to install if `error` is about a library of an extra; None if it is about anything else."""
    library = (error.name or "").split(".")[0]
    if library not in _EXTRA_OF:
        return None
    return FloraError(
        f"{library} is not installed, and this needs it",
        remedy=f"Install it: pip install 'flora-studio[{_EXTRA_OF[library]}]'.",
    )
