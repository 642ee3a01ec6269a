"""What the window says: a notice that stays until it is closed, or a line in the status bar. Never a message box."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QStatusBar, QToolButton, QWidget

from app.icons import icon
from app.theme import Theme
from app.widgets import sentence


class Notice(QFrame):
    """The newest sentence, with at most one button."""

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

    def say(self, text: str, action: str = "", act: Callable[[], object] | None = None, *, about: str = "") -> None:
        """Show `text` and a button `action` that calls `act`; `forget(about)` hides it again."""
        self._about = about
        text = sentence(text)
        self._text.setText(text)
        self._text.setAccessibleName(text)
        self._act = act
        self._button.setText(action)
        self._button.setVisible(bool(action))
        self.show()

    def forget(self, about: str) -> None:
        """Hide the notice if it was shown `about` this."""
        if self._about == about:
            self.hide()

    def text(self) -> str:
        """The sentence on screen, "" if the notice is hidden."""
        return "" if self.isHidden() else self._text.text()

    def action(self) -> QPushButton:
        """The button of the notice."""
        return self._button

    def _on_action(self) -> None:
        self.hide()
        if self._act is not None:
            self._act()


class Feedback:
    """Where the parts of the window report: passing news in the status bar, problems in the notice."""

    def __init__(self, notice: Notice, status: QStatusBar) -> None:
        self.notice, self._status = notice, status

    def say(self, text: str) -> None:
        """A line in the status bar, "" for none."""
        self._status.showMessage(text)

    def unsay(self, text: str) -> None:
        """Take this line away if it still stands in the status bar."""
        if self._status.currentMessage() == text:
            self._status.clearMessage()

    def problem(self, text: str) -> None:
        """One sentence about something that went wrong, in place of what was going on."""
        self._status.clearMessage()
        self.notice.say(text)
