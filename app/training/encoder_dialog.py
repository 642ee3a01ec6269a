"""Give a finished run the encoder that made its features, as `flora bundle` does: it then has a model that labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QLineEdit, QWidget

from app.dialogs.form import Field, FormDialog, folder_choice
from app.training.encoder_fields import EncoderFields
from app.widgets import sentence
from flora_engine.recipes import bundle

_EXPLANATION = (
    "A model labels only with the encoder that made its features. With recordings, their features are compared with "
    "those of the file: that finds a wrong encoder, a wrong preparation and wrong class numbers."
)


@dataclass(frozen=True)
class EncoderRequest:
    """encoders: checkpoints, published files or runs. recordings: to compare, "" for none. prepared: what is given of
    preparation and frames.
    """

    run: Path
    encoders: tuple[str, ...] = ()
    recordings: str = ""
    prepared: dict[str, Any] = field(default_factory=dict)

    def arguments(self) -> dict[str, Any]:
        """JSON-ready arguments of the worker's action `bundle`."""
        given = {"recordings": self.recordings} if self.recordings else {}
        return {"run": str(self.run), "encoder": list(self.encoders), **given, **self.prepared}


class EncoderDialog(FormDialog):
    """request: what was asked for before, if that did not work. The work itself runs in the main window."""

    def __init__(self, request: EncoderRequest, parent: QWidget | None = None) -> None:
        super().__init__("Add the encoder", "Add encoder", parent)
        self._run = request.run
        self.fields = EncoderFields()
        self.fields.paths.setPlaceholderText("One per stream, with ; between them")
        self.recordings = QLineEdit(placeholderText="Some that the feature file holds; may be left out")
        choices = (folder_choice(self.recordings, "A project, or a folder of raw files"),)
        rows = (
            self.fields.path_field("Encoders"),
            Field("Recordings", self.recordings, "Recordings to compare", choices),
            *self.fields.preparation_fields(),
        )
        self.build(rows, (680, 300), _EXPLANATION)
        self.fields.show(request.encoders, request.prepared)
        self.recordings.setText(request.recordings)

    def request(self) -> EncoderRequest:
        place = self.recordings.text().strip()
        return EncoderRequest(self._run, self.fields.chosen(), place, self.fields.prepared())

    def missing(self) -> str:
        return "" if self.fields.chosen() else "Choose the encoder: files, or a run that trained it."

    def check(self, request: Any) -> str:
        return sentence(f"{bundle.plan(bundle.Request.of(**request.arguments())).said}.")
