"""Prepare NTU RGB+D or PKU-MMD from their raw files into a project, as `flora prepare` does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QLabel, QLineEdit, QSpinBox, QWidget

from app.dialogs.form import Field, FormDialog, file_choice, folder_choice
from app.dialogs.prepare_form import TITLES, PrepareRequest, glance, unfinished, where
from app.widgets import choice_box
from flora_engine.processes import cpu_count
from flora_engine.project import is_project

_LISTS = "Lists (*.txt);;All files (*)"


class PrepareDialog(FormDialog):
    """Counts the files before any is read; the work itself runs in the main window."""

    def __init__(self, project: Path | None = None, parent: QWidget | None = None) -> None:
        super().__init__("Prepare a published data set", "Prepare", parent)
        self._project = project
        self.dataset = choice_box([(title, name) for name, title in TITLES.items()])
        self.source = QLineEdit()
        self._where = QLabel(wordWrap=True)
        self._where.setProperty("role", "muted")
        open_one = [] if project is None else [(f"The open project, {project.name}", project)]
        self.into = choice_box([*open_one, ("Another project, or a new one", None)])
        self.folder = QLineEdit(placeholderText="Folder of the project; created if it does not exist")
        self.missing_list = QLineEdit(placeholderText="The published lists found near the raw files")
        self.jobs = QSpinBox(minimum=1, maximum=256, value=cpu_count())
        self.jobs.setToolTip("Number of worker processes")
        self.dataset.currentIndexChanged.connect(self._on_dataset)
        self.into.currentIndexChanged.connect(self._on_into)
        self.build(self._fields(), size=(680, 380))
        self._on_dataset()
        self._on_into()
        self._resume()

    def show_source(self, dataset: str, source: Path) -> None:
        """Fill in what is to be prepared, and a folder beside it if no project is open."""
        self.dataset.setCurrentIndex(self.dataset.findData(dataset))
        self.source.setText(str(source))
        if self._project is None:
            self.folder.setText(str(source.with_name(f"{source.stem} project")))

    def request(self) -> PrepareRequest:
        missing = self.missing_list.text().strip()
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

    def missing(self) -> str:
        return "" if self.source.text().strip() else "Choose the folder of the raw files."

    def still_missing(self) -> str:
        return "Choose a project for them." if self.target() == Path() else ""

    def check(self, request: Any) -> str:
        found = glance(request.dataset, request.source, request.missing)
        again = request.project != Path() and is_project(request.project)
        return f"{found} Recordings that are already in the project are not read again." if again else found

    def _fields(self) -> tuple[Field, ...]:
        raw = folder_choice(self.source, "Folder of the raw files")
        npz = file_choice(self.source, "Published split file", "Split files (*.npz)", "NPZ file…")
        project = folder_choice(self.folder, "Folder of the project")
        lists = file_choice(self.missing_list, "Recordings to leave out", _LISTS, "List…")
        return (
            Field("Data set", self.dataset),
            Field("Raw files", self.source, "", (raw, npz)),
            Field("", self._where),
            Field("Into", self.into, "Project to prepare into"),
            Field("Project", self.folder, "Folder of the project", (project,)),
            Field("Leave out", self.missing_list, "List of recordings to leave out", (lists,)),
            Field("Processes", self.jobs, "", (), compact=True),
        )

    def _resume(self) -> None:
        """Offer a preparation of this project that was stopped."""
        stopped = unfinished(self._project) if self._project is not None else None
        if stopped is not None:
            self.dataset.setCurrentIndex(self.dataset.findData(stopped[0]))
            self.source.setText(str(stopped[1]))

    def _on_dataset(self) -> None:
        text = where(self.dataset.currentData())
        self._where.setText(f"{text} Or a published split file (.npz) in place of raw files.")

    def _on_into(self) -> None:
        self.form.show_row(self.folder, self.into.currentData() is None)
