"""Type-to-filter: a short query chooses rows of the table.

A query is words with spaces between; a row must meet all of them. A plain word must occur in the name or in the class.
`key:value` compares a column, `-` before either turns it round, and quotes hold spaces together:

    wave                      name or class holds "wave"
    class:wave  name:S001     that column holds the text; class:"sit down" with spaces; class:=walk is exactly that
    subject:3  camera:1,2     one of these numbers
    frames:>100  seconds:<=2  compared; frames:30-60 from 30 to 60
    is:labelled  -is:labelled has a class or not; is:parts has labelled parts
    source:left               the folder it came from holds the text; layout:kinect_v1 likewise

Case does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.project.table import NUMBER_KEYS, TEXT_KEYS, Table

Mask = NDArray[np.bool_]
_WORD = re.compile(r'(-?)(?:(\w+):)?(?:"([^"]*)"?|(\S+))')
_RANGE = re.compile(r"(-?[\d.]+)-([\d.]+)")
_COMPARISON = re.compile(r"(<=|>=|<|>|=)(-?[\d.]+)")
KEYS = ("class", "name", "source", "layout", "is", *NUMBER_KEYS)
SORT_KEYS = ("id", "name", *TEXT_KEYS, *NUMBER_KEYS)


def select(table: Table, query: str) -> NDArray[np.int64]:
    """Row numbers (rising) that meet the query; all rows for an empty one.

    FloraError for an unknown key or a value that cannot be: the window shows it beside the box.
    """
    chosen = np.ones(len(table), bool)
    for minus, key, quoted, plain in _WORD.findall(query):
        value = (quoted or plain).casefold()
        if value:
            met = _column(table, key.casefold(), value) if key else _anywhere(table, value)
            chosen &= ~met if minus else met
    return np.flatnonzero(chosen)


def sort_rows(table: Table, rows: NDArray[np.int64], key: str, descending: bool = False) -> NDArray[np.int64]:
    """The same rows in the order of a column; equal ones keep their order, in both directions."""
    values = _sortable(table, key)[rows]
    if descending:
        return rows[len(rows) - 1 - np.argsort(values[::-1], kind="stable")[::-1]]
    return rows[np.argsort(values, kind="stable")]


def _sortable(table: Table, key: str) -> NDArray[Any]:
    """A column that sorts as a reader expects."""
    if key in TEXT_KEYS:
        names, column = table.texts(key)
        return _ranks(names)[column]
    if key in NUMBER_KEYS:
        return table.number(key)
    if key not in SORT_KEYS:
        raise FloraError(f"there is no column “{key}”", remedy=f"There are {', '.join(SORT_KEYS)}.")
    return table.ids if key == "id" else table.name_ranks


def _ranks(names: Sequence[str]) -> NDArray[np.int64]:
    """The alphabetical place of each name; one more entry at the end, for index -1 (none), which comes last."""
    ranks = np.full(len(names) + 1, len(names), np.int64)
    ranks[sorted(range(len(names)), key=lambda index: names[index].casefold())] = np.arange(len(names))
    return ranks


def _anywhere(table: Table, value: str) -> Mask:
    return _names(table, value) | _index_holds(table.class_names, value)[table.classes]


def _names(table: Table, value: str) -> Mask:
    if value.startswith("="):
        return np.array([name == value[1:] for name in table.folded_names], bool)
    return np.array([value in name for name in table.folded_names], bool)


def _index_holds(names: Sequence[str], value: str) -> Mask:
    """(len + 1,) whether each name holds the text, or is it after "="; the last entry, for index -1, is False."""
    if value.startswith("="):
        return np.array([name.casefold() == value[1:] for name in names] + [False], bool)
    return np.array([value in name.casefold() for name in names] + [False], bool)


def _column(table: Table, key: str, value: str) -> Mask:
    if key in TEXT_KEYS:
        names, column = table.texts(key)
        return _index_holds(names, value)[column]
    if key == "name":
        return _names(table, value)
    if key == "is":
        return _is(table, value)
    if key in NUMBER_KEYS:
        return _compare(table.number(key), key, value)
    raise FloraError(f"there is no column “{key}” to filter by", remedy=f"There are {', '.join(KEYS)}.")


def _is(table: Table, value: str) -> Mask:
    if value in ("labelled", "labeled"):
        return np.asarray(table.classes >= 0)
    if value == "parts":
        return np.asarray(table.spans > 0)
    raise FloraError(f"“is:{value}” means nothing", remedy="There are is:labelled and is:parts.")


def _compare(column: NDArray[Any], key: str, value: str) -> Mask:
    try:
        if found := _COMPARISON.fullmatch(value):
            number = float(found[2])
            compared = {
                "<": column < number,
                "<=": column <= number,
                ">": column > number,
                ">=": column >= number,
                "=": column == number,
            }
            return np.asarray(compared[found[1]])
        if found := _RANGE.fullmatch(value):
            return np.asarray((column >= float(found[1])) & (column <= float(found[2])))
        return np.isin(column, [float(part) for part in value.split(",") if part])
    except ValueError:
        raise FloraError(
            f"“{key}:{value}” is not a number", remedy=f"Write {key}:3, {key}:1,2, {key}:>10 or {key}:5-9."
        ) from None
