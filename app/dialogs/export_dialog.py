"""Write what a project holds into files for other programs, as `flora export` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QFileDialog, QLabel, QLineEdit, QWidget

from app.dialogs.form import Field, FormDialog, folder_choice
from app.widgets import choice_box
from flora_engine.datasets import pku
from flora_engine.recipes.export import KINDS

_TITLES = {
    "labels": ("Labels (CSV)", "One line per label. A recording without a label has one line with an empty class."),
    "splits": ("Splits (YAML)", "One file per split of the project, in the form that configurations read."),
}
_NTU = "The published layout of prepared recordings: 300 frames, one-hot labels. Needs prepared NTU RGB+D."
_PKU = "The published layout of prepared clips: 64 frames. Needs prepared PKU-MMD and its split files."


@dataclass(frozen=True)
class ExportRequest:
    """kind: one of KINDS. out: a file; for splits, a folder."""

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


class ExportDialog(FormDialog):
    """Asks what to write, and to which file."""

    def __init__(self, project: Path, parent: QWidget | None = None) -> None:
        super().__init__(f"Export from {project.name}", "Export", parent)
        self._project = project
        self.kind = choice_box(titles())
        self._what = QLabel(wordWrap=True)
        self._what.setProperty("role", "muted")
        self.out = QLineEdit()
        self.splits = QLineEdit(placeholderText="Found beside the raw files if left empty")
        self.kind.currentIndexChanged.connect(self._on_kind)
        self.build(
            (
                Field("What", self.kind, "What to export"),
                Field("", self._what),
                Field("Save as", self.out, "", (("Choose…", self._pick_out),)),
                Field("Split files", self.splits, "Folder of the split files", (folder_choice(self.splits, _SPLITS),)),
            ),
            size=(620, 290),
        )
        self._on_kind()

    def request(self) -> ExportRequest:
        splits = self.splits.text().strip()
        kind = self.kind.currentData()
        use = bool(splits) and kind in pku.EXPORTS
        return ExportRequest(kind, Path(self.out.text().strip()), Path(splits) if use else None)

    def missing(self) -> str:
        return "" if self.out.text().strip() else "Choose a file."

    def check(self, request: Any) -> str:
        there = request.kind != "splits" and request.out.exists()
        return f"{request.out.name} exists and will be replaced." if there else ""

    def _on_kind(self) -> None:
        kind = self.kind.currentData()
        self._what.setText(_TITLES[kind][1] if kind in _TITLES else _PKU if kind in pku.EXPORTS else _NTU)
        self.form.show_row(self.splits, kind in pku.EXPORTS)
        name = {"labels": "labels.csv", "splits": "splits"}.get(kind, f"{kind}.npz")
        self.out.setText(str(self._project.parent / name))

    def _pick_out(self) -> None:
        start = self.out.text()
        if self.kind.currentData() == "splits":
            name = QFileDialog.getExistingDirectory(self, "Folder for the splits", start)
        else:
            options = QFileDialog.Option.DontConfirmOverwrite  # the message of this dialog says it
            name, _ = QFileDialog.getSaveFileName(self, "File to write", start, options=options)
        if name:
            self.out.setText(name)


_SPLITS = "Folder of the split files"
