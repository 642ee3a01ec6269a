"""The log of a run: lines as they come, by level, with a search."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QBrush, QColor, QGuiApplication
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QHeaderView, QLabel, QLineEdit, QVBoxLayout, QWidget

from app.tables import ColumnsModel
from app.theme import current_theme
from app.widgets import EndElided, button, choice_box, rows_view, selected_places
from flora_engine.runs.history_file import Line

_LEVELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Everything", ("info", "warning", "error")),
    ("Warnings and errors", ("warning", "error")),
    ("Errors", ("error",)),
)


@dataclass(frozen=True)
class _Column:
    title: str
    number: bool = False
    tip: str = ""


class LogModel(ColumnsModel):
    """Lines that pass the filter, oldest first."""

    def __init__(self) -> None:
        super().__init__((_Column("Time"), _Column("Level"), _Column("Text")))
        self.lines: list[Line] = []

    def text(self, row: int, column: int) -> str:
        line = self.lines[row]
        if column == 0:
            return time.strftime("%H:%M:%S", time.localtime(line.time))
        return line.level if column == 1 else line.text

    def extra(self, row: int, column: int, role: int) -> Any:
        line, theme = self.lines[row], current_theme()
        if role == Qt.ItemDataRole.ToolTipRole:
            return f"{line.part}: {line.text}" if line.part else line.text
        if role == Qt.ItemDataRole.BackgroundRole and line.level != "info":
            return QBrush(QColor(theme.warning))
        if role == Qt.ItemDataRole.ForegroundRole and line.level != "info":
            return QBrush(QColor(theme.on_warning))
        return None


class LogView(QWidget):
    """Follows the end of the log unless the user has scrolled up."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.level = choice_box([(title, levels) for title, levels in _LEVELS])
        self.level.setAccessibleName("Level")
        self.level.currentIndexChanged.connect(lambda _: self._refill())
        self.search = QLineEdit(placeholderText="Search the log", clearButtonEnabled=True)
        self.search.setAccessibleName("Search the log")
        self.search.textChanged.connect(lambda _: self._refill())
        self.count = QLabel()
        self.count.setProperty("role", "muted")
        self.model = LogModel()
        self.view = rows_view(self.model)
        self.view.setSortingEnabled(False)
        self.view.setAccessibleName("Log")
        self.view.setItemDelegateForColumn(2, EndElided(self.view))
        self.view.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        header = self.view.horizontalHeader()
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        header.resizeSection(0, 80)
        header.resizeSection(1, 70)
        row = QHBoxLayout()
        row.addWidget(self.level)
        row.addWidget(self.search, 1)
        row.addWidget(self.count)
        row.addWidget(button("Copy", self.copy))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 6, 0, 0)
        column.addLayout(row)
        column.addWidget(self.view, 1)
        self._lines: list[Line] = []
        self._seen = 0  # lines of the history that were filtered

    def show_lines(self, lines: list[Line]) -> None:
        """Show the log as it is now: the same list, longer, or another one."""
        if lines is not self._lines or len(lines) < self._seen:
            self._lines = lines
            self._refill()
        elif len(lines) > self._seen:
            self._refill()

    def copy(self) -> None:
        """Put the selected lines, or all that are shown, on the clipboard."""
        places = selected_places(self.view)
        rows = self.model.rows[places] if len(places) else self.model.rows
        lines = (" ".join(self.model.text(int(row), column) for column in range(3)) for row in rows)
        QGuiApplication.clipboard().setText("\n".join(lines))

    def _refill(self) -> None:
        bar = self.view.verticalScrollBar()
        at_end = bar.value() >= bar.maximum() - 2
        self._seen = len(self._lines)
        levels, words = self.level.currentData(), self.search.text().casefold().split()
        rows = [
            number
            for number, line in enumerate(self._lines[: self._seen])
            if line.level in levels and all(word in f"{line.part} {line.text}".casefold() for word in words)
        ]
        self.model.lines = self._lines
        self.model.set_rows(np.array(rows, np.int64))
        self.count.setText(f"{len(rows):,} of {self._seen:,} lines")
        if at_end:
            self.view.scrollToBottom()
