"""A project: recordings, labels, classes, texts, splits, runs and features in one folder.

`project.sqlite` holds everything but the frames, which lie in `arrays/` (see arrays.py). One program writes at a time;
any number read. Nothing that was confirmed is lost to a crash: frames reach the disk before the transaction that names
them. See docs/projects.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flora_engine.errors import FloraError
from flora_engine.locking import WriterLock
from flora_engine.project import history
from flora_engine.project.arrays import Arrays, Place
from flora_engine.project.history import Change, Edit
from flora_engine.project.schema import DATABASE, connect, create_database
from flora_engine.project.splits import Split
from flora_engine.project.table import Table, load_table, relabelled
from flora_engine.skeleton import LAYOUTS, SkeletonSequence

Mode = Literal["auto", "write", "read"]
NUMBERS = ("subject", "camera", "setup", "replication")


@dataclass(frozen=True)
class Incoming:
    """A recording to be added: its class name ("" for none) and where it came from."""

    sequence: SkeletonSequence
    class_name: str = ""
    digest: bytes = b""  # content_hash(sequence) if it is known already


@dataclass(frozen=True)
class Label:
    """What somebody or something said about a recording; begin and end (frames, end excluded) None: all of it."""

    id: int
    class_name: str
    begin: int | None
    end: int | None
    origin: str
    score: float | None


@dataclass(frozen=True)
class Run:
    folder: Path
    name: str
    kind: str
    added: float


def content_hash(sequence: SkeletonSequence) -> bytes:
    """16 bytes that are equal for equal motion: joints, layout and frame rate, whatever the file was called."""
    head = f"{sequence.layout} {sequence.fps:.6g} {sequence.joints.shape}".encode()
    digest = hashlib.blake2b(head, digest_size=16)
    digest.update(np.ascontiguousarray(sequence.joints, "<f4").data)
    return digest.digest()


class Project:
    """An open project; made by `create` or `open`. May be used from several threads of one program.

    `version` grows with every change that this object makes or notices; views redraw when it moved.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection, lock: WriterLock, read_only: str) -> None:
        self.folder = folder
        self.read_only_reason = read_only
        self.version = 0
        self._connection, self._lock = connection, lock
        self._arrays = Arrays(folder / "arrays")
        self._guard = threading.RLock()
        self._table: Table | None = None
        self._seen_by_others = self._data_version()

    # Opening and closing

    @classmethod
    def create(cls, folder: Path) -> Project:
        """Make a new project in `folder` (made where it is missing) and open it for writing.

        FloraError where there is a project already or the folder cannot be written.
        """
        if (folder / DATABASE).exists():
            raise FloraError(
                "there is a project here already", path=folder, remedy="Open it, or choose another folder."
            )
        try:
            (folder / "arrays").mkdir(parents=True, exist_ok=True)
            if any((folder / "arrays").iterdir()):
                raise FloraError(
                    "the folder holds the frames of a project that lost its database",
                    path=folder,
                    remedy="Restore project.sqlite from a copy, or choose another folder.",
                )
            create_database(folder)
        except (OSError, sqlite3.Error) as error:
            raise FloraError(f"cannot make a project: {error}", path=folder) from None
        return cls.open(folder, "write")

    @classmethod
    def open(cls, folder: Path, mode: Mode = "auto") -> Project:
        """Open a project.

        mode "auto": for writing, or read-only with `read_only_reason` where another program writes, the folder is
        write-protected, or the project is damaged. "write": FloraError in those cases. "read": never takes the lock.
        FloraError where the folder is no project, its database is damaged beyond reading, or it is too new.
        """
        path = folder / DATABASE
        if not path.is_file():
            raise FloraError("this folder is not a project (it has no project.sqlite)", path=folder)
        lock = WriterLock(folder / "project.lock")
        reason = "opened for reading" if mode == "read" else _take(lock)
        connection: sqlite3.Connection | None = None
        try:
            connection = connect(path, write=not reason)
            project = cls(folder, connection, lock, reason)
            project._check()
            if mode == "write" and project.read_only_reason:
                raise FloraError(f"cannot write to the project: {project.read_only_reason}", path=folder)
        except BaseException:
            if connection is not None:
                connection.close()
            lock.release()
            raise
        return project

    def _check(self) -> None:
        """Compare the files with what is committed: damage makes the project read-only, torn tails are cut off."""
        with self._reading():
            if self.writable:
                self._arrays.folder.mkdir(exist_ok=True)
            ends = self._segment_ends()
            damage = self._arrays.damage(ends)
            if damage:
                self._become_read_only(f"the project is damaged: {damage}")
            elif self.writable:
                self._arrays.reclaim(ends)
            self.table  # noqa: B018 - a damaged database must show now, not at the first click

    def _segment_ends(self) -> dict[int, int]:
        """How far the committed frames reach in each segment."""
        ends = {}
        for (segment,) in self._connection.execute("SELECT DISTINCT segment FROM sequences").fetchall():
            row = self._connection.execute(
                "SELECT segment, offset, frames, persons, joints, tracked FROM sequences WHERE segment = ?"
                " ORDER BY offset DESC LIMIT 1",
                (segment,),
            ).fetchone()
            ends[segment] = Place(*row).end
        return ends

    def _become_read_only(self, reason: str) -> None:
        self.read_only_reason = reason
        self._lock.release()
        self._connection.execute("PRAGMA query_only = ON")

    @property
    def writable(self) -> bool:
        return not self.read_only_reason

    def close(self) -> None:
        with self._guard:
            self._connection.close()
            self._arrays.close()
            self._lock.release()

    def __enter__(self) -> Project:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def hand_over(self, reason: str = "another job of this program is writing") -> None:
        """Give the writer lock to somebody else for a while, such as an import in a worker process."""
        with self._guard:
            if self.writable:
                self._become_read_only(reason)

    def take_back(self) -> bool:
        """Write again, after `hand_over` or where another program wrote; False while that is not possible yet.

        Whatever others committed in the meantime is seen afterwards.
        """
        with self._guard:
            if self.writable:
                return True
            if _take(self._lock):
                return False
            try:
                connection = connect(self.folder / DATABASE, write=True)
            except FloraError:
                self._lock.release()
                raise
            self._connection.close()
            self._connection, self.read_only_reason = connection, ""
            self._seen_by_others = self._data_version()
            self._changed()
            self._check()
            return self.writable

    def refresh(self) -> bool:
        """Notice what another program committed; True where there was something."""
        with self._reading():
            seen = self._data_version()
            if seen == self._seen_by_others:
                return False
            self._seen_by_others = seen
            self._changed()
            return True

    def _data_version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def _changed(self) -> None:
        self.version += 1
        self._table = None

    # Transactions

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._guard:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise FloraError(
                    f"the project database cannot be read: {error}",
                    path=self.folder / DATABASE,
                    remedy="It was left as it is; restore the project folder from a copy.",
                ) from None

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or, on any exception, nothing."""
        with self._guard:
            if not self.writable:
                raise FloraError(f"the project is read-only: {self.read_only_reason}", path=self.folder)
            connection = self._connection
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except sqlite3.IntegrityError as error:
                self._roll_back()
                raise FloraError(
                    f"the change does not fit the rest of the project: {error}", path=self.folder
                ) from None
            except (sqlite3.Error, OSError) as error:  # a full disk, most likely
                self._roll_back()
                raise FloraError(f"cannot write to the project: {error}", path=self.folder) from None
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute("ROLLBACK")
        self._table = None

    # Recordings

    @property
    def table(self) -> Table:
        """All recordings as columns; read once and kept until something changes."""
        with self._reading() as connection:
            if self._table is None:
                self._table = load_table(connection)
            return self._table

    def __len__(self) -> int:
        return len(self.table)

    def sequence(self, id: int) -> SkeletonSequence:
        """One recording; its arrays are read-only views onto the file. FloraError where there is none of that id."""
        with self._reading() as connection:
            row = connection.execute(_SEQUENCE, (id,)).fetchone()
        if row is None:
            raise FloraError(f"the project has no recording {id}", path=self.folder)
        name, folder, file, layout, fps, metadata, *rest = row
        numbers = dict(zip(NUMBERS, rest[:4], strict=True))
        more = json.loads(metadata)
        body_ids = more.pop("body_ids", None)
        joints, tracking = self._arrays.read(Place(*rest[4:]))
        return SkeletonSequence(
            joints,
            fps,
            layout,
            tracking,
            name,
            Path(folder) / file,
            {key: value for key, value in numbers.items() if value} | more,
            None if body_ids is None else tuple(body_ids),
        )

    def source(self, id: int) -> Path:
        """Where a recording came from; the file may be gone."""
        with self._reading() as connection:
            row = connection.execute(
                "SELECT path, file FROM sequences JOIN folders ON folders.id = folder WHERE sequences.id = ?", (id,)
            ).fetchone()
        if row is None:
            raise FloraError(f"the project has no recording {id}", path=self.folder)
        return Path(row[0], row[1])

    def sources(self) -> set[str]:
        """The paths of all files that are in the project, as text."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT path, file FROM sequences JOIN folders ON folders.id = folder WHERE removed = 0"
            )
            return {str(Path(folder) / file) for folder, file in rows}

    def hashes(self) -> dict[int, bytes]:
        """id -> content hash of every recording, by id."""
        with self._reading() as connection:
            return dict(connection.execute("SELECT id, hash FROM sequences WHERE removed = 0 ORDER BY id").fetchall())

    def contents(self) -> NDArray[np.int64]:
        """(N,) a number for each row of the table that is equal where the content is."""
        _, groups = np.unique([digest.hex() for digest in self.hashes().values()], return_inverse=True)
        return groups.astype(np.int64)

    def add(self, recordings: Iterable[Incoming]) -> list[int | None]:
        """Add recordings in one transaction; for each its new id, or None where the project has it already.

        A recording is known by its name together with its content (content_hash) or its source; equal content under
        another name is another recording, which split_checks reports. When this returns, they are on the disk for
        good; when it raises, none is there.
        """
        ids: list[int | None] = []
        with self._writing() as connection:
            for recording in recordings:
                ids.append(self._add(connection, recording))
            self._arrays.sync()
        if any(id is not None for id in ids):
            self._changed()
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
        place = self._arrays.append(sequence.joints, sequence.tracking)
        metadata: dict[str, Any] = {k: v for k, v in sequence.metadata.items() if k not in NUMBERS}
        if sequence.body_ids is not None:
            metadata["body_ids"] = sequence.body_ids
        numbers = [int(sequence.metadata.get(key, 0)) for key in NUMBERS]
        row = (sequence.name, folder, source.name, digest, *numbers, sequence.layout, float(sequence.fps))
        shape = (place.frames, place.persons, place.joints, place.tracked, place.segment, place.offset)
        id = connection.execute(_INSERT, (*row, *shape, json.dumps(metadata, ensure_ascii=False))).lastrowid
        assert id is not None
        if recording.class_name:
            label = (id, _class_id(connection, recording.class_name))
            connection.execute("INSERT INTO labels (sequence, class, origin) VALUES (?, ?, 'import')", label)
        return id

    def add_dataset_classes(self, names: Sequence[str]) -> None:
        """Make sure that these classes exist before an import (a fact of the import, so not an edit)."""
        with self._writing() as connection:
            for name in names:
                _class_id(connection, name)
        self._changed()

    def verify(self, progress: Callable[[int, int], None] = lambda done, total: None) -> list[str]:
        """Read everything and compare it with its hash; what is wrong, one sentence each."""
        with self._reading() as connection:
            problems = [row[0] for row in connection.execute("PRAGMA integrity_check").fetchall() if row[0] != "ok"]
            hashes = connection.execute("SELECT id, hash FROM sequences WHERE removed = 0").fetchall()
        for done, (id, digest) in enumerate(hashes):
            progress(done, len(hashes))
            try:
                sequence = self.sequence(id)
            except FloraError as error:
                problems.append(str(error))
                continue
            if content_hash(sequence) != digest:
                problems.append(f"the frames of recording {id} ({sequence.name}) are not those that were imported")
        return problems

    # Edits: each one is a transaction, and can be undone

    def _edit(self, title: str, make: Callable[[sqlite3.Connection], list[Change]]) -> bool:
        """Make the changes inside a transaction, then apply and record them; False where there was nothing to do."""
        with self._writing() as connection:
            changes = make(connection)
            if not changes:
                return False
            history.record(connection, title, changes)
        self._after(changes)
        return True

    def _after(self, changes: Sequence[Change]) -> None:
        """Bring the table up to date: relabelling one recording must not read 100,000 again."""
        tables = {change.table for change in changes}
        self.version += 1
        if tables <= {"texts", "splits"} or self._table is None:
            return
        if tables <= {"labels", "classes"} and not any(_is_span(change) for change in changes):
            with self._reading() as connection:
                self._table = relabelled(connection, self._table, _whole_labels(changes))
        else:
            self._table = None

    def undo(self) -> str | None:
        """Take back the last edit; its title, or None where there is none."""
        return self._move(history.next_undo)

    def redo(self) -> str | None:
        """Bring the last undone edit again; its title, or None where there is none."""
        return self._move(history.next_redo)

    def _move(self, find: Callable[[sqlite3.Connection], Edit | None]) -> str | None:
        with self._writing() as connection:
            edit = find(connection)
            if edit is None:
                return None
            changes = history.move(connection, edit)
        self._after(changes)
        return edit.title

    def next_undo(self) -> str | None:
        """The title of what `undo` would take back, or None."""
        with self._reading() as connection:
            edit = history.next_undo(connection)
        return None if edit is None else edit.title

    def next_redo(self) -> str | None:
        """The title of what `redo` would bring again, or None."""
        with self._reading() as connection:
            edit = history.next_redo(connection)
        return None if edit is None else edit.title

    def history(self, limit: int = 200) -> list[Edit]:
        """The newest edits, newest first, undone and dropped ones included."""
        with self._reading() as connection:
            rows = connection.execute("SELECT * FROM history ORDER BY id DESC LIMIT ?", (limit,)).fetchall()
        return [Edit(*row) for row in rows]

    # Labels

    def labels(self, id: int) -> list[Label]:
        """The labels of a recording: the one of the whole recording first, then parts by their beginning."""
        with self._reading() as connection:
            rows = connection.execute(
                'SELECT labels.id, classes.name, begin, "end", origin, score FROM labels'
                " JOIN classes ON classes.id = class WHERE sequence = ? ORDER BY begin IS NOT NULL, begin, labels.id",
                (id,),
            ).fetchall()
        return [Label(*row) for row in rows]

    def span_classes(self) -> list[tuple[int, int]]:
        """(row of the table, class) of every labelled part of a recording."""
        table = self.table
        with self._reading() as connection:
            order = [row["id"] for row in _rows(connection, "classes ORDER BY position, id")]
            place = {id: index for index, id in enumerate(order)}
            row = {id: index for index, id in enumerate(table.ids.tolist())}
            pairs = connection.execute("SELECT DISTINCT sequence, class FROM labels WHERE begin IS NOT NULL")
            return [(row[sequence], place[label]) for sequence, label in pairs if sequence in row]

    def label_history(self, id: int) -> list[tuple[Edit, Change]]:
        """Every edit that touched the labels of a recording, oldest first."""
        with self._reading() as connection:
            edits = connection.execute(
                "SELECT DISTINCT history.* FROM changes JOIN history ON history.id = edit"
                " WHERE sequence = ? AND name = 'labels' ORDER BY history.id",
                (id,),
            ).fetchall()
            return [
                (Edit(*row), change)
                for row in edits
                for change in history.edit_changes(connection, row[0])
                if change.sequence == id and change.table == "labels"
            ]

    def set_class(self, ids: ArrayLike, class_name: str | None, origin: str = "user") -> bool:
        """Give whole recordings a class (made where it is new), or none; False where nothing changed."""
        chosen = [int(id) for id in np.atleast_1d(np.asarray(ids, np.int64))]
        self.table.rows(np.array(chosen, np.int64))  # KeyError: a bug of the caller
        names: dict[int, str | None] = dict.fromkeys(chosen, class_name)
        what = f"“{class_name}”" if class_name else "no class"
        return self.set_classes(names, origin, f"Label {_count(len(chosen))} {what}")

    def set_classes(self, names: dict[int, str | None], origin: str = "user", title: str = "") -> bool:
        """Give each recording its own class or none, as one edit; False where nothing changed."""

        def make(connection: sqlite3.Connection) -> list[Change]:
            changes, classes = _new_classes(connection, [name for name in names.values() if name])
            for id, name in names.items():
                changes += _relabel(connection, id, classes[name] if name else None, origin)
            return _numbered(connection, changes)

        return self._edit(title or f"Label {_count(len(names))}", make)

    def add_span(
        self, id: int, class_name: str, begin: int, end: int, origin: str = "user", score: float | None = None
    ) -> bool:
        """Label the frames [begin, end) of a recording."""
        return self.add_spans(id, [(class_name, begin, end, score)], origin)

    def add_spans(self, id: int, spans: Sequence[tuple[str, int, int, float | None]], origin: str = "user") -> bool:
        """Label several parts (class name, begin, end, score) of a recording as one edit."""
        frames = self.table.frames[self.table.rows(np.array([id]))[0]]
        for _, begin, end, _ in spans:
            if not 0 <= begin < end <= frames:
                raise FloraError(f"frames {begin} to {end} are not inside the recording, which has {frames}")

        def make(connection: sqlite3.Connection) -> list[Change]:
            changes, classes = _new_classes(connection, [span[0] for span in spans])
            for name, begin, end, score in spans:
                row = {"sequence": id, "class": classes[name], "begin": begin, "end": end}
                changes.append(Change("labels", 0, None, row | {"origin": origin, "score": score}, id))
            return _numbered(connection, changes)

        return self._edit(f"Label {len(spans)} part{'s' * (len(spans) != 1)}", make)

    def remove_labels(self, labels: Iterable[int]) -> bool:
        """Remove labels by their own ids."""

        def make(connection: sqlite3.Connection) -> list[Change]:
            return [
                Change("labels", row["id"], _without_id(row), None, row["sequence"])
                for label in labels
                for row in _rows(connection, "labels", "id = ?", label)
            ]

        return self._edit("Remove labels", make)

    # Classes and their texts

    def class_names(self) -> tuple[str, ...]:
        """In their order: a class's place here is its 0-based number everywhere."""
        return self.table.class_names

    def add_classes(self, names: Sequence[str]) -> bool:
        """Add classes behind the others; those that exist are left as they are."""

        def make(connection: sqlite3.Connection) -> list[Change]:
            return _numbered(connection, _new_classes(connection, [name.strip() for name in names])[0])

        return self._edit("Add classes", make)

    def rename_class(self, old: str, new: str) -> bool:
        """Give a class another name; FloraError where that name is taken or empty."""
        new = new.strip()
        if not new or new in self.class_names():
            raise FloraError(f"the name “{new}” is " + ("taken by another class" if new else "empty"))

        def make(connection: sqlite3.Connection) -> list[Change]:
            return [Change("classes", self._class(connection, old), {"name": old}, {"name": new})]

        return self._edit(f"Rename “{old}” to “{new}”", make)

    def order_classes(self, names: Sequence[str]) -> bool:
        """Put the classes into this order; `names` must hold every class once."""
        if sorted(names) != sorted(self.class_names()):
            raise FloraError("the new order must name every class once")

        def make(connection: sqlite3.Connection) -> list[Change]:
            rows = {row["name"]: row for row in _rows(connection, "classes")}
            pairs = [(rows[name], place) for place, name in enumerate(names)]
            return [
                Change("classes", row["id"], {"position": row["position"]}, {"position": place})
                for row, place in pairs
                if row["position"] != place
            ]

        return self._edit("Order classes", make)

    def remove_class(self, name: str) -> bool:
        """Remove a class, its text and its labels; FloraError where a split names it."""
        for split in self.splits().values():
            if name in [self.class_names()[index] for index in split.unseen]:
                raise FloraError(f"the split “{split.name}” needs the class “{name}”", remedy="Change the split first.")

        def make(connection: sqlite3.Connection) -> list[Change]:
            id = self._class(connection, name)
            labels = [
                Change("labels", row["id"], _without_id(row), None, row["sequence"])
                for row in _rows(connection, "labels", "class = ?", id)
            ]
            texts = [
                Change("texts", row["id"], _without_id(row), None) for row in _rows(connection, "texts", "id = ?", id)
            ]
            (row,) = _rows(connection, "classes", "id = ?", id)
            return [*labels, *texts, Change("classes", id, _without_id(row), None)]

        return self._edit(f"Remove class “{name}”", make)

    def _class(self, connection: sqlite3.Connection, name: str) -> int:
        row = connection.execute("SELECT id FROM classes WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise FloraError(f"the project has no class “{name}”", path=self.folder)
        return int(row[0])

    def texts(self) -> dict[str, tuple[str, str]]:
        """class name -> (motion, definition), for the classes that have texts."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT name, motion, definition FROM texts JOIN classes ON classes.id = class ORDER BY position"
            )
            return {name: (motion, definition) for name, motion, definition in rows}

    def set_texts(self, texts: dict[str, tuple[str, str]]) -> bool:
        """Set the two texts (motion, definition) of classes that exist, as one edit."""

        def make(connection: sqlite3.Connection) -> list[Change]:
            changes = []
            for name, (motion, definition) in texts.items():
                id = self._class(connection, name)  # a class's text has the class's id
                after = {"class": id, "motion": motion, "definition": definition}
                before = next((_without_id(row) for row in _rows(connection, "texts", "id = ?", id)), None)
                if before != after:
                    changes.append(Change("texts", id, before, after))
            return changes

        return self._edit(f"Describe {len(texts)} class{'es' * (len(texts) != 1)}", make)

    # What a recording is

    def set_numbers(self, ids: ArrayLike, **numbers: int) -> bool:
        """Set subject, camera, setup or replication of recordings."""
        wrong = [key for key in numbers if key not in NUMBERS]
        if wrong:
            raise ValueError(wrong)

        def make(connection: sqlite3.Connection) -> list[Change]:
            return [
                Change("sequences", row["id"], {key: row[key] for key in numbers}, dict(numbers), row["id"])
                for id in np.atleast_1d(np.asarray(ids, np.int64))
                for row in _rows(connection, "sequences", "id = ?", int(id))
                if any(row[key] != value for key, value in numbers.items())
            ]

        return self._edit("Set " + ", ".join(f"{key} {value}" for key, value in numbers.items()), make)

    def remove(self, ids: ArrayLike) -> bool:
        """Take recordings out of the project; their frames stay on the disk, so that this can be undone."""
        chosen = np.atleast_1d(np.asarray(ids, np.int64))

        def make(connection: sqlite3.Connection) -> list[Change]:
            return [
                Change("sequences", row["id"], {"removed": 0}, {"removed": 1}, row["id"])
                for id in chosen
                for row in _rows(connection, "sequences", "removed = 0 AND id = ?", int(id))
            ]

        return self._edit(f"Remove {_count(len(chosen))}", make)

    # Splits

    def splits(self) -> dict[str, Split]:
        """The stored splits by name. Their unseen classes follow the classes when these are put into another order."""
        with self._reading() as connection:
            ids = [row["id"] for row in _rows(connection, "classes ORDER BY position, id")]
            rows = connection.execute("SELECT split FROM splits ORDER BY name").fetchall()
        place = {id: index for index, id in enumerate(ids)}
        found = {}
        for (text,) in rows:
            data = json.loads(text)
            data["unseen"] = sorted(place[id] for id in data["unseen"])
            split = Split.model_validate(data)
            found[split.name] = split
        return found

    def save_split(self, split: Split) -> bool:
        """Store a split under its name, in place of one of that name."""

        def make(connection: sqlite3.Connection) -> list[Change]:
            ids = [row["id"] for row in _rows(connection, "classes ORDER BY position, id")]
            beyond = [index for index in split.unseen if not 0 <= index < len(ids)]
            if beyond:
                raise FloraError(f"the split “{split.name}” names class {beyond[0]}, and there are {len(ids)} classes")
            data = split.model_dump(mode="json") | {"unseen": [ids[index] for index in split.unseen]}
            after = {"name": split.name, "split": json.dumps(data, ensure_ascii=False)}
            found = _rows(connection, "splits", "name = ?", split.name)
            if not found:
                return _numbered(connection, [Change("splits", 0, None, after)])
            before = _without_id(found[0])
            return [Change("splits", found[0]["id"], before, after)] if before != after else []

        return self._edit(f"Save split “{split.name}”", make)

    def remove_split(self, name: str) -> bool:
        """Remove the split of that name; False where there is none."""

        def make(connection: sqlite3.Connection) -> list[Change]:
            return [
                Change("splits", row["id"], _without_id(row), None)
                for row in _rows(connection, "splits", "name = ?", name)
            ]

        return self._edit(f"Remove split “{name}”", make)

    # Runs and features: facts about files and models, not edits, so not part of undo

    def runs(self) -> list[Run]:
        """The run folders that belong to this project, newest first; a folder may be gone."""
        with self._reading() as connection:
            rows = connection.execute(
                "SELECT folder, name, kind, added FROM runs ORDER BY added DESC, id DESC"
            ).fetchall()
        return [Run(Path(folder), *rest) for folder, *rest in rows]

    def add_run(self, folder: Path, name: str, kind: str) -> None:
        """List a run folder; again with another name or kind changes these."""
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO runs (folder, name, kind, added) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (folder) DO UPDATE SET name = excluded.name, kind = excluded.kind",
                (str(folder), name, kind, time.time()),
            )
        self.version += 1

    def remove_run(self, folder: Path) -> None:
        """Take a run folder off the list; the folder stays."""
        with self._writing() as connection:
            connection.execute("DELETE FROM runs WHERE folder = ?", (str(folder),))
        self.version += 1

    def store_features(self, checkpoint: str, ids: NDArray[np.int64], values: NDArray[np.float32]) -> None:
        """Keep features (N, F) of recordings under a checkpoint's name; may be called batch by batch."""
        rows = (
            (checkpoint, int(id), np.ascontiguousarray(value, "<f4").tobytes())
            for id, value in zip(ids, values, strict=True)
        )
        with self._writing() as connection:
            connection.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?)", rows)
        self.version += 1

    def features(self, checkpoint: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """(N,) ids, rising, and their (N, F) features; N = 0 where there are none."""
        query = " FROM features JOIN sequences ON sequences.id = sequence WHERE checkpoint = ? AND removed = 0"
        with self._reading() as connection:
            count, width = connection.execute(f"SELECT count(*), max(length(value)){query}", (checkpoint,)).fetchone()
            ids, values = np.empty(count, np.int64), np.empty((count, (width or 0) // 4), np.float32)
            cursor = connection.execute(f"SELECT sequence, value{query} ORDER BY sequence", (checkpoint,))
            for place, (id, value) in enumerate(cursor):
                ids[place], values[place] = id, np.frombuffer(value, "<f4")
        return ids, values

    def feature_sets(self) -> dict[str, int]:
        """checkpoint -> how many recordings have its features."""
        with self._reading() as connection:
            return dict(connection.execute("SELECT checkpoint, count(*) FROM features GROUP BY checkpoint").fetchall())

    def remove_features(self, checkpoint: str) -> None:
        """Forget the features of a checkpoint."""
        with self._writing() as connection:
            connection.execute("DELETE FROM features WHERE checkpoint = ?", (checkpoint,))
        self.version += 1


_SEQUENCE = """SELECT name, path, file, layout, fps, metadata, subject, camera, setup, replication,
    segment, offset, frames, persons, joints, tracked
    FROM sequences JOIN folders ON folders.id = folder WHERE sequences.id = ?"""
_INSERT = """INSERT INTO sequences (name, folder, file, hash, subject, camera, setup, replication, layout, fps,
    frames, persons, joints, tracked, segment, offset, metadata)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""


def _take(lock: WriterLock) -> str:
    """Take the writer lock; why not, or "" where it was taken."""
    try:
        return "" if lock.acquire() else f"it is being written by {lock.holder()}"
    except OSError as error:
        return f"its folder cannot be written ({error.strerror})"


def _count(number: int) -> str:
    return "1 recording" if number == 1 else f"{number:,} recordings"


def _folder_id(connection: sqlite3.Connection, path: str) -> int:
    row = connection.execute("SELECT id FROM folders WHERE path = ?", (path,)).fetchone()
    if row is None:
        return int(connection.execute("INSERT INTO folders (path) VALUES (?)", (path,)).lastrowid or 0)
    return int(row[0])


def _class_id(connection: sqlite3.Connection, name: str) -> int:
    """The class of that name, made behind the others where there is none (an import's fact, not an edit)."""
    row = connection.execute("SELECT id FROM classes WHERE name = ?", (name,)).fetchone()
    if row is None:
        place = "(SELECT coalesce(max(position), -1) + 1 FROM classes)"
        cursor = connection.execute(f"INSERT INTO classes (name, position) VALUES (?, {place})", (name,))
        return int(cursor.lastrowid or 0)
    return int(row[0])


def _rows(connection: sqlite3.Connection, table: str, where: str = "", *values: object) -> list[dict[str, Any]]:
    cursor = connection.execute(f"SELECT * FROM {table}" + (f" WHERE {where}" if where else ""), values)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _without_id(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "id"}


def _new_classes(connection: sqlite3.Connection, names: Sequence[str]) -> tuple[list[Change], dict[str, int]]:
    """What it takes to have these classes, and the id of each by name."""
    ids = {row["name"]: int(row["id"]) for row in _rows(connection, "classes")}
    place = max((row["position"] for row in _rows(connection, "classes")), default=-1)
    next_id = _next_id(connection, "classes")
    changes: list[Change] = []
    for name in dict.fromkeys(names):
        if not name:
            raise FloraError("a class needs a name")
        if name not in ids:
            place, ids[name] = place + 1, next_id + len(changes)
            changes.append(Change("classes", ids[name], None, {"name": name, "position": place}))
    return changes, ids


def _relabel(connection: sqlite3.Connection, id: int, wanted: int | None, origin: str) -> list[Change]:
    """What it takes to give one whole recording the class `wanted`."""
    found = _rows(connection, "labels", "sequence = ? AND begin IS NULL", id)
    before = _without_id(found[0]) if found else None
    if (before["class"] if before else None) == wanted:
        return []
    after = None
    if wanted is not None:
        after = {"sequence": id, "class": wanted, "begin": None, "end": None, "origin": origin, "score": None}
    return [Change("labels", found[0]["id"] if found else 0, before, after, id)]


def _numbered(connection: sqlite3.Connection, changes: list[Change]) -> list[Change]:
    """Give inserted rows that have none an id which no row of their table ever had."""
    ids: dict[str, int] = {}
    numbered = []
    for change in changes:
        if change.row == 0:
            id = ids.get(change.table) or _next_id(connection, change.table)
            ids[change.table] = id + 1
            numbered.append(replace(change, row=id))
        else:
            numbered.append(change)
    return numbered


def _next_id(connection: sqlite3.Connection, table: str) -> int:
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    return 1 + (int(row[0]) if row else 0)


def _whole_labels(changes: Sequence[Change]) -> dict[int, int | None]:
    """sequence -> the class that these changes leave it with, or None."""
    labels = [change for change in changes if change.table == "labels"]
    return {change.sequence: change.after["class"] if change.after else None for change in labels if change.sequence}


def _is_span(change: Change) -> bool:
    row = change.after or change.before or {}
    return row.get("begin") is not None
