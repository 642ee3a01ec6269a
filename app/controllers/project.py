"""Edits of the open project: classes of the selected recordings, undo and redo, the editors of classes and splits."""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtWidgets import QInputDialog, QWidget

from app.commands import key_text
from app.library.classes_editor import ClassesEditor
from app.library.panel import LibraryPanel
from app.library.recordings import counted
from app.library.split_editor import SplitEditor
from app.notice import Feedback
from app.session import Session

_CHANGING = "Changing the project…"


class ProjectEdits(QObject):
    """Every edit goes through the session."""

    def __init__(self, session: Session, library: LibraryPanel, feedback: Feedback, window: QWidget) -> None:
        super().__init__(window)
        self._session, self._library, self._feedback, self._window = session, library, feedback, window
        self.classes_editor: ClassesEditor | None = None
        self.split_editor: SplitEditor | None = None
        session.problem.connect(feedback.problem)
        session.closing.connect(self._close_editors)
        session.busy.connect(self._on_busy)

    def undo(self) -> None:
        self._session.undo(lambda title: self._say("Undone", title))

    def redo(self) -> None:
        self._session.redo(lambda title: self._say("Redone", title))

    def set_class(self, ids: list[int], name: str) -> None:
        """Label recordings of the project; "" clears their class."""
        self._session.edit(lambda project: project.labels.set(ids, " ".join(name.split()) or None))

    def ask_class(self) -> None:
        """Ask for the class of the selected recordings."""
        project = self._session.project
        if project is None:
            return
        ids = self._library.selected_ids()
        dialog = QInputDialog(self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle("Set class")
        dialog.setLabelText(f"Class of {counted(len(ids))} (a new name makes a new class)")
        dialog.setComboBoxItems(list(project.classes.names()))
        dialog.setComboBoxEditable(True)
        dialog.textValueSelected.connect(lambda name: self.set_class(ids, name))
        dialog.open()

    def clear_class(self) -> None:
        self.set_class(self._library.selected_ids(), "")

    def remove_selected(self) -> None:
        """Remove the selected recordings from the project."""
        ids = self._library.selected_ids()
        text = f"Removed {counted(len(ids))}; {key_text('library.undo')} restores them"
        self._session.edit(lambda project: project.recordings.remove(ids), lambda _: self._feedback.say(text))

    def show_classes(self) -> None:
        """The editor of classes and their texts."""
        if self._session.project is None:
            return
        if self.classes_editor is None:
            self.classes_editor = ClassesEditor(self._session, self._window)
        self.classes_editor.reload()
        self.classes_editor.show()
        self.classes_editor.raise_()

    def show_splits(self) -> None:
        """The editor of splits."""
        if self._session.project is None:
            return
        if self.split_editor is None:
            self.split_editor = SplitEditor(self._session, self._window)
        self.split_editor.reload()
        # Making the editor and showing it take some 30 ms each: one after the other, so that the window stays smooth.
        QTimer.singleShot(0, self, self._raise_splits)

    def _raise_splits(self) -> None:
        if self.split_editor is not None:
            self.split_editor.show()
            self.split_editor.raise_()

    def _close_editors(self) -> None:
        for editor in (self.split_editor, self.classes_editor):
            if editor is not None:
                editor.close()
                editor.deleteLater()
        self.split_editor = self.classes_editor = None

    def _on_busy(self, busy: bool) -> None:
        if busy:
            self._feedback.say(_CHANGING)
        else:
            self._feedback.unsay(_CHANGING)

    def _say(self, what: str, title: str | None) -> None:
        if title:
            self._feedback.say(f"{what}: {title}")
