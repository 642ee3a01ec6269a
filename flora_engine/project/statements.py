"""What models said about recordings: timelines and rankings. Apart from labels, never changed: the newest counts."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from flora_engine.project.store import Store

Segment = tuple[str, int, int, float]  # class, frames [begin, end), score


@dataclass(frozen=True)
class TimelineSaid:
    """What a model found in a recording. scores: bytes of the caller's own form. time: seconds since 1970."""

    model: str
    segments: tuple[Segment, ...]
    scores: bytes = b""
    time: float = 0.0


@dataclass(frozen=True)
class RankingSaid:
    """How a model ranked actions. ranking: (class, score), best first. none: the probability of none of them."""

    model: str
    ranking: tuple[tuple[str, float], ...]
    none: float | None = None
    time: float = 0.0


class Statements:
    """`project.statements`. Nothing here is an edit: a new statement takes the place of the one before, which stays."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add_timeline(self, id: int, said: TimelineSaid) -> None:
        """Keep a timeline of a recording. FloraError if the project cannot be written."""
        with self._store.writing() as connection:
            connection.execute(
                "INSERT INTO timelines (sequence, time, model, segments, scores) VALUES (?, ?, ?, ?, ?)",
                (id, said.time or time.time(), said.model, json.dumps(said.segments, ensure_ascii=False), said.scores),
            )

    def timeline(self, id: int) -> TimelineSaid | None:
        """The newest timeline of a recording."""
        found = self._rows("timelines", "model, segments, scores, time", "sequence = ? ORDER BY id DESC LIMIT 1", id)
        for model, segments, scores, when in found:
            return TimelineSaid(model, tuple((n, b, e, s) for n, b, e, s in json.loads(segments)), scores or b"", when)
        return None

    def add_rankings(self, said: Iterable[tuple[int, RankingSaid]]) -> int:
        """Keep rankings (id of the recording, what was said) in one transaction; how many are new.

        One that is there already, of the same recording, model and time, is left out: a journal may be read twice.
        """
        count = 0
        with self._store.writing() as connection:
            for id, one in said:
                when = one.time or time.time()
                known = "SELECT 1 FROM rankings WHERE sequence = ? AND model = ? AND time = ?"
                there = connection.execute("SELECT 1 FROM sequences WHERE id = ?", (id,)).fetchone()
                if there is None or connection.execute(known, (id, one.model, when)).fetchone():
                    continue
                connection.execute(
                    "INSERT INTO rankings (sequence, time, model, ranking, none) VALUES (?, ?, ?, ?, ?)",
                    (id, when, one.model, json.dumps(one.ranking, ensure_ascii=False), one.none),
                )
                count += 1
        return count

    def rankings(self, id: int) -> list[RankingSaid]:
        """Everything that models ranked for a recording, newest first."""
        found = self._rows("rankings", "model, ranking, none, time", "sequence = ? ORDER BY id DESC", id)
        return [_ranking(*row) for row in found]

    def newest_rankings(self) -> dict[int, RankingSaid]:
        """The newest ranking of every recording that has one and was not removed, by its id."""
        where = (
            "id IN (SELECT max(id) FROM rankings GROUP BY sequence) AND sequence IN"
            " (SELECT id FROM sequences WHERE removed = 0) ORDER BY sequence"
        )
        found = self._rows("rankings", "sequence, model, ranking, none, time", where)
        return {id: _ranking(*row) for id, *row in found}

    def _rows(self, table: str, columns: str, where: str, *values: object) -> Sequence[tuple[Any, ...]]:
        """Rows of a table; none from a project of an older version, which lacks it."""
        with self._store.reading() as connection:
            if not has_table(connection, table):
                return []
            return connection.execute(f"SELECT {columns} FROM {table} WHERE {where}", values).fetchall()


def has_table(connection: sqlite3.Connection, name: str) -> bool:
    """Whether the database has this table: a project of an older version is read as it is."""
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,))
    return found.fetchone() is not None


def _ranking(model: str, ranking: str, none: float | None, when: float) -> RankingSaid:
    return RankingSaid(model, tuple((name, score) for name, score in json.loads(ranking)), none, when)
