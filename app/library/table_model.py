"""The project's recordings as a virtual table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, Signal

from app.tables import ColumnsModel
from flora_engine.project import Table
from flora_engine.project.columns import NUMBERS


@dataclass(frozen=True)
class Column:
    """key: its name in filters and for sorting."""

    key: str
    title: str
    text: Callable[[Table, int], str]
    number: bool = False
    width: int = 62
    tip: str = ""


def _known(number: int) -> str:
    return str(number) if number else "–"


def _number(name: str) -> Callable[[Table, int], str]:
    return lambda table, row: _known(int(table.numbers[name][row]))


COLUMNS = (
    Column("class", "Class", lambda t, r: t.class_of(r) or "–", width=128),
    Column("name", "Name", lambda t, r: t.names[r], width=178),
    *(Column(number.name, number.title, _number(number.name), True) for number in NUMBERS),
    Column("frames", "Frames", lambda t, r: str(int(t.frames[r])), True),
    Column("seconds", "Seconds", lambda t, r: f"{t.frames[r] / t.fps[r]:.1f}", True),
    Column("persons", "Persons", lambda t, r: str(int(t.persons[r])), True),
    Column("parts", "Parts", lambda t, r: _known(int(t.spans[r])), True),
    Column("layout", "Layout", lambda t, r: t.layout_names[int(t.layouts[r])], width=110),
    Column("source", "Source", lambda t, r: t.folder_names[int(t.folders[r])], width=220),
)


class ProjectModel(ColumnsModel):
    """Rows of a `Table` in the order that the panel found."""

    sort_wanted = Signal(str, bool)  # column key, descending

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(COLUMNS, parent)
        self.table: Table | None = None

    def show_rows(self, table: Table | None, rows: NDArray[np.int64]) -> None:
        self.beginResetModel()
        self.table, self.rows = table, rows
        self.endResetModel()

    def id_at(self, row: int) -> int:
        assert self.table is not None
        return int(self.table.ids[self.rows[row]])

    def row_of(self, id: int) -> int:
        """The row that shows recording `id`, -1 if it is filtered out."""
        if self.table is None:
            return -1
        found = np.flatnonzero(self.table.ids[self.rows] == id)
        return int(found[0]) if len(found) else -1

    def text(self, row: int, column: int) -> str:
        return "" if self.table is None else COLUMNS[column].text(self.table, row)

    def extra(self, row: int, column: int, role: int) -> Any:
        return self.text(row, column) if role == Qt.ItemDataRole.ToolTipRole else None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        if 0 <= column < len(COLUMNS):
            self.sort_wanted.emit(COLUMNS[column].key, order == Qt.SortOrder.DescendingOrder)
