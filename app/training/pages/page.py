"""What the pages of the wizard have in common."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from app.training.draft import Draft


class Page(QWidget):
    """Shows a part of the draft (`show_draft`) and writes it back (`fill`); neither loses what others wrote."""

    changed = Signal()  # by the user
    title = ""
    explanation = ""

    def __init__(self) -> None:
        super().__init__()
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(16, 8, 8, 4)
        self.column.setSpacing(10)
        heading = QLabel(self.title)
        heading.setProperty("role", "title")
        text = QLabel(self.explanation, wordWrap=True)
        text.setProperty("role", "muted")
        self.column.addWidget(heading)
        self.column.addWidget(text)

    def show_draft(self, draft: Draft) -> None:
        """Show what the draft says."""

    def fill(self, draft: Draft) -> Draft:
        """The draft with what this page says."""
        return draft

    def trouble(self, draft: Draft) -> str:
        """What is wrong on this page and not in the draft, "" if nothing."""
        return ""
