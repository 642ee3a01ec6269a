"""Which files are recordings."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from flora_engine.datasets.motion_archive import is_archive, open_archive, recordings_in
from flora_engine.errors import FloraError
from flora_engine.readers import can_read

LABELS_FILE = "classes.csv"  # beside recordings: used if no other file of labels is named
_SURE = (".skeleton", ".bvh")  # no other program uses these suffixes: such a file that cannot be read is reported


def find_recordings(
    paths: Sequence[Path], leave_out: Path | None = None, *, archives: bool = False
) -> tuple[list[Path], int]:
    """Absolute paths of the files to read, and how many other files the folders hold. archives: with motion archives,
    each of their recordings as a path of its own (`recordings_in`).

    A file that is named itself is read whatever it looks like; below a folder those that a reader claims
    or that are called like recordings, sorted.
    Hidden files and files of labels are passed over. FloraError if a path is missing or none is a recording.
    """
    found: dict[Path, None] = {}
    ignored = 0
    for path in paths:
        if path.is_dir():
            files = [file for file in _walk(path.resolve()) if file != leave_out and file.name != LABELS_FILE]
            recordings = [
                file
                for file in files
                if file.suffix.lower() in _SURE or can_read(file) or (archives and is_archive(file))
            ]
            ignored += len(files) - len(recordings)
            found |= dict.fromkeys(recordings)
        elif path.exists():
            found[path.resolve()] = None
        else:
            raise FloraError("there is no such file or folder", path=path, remedy="Check the name.")
    if not found:
        raise FloraError("there are no recordings of a known format", path=paths[0] if paths else None)
    return (_unpacked(found) if archives else list(found)), ignored


def _unpacked(files: Iterable[Path]) -> list[Path]:
    """The recordings of motion archives in place of these; one that is damaged stays, for whoever reads it to say."""
    open_archive.cache_clear()  # another one may lie there by now
    found = []
    for path in files:
        try:
            found += recordings_in(path) if is_archive(path) else [path]
        except FloraError:
            found.append(path)
    return found


def _walk(folder: Path) -> list[Path]:
    found = []
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(root, name) for name in sorted(files) if not name.startswith(".")]
    return found
