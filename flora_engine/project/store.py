"""The ground of a project: its folder, its database, who may write, transactions, undo, and the table in memory.

What the rows mean is the business of the parts (recordings, labels, classes, splits), each of which takes a store.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, Self

from flora_engine.errors import FloraError
from flora_engine.locking import WriterLock
from flora_engine.project import history
from flora_engine.project.arrays import PLACE_COLUMNS, Arrays, Place
from flora_engine.project.history import Change, Edit
from flora_engine.project.schema import DATABASE, connect, create_database
from flora_engine.project.table import Table, load_table, updated_table

Mode = Literal["auto", "write", "read"]


class Store:
    """An open project folder; made by `create` or `open`. May be used from several threads of one program.

    folder: of the project. read_only_reason: why nothing can be written, "" if it can. arrays: the frames.
    version grows with every change that this object makes or notices; views redraw when it has moved.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection, lock: WriterLock, read_only_reason: str) -> None:
        self.folder = folder
        self.read_only_reason = read_only_reason
        self.version = 0
        self.arrays = Arrays(folder / "arrays")
        self._connection, self._lock = connection, lock
        self._guard = threading.RLock()
        self._table: Table | None = None
        self._seen_by_others = self._data_version()

    # Opening and closing

    @classmethod
    def create(cls, folder: Path) -> Self:
        """Make a new project in `folder` (which need not exist) and open it for writing.

        FloraError if there is a project already or the folder cannot be written.
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
    def open(cls, folder: Path, mode: Mode = "auto") -> Self:
        """Open a project.

        mode "auto": for writing; read-only with `read_only_reason` if another program writes, the folder is
        write-protected, or the project is damaged. "write": FloraError in those cases. "read": never takes the lock.
        FloraError if the folder is not a project, or its database is too damaged to read or too new.
        """
        path = folder / DATABASE
        if not path.is_file():
            raise FloraError("this folder is not a project (it has no project.sqlite)", path=folder)
        lock = WriterLock(folder / "project.lock")
        reason = "opened for reading" if mode == "read" else _take(lock)
        connection: sqlite3.Connection | None = None
        try:
            connection = connect(path, write=not reason)
            store = cls(folder, connection, lock, reason)
            store._check()
            if mode == "write" and store.read_only_reason:
                raise FloraError(f"cannot write to the project: {store.read_only_reason}", path=folder)
        except BaseException:
            if connection is not None:
                connection.close()
            lock.release()
            raise
        return store

    def _check(self) -> None:
        """Compare the files with what is committed: damage makes the project read-only, torn tails are cut off."""
        with self.reading():
            if self.writable:
                self.arrays.folder.mkdir(exist_ok=True)
            ends = self._segment_ends()
            damage = self.arrays.damage(ends)
            if damage:
                self._become_read_only(f"the project is damaged: {damage}")
            elif self.writable:
                self.arrays.reclaim(ends)
            self.table  # noqa: B018 - a damaged database must show now, not at the first click

    def _segment_ends(self) -> dict[int, int]:
        """How far the committed frames reach in each segment."""
        last = f"SELECT {', '.join(PLACE_COLUMNS)} FROM sequences WHERE segment = ? ORDER BY offset DESC LIMIT 1"
        segments = self._connection.execute("SELECT DISTINCT segment FROM sequences").fetchall()
        return {row[0]: Place(*self._connection.execute(last, row).fetchone()).end for row in segments}

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
            self.arrays.close()
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def hand_over(self, reason: str = "another job of this program is writing") -> None:
        """Give the writer lock to somebody else for a while, such as an import in a worker process."""
        with self._guard:
            if self.writable:
                self._become_read_only(reason)

    def take_back(self) -> bool:
        """Write again, after `hand_over` or after another program wrote; False while that is not possible yet.

        What others committed in the meantime is seen afterwards.
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
            self.changed()
            self._check()
            return self.writable

    def refresh(self) -> bool:
        """Notice what another program committed; True if there was something."""
        with self.reading():
            seen = self._data_version()
            if seen == self._seen_by_others:
                return False
            self._seen_by_others = seen
            self.changed()
            return True

    def _data_version(self) -> int:
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    # Reading and transactions, for the parts

    @property
    def table(self) -> Table:
        """All recordings as columns; read once and kept until something changes."""
        with self.reading() as connection:
            if self._table is None:
                self._table = load_table(connection)
            return self._table

    def changed(self) -> None:
        """Forget the table after a change that was not an edit."""
        self.version += 1
        self._table = None

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, held for this thread; FloraError if the database cannot be read."""
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
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or, on any exception, nothing. FloraError if it cannot be written."""
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

    # Edits: each one is a transaction, and can be undone

    def edit(self, title: str, make: Callable[[sqlite3.Connection], list[Change]]) -> bool:
        """Ask `make` for changes inside a transaction, apply and record them; False if there was nothing to do."""
        with self._guard:
            with self.writing() as connection:
                changes = make(connection)
                if not changes:
                    return False
                history.record(connection, title, changes)
            self._follow(changes)
        return True

    def undo(self) -> str | None:
        """Undo the last edit; its title, or None if there is none."""
        return self._move(history.next_undo)

    def redo(self) -> str | None:
        """Redo the edit that was undone last; its title, or None if there is none."""
        return self._move(history.next_redo)

    def _move(self, find: Callable[[sqlite3.Connection], Edit | None]) -> str | None:
        with self._guard:
            with self.writing() as connection:
                edit = find(connection)
                if edit is None:
                    return None
                changes = history.move(connection, edit)
            self._follow(changes)
        return edit.title

    def _follow(self, changes: Sequence[Change]) -> None:
        """Bring the table up to date with an edit."""
        self.version += 1
        if self._table is not None:
            with self.reading() as connection:
                self._table = updated_table(connection, self._table, changes)

    def next_undo(self) -> str | None:
        """The title of what `undo` would undo, or None."""
        with self.reading() as connection:
            edit = history.next_undo(connection)
        return None if edit is None else edit.title

    def next_redo(self) -> str | None:
        """The title of what `redo` would redo, or None."""
        with self.reading() as connection:
            edit = history.next_redo(connection)
        return None if edit is None else edit.title

    def edits(self, limit: int = 200) -> list[Edit]:
        """The newest edits, newest first, undone and dropped ones included."""
        with self.reading() as connection:
            rows = connection.execute("SELECT * FROM history ORDER BY id DESC LIMIT ?", (limit,)).fetchall()
        return [Edit(*row) for row in rows]


def _take(lock: WriterLock) -> str:
    """Take the writer lock; why not, or "" if it was taken."""
    try:
        return "" if lock.acquire() else f"it is being written by {lock.holder()}"
    except OSError as error:
        return f"its folder cannot be written ({error.strerror})"
