"""Edits that can be undone: every changed row is kept with what it was before and what it is after.

An edit, its undo and its redo are one transaction each. An undone edit that a newer edit makes unreachable stays in the
record as "dropped", so that the history of a label holds everything that ever happened to it.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flora_engine.errors import FloraError

Row = dict[str, Any]
EDITABLE = ("sequences", "classes", "texts", "labels", "splits", "class_sets")


@dataclass(frozen=True)
class Change:
    """One row of one table. before None: the edit inserts it; after None: the edit deletes it; else columns change.

    row: its id; 0 for an inserted row that gets its id when the edit is recorded. sequence: the recording it is about.
    """

    table: str
    row: int
    before: Row | None
    after: Row | None
    sequence: int | None = None

    def reversed(self) -> Change:
        return Change(self.table, self.row, self.after, self.before, self.sequence)


@dataclass(frozen=True)
class Edit:
    """One line of the history; state is "done", "undone" or "dropped"; time in seconds since 1970."""

    id: int
    time: float
    title: str
    state: str


# What an edit is made of


def rows(connection: sqlite3.Connection, table: str, where: str = "", *values: object) -> list[Row]:
    """The rows of a table that meet an SQL condition, with all their columns."""
    cursor = connection.execute(f"SELECT * FROM {table}" + (f" WHERE {where}" if where else ""), values)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def without_id(row: Row) -> Row:
    return {key: value for key, value in row.items() if key != "id"}


def removal(table: str, row: Row) -> Change:
    """The change that deletes this row (as `rows` gives it)."""
    return Change(table, row["id"], without_id(row), None, row.get("sequence"))


def next_id(connection: sqlite3.Connection, table: str) -> int:
    """An id that no row of the table ever had: what was undone keeps its own."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    return 1 + (int(row[0]) if row else 0)


def apply(connection: sqlite3.Connection, changes: Iterable[Change]) -> None:
    """Write the `after` of each change."""
    for change in changes:
        if change.table not in EDITABLE:
            raise ValueError(change.table)
        if change.after is None:
            connection.execute(f"DELETE FROM {change.table} WHERE id = ?", (change.row,))
        elif change.before is None:
            row = {"id": change.row, **change.after}
            columns = ", ".join(f'"{name}"' for name in row)
            marks = ", ".join("?" * len(row))
            connection.execute(f"INSERT INTO {change.table} ({columns}) VALUES ({marks})", tuple(row.values()))
        else:
            columns = ", ".join(f'"{name}" = ?' for name in change.after)
            values = (*change.after.values(), change.row)
            connection.execute(f"UPDATE {change.table} SET {columns} WHERE id = ?", values)


def record(connection: sqlite3.Connection, title: str, changes: Sequence[Change]) -> None:
    """Apply `changes` as one edit and keep it in the history. The caller brings the transaction."""
    changes = _numbered(connection, changes)
    apply(connection, changes)
    connection.execute("UPDATE history SET state = 'dropped' WHERE state = 'undone'")
    edit = connection.execute(
        "INSERT INTO history (time, title, state) VALUES (?, ?, 'done')", (time.time(), title)
    ).lastrowid
    connection.executemany(
        "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (edit, position, c.table, c.row, c.sequence, _pack(c.before), _pack(c.after))
            for position, c in enumerate(changes)
        ),
    )


def _numbered(connection: sqlite3.Connection, changes: Sequence[Change]) -> list[Change]:
    """The changes, with an id for each inserted row that has none."""
    ids: dict[str, int] = {}
    numbered = []
    for change in changes:
        if change.row == 0:
            id = ids.get(change.table) or next_id(connection, change.table)
            ids[change.table] = id + 1
            numbered.append(replace(change, row=id))
        else:
            numbered.append(change)
    return numbered


# Undo and redo


def next_undo(connection: sqlite3.Connection) -> Edit | None:
    """The edit that an undo would take back."""
    return _edit(connection, "SELECT * FROM history WHERE state = 'done' ORDER BY id DESC LIMIT 1")


def next_redo(connection: sqlite3.Connection) -> Edit | None:
    """The edit that a redo would bring back."""
    return _edit(connection, "SELECT * FROM history WHERE state = 'undone' ORDER BY id LIMIT 1")


def move(connection: sqlite3.Connection, edit: Edit) -> list[Change]:
    """Undo a done edit or redo an undone one; returns what was applied. The caller brings the transaction."""
    changes = edit_changes(connection, edit.id)
    if edit.state == "done":
        changes = [change.reversed() for change in reversed(changes)]
    try:
        apply(connection, changes)
        fits = not any(_class_in_use(connection, change) for change in changes)
    except sqlite3.IntegrityError:
        fits = False
    if not fits:
        verb = "undone" if edit.state == "done" else "redone"
        raise FloraError(f"“{edit.title}” can no longer be {verb}: later imports build on it")
    state = "undone" if edit.state == "done" else "done"
    connection.execute("UPDATE history SET state = ? WHERE id = ?", (state, edit.id))
    return changes


def _class_in_use(connection: sqlite3.Connection, change: Change) -> bool:
    """Whether the change removed a class that labels still name (the database would find it only at the commit)."""
    gone = change.table == "classes" and change.after is None
    return gone and connection.execute("SELECT 1 FROM labels WHERE class = ?", (change.row,)).fetchone() is not None


def edit_changes(connection: sqlite3.Connection, edit: int) -> list[Change]:
    """What an edit changed, in order."""
    found = connection.execute(
        "SELECT name, row, before, after, sequence FROM changes WHERE edit = ? ORDER BY position", (edit,)
    )
    return [Change(name, row, _unpack(before), _unpack(after), seq) for name, row, before, after, seq in found]


def _edit(connection: sqlite3.Connection, query: str) -> Edit | None:
    row = connection.execute(query).fetchone()
    return None if row is None else Edit(*row)


def _pack(row: Row | None) -> str | None:
    return None if row is None else json.dumps(row, ensure_ascii=False)


def _unpack(text: str | None) -> Row | None:
    return None if text is None else dict(json.loads(text))
