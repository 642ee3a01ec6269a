"""Prepare NTU RGB+D or PKU-MMD from their raw files into a project, as `flora prepare` does."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from app.library.prepare_form import TITLES, PrepareRequest, glance, unfinished, where
from app.widgets import button, buttons_row, path_row, sentence
from app.workers.tasks import Newest
from flora_engine.processes import cpu_count
from flora_engine.project.schema import DATABASE


class PrepareDialog(QDialog):
    """Says what is there before anything is read; the work itself goes on in the main window."""

    wanted = Signal(object)  # PrepareRequest

    def __init__(self, project: Path | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Prepare a published data set")
        self.resize(680, 360)
        self.setMinimumSize(560, 360)
        self._project = project
        self.found = ""  # what the last look found; "" while there is nothing to prepare
        self._task = Newest(self)
        self._task.done.connect(self._on_found)
        self._task.failed.connect(self._on_problem)
        self._timer = QTimer(self, singleShot=True, interval=300)
        self._timer.timeout.connect(self._look)
        self._make_parts()
        self._lay_out()
        self._go_on_where_it_stopped()
        self._on_dataset()

    def request(self) -> PrepareRequest:
        """The form as the engine wants it."""
        missing = self.missing.text().strip()
        return PrepareRequest(
            self.dataset.currentData(),
            Path(self.source.text().strip()),
            self.target(),
            Path(missing) if missing else None,
            self.jobs.value(),
        )

    def target(self) -> Path:
        """The project's folder."""
        open_one = self.into.currentData()
        return open_one if isinstance(open_one, Path) else Path(self.folder.text().strip())

    def go(self) -> None:
        """Ask for the preparation and close."""
        if self._go.isEnabled():
            request = self.request()
            self.accept()
            self.wanted.emit(request)

    # -- building ------------------------------------------------------------------------------------------------

    def _make_parts(self) -> None:
        self.dataset = QComboBox()
        for name, title in TITLES.items():
            self.dataset.addItem(title, name)
        self.source = QLineEdit()
        self._where = QLabel(wordWrap=True)
        self._where.setProperty("role", "muted")
        self.into = QComboBox()
        if self._project is not None:
            self.into.addItem(f"The open project, {self._project.name}", self._project)
        self.into.addItem("Another project, or a new one", None)
        self.folder = QLineEdit(placeholderText="Folder of the project; made where there is none")
        self.missing = QLineEdit(placeholderText="The published lists found near the raw files")
        self.jobs = QSpinBox(minimum=1, maximum=256, value=cpu_count())
        self.jobs.setToolTip("Files are read by as many processes at a time")
        self.message = QLabel(wordWrap=True)
        for widget, name in (
            (self.dataset, "Data set"),
            (self.source, "Raw files"),
            (self.into, "Into which project"),
            (self.folder, "Folder of the project"),
            (self.missing, "List of recordings to leave out"),
            (self.jobs, "Processes"),
        ):
            widget.setAccessibleName(name)
        self.dataset.currentIndexChanged.connect(self._on_dataset)
        self.into.currentIndexChanged.connect(self._on_into)
        for line in (self.source, self.missing, self.folder):
            line.textChanged.connect(self._on_text)

    def _lay_out(self) -> None:
        self._form = QFormLayout()
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form.addRow("Data set", self.dataset)
        source = path_row(self.source, ("Folder…", self._pick_folder), ("NPZ file…", self._pick_file))
        self._form.addRow("Raw files", source)
        self._form.addRow("", self._where)
        self._form.addRow("Into", self.into)
        self._folder_row = path_row(self.folder, ("Folder…", self._pick_target))
        self._form.addRow("Project", self._folder_row)
        self._form.addRow("Leave out", path_row(self.missing, ("List…", self._pick_list)))
        few = QHBoxLayout()
        few.addWidget(self.jobs)
        few.addStretch(1)
        self._form.addRow("Processes", few)
        self._form.setRowVisible(self._folder_row, self._project is None)
        self._go = button("Prepare", self.go, primary=True)
        self._go.setEnabled(False)
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.addLayout(self._form)
        column.addStretch(1)
        column.addLayout(buttons_row(self.message, self._go, button("Cancel", self.reject)))

    def _go_on_where_it_stopped(self) -> None:
        stopped = unfinished(self._project) if self._project is not None else None
        if stopped is not None:
            self.dataset.setCurrentIndex(self.dataset.findData(stopped[0]))
            self.source.setText(str(stopped[1]))

    # -- what happens --------------------------------------------------------------------------------------------

    def _on_dataset(self) -> None:
        text = where(self.dataset.currentData())
        self._where.setText(f"{text} Or a published split file (.npz) in place of raw files.")
        self._on_text()

    def _on_into(self) -> None:
        self._form.setRowVisible(self._folder_row, self.into.currentData() is None)
        self._on_text()

    def _on_text(self) -> None:
        self.found = ""
        self._go.setEnabled(False)
        self._task.forget()
        self._timer.start()

    def _look(self) -> None:
        if not self.source.text().strip():
            self.message.setText("Choose where the raw files are.")
            return
        request = self.request()
        self.message.setText("Looking at the files…")
        self._task.submit(lambda: glance(request.dataset, request.source, request.missing))

    def _on_found(self, found: object) -> None:
        self.found = str(found)
        if self.target() == Path():
            self.message.setText(f"{self.found} Choose a project for them.")
            return
        again = (self.target() / DATABASE).is_file()
        more = " What the project holds already is not read again." if again else ""
        self.message.setText(self.found + more)
        self._go.setEnabled(True)

    def _on_problem(self, problem: str) -> None:
        self.message.setText(sentence(problem))

    def _pick_folder(self) -> None:
        if name := QFileDialog.getExistingDirectory(self, "Folder of the raw files", self.source.text()):
            self.source.setText(name)

    def _pick_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Published split file", "", "Split files (*.npz)")
        if name:
            self.source.setText(name)

    def _pick_target(self) -> None:
        if name := QFileDialog.getExistingDirectory(self, "Folder of the project", self.folder.text()):
            self.folder.setText(name)

    def _pick_list(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Recordings to leave out", "", "Lists (*.txt);;All files (*)")
        if name:
            self.missing.setText(name)
