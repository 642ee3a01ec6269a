"""Write the recording on screen to a file of another format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QFileDialog, QLabel, QLineEdit, QWidget

from app.dialogs.form import Field, FormDialog
from app.widgets import choice_box
from flora_engine.errors import FloraError
from flora_engine.readers.writing import WRITERS
from flora_engine.skeleton import SkeletonSequence

_TITLES = {
    ".npz": "Flora exchange archive",
    ".skeleton": "NTU RGB+D text",
    ".csv": "table",
    ".trc": "TRC markers",
    ".c3d": "C3D markers",
    ".bvh": "BVH motion capture",
}


@dataclass(frozen=True)
class CopyRequest:
    """person: from 0, or None for everybody."""

    path: Path
    person: int | None


class CopyDialog(FormDialog):
    """Asks for the file, whose ending says the format, and for the person."""

    def __init__(self, sequence: SkeletonSequence, start: Path, parent: QWidget | None = None) -> None:
        super().__init__("Save a copy", "Save", parent)
        self.out = QLineEdit(str(start))
        self.format = choice_box([(f"{title} ({suffix})", suffix) for suffix, title in _TITLES.items()])
        persons = [(f"person {number}", number - 1) for number in range(1, sequence.persons + 1)]
        self.person = choice_box([("everybody", None), *persons])
        self._persons = sequence.persons
        note = QLabel(
            "NTU text has 25 joints, and BVH a skeleton with bones of one length; the others keep every joint."
        )
        note.setWordWrap(True)
        note.setProperty("role", "muted")
        self.build(
            (
                Field("Save as", self.out, "File to write", (("Choose…", self._pick_out),)),
                Field("Format", self.format),
                Field("", note),
                Field("Person", self.person, "Whose joints"),
            ),
            size=(600, 250),
        )
        self.form.show_row(self.person, sequence.persons > 1)
        self.format.setCurrentIndex(self.format.findData(start.suffix))
        self.format.currentIndexChanged.connect(self._on_format)
        self.out.textChanged.connect(self._on_name)

    def request(self) -> CopyRequest:
        return CopyRequest(Path(self.out.text().strip()), self.person.currentData())

    def missing(self) -> str:
        return "" if self.out.text().strip() else "Choose a file."

    def check(self, request: Any) -> str:
        suffix = request.path.suffix.lower()
        if suffix not in WRITERS:
            raise FloraError(f"the ending should be one of {', '.join(WRITERS)}")
        if WRITERS[suffix][1] is not None and request.person is None and self._persons > 1:
            raise FloraError(f"{suffix} holds one person; choose which")
        return f"{request.path.name} exists and will be replaced." if request.path.exists() else ""

    def _on_format(self) -> None:
        path = Path(self.out.text().strip())
        suffix = self.format.currentData()
        if suffix is not None and path.name and path.suffix.lower() != suffix:
            self.out.setText(str(path.with_suffix(suffix) if path.suffix.lower() in WRITERS else f"{path}{suffix}"))

    def _on_name(self) -> None:
        place = self.format.findData(Path(self.out.text().strip()).suffix.lower())
        if place >= 0:
            self.format.setCurrentIndex(place)

    def _pick_out(self) -> None:
        filters = ";;".join(f"{title} (*{suffix})" for suffix, title in _TITLES.items())
        options = QFileDialog.Option.DontConfirmOverwrite  # the message of this dialog says it
        name, _ = QFileDialog.getSaveFileName(self, "File to write", self.out.text(), filters, options=options)
        if name:
            self.out.setText(name)
