"""Putting a column's condition into the filter's query (see flora_engine.project.filters). Qt-free."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from flora_engine.project.table import Table

_MOST = 24  # values offered for one column
_INDEXED = {
    "class": ("classes", "class_names"),
    "source": ("folders", "folder_names"),
    "layout": ("layouts", "layout_names"),
}
_PLAIN = {"subject": "subjects", "camera": "cameras", "setup": "setups", "persons": "persons", "frames": "frames"}


def with_term(query: str, key: str, value: str | None) -> str:
    """`query` with its condition on `key` replaced by `value` (quoted where needed), or taken out for None."""
    rest = re.sub(rf'(^|\s)-?{re.escape(key)}:(?:"[^"]*"?|\S+)', " ", query, flags=re.IGNORECASE)
    term = ""
    if value is not None:
        term = f'{key}:"{value}"' if re.search(r"\s", value) else f"{key}:{value}"
    return " ".join(f"{rest} {term}".split())


def common_values(table: Table, key: str) -> list[tuple[str, int]]:
    """(what to write after `key:`, how many recordings have it), the commonest first; [] for columns of many values."""
    if key in _INDEXED:
        column, names = _INDEXED[key]
        indices, texts = getattr(table, column), getattr(table, names)
        counts = np.bincount(indices[indices >= 0], minlength=len(texts))
        found = [(f"={texts[i]}", int(counts[i])) for i in np.argsort(-counts, kind="stable") if counts[i]]
    elif key in _PLAIN and key != "frames":
        values, numbers = np.unique(getattr(table, _PLAIN[key]), return_counts=True)
        pairs: Sequence[tuple[Any, Any]] = sorted(zip(values.tolist(), numbers.tolist(), strict=True))
        found = [(str(value), int(number)) for value, number in pairs]
    else:
        found = []
    return found[:_MOST]
