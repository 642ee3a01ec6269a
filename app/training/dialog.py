"""The dialog that trains from a configuration, as `flora train` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QLineEdit, QWidget

from app.dialogs.form import Field, FormDialog, file_choice, folder_choice
from flora_engine.config import EncoderConfig, PipelineConfig, load_config


@dataclass(frozen=True)
class TrainRequest:
    """config: a YAML file. data: folder that its relative paths start at. out: folder of runs. resume: a run."""

    config: Path
    data: Path | None
    out: Path
    resume: Path | None = None

    def arguments(self) -> dict[str, Any]:
        """JSON-ready arguments of the worker's action `train`."""
        root = None if self.data is None else str(self.data)
        what: dict[str, Any] = {"resume": str(self.resume)} if self.resume else {"config": str(self.config)}
        return {**what, "data_root": root, "features_root": root, "out": str(self.out)}


def describe_config(path: Path) -> str:
    """What a configuration would train, in one line; FloraError if the file is not a configuration."""
    config = load_config(path)
    if isinstance(config, PipelineConfig):
        count = len(config.splits)
        return f"Trains from raw recordings to a model that ranks, on {count} split{'s' if count > 1 else ''}."
    if isinstance(config, EncoderConfig):
        return "Trains the skeleton encoder only."
    return "Trains Flora on a file of features."


class TrainDialog(FormDialog):
    """Checks the configuration before anything runs."""

    def __init__(self, out: Path, parent: QWidget | None = None) -> None:
        super().__init__("Train from a configuration", "Train", parent)
        self.config = QLineEdit(placeholderText="A YAML file, such as those in configs")
        self.data = QLineEdit(placeholderText="Folder at which relative paths in the configuration start")
        self.out = QLineEdit(str(out))
        self.build(
            (
                Field("Configuration", self.config, "", (file_choice(self.config, "Configuration", _YAML),)),
                Field("Data", self.data, "", (folder_choice(self.data, "Folder of the data"),)),
                Field("Save runs in", self.out, "", (folder_choice(self.out, "Folder of runs"),)),
            ),
            size=(680, 240),
        )

    def request(self) -> TrainRequest:
        data = self.data.text().strip()
        return TrainRequest(
            Path(self.config.text().strip()), Path(data) if data else None, Path(self.out.text().strip())
        )

    def missing(self) -> str:
        if not self.config.text().strip():
            return "Choose a configuration."
        return "" if self.out.text().strip() else "Choose a folder for runs."

    def check(self, request: Any) -> str:
        return describe_config(request.config)


_YAML = "YAML (*.yaml *.yml)"
