"""One line at the top of the window that says what went wrong and what to do; never a box to click away."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QWidget

from app.icons import icon
from app.theme import Theme
from app.widgets import sentence


class Notice(QFrame):
    """Shows the newest sentence, with at most one thing to do about it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "notice")
        self.setAccessibleName("Notice")
        self._text = QLabel(wordWrap=True, textInteractionFlags=Qt.TextInteractionFlag.TextSelectableByMouse)
        self._text.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self._button = QPushButton()
        self._button.clicked.connect(self._on_action)
        self._close = QToolButton()
        self._close.setAccessibleName("Close the notice")
        self._close.setToolTip("Close")
        self._close.clicked.connect(self.hide)
        self._act: Callable[[], object] | None = None
        self._about = ""
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 6, 6, 6)
        row.addWidget(self._text, 1)
        row.addWidget(self._button)
        row.addWidget(self._close)
        self.hide()

    def set_theme(self, theme: Theme) -> None:
        self._close.setIcon(icon("close", theme.text))

    def tell(self, text: str, action: str = "", act: Callable[[], object] | None = None, *, about: str = "") -> None:
        """Show `text`, and a button `action` that does `act`; `about` names what `forget` may take away again."""
        self._about = about
        text = sentence(text)
        self._text.setText(text)
        self._text.setAccessibleName(text)
        self._act = act
        self._button.setText(action)
        self._button.setVisible(bool(action))
        self.show()

    def forget(self, about: str) -> None:
        """Hide what was told about this, as it is no longer so."""
        if self._about == about:
            self.hide()

    def text(self) -> str:
        return self._text.text() if self.isVisibleTo(self.parentWidget()) else ""

    def _on_action(self) -> None:
        self.hide()
        if self._act is not None:
            self._act()
