"""The form for corrections of all files, of those in one layout, or of the selected files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, QTimer, Signal
from PySide6.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLabel, QLineEdit, QWidget

from app.dialogs.import_form import Scope, correction_of, number
from app.widgets import choice_box
from flora_engine.datasets.importing import ImportOptions
from flora_engine.readers.corrections import TURNS, Correction
from flora_engine.skeleton import LAYOUTS

_AS_IS = "as the file says"
_ALL, _SELECTED = ("all", ""), ("selected", "")


class CorrectionsForm(QWidget):
    """Shows the correction of one scope. An empty box, or "as the file says", changes nothing."""

    edited = Signal()  # a moment after the last of several changes
    scope_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.before = Correction()  # what the form showed before it was edited
        self._selected: tuple[Path, ...] = ()
        self.whose = choice_box([("all files", _ALL), ("the selected files", _SELECTED)])
        self.layout_box = choice_box([(_AS_IS, None)] + [(layout.title, name) for name, layout in LAYOUTS.items()])
        self.up = choice_box([(_AS_IS, None)] + [(axis, axis) for axis in TURNS])
        self.scale = QLineEdit(placeholderText="as is")
        self.scale.setToolTip("Factor to metres: 0.01 for centimetres")
        self.fps = QLineEdit(placeholderText="as is")
        self.fps.setToolTip("Frames per second, if the file does not say")
        for widget, name in (
            (self.whose, "Files to correct"),
            (self.layout_box, "Joint layout"),
            (self.up, "Up axis"),
            (self.scale, "Scale"),
            (self.fps, "Frame rate"),
        ):
            widget.setAccessibleName(name)
        self._fields: tuple[QComboBox | QLineEdit, ...] = (self.layout_box, self.up, self.scale, self.fps)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Correct", self.whose)
        form.addRow("Layout", self.layout_box)
        small = QHBoxLayout()
        self.up.setMinimumContentsLength(8)  # the numbers beside it need the room
        for title, widget in (("", self.up), ("Scale", self.scale), ("Frames/s", self.fps)):
            if title:
                small.addWidget(QLabel(title))
            small.addWidget(widget, 1)
        form.addRow("Up axis", small)
        self._timer = QTimer(self, singleShot=True, interval=300)
        self._timer.timeout.connect(self.edited)
        for box in (self.layout_box, self.up):
            box.currentIndexChanged.connect(lambda _: self._timer.start())
        for line in (self.scale, self.fps):
            line.textChanged.connect(lambda _: self._timer.start())
        self.whose.currentIndexChanged.connect(self._on_scope)

    def scope(self) -> Scope:
        """The files whose correction is shown."""
        kind, layout = self.whose.currentData()
        return Scope(files=self._selected, single=True) if kind == "selected" else Scope(layout)

    def correction(self) -> Correction:
        """The correction in the form; FloraError if a number is wrong."""
        return Correction(
            self.layout_box.currentData(),
            self.up.currentData(),
            number(self.scale.text(), "scale"),
            number(self.fps.text(), "frame rate"),
        )

    def show_options(self, options: ImportOptions) -> None:
        """Show what these options say about the scope."""
        scope = self.scope()
        said = correction_of(options, scope)
        blockers = [QSignalBlocker(widget) for widget in self._fields]
        self._timer.stop()
        self.before = said
        self.layout_box.setCurrentIndex(self.layout_box.findData(said.layout))
        self.up.setCurrentIndex(self.up.findData(said.up))
        for line, value in ((self.scale, said.scale), (self.fps, said.fps)):
            line.setText("" if value is None else f"{value:g}")
        for widget in self._fields:
            widget.setEnabled(not scope.single or bool(scope.files))
        del blockers

    def set_layouts(self, layouts: Sequence[str]) -> None:
        """Offer these layouts as scopes; a single layout is not offered."""
        wanted = [("layout", name) for name in (layouts if len(layouts) > 1 else ())]
        shown = [self.whose.itemData(place) for place in range(1, self.whose.count() - 1)]
        if wanted == [tuple(entry) for entry in shown]:
            return
        current = tuple(self.whose.currentData())
        blocker = QSignalBlocker(self.whose)
        for _ in shown:
            self.whose.removeItem(1)
        for place, (kind, name) in enumerate(wanted, start=1):
            self.whose.insertItem(place, f"files of {LAYOUTS[name].title}", (kind, name))
        places = [place for place in range(self.whose.count()) if tuple(self.whose.itemData(place)) == current]
        self.whose.setCurrentIndex(places[0] if places else 0)
        del blocker
        if not places:
            self.scope_changed.emit()

    def set_selected(self, files: Sequence[Path]) -> None:
        """The files that "the selected files" means."""
        self.finish()  # the typed text belongs to the files selected before
        self._selected = tuple(files)
        place = self.whose.count() - 1
        self.whose.setItemText(place, f"the selected files ({len(files):,})" if files else "the selected files")
        if self.whose.currentIndex() == place:
            self.scope_changed.emit()

    def show_scope(self, layout: str) -> None:
        """Show the correction of the files in a layout, or of all files ("")."""
        for place in range(self.whose.count()):
            if tuple(self.whose.itemData(place)) == (("layout", layout) if layout else _ALL):
                self.whose.setCurrentIndex(place)

    def finish(self) -> None:
        """Take what was just typed, without waiting."""
        if self._timer.isActive():
            self._timer.stop()
            self.edited.emit()

    def _on_scope(self) -> None:
        self._timer.stop()
        self.scope_changed.emit()
