"""Bring recordings into a project: a look at what the files hold before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.library.import_form import Look, advice_of, look_at, number
from app.theme import LIGHT, Theme
from app.widgets import EndElided, sentence
from app.workers.tasks import Newest
from flora_engine.datasets.catalogue import dataset_names, load_dataset
from flora_engine.datasets.importing import ImportOptions
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.readers.corrections import TURNS
from flora_engine.skeleton import LAYOUTS

_AS_IS = "as the file says"
_MARKS = {"good": "✓ good", "doubtful": "! doubtful", "bad": "✕ odd", "unreadable": "✕ unreadable"}


@dataclass(frozen=True)
class ImportRequest:
    """What the user asked for, JSON-ready for the worker."""

    paths: tuple[Path, ...]
    options: ImportOptions


class ImportDialog(QDialog):
    """Looks at a sample of the files again whenever a correction changes; only the newest look is shown."""

    wanted = Signal(object)  # ImportRequest

    def __init__(self, paths: Sequence[Path] = (), theme: Theme = LIGHT, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Import recordings")
        self.resize(960, 600)
        self.setMinimumSize(780, 480)
        self._theme = theme
        self.paths: list[Path] = []
        self.look: Look | None = None
        self._job: Job | None = None
        self._task = Newest(self)
        self._task.done.connect(self._on_look)
        self._task.failed.connect(self._on_problem)
        self._timer = QTimer(self, singleShot=True, interval=300)
        self._timer.timeout.connect(self.look_now)
        self._make_parts()
        self._lay_out()
        self.add_paths(paths)

    def add_paths(self, paths: Sequence[Path]) -> None:
        """More files or folders to import."""
        self.paths += [path for path in paths if path not in self.paths]
        home = f"{Path.home()}/"
        names = [f"~/{text.removeprefix(home)}" if text.startswith(home) else text for text in map(str, self.paths)]
        self._where.setText("\n".join(names[:4]) + (" …" if len(names) > 4 else ""))
        self.look_now()

    def options(self) -> ImportOptions:
        """The form as the engine wants it; FloraError where a number is none."""
        source = self.labels.currentData()
        return ImportOptions(
            labels=Path(self.table.text()) if source == "table" and self.table.text() else None,
            labels_from="names" if source == "table" else source,
            dataset=self.dataset.currentData(),
            layout=self.layout_box.currentData(),
            up=self.up.currentData(),
            scale=number(self.scale.text(), "scale"),
            fps=number(self.fps.text(), "frame rate"),
        )

    def look_now(self) -> None:
        """Inspect a sample of the files with the corrections of the form."""
        self._timer.stop()
        self._go.setEnabled(False)
        if self._job is not None:
            self._job.stop()  # the look that is running is stale
        if not self.paths:
            self._say("Choose files or a folder, or drag them here.")
            return
        try:
            options = self.options()
        except FloraError as error:
            self._say(str(error))
            return
        job, paths = Job(), list(self.paths)
        self._job = job
        self._say("Looking at the files…")
        self._task.submit(lambda: look_at(job, paths, options))

    def go(self) -> None:
        """Ask for the import and close."""
        try:
            request = ImportRequest(tuple(self.paths), self.options())
        except FloraError as error:
            self._say(str(error))
            return
        self.accept()
        self.wanted.emit(request)

    def done(self, result: int) -> None:
        if self._job is not None:
            self._job.stop()
        super().done(result)

    # -- building ------------------------------------------------------------------------------------------------

    def _make_parts(self) -> None:
        self.setAcceptDrops(True)
        self._where = QLabel(wordWrap=True, textInteractionFlags=Qt.TextInteractionFlag.TextSelectableByMouse)
        self._where.setMinimumWidth(220)
        self.labels = _box(
            [
                ("file names or the files themselves", "names"),
                ("folder names", "folders"),
                ("a CSV (file,class)…", "table"),
                ("nowhere", "none"),
            ]
        )
        self.table = QLineEdit(placeholderText="CSV with the columns file and class")
        self.dataset = _box([("as the files tell", None)] + [(load_dataset(n).title, n) for n in dataset_names()])
        self.layout_box = _box([(_AS_IS, None)] + [(layout.title, name) for name, layout in LAYOUTS.items()])
        self.up = _box([(_AS_IS, None)] + [(axis, axis) for axis in TURNS])
        self.scale = QLineEdit(placeholderText="as is", toolTip="Factor to metres: 0.01 for centimetres")
        self.fps = QLineEdit(placeholderText="as is", toolTip="Frames a second, where the file does not say")
        self.files = QTreeWidget()
        self.files.setHeaderLabels(["File", "Looks", "Class", "Frames", "Persons", "Up", "What was found"])
        self.files.setRootIsDecorated(False)
        self.files.setUniformRowHeights(True)
        self.files.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        for column in (2, 6):
            self.files.setItemDelegateForColumn(column, EndElided(self.files))
        header = self.files.header()
        for column, width in enumerate((210, 92, 140, 64, 68, 44)):
            header.resizeSection(column, width)
        header.setSectionResizeMode(6, QHeaderView.ResizeMode.Stretch)
        self.message = QLabel(wordWrap=True)
        self._advice = QPushButton()
        self._advice.setAutoDefault(False)
        self._advice.hide()
        self._advice.clicked.connect(self._take_advice)
        for widget, name in (
            (self.labels, "Labels come from"),
            (self.table, "CSV file of labels"),
            (self.dataset, "Action numbers mean the classes of"),
            (self.layout_box, "Joint layout"),
            (self.up, "Up axis"),
            (self.scale, "Scale"),
            (self.fps, "Frame rate"),
            (self.files, "Files"),
        ):
            widget.setAccessibleName(name)
        for box in (self.labels, self.dataset, self.layout_box, self.up):
            box.currentIndexChanged.connect(lambda _: self._timer.start())
        for line in (self.table, self.scale, self.fps):
            line.textChanged.connect(lambda _: self._timer.start())
        self.labels.currentIndexChanged.connect(self._on_labels)

    def _lay_out(self) -> None:
        pick = QHBoxLayout()
        pick.addWidget(self._where, 1)
        for title, act in (("Files…", self._pick_files), ("Folder…", self._pick_folder)):
            pick.addWidget(_button(title, act))
        self._form = QFormLayout()
        self._form.addRow("Labels from", self.labels)
        self._form.addRow("CSV", self.table)
        self._form.addRow("Action numbers", self.dataset)
        self._form.setRowVisible(self.table, False)
        corrections = QFormLayout()
        corrections.addRow("Layout", self.layout_box)
        small = QHBoxLayout()
        for title, widget in (("", self.up), ("Scale", self.scale), ("Frames/s", self.fps)):
            if title:
                small.addWidget(QLabel(title))
            small.addWidget(widget)
        corrections.addRow("Up axis", small)
        forms = QHBoxLayout()
        forms.addLayout(self._form, 1)
        forms.addSpacing(16)
        forms.addLayout(corrections, 1)
        foot = QHBoxLayout()
        foot.addWidget(self.message, 1)
        foot.addWidget(self._advice)
        self._go = QPushButton("Import")
        self._go.setProperty("primary", True)
        self._go.setDefault(True)
        self._go.clicked.connect(self.go)
        foot.addWidget(self._go)
        foot.addWidget(_button("Cancel", self.reject))
        column = QVBoxLayout(self)
        column.addLayout(pick)
        column.addLayout(forms)
        column.addWidget(self.files, 1)
        column.addLayout(foot)

    # -- showing -------------------------------------------------------------------------------------------------

    def _on_look(self, look: object) -> None:
        assert isinstance(look, Look)
        self.look = look
        self.files.clear()
        self.files.addTopLevelItems([self._item(line.cells, line.verdict, line.detail) for line in look.lines])
        self._say(look.summary)
        self._go.setEnabled(look.readable > 0)
        advice = advice_of(look)
        self._advice.setVisible(advice is not None)
        if advice is not None:
            self._advice.setText(advice.text)

    def _item(self, cells: tuple[str, ...], verdict: str, detail: str) -> QTreeWidgetItem:
        item = QTreeWidgetItem([cells[0], _MARKS[verdict], *cells[1:]])
        item.setToolTip(6, detail)
        item.setToolTip(0, cells[0])
        if verdict != "good":
            item.setBackground(1, QColor(self._theme.warning))
            item.setForeground(1, QColor(self._theme.on_warning))
        return item

    def _take_advice(self) -> None:
        advice = advice_of(self.look) if self.look is not None else None
        if advice is None:
            return
        blockers = [QSignalBlocker(widget) for widget in (self.layout_box, self.up, self.scale)]
        if advice.layout is not None:
            self.layout_box.setCurrentIndex(self.layout_box.findData(advice.layout))
        if advice.up is not None:
            self.up.setCurrentIndex(self.up.findData(advice.up))
        if advice.scale is not None:
            self.scale.setText(f"{advice.scale:g}")
        del blockers
        self.look_now()

    def _on_labels(self) -> None:
        table = self.labels.currentData() == "table"
        self._form.setRowVisible(self.table, table)
        if table and not self.table.text():
            name, _ = QFileDialog.getOpenFileName(self, "Labels", "", "CSV (*.csv)")
            self.table.setText(name)

    def _pick_files(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, "Recordings to import")
        self.add_paths([Path(name) for name in names])

    def _pick_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Folder to import")
        self.add_paths([Path(name)] if name else [])

    def dragEnterEvent(self, event: Any) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        event.acceptProposedAction()
        self.add_paths([Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()])

    def _on_problem(self, problem: str) -> None:
        self.files.clear()
        self._say(problem)

    def _say(self, text: str) -> None:
        self.message.setText(sentence(text))


def _box(entries: Sequence[tuple[str, object]]) -> QComboBox:
    box = QComboBox()
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(12)
    for title, value in entries:
        box.addItem(title, value)
    return box


def _button(title: str, act: Callable[[], object]) -> QPushButton:
    button = QPushButton(title)
    button.setAutoDefault(False)
    button.clicked.connect(act)
    return button
