"""What a person says about ranked files that are in no project: JSON lines beside the journal of the model.

What people say and what models say stay apart; a table shows both.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from flora_engine.errors import FloraError
from flora_engine.files import write_text
from flora_engine.labelling.journal import Line

COLUMNS = ("file", "class", "author", "label", "score", "problem")


@dataclass(frozen=True)
class Decision:
    """A file has this class, "" if that was taken back. model: which one had proposed it. time: since 1970."""

    item: str
    name: str
    author: str = ""
    model: str = ""
    time: float = 0.0


def add_decision(path: Path, decision: Decision) -> None:
    """Write it; when this returns it is on the disk. Raises FloraError."""
    text = json.dumps(vars(decision), ensure_ascii=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            file.seek(0, os.SEEK_END)
            if file.tell():
                file.seek(-1, os.SEEK_END)
                text = text if file.read(1) == b"\n" else "\n" + text  # after a line that a crash cut off
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise FloraError(f"the class cannot be written: {error.strerror}", path=path) from None


def read_decisions(path: Path) -> dict[str, Decision]:
    """The decision about each file that was not taken back; lines that are none are passed over. Raises FloraError."""
    found: dict[str, Decision] = {}
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    except OSError as error:
        raise FloraError(f"the classes cannot be read: {error.strerror}", path=path) from None
    for line in lines:
        try:
            decision = Decision(**json.loads(line))
        except (ValueError, TypeError):
            continue
        found.pop(decision.item, None)
        if decision.name:
            found[decision.item] = decision
    return found


def write_decisions(out: Path, lines: Iterable[Line], decisions: Mapping[str, Decision]) -> None:
    """Write a CSV table with a row per file: what a person said, and the best action of the model with its share.

    Raises FloraError.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in sorted(lines, key=lambda line: line.item):
        said = decisions.get(line.item)
        person = ("", "") if said is None else (said.name, said.author)
        best = (line.ranking[0][0], f"{line.ranking[0][1]:.6g}") if line.ranking else ("", "")
        writer.writerow([line.item, *person, *best, line.problem])
    try:
        write_text(out, text.getvalue())
    except OSError as error:
        raise FloraError(f"the table cannot be written: {error.strerror}", path=out) from None
