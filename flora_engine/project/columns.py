"""The numbers that a recording carries: subject, camera and so on, as one table.

The database, imports, queries, statistics, files of labels, clips and the library's columns take their names from here.
A new number is one row here, one step in schema.MIGRATIONS (`schema.add_number`), and whatever reader finds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flora_engine.errors import FloraError


@dataclass(frozen=True)
class Number:
    """A whole number that fits into 32 bits, 0 if unknown.

    name: the column of the database and the key of `SkeletonSequence.metadata`, of queries and of files of labels.
    title: what people read.
    """

    name: str
    title: str


NUMBERS = (
    Number("subject", "Subject"),
    Number("camera", "Camera"),
    Number("setup", "Set-up"),
    Number("replication", "Replication"),
)
NAMES = tuple(number.name for number in NUMBERS)
_MOST = 2**31 - 1


def whole_number(facts: Mapping[str, object], key: str, path: Path | None = None, where: str = "") -> int:
    """The number under `key`, 0 if it is missing. FloraError if it is not a whole number of 32 bits.

    path, where: where the facts come from, for the message.
    """
    value = facts.get(key, 0)
    try:
        number = int(value) if isinstance(value, (int, str)) else _MOST + 1
    except ValueError:
        number = _MOST + 1
    if not -_MOST <= number <= _MOST:
        text = f"{key} should be a whole number of at most {_MOST}, not “{str(value)[:40]}”"
        raise FloraError(text, path=path, where=where)
    return number
