"""A project's recordings as columns in memory: what the library lists, filters and sorts without touching the disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
_BATCH = 8192


@dataclass(frozen=True)
class Table:
    """N recordings, in the order they came in.

    ids: int64 (N,), rising. classes: int32 (N,), index into `class_names`, -1 where there is no label. The other int32
    columns (N,) are 0 where unknown; folders indexes `folder_names`, layouts `layout_names`. spans: how many labelled
    parts. fps: float32 (N,).
    """

    ids: NDArray[np.int64]
    names: list[str]
    class_names: tuple[str, ...]
    classes: Ints
    subjects: Ints
    cameras: Ints
    setups: Ints
    replications: Ints
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
        """Row numbers of these ids; KeyError where one is not in the table."""
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
        """The class name of a row, "" where it has none."""
        index = int(self.classes[row])
        return "" if index < 0 else self.class_names[index]

    def seconds(self) -> NDArray[np.float32]:
        """(N,) lengths in seconds."""
        return (self.frames / self.fps).astype(np.float32)


_NUMBERS = ("subject", "camera", "setup", "replication", "frames", "persons")


def load_table(connection: sqlite3.Connection) -> Table:
    """Read all rows that are not removed; a second or less for 100,000, and never a joint."""
    (total,) = connection.execute("SELECT count(*) FROM sequences WHERE removed = 0").fetchone()
    ids = np.empty(total, np.int64)
    numbers = np.zeros((len(_NUMBERS), total), np.int32)
    fps = np.empty(total, np.float32)
    layouts, folders = np.empty(total, np.int32), np.empty(total, np.int32)
    names: list[str] = []
    layout_index: dict[str, int] = {}
    folder_rows = connection.execute("SELECT id, path FROM folders ORDER BY id").fetchall()
    folder_index = {folder: i for i, (folder, _) in enumerate(folder_rows)}
    cursor = connection.execute(
        f"SELECT id, name, layout, folder, fps, {', '.join(_NUMBERS)} FROM sequences WHERE removed = 0 ORDER BY id"
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
    class_names, classes = load_classes(connection, ids)
    subjects, cameras, setups, replications, frames, persons = numbers
    spans = _spans(connection, ids)
    return Table(
        *(ids, names, class_names, classes, subjects, cameras, setups, replications, frames, persons, fps),
        *(layouts, tuple(layout_index), folders, tuple(path for _, path in folder_rows), spans),
    )


def load_classes(connection: sqlite3.Connection, ids: NDArray[np.int64]) -> tuple[tuple[str, ...], Ints]:
    """Class names in their order, and for each recording the index of its class or -1."""
    rows = connection.execute("SELECT id, name FROM classes ORDER BY position, id").fetchall()
    index = np.full(max((row[0] for row in rows), default=0) + 1, -1, np.int32)
    index[[row[0] for row in rows]] = np.arange(len(rows))
    classes = np.full(len(ids), -1, np.int32)
    cursor = connection.execute("SELECT sequence, class FROM labels WHERE begin IS NULL")
    while pairs := cursor.fetchmany(_BATCH):
        sequences, labels = np.array(pairs, np.int64).T
        places, known = _places(ids, sequences)
        classes[places[known]] = index[labels[known]]
    return tuple(row[1] for row in rows), classes


def relabelled(connection: sqlite3.Connection, table: Table, labels: Mapping[int, int | None]) -> Table:
    """The table after some recordings (by id) got another class (by id, None: none) and classes came, went or moved."""
    rows = connection.execute("SELECT id, name FROM classes ORDER BY position, id").fetchall()
    names = tuple(row[1] for row in rows)
    shorter = min(len(names), len(table.class_names))
    if names[:shorter] != table.class_names[:shorter]:  # every index may mean another class now
        names, classes = load_classes(connection, table.ids)
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
