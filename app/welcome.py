"""The first screen: what this program does, and buttons to start with."""

from __future__ import annotations

import functools

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.formats import format_names
from app.widgets import button

_TEXT = "See skeleton recordings in 3D and rank actions in your own words, without training."

_ROWS = (  # command and label of each button
    (("file.demo", "Try the demo project"), ("file.open", "Open files…"), ("file.open_folder", "Open a folder…")),
    (("actions.train", "Train a model…"),),
)


class Welcome(QWidget):
    """Shown in the middle until a recording is opened."""

    wanted = Signal(str)  # command id

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        title = QLabel("Name any action", alignment=Qt.AlignmentFlag.AlignCenter)
        title.setProperty("role", "title")
        text = QLabel(_TEXT, wordWrap=True, alignment=Qt.AlignmentFlag.AlignCenter)
        formats = QLabel(
            f"Or drop files or folders here: {format_names()} recordings.",
            wordWrap=True,
            alignment=Qt.AlignmentFlag.AlignCenter,
        )
        formats.setProperty("role", "muted")
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 24)
        column.setSpacing(14)
        column.addStretch(2)
        for widget in (title, text):
            column.addWidget(widget)
        for row in _ROWS:  # side by side they would not leave the library enough of a small window
            column.addLayout(self._buttons(row))
        column.addWidget(formats)
        column.addStretch(3)

    def _buttons(self, row: tuple[tuple[str, str], ...]) -> QHBoxLayout:
        line = QHBoxLayout()
        line.addStretch(1)
        for command, label in row:
            line.addWidget(button(label, functools.partial(self.wanted.emit, command), primary=command == "file.demo"))
        line.addStretch(1)
        return line
