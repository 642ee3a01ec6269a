"""Fields that name the encoder of features and how its recordings are prepared: of the wizard and of a finished run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtWidgets import QFileDialog, QLineEdit, QSpinBox

from app.dialogs.form import Field, folder_choice
from app.widgets import choice_box
from flora_engine.preprocessing import PREPARATIONS

_USUAL = "as its run says, or as published"
_FILES = "Encoders (*.safetensors *.pt)"


class EncoderFields:
    """paths: checkpoints, published files or runs, with ; between them. Empty preparation, 0 frames: as usual."""

    def __init__(self) -> None:
        self.paths = QLineEdit()
        self.preparation = choice_box([(_USUAL, ""), *((name, name) for name in PREPARATIONS)])
        self.preparation.setMinimumContentsLength(len(_USUAL))
        self.frames = QSpinBox(maximum=2000)
        self.frames.setSpecialValueText(_USUAL)  # at 0
        self.frames.lineEdit().setTextMargins(4, 0, 0, 0)  # where the box above it begins
        self.frames.setMinimumWidth(self.preparation.sizeHint().width())

    def path_field(self, title: str) -> Field:
        """The row of the paths, with a button for files and one for a run."""
        run = folder_choice(self.paths, "A run that trained an encoder", "Run…")
        return Field(title, self.paths, choices=(("Files…", self.add_files), run))

    def preparation_fields(self) -> tuple[Field, Field]:
        """The rows of the preparation and of the frames."""
        return (
            Field("Preparation", self.preparation, compact=True),
            Field("Frames per recording", self.frames, compact=True),
        )

    def show(self, paths: tuple[str, ...], prepared: Mapping[str, Any]) -> None:
        """Fill in; prepared: preparation and frames as far as they are given."""
        self.paths.setText("; ".join(paths))
        self.preparation.setCurrentIndex(max(0, self.preparation.findData(prepared.get("preparation") or "")))
        self.frames.setValue(int(prepared.get("frames") or 0))

    def chosen(self) -> tuple[str, ...]:
        """The paths, one by one."""
        return tuple(part.strip() for part in self.paths.text().split(";") if part.strip())

    def prepared(self) -> dict[str, Any]:
        """Preparation and frames as far as they are given."""
        given = {"preparation": self.preparation.currentData(), "frames": self.frames.value()}
        return {name: value for name, value in given.items() if value}

    def add_files(self) -> None:
        """Choose files, which come after those that are there."""
        before = self.chosen()
        start = before[-1] if before else ""
        names, _ = QFileDialog.getOpenFileNames(self.paths.window(), "Encoders", start, _FILES)
        if names:
            self.paths.setText("; ".join(dict.fromkeys([*before, *names])))
