"""The labels of recordings: one class per whole recording, and classes of parts of it, with their history.

What people say, and what came with the data. What models say is elsewhere: statements.py.
"""

from __future__ import annotations

import getpass
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from flora_engine.errors import FloraError
from flora_engine.project.classes import new_classes
from flora_engine.project.history import Change, Edit, Row, edit_changes, removal, rows, without_id
from flora_engine.project.recordings import counted
from flora_engine.project.store import Store
from flora_engine.project.table import class_rows


@dataclass(frozen=True)
class Label:
    """What was said about a recording. begin and end: frames, end excluded; None for all of it.

    origin: "user", "import" or another word for where it comes from. score: how sure, if that is known. author: the
    login name of who said it, time: when, in seconds since 1970, model: which model had proposed it; "" and 0 if that
    is not known, as in projects of older versions.
    """

    id: int
    class_name: str
    begin: int | None
    end: int | None
    origin: str
    score: float | None
    author: str = ""
    model: str = ""
    time: float = 0.0


@dataclass(frozen=True)
class Span:
    """A part of a recording to be labelled: frames, end excluded."""

    class_name: str
    begin: int
    end: int
    score: float | None = None


class Labels:
    """`project.labels`. Every change is an edit."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def of(self, id: int) -> list[Label]:
        """The labels of a recording: the one of the whole recording first, then parts by their beginning."""
        with self._store.reading() as connection:
            found = rows(connection, "labels", "sequence = ? ORDER BY begin IS NOT NULL, begin, id", id)
            names = dict(class_rows(connection))
        return [
            Label(
                *(row["id"], names[row["class"]], row["begin"], row["end"], row["origin"], row["score"]),
                *(row.get("author", ""), row.get("model", ""), row.get("time", 0.0)),
            )
            for row in found
        ]

    def set(self, ids: ArrayLike, class_name: str | None, origin: str = "user", model: str = "") -> bool:
        """Give whole recordings a class (made if it is new), or none; False if nothing changed.

        model: the one whose proposal was confirmed.
        """
        chosen = np.atleast_1d(np.asarray(ids, np.int64))
        self._store.table.rows(chosen)  # KeyError: a bug of the caller
        what = f"“{class_name}”" if class_name else "no class"
        title = f"Label {counted(len(chosen))} {what}"
        return self.set_each(dict.fromkeys(chosen.tolist(), class_name), origin, title, model)

    def set_each(self, names: Mapping[int, str | None], origin: str = "user", title: str = "", model: str = "") -> bool:
        """Give each recording (by id) its own class or none, as one edit; False if nothing changed."""

        def make(connection: sqlite3.Connection) -> list[Change]:
            changes, classes = new_classes(connection, [name for name in names.values() if name])
            for id, name in names.items():
                changes += _relabel(connection, id, classes[name] if name else None, _said(origin, model))
            return changes

        return self._store.edit(title or f"Label {counted(len(names))}", make)

    def add_spans(self, id: int, spans: Sequence[Span], origin: str = "user") -> bool:
        """Label parts of a recording, as one edit. FloraError if one of them is not inside the recording."""
        self._check(id, spans)

        def make(connection: sqlite3.Connection) -> list[Change]:
            changes, classes = new_classes(connection, [span.class_name for span in spans])
            said = _said(origin, "")
            return changes + [Change("labels", 0, None, _row(id, span, classes) | said, id) for span in spans]

        return self._store.edit(f"Label {len(spans)} part{'s' * (len(spans) != 1)}", make)

    def set_spans(self, id: int, spans: Sequence[Span], title: str, origin: str = "user", model: str = "") -> bool:
        """Make these the labelled parts of a recording, as one edit; False if they are that already.

        Parts that stay keep who said them. A part that moves or gets another class keeps its id, so that its history is
        one. FloraError if one of them is not inside the recording.
        """
        self._check(id, spans)

        def make(connection: sqlite3.Connection) -> list[Change]:
            changes, classes = new_classes(connection, [span.class_name for span in spans])
            wanted = [_row(id, span, classes) for span in spans]
            return changes + _changed_parts(connection, id, wanted, _said(origin, model))

        return self._store.edit(title, make)

    def _check(self, id: int, spans: Sequence[Span]) -> None:
        table = self._store.table
        frames = int(table.frames[table.rows(np.array([id]))[0]])
        for span in spans:
            if not 0 <= span.begin < span.end <= frames:
                raise FloraError(
                    f"frames {span.begin} to {span.end} are not inside the recording, which has {frames} frames"
                )

    def remove(self, labels: Iterable[int]) -> bool:
        """Remove labels by their own ids (`Label.id`), as one edit."""
        chosen = list(labels)

        def make(connection: sqlite3.Connection) -> list[Change]:
            return [removal("labels", row) for label in chosen for row in rows(connection, "labels", "id = ?", label)]

        return self._store.edit("Remove labels", make)

    def span_classes(self) -> list[tuple[int, int]]:
        """(row of the table, class number) of every labelled part of a recording."""
        table = self._store.table
        with self._store.reading() as connection:
            place = {id: index for index, (id, _) in enumerate(class_rows(connection))}
            pairs = connection.execute("SELECT DISTINCT sequence, class FROM labels WHERE begin IS NOT NULL").fetchall()
        row = {id: index for index, id in enumerate(table.ids.tolist())} if pairs else {}
        return [(row[sequence], place[label]) for sequence, label in pairs if sequence in row]

    def history(self, id: int) -> list[tuple[Edit, Change]]:
        """Every edit that touched the labels of a recording, with what it changed, oldest first."""
        with self._store.reading() as connection:
            edits = connection.execute(
                "SELECT DISTINCT history.* FROM changes JOIN history ON history.id = edit"
                " WHERE sequence = ? AND name = 'labels' ORDER BY history.id",
                (id,),
            ).fetchall()
            return [
                (Edit(*row), change)
                for row in edits
                for change in edit_changes(connection, row[0])
                if change.sequence == id and change.table == "labels"
            ]


def login() -> str:
    """The login name of whoever runs the program, "" if the system does not know it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def _said(origin: str, model: str) -> Row:
    """The columns of a label that say where it comes from; a person has a name."""
    return {"origin": origin, "author": login() if origin == "user" else "", "time": time.time(), "model": model}


