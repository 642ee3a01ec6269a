"""The one error type that users see."""

from __future__ import annotations

import errno
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


# What libraries say if memory or disk is full and they do not raise an error of its own kind.
_MEMORY = (
    "allocate memory",
    "Unable to allocate",
    "bad_alloc",
    "out of memory",
    "not enough memory",
    "Memory allocation",
    "error return without exception set",  # C code, also the interpreter's, that had no room left for its exception
)
_DISK = ("No space left on device", "Disk quota exceeded", "database or disk is full")


class NotEnoughMemoryError(FloraError):
    """The memory is full: the same settings will not do better."""


class DiskFullError(FloraError):
    """The disk is full: what is done is kept, and the work can continue once there is room."""


def explained(error: BaseException) -> FloraError | None:
    """An error that users can do something about as one sentence; None if it is a bug of ours."""
    if isinstance(error, FloraError):
        return error
    text, number = str(error), getattr(error, "errno", None)
    if isinstance(error, MemoryError) or number == errno.ENOMEM:
        return not_enough_memory("out of memory")
    if (full := not_enough_memory(text)) is not None:
        return full
    if number in (errno.ENOSPC, getattr(errno, "EDQUOT", None)) or _said(text, _DISK):
        return DiskFullError("the disk is full", remedy="Make room on it, then resume: what is done is kept.")
    if isinstance(error, ModuleNotFoundError):
        return extra_missing(error)
    return None


def not_enough_memory(words: str) -> FloraError | None:
    """What the last words of a library or a process say of memory; None if they are about anything else."""
    if not _said(words, (*_MEMORY, "MemoryError")):
        return None
    return NotEnoughMemoryError(
        "the memory is not enough for these settings",
        remedy="Train with a smaller batch or fewer frames, or close other programs and resume.",
    )


def _said(text: str, signs: tuple[str, ...]) -> bool:
    return any(sign.casefold() in text.casefold() for sign in signs)


def extra_missing(error: ModuleNotFoundError) -> FloraError | None:
    """What to install if `error` is about a library of an extra; None if it is about anything else."""
    library = (error.name or "").split(".")[0]
    if library not in _EXTRA_OF:
        return None
    return FloraError(
        f"{library} is not installed, and this needs it",
        remedy=f"Install it: pip install 'flora-studio[{_EXTRA_OF[library]}]'.",
    )
