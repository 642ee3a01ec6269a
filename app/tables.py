"""Virtual Qt tables: the model knows row numbers and columns, cells are made when they are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

Index = QModelIndex | QPersistentModelIndex
_DISPLAY = Qt.ItemDataRole.DisplayRole


class ColumnLike(Protocol):
    """What a model needs to know of a column; numbers stand at the right."""

    @property
    def title(self) -> str: ...
    @property
    def number(self) -> bool: ...
    @property
    def tip(self) -> str: ...


class ColumnsModel(QAbstractTableModel):
    """Shows `rows`, numbers of something that a subclass knows, in columns. It does not filter or sort itself."""

    def __init__(self, columns: Sequence[ColumnLike], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._columns = columns
        self.rows: NDArray[np.int64] = np.zeros(0, np.int64)

    def text(self, row: int, column: int) -> str:
        """The text of a cell; `row` is one of `rows`."""
        raise NotImplementedError

    def extra(self, row: int, column: int, role: int) -> Any:
        """Other roles of a cell, such as its tooltip."""
        return None

    def set_rows(self, rows: NDArray[np.int64]) -> None:
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own signature)
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._columns)

    def data(self, index: Index, role: int = _DISPLAY) -> Any:
        if not index.isValid():
            return None
        row, column = int(self.rows[index.row()]), index.column()
        if role == _DISPLAY:
            return self.text(row, column)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _side(True) if self._columns[column].number else None
        return self.extra(row, column, role)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = _DISPLAY) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        column = self._columns[section]
        if role == _DISPLAY:
            return column.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.tip or None
        return _side(column.number) if role == Qt.ItemDataRole.TextAlignmentRole else None


def _side(right: bool) -> int:
    side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
    return int(side | Qt.AlignmentFlag.AlignVCenter)
