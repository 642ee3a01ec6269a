"""The journal of a batch: JSON lines, one per recording, written as they are done; so a batch resumes after a crash.

The first line says which model ranks which actions. A last line that a crash cut off is dropped.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flora_engine.errors import FloraError
from flora_engine.files import write_text

FORMAT, VERSION = "flora-batch", 1


@dataclass(frozen=True)
class Head:
    """What a batch is about. model: what people call it; key: what tells it from others. texts: [name, motion,
    definition] of every action; typed: as it was typed, "" if it was not. items: ids in the project, or files.
    """

    model: str
    key: str
    typed: str
    texts: list[list[str]]
    items: list[str]

    @property
    def same(self) -> tuple[str, list[list[str]]]:
        """What must be equal for two batches to be one that continues."""
        return self.key, self.texts


@dataclass(frozen=True)
class Line:
    """What came of one recording. item: its id in the project or its file. ranking: (action, share), best first.

    none: the probability of none of them. time: seconds since 1970. problem: why there is no ranking.
    """

    item: str
    ranking: tuple[tuple[str, float], ...] = ()
    none: float | None = None
    time: float = 0.0
    problem: str = ""

    def as_json(self) -> dict[str, Any]:
        if self.problem:
            return {"item": self.item, "problem": self.problem}
        ranking = [[name, round(share, 6)] for name, share in self.ranking]
        none = {} if self.none is None else {"none": round(self.none, 4)}
        return {"item": self.item, "time": self.time, "ranking": ranking, **none}


class Journal:
    """Open for writing: made new, or continued if it is about the same. One writer at a time."""

    def __init__(self, path: Path, head: Head) -> None:
        """Raises FloraError if there is something else at `path`, OSError."""
        self.path = path
        self.done: dict[str, Line] = {}
        if path.is_file():
            there, lines = read_journal(path)
            if there.same != head.same:
                raise FloraError(
                    "this is the journal of another model or of other actions",
                    path=path,
                    remedy="Choose another file, or remove it.",
                )
            self.done = {line.item: line for line in lines}
        write_text(path, _text(head) + "".join(_text(line) for line in self.done.values()))  # without a torn line
        self._file = path.open("a", encoding="utf-8")

    def add(self, lines: Iterable[Line]) -> None:
        """Write lines; when this returns they are on the disk."""
        for line in lines:
            self._file.write(_text(line))
            self.done[line.item] = line
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


def read_journal(path: Path) -> tuple[Head, list[Line]]:
    """What a journal holds so far; without a torn last line. Raises FloraError if it is not a journal."""
    try:
        texts = path.read_text(encoding="utf-8").split("\n")[:-1]  # a whole line ends with a newline
        data = json.loads(texts[0])
        if data.pop("format") != FORMAT or data.pop("version") != VERSION:
            raise ValueError("another format")
        return Head(**data), list(_lines(texts[1:]))
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise FloraError(f"this is not the journal of a batch: {error}", path=path) from None


def _lines(texts: Iterable[str]) -> Iterator[Line]:
    for text in texts:
        one = json.loads(text)
        ranking = tuple((str(name), float(share)) for name, share in one.get("ranking", ()))
        yield Line(str(one["item"]), ranking, one.get("none"), float(one.get("time", 0)), str(one.get("problem", "")))


def _text(what: Head | Line) -> str:
    data = what.as_json() if isinstance(what, Line) else {"format": FORMAT, "version": VERSION, **vars(what)}
    return json.dumps(data, ensure_ascii=False) + "\n"
