"""What a model can learn from in a project: recordings that a person named, and their latents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from flora_engine.project.statements import has_table
from flora_engine.project.store import Store

_KEY = "learning"  # of the table meta


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

    def confirmed(self, names: Sequence[str], most: int) -> list[tuple[int, str]]:
        """(id, class) of recordings that a person gave one of these classes, the newest first, at most `most` of each.

        Letter case does not count. Imported labels do not count: nobody looked at those recordings here.
        """
        wanted = {name.casefold() for name in names}
        with self._store.reading() as connection:
            found = connection.execute(
                "SELECT sequence, classes.name FROM labels JOIN classes ON classes.id = class"
                " JOIN sequences ON sequences.id = sequence WHERE begin IS NULL AND origin = 'user' AND removed = 0"
                " ORDER BY labels.id DESC"
            ).fetchall()
        counts: dict[str, int] = {}
        chosen = []
        for id, name in found:
            key = name.casefold()
            if key in wanted and counts.get(key, 0) < most:
                counts[key] = counts.get(key, 0) + 1
                chosen.append((int(id), str(name)))
        return chosen

    def latents(self, model: str, ids: Iterable[int]) -> dict[int, bytes]:
        """The kept latents of these recordings by a model, as the caller wrote them."""
        with self._store.reading() as connection:
            if not has_table(connection, "latents"):
                return {}
            query = "SELECT value FROM latents WHERE sequence = ? AND model = ?"
            found = {id: connection.execute(query, (id, model)).fetchone() for id in ids}
        return {id: row[0] for id, row in found.items() if row is not None}

    def keep(self, model: str, latents: Mapping[int, bytes]) -> None:
        """Keep latents of recordings by a model. FloraError if the project cannot be written."""
        with self._store.writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO latents VALUES (?, ?, ?)", [(id, model, value) for id, value in latents.items()]
            )
