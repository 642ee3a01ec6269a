"""What a stranger sees first: what this is, and the one thing to press."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

_TEXT = (
    "Open a recording of a moving skeleton, see it in 3D, and describe actions in your own words: "
    "they are ranked by how well they fit, with no training."
)
_FORMATS = (
    "Or drag files or folders here: NTU RGB+D, PKU-MMD, UTD-MHAD, NW-UCLA, BVH, CSV, MediaPipe and .npz recordings."
)


class Welcome(QWidget):
    """Shown in the middle until there is a recording."""

    wanted = Signal(str)  # command id

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        title = QLabel("Name any action", alignment=Qt.AlignmentFlag.AlignCenter)
        title.setProperty("role", "title")
        text = QLabel(_TEXT, wordWrap=True, alignment=Qt.AlignmentFlag.AlignCenter)
        formats = QLabel(_FORMATS, wordWrap=True, alignment=Qt.AlignmentFlag.AlignCenter)
        formats.setProperty("role", "muted")
        row = QHBoxLayout()
        row.addStretch(1)
        for command, label, primary in (
            ("file.demo", "Try the demo project", True),
            ("file.open", "Open files…", False),
            ("file.open_folder", "Open a folder…", False),
        ):
            button = QPushButton(label)
            button.setProperty("primary", primary)
            button.clicked.connect(lambda _=False, command=command: self.wanted.emit(command))
            row.addWidget(button)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 24)
        column.setSpacing(14)
        column.addStretch(2)
        for widget in (title, text):
            column.addWidget(widget)
        column.addLayout(row)
        column.addWidget(formats)
        column.addStretch(3)
