"""Sets of actions that a project keeps by name."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence

from flora_engine.errors import FloraError
from flora_engine.project.history import Change, removal, rows
from flora_engine.project.statements import Statements, has_table
from flora_engine.project.store import Store


class ClassSets:
    """`project.class_sets`. Every change is an edit. What a set holds is the caller's text."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> dict[str, str]:
        """The sets by name, in order of name."""
        with self._store.reading() as connection:
            if not has_table(connection, "class_sets"):
                return {}
            return dict(connection.execute("SELECT name, actions FROM class_sets ORDER BY name").fetchall())

    def save(self, name: str, actions: str) -> bool:
        """Keep a set, in place of one of that name; FloraError without a name."""
        name = " ".join(name.split())
        if not name:
            raise FloraError("a set of actions needs a name")

        def make(connection: sqlite3.Connection) -> list[Change]:
            found = rows(connection, "class_sets", "name = ?", name)
            if not found:
                return [Change("class_sets", 0, None, {"name": name, "actions": actions})]
            before = found[0]["actions"]
            if before == actions:
                return []
            return [Change("class_sets", found[0]["id"], {"actions": before}, {"actions": actions})]

        return self._store.edit(f"Save the set “{name}”", make)

    def remove(self, name: str) -> bool:
        """Remove a set; False if there is none of that name."""
        return self._store.edit(
            f"Remove the set “{name}”",
            lambda connection: [removal("class_sets", row) for row in rows(connection, "class_sets", "name = ?", name)],
        )

    def confused(self, names: Sequence[str]) -> list[tuple[str, str, int]]:
        """(class, what was ranked first instead, how often) among recordings with a class, the commonest first.

        names: both must be among these, whatever their letter case.
        """
        wanted = {name.casefold() for name in names}
        table = self._store.table
        classes = dict(zip(table.ids.tolist(), table.classes.tolist(), strict=True))
        counts: Counter[tuple[str, str]] = Counter()
        for id, said in Statements(self._store).newest_rankings().items():
            if classes.get(id, -1) < 0 or not said.ranking:
                continue
            right, first = table.class_names[classes[id]], said.ranking[0][0]
            if right.casefold() != first.casefold() and {right.casefold(), first.casefold()} <= wanted:
                counts[right, first] += 1
        return [(right, wrong, count) for (right, wrong), count in counts.most_common()]
