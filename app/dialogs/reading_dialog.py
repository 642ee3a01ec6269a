"""Asks how a file is to be read, with the skeleton as it is read so far, and keeps the answer as a reading recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QCheckBox, QDialog, QHBoxLayout, QLabel, QLineEdit, QSplitter, QVBoxLayout, QWidget

from app.dialogs.reading_form import ReadingForm
from app.theme import current_theme
from app.viewer.badge import note_text
from app.viewer.player import Player
from app.viewer.scene import Scene
from app.widgets import button, buttons_row, sentence
from app.workers.tasks import Newest
from flora_engine.errors import FloraError
from flora_engine.readers import Attempt, attempt_sequence
from flora_engine.readers.reading_recipes import ReadingRecipe, recipe_files, save_recipe


@dataclass(frozen=True)
class Answer:
    """How a file is to be read."""

    path: Path
    recipe: ReadingRecipe


@dataclass(frozen=True)
class _Tried:
    attempt: Attempt
    scene: Scene | None


def _try(path: Path, recipe: ReadingRecipe) -> _Tried:
    found = attempt_sequence(path, recipe=recipe)
    return _Tried(found, None if found.sequence is None else Scene(found.sequence))


class ReadingDialog(QDialog):
    """The fields on the left, the skeleton on the right; what is chosen is read again off the window's thread.

    found: what came of reading the file as it is; its `names` must not be empty. keep: the answer has to be kept.
    """

    answered = Signal(object)  # Answer

    def __init__(self, found: Attempt, parent: QWidget | None = None, *, keep: bool = False) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"Read {found.path.name}")
        self._path = found.path
        self.form = ReadingForm(found)
        self.player = Player(opengl=False)
        self.player.set_theme(current_theme())
        self.notes = QLabel(wordWrap=True)
        self.notes.setProperty("role", "muted")
        self.notes.setAccessibleName("What is taken for what")
        self.keep = QCheckBox("Keep as a recipe for files like this")
        self.keep.setChecked(True)
        self.keep.setEnabled(not keep)
        self.name = QLineEdit(found.recipe.name if found.recipe and found.recipe.name else found.path.stem[:40])
        self.name.setAccessibleName("Name of the recipe")
        self.message = QLabel(wordWrap=True)
        self.go_button = button("Read it like this", self.go, primary=True)
        self._task = Newest(self)
        self._task.done.connect(self._on_tried)
        self._task.failed.connect(self._on_problem)
        self._ready: ReadingRecipe | None = None
        self._lay_out()
        self.form.edited.connect(self.try_it)
        self.keep.toggled.connect(self.name.setEnabled)
        self.keep.toggled.connect(self._refresh)
        self.name.textChanged.connect(self._refresh)
        self.try_it()

    @property
    def is_busy(self) -> bool:
        return self._task.is_busy

    def try_it(self) -> None:
        """Read the file as the fields say, and show it."""
        self._ready = None
        self._refresh()
        try:
            recipe = self.form.recipe()
        except FloraError as error:
            self._on_problem(str(error))
            return
        self._task.submit(lambda: _try(self._path, recipe))

    def go(self) -> None:
        """Take the answer: keep it if that is wanted, and close."""
        if self._ready is None:
            return
        recipe = self._ready
        if self.keep.isChecked():
            try:
                save_recipe(recipe, self.name.text())
            except FloraError as error:
                self.message.setText(sentence(str(error)))
                return
            recipe = recipe.model_copy(update={"name": self.name.text().strip()})
        self.accept()
        self.answered.emit(Answer(self._path, recipe))

    def done(self, result: int) -> None:
        """Stop playing, and close."""
        self._task.forget()
        self.player.show_sequence(None)
        super().done(result)

    def _lay_out(self) -> None:
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 8, 0)
        column.addWidget(self.form, 1)
        right = QWidget()
        preview = QVBoxLayout(right)
        preview.setContentsMargins(0, 0, 0, 0)
        preview.addWidget(self.player, 1)
        preview.addWidget(self.notes)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(left)
        split.addWidget(right)
        split.setSizes([400, 520])
        split.setChildrenCollapsible(False)
        keeping = QHBoxLayout()
        keeping.addWidget(self.keep)
        keeping.addWidget(self.name, 1)
        whole = QVBoxLayout(self)
        whole.addWidget(split, 1)
        whole.addLayout(keeping)
        whole.addLayout(buttons_row(self.message, self.go_button, button("Cancel", self.reject)))
        self.setMinimumSize(760, 480)
        self.resize(940, 600)

    def _on_tried(self, tried: object) -> None:
        assert isinstance(tried, _Tried)
        found = tried.attempt
        if found.sequence is None:
            self._on_problem(found.problem.removeprefix(f"{self._path}: "))
            return
        self._ready = found.recipe
        self.player.show_sequence(found.sequence, tried.scene)
        notes = [note for note in found.sequence.notes if note.about != "recipe"]
        self.notes.setText(note_text(notes))
        QTimer.singleShot(0, self.player.fit)  # once the notes have taken their room
        self._refresh()

    def _on_problem(self, problem: str) -> None:
        self.player.show_sequence(None)
        self.notes.clear()
        self.message.setText(sentence(problem))
        self.go_button.setEnabled(False)

    def _refresh(self) -> None:
        self.go_button.setEnabled(self._ready is not None)
        name = self.name.text().strip()
        replaced = self.keep.isChecked() and name in recipe_files()
        self.message.setText(f"The recipe “{name}” will be replaced." if replaced else "")
