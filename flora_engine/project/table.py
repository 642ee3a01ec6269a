"""A project's recordings as columns in memory: what the library lists, filters and sorts without touching the disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flora_engine.project.columns import NAMES
from flora_engine.project.history import Change

Ints = NDArray[np.int32]
_BATCH = 8192


@dataclass(frozen=True)
class Table:
    """N recordings, in the order they came in.

    ids: int64 (N,), rising. classes: int32 (N,), index into `class_names`, -1 without a label. numbers: an int32 column
    (N,) per name in columns.NAMES; 0 if unknown. folders indexes `folder_names`, layouts `layout_names`; int32 (N,).
    frames, persons, spans (labelled parts): how many; int32 (N,). fps: float32 (N,).
    """

    ids: NDArray[np.int64]
    names: list[str]
    class_names: tuple[str, ...]
    classes: Ints
    numbers: Mapping[str, Ints]
    frames: Ints
    persons: Ints
    fps: NDArray[np.float32]
    layouts: Ints
    layout_names: tuple[str, ...]
    folders: Ints
    folder_names: tuple[str, ...]
    spans: Ints

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Row numbers of these ids; KeyError if one is not in the table."""
        if len(self.ids) == 0 and len(ids):
            raise KeyError(int(ids[0]))
        rows = np.searchsorted(self.ids, ids).astype(np.int64)
        wrong = self.ids[np.minimum(rows, len(self.ids) - 1)] != ids
        if np.any(wrong):
            raise KeyError(int(ids[wrong][0]))
        return rows

    @cached_property
    def folded_names(self) -> list[str]:
        """Names for comparing without regard to case."""
        return [name.casefold() for name in self.names]

    @cached_property
    def name_ranks(self) -> Ints:
        """(N,) the place of each row among all names in order."""
        ranks = np.empty(len(self), np.int32)
        ranks[sorted(range(len(self)), key=self.folded_names.__getitem__)] = np.arange(len(self))
        return ranks

    def class_of(self, row: int) -> str:
        """The class name of a row, "" if it has none."""
        index = int(self.classes[row])
        return "" if index < 0 else self.class_names[index]

    def number(self, key: str) -> NDArray[Any]:
        """(N,) the column of one of `NUMBER_KEYS`."""
        if key == "seconds":
            return (self.frames / self.fps).astype(np.float32)
        return self.numbers[key] if key in self.numbers else np.asarray(getattr(self, _ATTRIBUTES.get(key, key)))

    def texts(self, key: str) -> tuple[tuple[str, ...], Ints]:
        """A column of few different texts, one of `TEXT_KEYS`: these, and which of them each row has (-1: none)."""
        names, column = _TEXTS[key]
        return getattr(self, names), getattr(self, column)


_ATTRIBUTES = {"parts": "spans"}
_TEXTS = {
    "class": ("class_names", "classes"),
    "source": ("folder_names", "folders"),
    "layout": ("layout_names", "layouts"),
}
# What queries, sorting and the library's columns call the columns
TEXT_KEYS = tuple(_TEXTS)
NUMBER_KEYS = (*NAMES, "frames", "persons", "fps", "parts", "seconds")
_STORED = (*NAMES, "frames", "persons")


def load_table(connection: sqlite3.Connection) -> Table:
    """Read all rows that are not removed; a second or less for 100,000, and never a joint."""
    (total,) = connection.execute("SELECT count(*) FROM sequences WHERE removed = 0").fetchone()
    ids = np.empty(total, np.int64)
    numbers = np.zeros((len(_STORED), total), np.int32)
    fps = np.empty(total, np.float32)
    layouts, folders = np.empty(total, np.int32), np.empty(total, np.int32)
    names: list[str] = []
    layout_index: dict[str, int] = {}
    folder_rows = connection.execute("SELECT id, path FROM folders ORDER BY id").fetchall()
    folder_index = {folder: i for i, (folder, _) in enumerate(folder_rows)}
    cursor = connection.execute(
        f"SELECT id, name, layout, folder, fps, {', '.join(_STORED)} FROM sequences WHERE removed = 0 ORDER BY id"
    )
    at = 0
    while rows := cursor.fetchmany(_BATCH):
        here = slice(at, at + len(rows))
        columns = list(zip(*rows, strict=True))
        ids[here] = columns[0]
        names.extend(columns[1])
        layouts[here] = [layout_index.setdefault(name, len(layout_index)) for name in columns[2]]
        folders[here] = [folder_index[folder] for folder in columns[3]]
        fps[here] = columns[4]
        numbers[:, here] = columns[5:]
        at += len(rows)
    class_names, classes = _load_classes(connection, ids)
    stored = dict(zip(_STORED, numbers, strict=True))
    frames, persons = stored.pop("frames"), stored.pop("persons")
    return Table(
        *(ids, names, class_names, classes, stored, frames, persons, fps, layouts, tuple(layout_index)),
        *(folders, tuple(path for _, path in folder_rows), _spans(connection, ids)),
    )


