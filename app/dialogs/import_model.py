"""The files of an import as a virtual table."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QColor

from app.dialogs.import_form import COLUMNS, DOUBTFUL, WAITING, Looks, Shown, column_text, detail
from app.tables import ColumnsModel
from app.theme import Theme

_LOOKS, _FOUND = 1, len(COLUMNS) - 1


class ImportModel(ColumnsModel):
    """Shows `looks`, which others fill; `arrange` then brings filter and order up to date."""

    def __init__(self, looks: Looks, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(COLUMNS, parent)
        self.looks = looks
        self._shown: Shown = "all"
        self._column, self._descending = -1, False
        self._background, self._foreground = QColor(theme.warning), QColor(theme.on_warning)
        self._muted = QColor(theme.muted)

    @property
    def follows_results(self) -> bool:
        """Whether the shown files, or their order, depend on what the inspections find."""
        return self._shown != "all" or self._column > 0

    def set_shown(self, shown: Shown) -> None:
        """Show only some of the files."""
        self._shown = shown
        self.arrange()

    def arrange(self, *, anew: bool = False) -> None:
        """Filter and sort again; `anew` if `looks` holds other files now."""
        rows = self.looks.arranged(self._shown, self._column, self._descending)
        if anew or not np.array_equal(rows, self.rows):
            self.set_rows(rows)

    def refresh(self) -> None:
        """Some cells may have changed; the view asks for those that it shows."""
        if len(self.rows):
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.rows) - 1, _FOUND))

    def text(self, row: int, column: int) -> str:
        return column_text(self.looks, row, column)

    def extra(self, row: int, column: int, role: int) -> Any:
        if role == Qt.ItemDataRole.ToolTipRole:
            return str(self.looks.files[row]) if column == 0 else detail(self.looks, row)
        verdict = int(self.looks.verdicts[row])
        marked = column == _LOOKS and verdict >= DOUBTFUL
        if role == Qt.ItemDataRole.BackgroundRole:
            return self._background if marked else None
        if role == Qt.ItemDataRole.ForegroundRole:
            return self._foreground if marked else self._muted if verdict == WAITING else None
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        wanted = column, order == Qt.SortOrder.DescendingOrder
        if wanted != (self._column, self._descending):  # Qt asks twice
            self._column, self._descending = wanted
            self.arrange()
