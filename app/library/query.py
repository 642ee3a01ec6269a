"""The condition on a column, as part of the filter's query (see flora_engine.project.filters). Qt-free."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from flora_engine.project.columns import NAMES
from flora_engine.project.table import TEXT_KEYS, Table

_MOST = 24  # values offered for one column


def with_term(query: str, key: str, value: str | None) -> str:
    """`query` with its condition on `key` replaced by `value` (quoted if needed), or removed for None."""
    rest = re.sub(rf'(^|\s)-?{re.escape(key)}:(?:"[^"]*"?|\S+)', " ", query, flags=re.IGNORECASE)
    term = ""
    if value is not None:
        term = f'{key}:"{value}"' if re.search(r"\s", value) else f"{key}:{value}"
    return " ".join(f"{rest} {term}".split())


def common_values(table: Table, key: str) -> list[tuple[str, int]]:
    """(text after `key:`, how many recordings have it), the most common first; [] for columns of many values."""
    if key in TEXT_KEYS:
        texts, indices = table.texts(key)
        counts = np.bincount(indices[indices >= 0], minlength=len(texts))
        found = [(f"={texts[i]}", int(counts[i])) for i in np.argsort(-counts, kind="stable") if counts[i]]
    elif key in (*NAMES, "persons"):
        values, numbers = np.unique(table.number(key), return_counts=True)
        pairs: Sequence[tuple[Any, Any]] = sorted(zip(values.tolist(), numbers.tolist(), strict=True))
        found = [(str(value), int(number)) for value, number in pairs]
    else:
        found = []
    return found[:_MOST]