def _row(id: int, span: Span, classes: Mapping[str, int]) -> Row:
    """The other columns of a labelled part."""
    place = {"sequence": id, "class": classes[span.class_name], "begin": span.begin, "end": span.end}
    return place | {"score": span.score}


def _changed_parts(connection: sqlite3.Connection, id: int, wanted: list[Row], said: Row) -> list[Change]:
    """The changes after which a recording has exactly these labelled parts."""
    old = rows(connection, "labels", "sequence = ? AND begin IS NOT NULL ORDER BY begin, id", id)
    new: list[Row] = []
    for part in sorted(wanted, key=lambda row: (row["begin"], row["end"])):
        same = next((row for row in old if all(row[key] == part[key] for key in ("class", "begin", "end"))), None)
        old.remove(same) if same is not None else new.append(part)
    changes = []
    for part in new:
        # the one that it overlaps most was moved, or got another class
        near = max(old, key=lambda row: min(row["end"], part["end"]) - max(row["begin"], part["begin"]), default=None)
        if near is not None:
            old.remove(near)
        before = None if near is None else without_id(near)
        changes.append(Change("labels", 0 if near is None else near["id"], before, part | said, id))
    return [*(removal("labels", row) for row in old), *changes]


def _relabel(connection: sqlite3.Connection, id: int, wanted: int | None, said: Row) -> list[Change]:
    """The change after which one whole recording has the class `wanted`; none if it has it."""
    found = rows(connection, "labels", "sequence = ? AND begin IS NULL", id)
    before = without_id(found[0]) if found else None
    if (before["class"] if before else None) == wanted:
        return []
    after = None
    if wanted is not None:
        after = {"sequence": id, "class": wanted, "begin": None, "end": None, "score": None} | said
    return [Change("labels", found[0]["id"] if found else 0, before, after, id)]
