"""The recording formats as dialogs name them, from the readers' own registry."""

from __future__ import annotations

from flora_engine.readers import READERS


def suffixes() -> list[str]:
    """The file suffixes of all readers, sorted."""
    return sorted({suffix for reader in READERS for suffix in reader.suffixes})


def file_filter() -> str:
    """The filter of a file dialog: recordings, each format, all files."""
    every = f"Recordings ({_patterns(suffixes())})"
    return ";;".join(
        [every, *(f"{reader.title} ({_patterns(reader.suffixes)})" for reader in READERS), "All files (*)"]
    )


def format_names() -> str:
    """The formats in one line: "NTU RGB+D, …, BVH and CSV"."""
    *others, last = [reader.short for reader in READERS]
    return f"{', '.join(others)} and {last}"


def _patterns(suffixes: list[str] | tuple[str, ...]) -> str:
    return " ".join(f"*{suffix}" for suffix in suffixes)