def class_rows(connection: sqlite3.Connection) -> list[tuple[int, str]]:
    """(id, name) of every class, in their order: a class's place here is its 0-based number everywhere."""
    return connection.execute("SELECT id, name FROM classes ORDER BY position, id").fetchall()


def _load_classes(connection: sqlite3.Connection, ids: NDArray[np.int64]) -> tuple[tuple[str, ...], Ints]:
    """Class names in their order, and for each recording the index of its class or -1."""
    rows = class_rows(connection)
    index = np.full(max((row[0] for row in rows), default=0) + 1, -1, np.int32)
    index[[row[0] for row in rows]] = np.arange(len(rows))
    classes = np.full(len(ids), -1, np.int32)
    cursor = connection.execute("SELECT sequence, class FROM labels WHERE begin IS NULL")
    while pairs := cursor.fetchmany(_BATCH):
        sequences, labels = np.array(pairs, np.int64).T
        places, known = _places(ids, sequences)
        classes[places[known]] = index[labels[known]]
    return tuple(row[1] for row in rows), classes


def updated_table(connection: sqlite3.Connection, table: Table, changes: Sequence[Change]) -> Table | None:
    """The table after an edit, or None if it must be read anew: one label must not read 100,000 recordings again."""
    tables = {change.table for change in changes}
    if tables <= {"texts", "splits", "class_sets"}:
        return table
    if not tables <= {"labels", "classes"}:
        return None
    labels = [change for change in changes if change.table == "labels"]
    whole = [change for change in labels if (change.after or change.before or {}).get("begin") is None]
    given = {c.sequence: c.after["class"] if c.after else None for c in whole if c.sequence}
    table = _relabelled(connection, table, given)
    return table if len(whole) == len(labels) else replace(table, spans=_spans(connection, table.ids))


def _relabelled(connection: sqlite3.Connection, table: Table, labels: Mapping[int, int | None]) -> Table:
    """The table after some recordings (by id) got another class (by id, None: none) and classes came, went or moved."""
    rows = class_rows(connection)
    names = tuple(row[1] for row in rows)
    shorter = min(len(names), len(table.class_names))
    if names[:shorter] != table.class_names[:shorter]:  # every index may mean another class now
        names, classes = _load_classes(connection, table.ids)
        return replace(table, class_names=names, classes=classes)
    index = {row[0]: place for place, row in enumerate(rows)}
    classes = table.classes.copy()
    places, known = _places(table.ids, np.array(list(labels), np.int64))
    values = np.array([-1 if label is None else index[label] for label in labels.values()], np.int32)
    classes[places[known]] = values[known]
    return replace(table, class_names=names, classes=classes)


def _spans(connection: sqlite3.Connection, ids: NDArray[np.int64]) -> Ints:
    counts = np.zeros(len(ids), np.int32)
    rows = connection.execute("SELECT sequence, count(*) FROM labels WHERE begin IS NOT NULL GROUP BY 1").fetchall()
    if rows:
        sequences, found = np.array(rows, np.int64).T
        places, known = _places(ids, sequences)
        counts[places[known]] = found[known]
    return counts


def _places(ids: NDArray[np.int64], wanted: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where `wanted` stand in the rising `ids`, and which of them do."""
    if len(ids) == 0:
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    places = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1).astype(np.int64)
    return places, ids[places] == wanted
