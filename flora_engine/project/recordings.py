"""The recordings of a project: adding, reading, checking and removing them."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flora_engine.errors import FloraError
from flora_engine.project.arrays import PLACE_COLUMNS, Place
from flora_engine.project.classes import ensure_class
from flora_engine.project.columns import NAMES, whole_number
from flora_engine.project.history import Change, rows
from flora_engine.project.store import Store
from flora_engine.skeleton import LAYOUTS, Note, SkeletonSequence


@dataclass(frozen=True)
class Incoming:
    """A recording to be added. class_name: "" for none. digest: its content_hash if it is known already.

    parts: (class, begin, end) of labelled parts, frames [begin, end).
    """

    sequence: SkeletonSequence
    class_name: str = ""
    digest: bytes = b""
    parts: tuple[tuple[str, int, int], ...] = ()


def content_hash(sequence: SkeletonSequence) -> bytes:
    """16 bytes that are equal for equal motion: joints, layout and frame rate, whatever the file was called."""
    head = f"{sequence.layout} {sequence.fps:.6g} {sequence.joints.shape}".encode()
    digest = hashlib.blake2b(head, digest_size=16)
    digest.update(np.ascontiguousarray(sequence.joints, "<f4").data)
    return digest.digest()


def counted(number: int) -> str:
    return "1 recording" if number == 1 else f"{number:,} recordings"


class Recordings:
    """`project.recordings`. Recordings are named by their id, which never changes and is never used again."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self, id: int) -> SkeletonSequence:
        """One recording; its arrays are read-only views onto the file. FloraError if there is none of that id."""
        with self._store.reading() as connection:
            row = connection.execute(_READ, (id,)).fetchone()
        if row is None:
            raise FloraError(f"the project has no recording {id}", path=self._store.folder)
        name, folder, file, layout, fps, metadata, *rest = row
        more = json.loads(metadata)
        body_ids = more.pop("body_ids", None)
        notes = more.pop(_NOTES, None) or ()
        numbers = {key: value for key, value in zip(NAMES, rest, strict=False) if value}
        joints, tracking = self._store.arrays.read(Place(*rest[len(NAMES) :]))
        return SkeletonSequence(
            joints,
            fps,
            layout,
            tracking,
            name,
            Path(folder) / file,
            numbers | more,
            None if body_ids is None else tuple(body_ids),
            tuple(Note(*note) for note in notes),
        )

    def source(self, id: int) -> Path:
        """Where a recording came from; the file may be gone. FloraError if there is none of that id."""
        with self._store.reading() as connection:
            row = connection.execute(
                "SELECT path, file FROM sequences JOIN folders ON folders.id = folder WHERE sequences.id = ?", (id,)
            ).fetchone()
        if row is None:
            raise FloraError(f"the project has no recording {id}", path=self._store.folder)
        return Path(row[0], row[1])

    def sources(self) -> set[str]:
        """The paths of all files that are in the project, as text."""
        with self._store.reading() as connection:
            found = connection.execute(
                "SELECT path, file FROM sequences JOIN folders ON folders.id = folder WHERE removed = 0"
            )
            return {str(Path(folder) / file) for folder, file in found}

    def hashes(self) -> dict[int, bytes]:
        """id -> content hash of every recording, by id."""
        with self._store.reading() as connection:
            return dict(connection.execute("SELECT id, hash FROM sequences WHERE removed = 0 ORDER BY id").fetchall())

    def contents(self) -> NDArray[np.int64]:
        """(N,) a number for each row of the table; two rows have the same number if their content is equal."""
        _, groups = np.unique([digest.hex() for digest in self.hashes().values()], return_inverse=True)
        return groups.astype(np.int64)

    def add(self, recordings: Iterable[Incoming]) -> list[int | None]:
        """Add recordings in one transaction; for each its new id, or None if the project has it already.

        A recording is known by its name together with its content (content_hash) or its source; equal content under
        another name is another recording, which split_checks reports. When this returns, they are on the disk for
        good; when it raises, none is there. FloraError for an unknown layout or a number that cannot be stored.
        """
        with self._store.writing() as connection:
            ids = [self._add(connection, recording) for recording in recordings]
            self._store.arrays.sync()
        if any(id is not None for id in ids):
            self._store.changed()
        return ids

    def _add(self, connection: sqlite3.Connection, recording: Incoming) -> int | None:
        sequence = recording.sequence
        if sequence.layout not in LAYOUTS:
            raise FloraError(f"unknown joint layout “{sequence.layout}”", path=sequence.source)
        source = sequence.source or Path(sequence.name)
        digest = recording.digest or content_hash(sequence)
        folder = _folder_id(connection, str(source.parent))
        known = connection.execute(
            "SELECT 1 FROM sequences WHERE removed = 0 AND name = ? AND (hash = ? OR (file = ? AND folder = ?))",
            (sequence.name, digest, source.name, folder),
        ).fetchone()
        if known:
            return None
        place = self._store.arrays.append(sequence.joints, sequence.tracking)
        metadata: dict[str, Any] = {k: v for k, v in sequence.metadata.items() if k not in NAMES}
        if sequence.body_ids is not None:
            metadata["body_ids"] = sequence.body_ids
        if sequence.notes:
            metadata[_NOTES] = [astuple(note) for note in sequence.notes]
        numbers = [whole_number(sequence.metadata, key, sequence.source) for key in NAMES]
        row = (sequence.name, folder, source.name, digest, sequence.layout, float(sequence.fps), *numbers)
        text = json.dumps(metadata, ensure_ascii=False)
        id = connection.execute(_INSERT, (*row, *vars(place).values(), text)).lastrowid
        assert id is not None
        if recording.class_name:
            label = (id, ensure_class(connection, recording.class_name))
            connection.execute("INSERT INTO labels (sequence, class, origin) VALUES (?, ?, 'import')", label)
        for name, begin, end in recording.parts:
            part = (id, ensure_class(connection, name), begin, end)
            connection.execute(
                "INSERT INTO labels (sequence, class, begin, \"end\", origin) VALUES (?, ?, ?, ?, 'import')", part
            )
        return id

    def remove(self, ids: ArrayLike) -> bool:
        """Remove recordings as one edit; their frames stay on the disk, so that this can be undone."""
        chosen = np.atleast_1d(np.asarray(ids, np.int64)).tolist()

        def make(connection: sqlite3.Connection) -> list[Change]:
            return [
                Change("sequences", row["id"], {"removed": 0}, {"removed": 1}, row["id"])
                for id in chosen
                for row in rows(connection, "sequences", "removed = 0 AND id = ?", id)
            ]

        return self._store.edit(f"Remove {counted(len(chosen))}", make)

    def verify(self, progress: Callable[[int, int], None] = lambda done, total: None) -> list[str]:
        """Read everything and compare it with its hash; what is wrong, one sentence each. progress: (done, total)."""
        with self._store.reading() as connection:
            found = connection.execute("PRAGMA integrity_check").fetchall()
        problems = [f"the database: {text}" for (text,) in found if text != "ok"]
        hashes = self.hashes()
        for done, (id, digest) in enumerate(hashes.items()):
            progress(done, len(hashes))
            try:
                sequence = self.read(id)
            except FloraError as error:
                problems.append(str(error))
                continue
            if content_hash(sequence) != digest:
                problems.append(f"the frames of recording {id} ({sequence.name}) are not those that were imported")
        progress(len(hashes), len(hashes))
        return problems


_NOTES = "reading notes"  # what the reader guessed, among the rest of what the file said
_READ = f"""SELECT name, path, file, layout, fps, metadata, {", ".join((*NAMES, *PLACE_COLUMNS))}
    FROM sequences JOIN folders ON folders.id = folder WHERE sequences.id = ?"""
_COLUMNS = ("name", "folder", "file", "hash", "layout", "fps", *NAMES, *PLACE_COLUMNS, "metadata")
_INSERT = f"INSERT INTO sequences ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"


def _folder_id(connection: sqlite3.Connection, path: str) -> int:
    row = connection.execute("SELECT id FROM folders WHERE path = ?", (path,)).fetchone()
    if row is None:
        return int(connection.execute("INSERT INTO folders (path) VALUES (?)", (path,)).lastrowid or 0)
    return int(row[0])
