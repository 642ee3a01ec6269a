"""The folder that FreeMoCap writes for a recording: many tables and arrays, of which one holds the body."""

from __future__ import annotations

from pathlib import Path

_BODY = "body_3d_xyz.csv"
_FOLDER = "output_data"


def is_beside_body(path: Path) -> bool:
    """Whether a file of such a folder is another one than the table of the body."""
    folder = next((parent for parent in list(path.parents)[:3] if parent.name == _FOLDER), None)
    if folder is None or (path.name.endswith(_BODY) and path.parent == folder):
        return False
    try:
        return any(folder.glob(f"*{_BODY}"))
    except OSError:
        return False


def name_of(path: Path) -> str | None:
    """What a recording is called: its folder, since all tables of bodies have the same name; None for other files."""
    return path.parent.parent.name or None if path.name.endswith(_BODY) and path.parent.name == _FOLDER else None
