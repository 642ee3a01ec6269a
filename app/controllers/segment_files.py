"""Dialogs about segments: which class, which file; and the question before unsaved ones are lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QFileDialog, QInputDialog, QMessageBox, QWidget

from app.notice import Feedback
from app.widgets import TextDialog
from app.workers.tasks import attempt
from flora_engine.labelling.exchange import FORMATS, Recording, look_at, write_segments
from flora_engine.labelling.segment_file import SegmentFile
from flora_engine.labelling.segments import Annotation, Segment

FILTERS = {f"{form.title} (*{form.suffix})": form.name for form in FORMATS.values()}


class SegmentDialogs(QObject):
    """Asks, and calls back with the answer."""

    def __init__(self, feedback: Feedback, window: QWidget) -> None:
        super().__init__(window)
        self._feedback, self._window = feedback, window
        self.problems: TextDialog | None = None  # of the last import, while it is open
        self.question: QMessageBox | None = None

    def ask_class(self, title: str, names: Sequence[str], first: str, then: Callable[[str], object]) -> QInputDialog:
        """Ask for a class; `first` stands in the box."""
        dialog = QInputDialog(self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle(title)
        dialog.setLabelText("Class (a new name makes a new class)")
        dialog.setComboBoxItems(list(names))
        dialog.setComboBoxEditable(True)
        dialog.setTextValue(first or next(iter(names), ""))
        dialog.textValueSelected.connect(then)
        dialog.open()
        return dialog

    def ask_import(self, about: Annotation, then: Callable[[tuple[Segment, ...]], object]) -> None:
        """Choose a file of segments for a recording."""
        name, _ = QFileDialog.getOpenFileName(self._window, f"Segments of {about.file}")
        if name:
            self.read(Path(name), about, then)

    def read(self, path: Path, about: Annotation, then: Callable[[tuple[Segment, ...]], object]) -> None:
        """Read a file of segments; if something is wrong with it, a dialog names every line, and nothing is taken."""
        found, problem = attempt(lambda: look_at(path, Recording(about.fps, about.frames)))
        if problem:
            self._feedback.problem(problem)
            return
        segments, bad = found
        if bad:
            heading = (
                f"Nothing was imported: {len(bad)} of {len(bad) + len(segments)} entries of {path.name} are wrong."
            )
            text = "\n".join(f"{place}: {what}" for place, what in bad)
            self.problems = TextDialog("Problems in the segments", heading, text, self._window)
            self.problems.destroyed.connect(self._on_closed)
            self.problems.open()
            return
        then(segments)
        self._feedback.say(f"Read {len(segments)} segments from {path.name}")

    def ask_export(self, annotation: Annotation) -> None:
        """Choose a file and a format."""
        name, chosen = QFileDialog.getSaveFileName(
            self._window, "Export segments", Path(annotation.file).stem, ";;".join(FILTERS)
        )
        if name:
            self.write(Path(name), annotation, FILTERS.get(chosen, "csv"))

    def write(self, path: Path, annotation: Annotation, form: str) -> None:
        """Write segments; the notice says what became of it."""
        path = path if path.suffix else path.with_suffix(FORMATS[form].suffix)
        _, problem = attempt(lambda: write_segments(path, annotation, form))
        if problem:
            self._feedback.problem(problem)
        else:
            self._feedback.notice.say(f"Wrote {len(annotation.segments)} segments to {path}.")

    def may_close(self, unsaved: list[SegmentFile]) -> bool:
        """Whether nothing is unsaved; else the question is on screen."""
        if not unsaved:
            return True
        if self.question is None:
            self.question = self._ask(unsaved)
        return False

    def _ask(self, unsaved: list[SegmentFile]) -> QMessageBox:
        box = QMessageBox(self._window)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("Segments are not saved")
        box.setText(f"The segments of {', '.join(file.recording.name for file in unsaved[:3])} are not saved.")
        box.setInformativeText("They are written beside the recording.")
        buttons = QMessageBox.StandardButton
        box.setStandardButtons(buttons.Save | buttons.Discard | buttons.Cancel)

        def answered(result: int) -> None:
            self.question = None
            if result == buttons.Cancel:
                return
            for file in unsaved:
                _, problem = attempt(file.save if result == buttons.Save else file.discard)
                if problem:
                    self._feedback.problem(problem)
                    return
            self._window.close()

        box.finished.connect(answered)
        box.open()
        return box

    def _on_closed(self) -> None:
        self.problems = None
