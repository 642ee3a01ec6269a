"""The files of an import as a virtual Qt table: any number of rows, cells made when they are looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QColor

from app.library.import_form import (
    COLUMNS,
    DOUBTFUL,
    WAITING,
    Looks,
    Rows,
    Shown,
    column_text,
    detail,
)
from app.theme import Theme

_Index = QModelIndex | QPersistentModelIndex
_LOOKS, _FOUND = 1, len(COLUMNS) - 1


class ImportModel(QAbstractTableModel):
    """Shows `looks`, which others fill; `arrange` after that brings filter and order up to date."""

    def __init__(self, looks: Looks, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.looks = looks
        self.rows: Rows = np.zeros(0, np.int64)
        self._shown: Shown = "all"
        self._column, self._descending = -1, False
        self._background, self._foreground = QColor(theme.warning), QColor(theme.on_warning)
        self._muted = QColor(theme.muted)

    @property
    def follows_results(self) -> bool:
        """Whether what is shown, or its order, depends on what the inspections find."""
        return self._shown != "all" or self._column > 0

    def set_shown(self, shown: Shown) -> None:
        """Show only some of the files."""
        self._shown = shown
        self.arrange()

    def arrange(self, *, anew: bool = False) -> None:
        """Filter and sort again; `anew` after the files themselves are others."""
        rows = self.looks.arranged(self._shown, self._column, self._descending)
        if anew or not np.array_equal(rows, self.rows):
            self.beginResetModel()
            self.rows = rows
            self.endResetModel()

    def refresh(self) -> None:
        """Some cells may say something else; the view asks for those that it shows."""
        if len(self.rows):
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.rows) - 1, _FOUND))

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own signature)
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(COLUMNS)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row, column = int(self.rows[index.row()]), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return column_text(self.looks, row, column)
        if role == Qt.ItemDataRole.ToolTipRole:
            return str(self.looks.files[row]) if column == 0 else detail(self.looks, row)
        if role == Qt.ItemDataRole.TextAlignmentRole and COLUMNS[column].number:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return self._colour(int(self.looks.verdicts[row]), column, role)

    def _colour(self, verdict: int, column: int, role: int) -> QColor | None:
        marked = column == _LOOKS and verdict >= DOUBTFUL
        if role == Qt.ItemDataRole.BackgroundRole:
            return self._background if marked else None
        if role == Qt.ItemDataRole.ForegroundRole:
            return self._foreground if marked else self._muted if verdict == WAITING else None
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        column = COLUMNS[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.title
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.tip or None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column.number else Qt.AlignmentFlag.AlignLeft
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        wanted = column, order == Qt.SortOrder.DescendingOrder
        if wanted != (self._column, self._descending):  # Qt asks twice
            self._column, self._descending = wanted
            self.arrange()
