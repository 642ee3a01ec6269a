"""The classes of a project, in their order, and the texts that describe them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from flora_engine.errors import FloraError
from flora_engine.project.history import Change, next_id, removal, rows, without_id
from flora_engine.project.splits import split_that_needs
from flora_engine.project.store import Store


class Classes:
    """`project.classes`. A class's place among them is its 0-based number everywhere."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def names(self) -> tuple[str, ...]:
        """In their order."""
        return self._store.table.class_names

    def by_id(self) -> dict[int, str]:
        """The names by the ids that changes of the history hold."""
        with self._store.reading() as connection:
            return dict(connection.execute("SELECT id, name FROM classes").fetchall())

    def add(self, names: Sequence[str]) -> bool:
        """Add classes behind the others, as one edit; those that exist are left as they are."""
        return self._store.edit("Add classes", lambda c: new_classes(c, [name.strip() for name in names])[0])

    def ensure(self, names: Sequence[str]) -> None:
        """Make sure that these classes exist before an import. It is part of the import, so it is not an edit."""
        with self._store.writing() as connection:
            for name in names:
                ensure_class(connection, name)
        self._store.changed()

    def rename(self, old: str, new: str) -> bool:
        """Give a class another name; FloraError if that name is taken or empty, or there is no class `old`."""
        new = new.strip()
        if not new or new in self.names():
            raise FloraError(f"the name “{new}” is " + ("taken by another class" if new else "empty"))
        return self._store.edit(
            f"Rename “{old}” to “{new}”",
            lambda connection: [Change("classes", self._id(connection, old), {"name": old}, {"name": new})],
        )

    def remove(self, name: str) -> bool:
        """Remove a class, its text and its labels; FloraError if a split names it or there is no such class."""

        def make(connection: sqlite3.Connection) -> list[Change]:
            id = self._id(connection, name)
            split = split_that_needs(connection, id)
            if split is not None:
                raise FloraError(f"the split “{split}” needs the class “{name}”", remedy="Change the split first.")
            return [
                *(removal("labels", row) for row in rows(connection, "labels", "class = ?", id)),
                *(removal("texts", row) for row in rows(connection, "texts", "id = ?", id)),
                *(removal("classes", row) for row in rows(connection, "classes", "id = ?", id)),
            ]

        return self._store.edit(f"Remove class “{name}”", make)

    def texts(self) -> dict[str, tuple[str, str]]:
        """class name -> (motion, definition), for the classes that have texts."""
        with self._store.reading() as connection:
            found = connection.execute(
                "SELECT name, motion, definition FROM texts JOIN classes ON classes.id = class ORDER BY position"
            )
            return {name: (motion, definition) for name, motion, definition in found}

    def set_texts(self, texts: Mapping[str, tuple[str, str]]) -> bool:
        """Set the two texts (motion, definition) of classes, as one edit; FloraError if one of them is missing."""

        def make(connection: sqlite3.Connection) -> list[Change]:
            changes = []
            for name, (motion, definition) in texts.items():
                id = self._id(connection, name)  # a class's text has the class's id
                after = {"class": id, "motion": motion, "definition": definition}
                before = next((without_id(row) for row in rows(connection, "texts", "id = ?", id)), None)
                if before != after:
                    changes.append(Change("texts", id, before, after))
            return changes

        return self._store.edit(f"Describe {len(texts)} class{'es' * (len(texts) != 1)}", make)

    def _id(self, connection: sqlite3.Connection, name: str) -> int:
        row = connection.execute("SELECT id FROM classes WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise FloraError(f"the project has no class “{name}”", path=self._store.folder)
        return int(row[0])


def ensure_class(connection: sqlite3.Connection, name: str) -> int:
    """The id of the class of that name, made behind the others if there is none."""
    row = connection.execute("SELECT id FROM classes WHERE name = ?", (name,)).fetchone()
    if row is None:
        place = "(SELECT coalesce(max(position), -1) + 1 FROM classes)"
        cursor = connection.execute(f"INSERT INTO classes (name, position) VALUES (?, {place})", (name,))
        return int(cursor.lastrowid or 0)
    return int(row[0])


def new_classes(connection: sqlite3.Connection, names: Sequence[str]) -> tuple[list[Change], dict[str, int]]:
    """The changes after which these classes exist, and the id of every class by name."""
    have = rows(connection, "classes")
    ids = {row["name"]: int(row["id"]) for row in have}
    place = max((row["position"] for row in have), default=-1)
    new = next_id(connection, "classes")
    changes: list[Change] = []
    for name in dict.fromkeys(names):
        if not name:
            raise FloraError("a class needs a name")
        if name not in ids:
            place, ids[name] = place + 1, new + len(changes)
            changes.append(Change("classes", ids[name], None, {"name": name, "position": place}))
    return changes, ids
