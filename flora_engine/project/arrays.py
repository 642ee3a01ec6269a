"""The frames of a project: append-only segment files, read through memory maps.

A recording is one run of bytes in one segment: its joints (float32, little endian), then its tracking states (uint8)
if it has any, then zeros up to a multiple of 16. Where it lies is known only to the database, so bytes that no
committed row names do not exist: a writer that was killed leaves at most a tail, which the next writer cuts off.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import threading
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError

SEGMENT_BYTES = 1 << 30  # a new file after this size: copies and backups stay handy
_ALIGN = 16


@dataclass(frozen=True)
class Place:
    """Where a recording lies, and its shape (frames, persons, joints). The database has a column for each field."""

    segment: int
    offset: int
    frames: int
    persons: int
    joints: int
    tracked: bool

    @property
    def points(self) -> int:
        return self.frames * self.persons * self.joints

    @property
    def end(self) -> int:
        size = self.points * (13 if self.tracked else 12)
        return self.offset + -(-size // _ALIGN) * _ALIGN


PLACE_COLUMNS = tuple(field.name for field in fields(Place))  # of the database, in the order that `Place` takes


class Arrays:
    """Appends and reads recordings. One object may be used from several threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._maps: dict[int, mmap.mmap] = {}
        self._unsynced: set[int] = set()
        self._lock = threading.Lock()

    def path(self, segment: int) -> Path:
        return self.folder / f"{segment:06d}.frames"

    def segments(self) -> list[int]:
        return sorted(int(path.stem) for path in self.folder.glob("[0-9]*.frames"))

    def append(self, joints: NDArray[np.float32], tracking: NDArray[np.uint8] | None) -> Place:
        """Write one recording behind the last; it survives a crash only after `sync` and a commit that names it."""
        frames, persons, points = joints.shape[:3]
        last = max(self.segments(), default=1)
        path = self.path(last)
        if path.exists() and path.stat().st_size >= SEGMENT_BYTES:
            last, path = last + 1, self.path(last + 1)
        with path.open("ab") as file:
            end = file.seek(0, os.SEEK_END)
            file.write(bytes(-end % _ALIGN))  # only behind the tail of a write that failed
            place = Place(last, file.tell(), frames, persons, points, tracking is not None)
            file.write(np.ascontiguousarray(joints, "<f4").data)
            if tracking is not None:
                file.write(np.ascontiguousarray(tracking, np.uint8).data)
            file.write(bytes(place.end - file.tell()))
        self._unsynced.add(last)
        return place

    def sync(self) -> None:
        """Return once everything appended is on the disk, the names of new files included."""
        for segment in sorted(self._unsynced):
            with self.path(segment).open("rb+") as file:
                os.fsync(file.fileno())
        if self._unsynced and os.name == "posix":  # Windows cannot open a folder, and needs no such thing
            handle = os.open(self.folder, os.O_RDONLY)
            os.fsync(handle)
            os.close(handle)
        self._unsynced.clear()

    def read(self, place: Place) -> tuple[NDArray[np.float32], NDArray[np.uint8] | None]:
        """Read-only views (T, M, V, 3) and (T, M, V) onto the map; no copy, and a cost that does not grow with N."""
        data = self._map(place.segment, place.end)
        shape = (place.frames, place.persons, place.joints)
        joints = np.frombuffer(data, "<f4", place.points * 3, place.offset).reshape(*shape, 3)
        if not place.tracked:
            return joints, None
        return joints, np.frombuffer(data, np.uint8, place.points, place.offset + place.points * 12).reshape(shape)

    def _map(self, segment: int, end: int) -> mmap.mmap:
        with self._lock:
            data = self._maps.get(segment)
            if data is None or len(data) < end:  # not mapped yet, or grown since
                data = self._maps[segment] = self._open_map(segment, end)
            return data

    def _open_map(self, segment: int, end: int) -> mmap.mmap:
        path = self.path(segment)
        try:
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < end:
                    raise FloraError("the frames file is shorter than the project says", path=path, remedy=_RESTORE)
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise FloraError(f"cannot read the frames: {error}", path=path, remedy=_RESTORE) from None

    def damage(self, ends: dict[int, int]) -> str:
        """What is wrong with the files, given how far the committed recordings reach in each; "" if nothing is."""
        for segment, end in ends.items():
            path = self.path(segment)
            if not path.is_file():
                return f"the frames file {path.name} is missing"
            if path.stat().st_size < end:
                return f"the frames file {path.name} ends early ({path.stat().st_size} of {end} bytes)"
        return ""

    def reclaim(self, ends: dict[int, int]) -> int:
        """Cut off what no committed recording uses; returns the bytes won. Only for the holder of the writer lock."""
        won = 0
        for segment in self.segments():
            path = self.path(segment)
            size, end = path.stat().st_size, ends.get(segment, 0)
            if size > end:
                with contextlib.suppress(OSError):  # Windows, while a reader maps the file: the tail does no harm
                    os.truncate(path, end)
                    won += size - end
        return won

    def close(self) -> None:
        """Forget the maps; views that are still held keep theirs alive."""
        self._maps.clear()


_RESTORE = "Restore the project folder from a copy, or import the recordings into a new project."
