"""The labels of recordings: one class per whole recording, and classes of parts of it, with their history."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from flora_engine.errors import FloraError
from flora_engine.project.classes import new_classes
from flora_engine.project.history import Change, Edit, edit_changes, removal, rows, without_id
from flora_engine.project.recordings import counted
from flora_engine.project.store import Store
from flora_engine.project.table import class_rows


@dataclass(frozen=True)
class Label:
    """What a person or a model said about a recording. begin and end: frames, end excluded; None for all of it.

    origin: "user", "import" or another word for who said it. score: how sure, if that is known.
    """

    id: int
    class_name: str
    begin: int | None
    end: int | None
    origin: str
    score: float | None


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
            found = connection.execute(
                'SELECT labels.id, classes.name, begin, "end", origin, score FROM labels'
                " JOIN classes ON classes.id = class WHERE sequence = ? ORDER BY begin IS NOT NULL, begin, labels.id",
                (id,),
            ).fetchall()
        return [Label(*row) for row in found]

    def set(self, ids: ArrayLike, class_name: str | None, origin: str = "user") -> bool:
        """Give whole recordings a class (made if it is new), or none; False if nothing changed."""
        chosen = np.atleast_1d(np.asarray(ids, np.int64))
        self._store.table.rows(chosen)  # KeyError: a bug of the caller
        what = f"“{class_name}”" if class_name else "no class"
        return self.set_each(dict.fromkeys(chosen.tolist(), class_name), origin, f"Label {counted(len(chosen))} {what}")

    def set_each(self, names: Mapping[int, str | None], origin: str = "user", title: str = "") -> bool:
        """Give each recording (by id) its own class or none, as one edit; False if nothing changed."""

        def make(connection: sqlite3.Connection) -> list[Change]:
            changes, classes = new_classes(connection, [name for name in names.values() if name])
            for id, name in names.items():
                changes += _relabel(connection, id, classes[name] if name else None, origin)
            return changes

        return self._store.edit(title or f"Label {counted(len(names))}", make)

    def add_spans(self, id: int, spans: Sequence[Span], origin: str = "user") -> bool:
        """Label parts of a recording, as one edit. FloraError if one of them is not inside the recording."""
        table = self._store.table
        frames = int(table.frames[table.rows(np.array([id]))[0]])
        for span in spans:
            if not 0 <= span.begin < span.end <= frames:
                raise FloraError(
                    f"frames {span.begin} to {span.end} are not inside the recording, which has {frames} frames"
                )

        def make(connection: sqlite3.Connection) -> list[Change]:
            changes, classes = new_classes(connection, [span.class_name for span in spans])
            for span in spans:
                row = {"sequence": id, "class": classes[span.class_name], "begin": span.begin, "end": span.end}
                changes.append(Change("labels", 0, None, row | {"origin": origin, "score": span.score}, id))
            return changes

        return self._store.edit(f"Label {len(spans)} part{'s' * (len(spans) != 1)}", make)

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


def _relabel(connection: sqlite3.Connection, id: int, wanted: int | None, origin: str) -> list[Change]:
    """The change after which one whole recording has the class `wanted`; none if it has it."""
    found = rows(connection, "labels", "sequence = ? AND begin IS NULL", id)
    before = without_id(found[0]) if found else None
    if (before["class"] if before else None) == wanted:
        return []
    after = None
    if wanted is not None:
        after = {"sequence": id, "class": wanted, "begin": None, "end": None, "origin": origin, "score": None}
    return [Change("labels", found[0]["id"] if found else 0, before, after, id)]
