"""Write what a project holds into files that other programs read, as `flora export` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QDialog, QFileDialog, QFormLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from app.widgets import button, buttons_row, path_row
from flora_engine.commands.export import KINDS
from flora_engine.datasets import pku

_TITLES = {
    "labels": ("Labels (CSV)", "One line a label; recordings without one have an empty class."),
    "splits": ("Splits (YAML)", "A file for each split of the project, as configurations read them."),
}
_NTU = "The published layout of prepared recordings: 300 frames, one-hot labels. Needs prepared NTU RGB+D."
_PKU = "The published layout of prepared clips: 64 frames. Needs prepared PKU-MMD and its split files."


@dataclass(frozen=True)
class ExportRequest:
    """kind: one of `flora_engine.commands.export.KINDS`. out: a file, for splits a folder."""

    kind: str
    out: Path
    splits: Path | None = None

    def arguments(self, project: Path) -> dict[str, Any]:
        """JSON-ready arguments of the worker's action `export`."""
        splits = None if self.splits is None else str(self.splits)
        return {"kind": self.kind, "project": str(project), "out": str(self.out), "splits": splits}


def titles() -> list[tuple[str, str]]:
    """(title, kind) of everything that can be exported, labels and splits first."""
    first = [(title, kind) for kind, (title, _) in _TITLES.items()]
    return first + [(f"Published split file {kind}.npz", kind) for kind in KINDS if kind not in _TITLES]


class ExportDialog(QDialog):
    """Asks what to write and where to."""

    wanted = Signal(object)  # ExportRequest

    def __init__(self, project: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"Export from {project.name}")
        self.resize(620, 270)
        self.setMinimumSize(560, 270)
        self._project = project
        self.kind = QComboBox()
        self.kind.setAccessibleName("What to export")
        for title, kind in titles():
            self.kind.addItem(title, kind)
        self.out = QLineEdit()
        self.out.setAccessibleName("Where to")
        self.splits = QLineEdit(placeholderText="Looked for beside the raw files")
        self.splits.setAccessibleName("Folder of the split files")
        self._what = QLabel(wordWrap=True)
        self._what.setProperty("role", "muted")
        self._form = QFormLayout()
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form.addRow("What", self.kind)
        self._form.addRow("", self._what)
        self._form.addRow("Where to", path_row(self.out, ("Choose…", self._pick_out)))
        self._splits_row = path_row(self.splits, ("Folder…", self._pick_splits))
        self._form.addRow("Split files", self._splits_row)
        self.message = QLabel(wordWrap=True)
        self._go = button("Export", self.go, primary=True)
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.addLayout(self._form)
        column.addStretch(1)
        column.addLayout(buttons_row(self.message, self._go, button("Cancel", self.reject)))
        self.kind.currentIndexChanged.connect(self._on_kind)
        self.out.textChanged.connect(self._on_out)
        self._on_kind()

    def request(self) -> ExportRequest:
        splits = self.splits.text().strip()
        kind = self.kind.currentData()
        use = bool(splits) and kind in pku.EXPORTS
        return ExportRequest(kind, Path(self.out.text().strip()), Path(splits) if use else None)

    def go(self) -> None:
        """Ask for the export and close."""
        if self._go.isEnabled():
            request = self.request()
            self.accept()
            self.wanted.emit(request)

    def _on_kind(self) -> None:
        kind = self.kind.currentData()
        self._what.setText(_TITLES[kind][1] if kind in _TITLES else _PKU if kind in pku.EXPORTS else _NTU)
        self._form.setRowVisible(self._splits_row, kind in pku.EXPORTS)
        name = {"labels": "labels.csv", "splits": "splits"}.get(kind, f"{kind}.npz")
        self.out.setText(str(self._project.parent / name))
        self._on_out()

    def _on_out(self) -> None:
        text = self.out.text().strip()
        out = Path(text)
        self._go.setEnabled(bool(text))
        there = bool(text) and self.kind.currentData() != "splits" and out.exists()
        self.message.setText(f"{out.name} is there and will be replaced." if there else "")

    def _pick_out(self) -> None:
        start = self.out.text()
        if self.kind.currentData() == "splits":
            name = QFileDialog.getExistingDirectory(self, "Folder for the splits", start)
        else:
            options = QFileDialog.Option.DontConfirmOverwrite  # the dialog says so itself
            name, _ = QFileDialog.getSaveFileName(self, "File to write", start, options=options)
        if name:
            self.out.setText(name)

    def _pick_splits(self) -> None:
        if name := QFileDialog.getExistingDirectory(self, "Folder of the split files", self.splits.text()):
            self.splits.setText(name)
