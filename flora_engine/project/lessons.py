"""What a model can learn from in a project: recordings and parts of them that a person named, and their latents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flora_engine.project.statements import has_table
from flora_engine.project.store import Store

_KEY = "learning"  # of the table meta


@dataclass(frozen=True)
class Lesson:
    """A recording that a person gave a class; begin, end: or these frames of it, end excluded."""

    id: int
    class_name: str
    begin: int | None = None
    end: int | None = None


class Lessons:
    """`project.lessons`. Nothing here is an edit: all of it follows from the labels, but for the switch."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def on(self) -> bool:
        """Whether rankings learn from confirmed recordings; so it is at first."""
        with self._store.reading() as connection:
            row = connection.execute("SELECT value FROM meta WHERE key = ?", (_KEY,)).fetchone()
        return row is None or row[0] != "off"

    def switch(self, on: bool) -> None:
        """Learn from confirmed recordings, or not. FloraError if the project cannot be written."""
        with self._store.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_KEY, "on" if on else "off"))

    def confirmed(self, names: Sequence[str], most: int) -> list[Lesson]:
        """Recordings, and parts of them, that a person gave one of these classes, the newest first, at most `most` of
        each class.

        Letter case does not count. Imported labels do not count: nobody looked at those recordings here.
        """
        wanted = {name.casefold() for name in names}
        with self._store.reading() as connection:
            found = connection.execute(
                'SELECT sequence, classes.name, begin, "end" FROM labels JOIN classes ON classes.id = class'
                " JOIN sequences ON sequences.id = sequence WHERE origin = 'user' AND removed = 0"
                " ORDER BY labels.id DESC"
            ).fetchall()
        counts: dict[str, int] = {}
        chosen = []
        for id, name, begin, end in found:
            key = name.casefold()
            if key in wanted and counts.get(key, 0) < most:
                counts[key] = counts.get(key, 0) + 1
                chosen.append(Lesson(int(id), str(name), begin, end))
        return chosen

    def latents(self, wanted: Iterable[tuple[int, str]]) -> dict[tuple[int, str], bytes]:
        """The kept latents of these (recording, model), as the caller wrote them."""
        with self._store.reading() as connection:
            if not has_table(connection, "latents"):
                return {}
            query = "SELECT value FROM latents WHERE sequence = ? AND model = ?"
            found = {key: connection.execute(query, key).fetchone() for key in wanted}
        return {key: row[0] for key, row in found.items() if row is not None}

    def keep(self, latents: Mapping[tuple[int, str], bytes]) -> None:
        """Keep latents of (recording, model). FloraError if the project cannot be written."""
        with self._store.writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO latents VALUES (?, ?, ?)", [(*key, value) for key, value in latents.items()]
            )
