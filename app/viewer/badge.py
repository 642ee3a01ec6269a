"""The badge over the 3D view: what was guessed of the recording on screen, what is made up, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QLabel, QToolButton, QVBoxLayout, QWidget

from app.widgets import button
from flora_engine.skeleton import Note

_GUESSES = ("layout", "up axis", "unit", "left and right", "frame rate")
_SURE = {"sure": "", "likely": " (likely)", "unsure": " (not sure)"}


def badge_text(notes: Sequence[Note]) -> str:
    """The badge in a few words: "Guessed: up axis, frame rate · joints made up · gaps filled"; "" for nothing."""
    about = {note.about for note in notes}
    doubtful = {note.about for note in notes if note.sure != "sure" or note.conflict}
    guessed = [each for each in _GUESSES if each in about]
    unsure = [each for each in guessed if each in doubtful]
    parts = [f"Guessed: {', '.join(unsure)}" if unsure else "Guessed from the body" if guessed else ""]
    others = {"joints": "joints made up", "gaps": "gaps filled", "recipe": "read by a recipe"}
    parts += [words for name, words in others.items() if name in about]
    text = " · ".join(part for part in parts if part)
    return text[:1].upper() + text[1:]


def is_doubtful(notes: Sequence[Note]) -> bool:
    """Whether a guess is not sure, or contradicts the file."""
    return any(note.sure == "unsure" or note.conflict for note in notes if note.about in _GUESSES)


def note_text(notes: Sequence[Note]) -> str:
    """A line per note."""
    lines = [f"{'!' if note.conflict else '•'} {note.about}: {note.text}{_SURE[note.sure]}" for note in notes]
    return "\n".join(lines)


class Badge(QToolButton):
    """Shows the words of `badge_text`; a click or Return shows every note, with a button to read the file again."""

    differently = Signal()  # the file is to be read in another way

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.notes: tuple[Note, ...] = ()
        self.popup = _Notes(self)
        self.popup.button.clicked.connect(self._on_differently)
        self.clicked.connect(self.show_notes)
        self.hide()

    def show_of(self, notes: Sequence[Note], *, again: bool) -> None:
        """Show what these notes say, or nothing. again: whether the file can be read in another way."""
        self.notes = tuple(notes)
        text = badge_text(notes)
        self.popup.hide()
        self.popup.text.setText(note_text(notes))
        self.popup.button.setVisible(again)
        self.setText(text)
        self.setToolTip(note_text(notes))
        self.setAccessibleName(f"How the file was read. {text}")
        self.setProperty("role", "doubt" if is_doubtful(notes) else "quiet")
        self.style().unpolish(self)
        self.style().polish(self)
        self.adjustSize()
        self.setVisible(bool(text))

    def show_notes(self) -> None:
        """Open the list of notes below the badge."""
        self.popup.adjustSize()
        self.popup.move(self.mapToGlobal(QPoint(0, self.height() + 2)))
        self.popup.show()
        (self.popup.button if self.popup.button.isVisible() else self.popup).setFocus()

    def _on_differently(self) -> None:
        self.popup.hide()
        self.differently.emit()


class _Notes(QFrame):
    """The notes in full; Escape or a click beside it closes it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setAccessibleName("How the file was read")
        self.text = QLabel(wordWrap=True, textInteractionFlags=Qt.TextInteractionFlag.TextSelectableByMouse)
        self.text.setMinimumWidth(380)
        self.button = button("Read this file differently…", lambda: None, primary=True)
        column = QVBoxLayout(self)
        column.addWidget(self.text)
        column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.hide()
            return
        super().keyPressEvent(event)
