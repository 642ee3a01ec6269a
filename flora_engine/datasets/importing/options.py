"""What the user may say before an import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import ConfigDict

from flora_engine.readers.corrections import Correction

LabelsFrom = Literal["names", "folders", "none"]


@dataclass(frozen=True)
class ImportOptions:
    """How files are read, and where labels come from.

    labels: a CSV (see `read_labels`), which goes before all else. labels_from: "names", the class or action number that
    the file or its name tells; "folders", the name of the folder the file is in; "none". dataset: whose class names the
    action numbers mean (its classes are all added, in their order). layout, up, scale, fps: put right what files say
    wrongly, see readers.corrections; by_layout: the same for the files that say they are in this layout, and by_file
    for single ones (absolute paths), each going before what is more general.
    recipe: the name of a reading recipe, or a file with one; None: those saved for such files.
    processes: None for one per CPU. batch: recordings per transaction.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")  # as a part of a request

    labels: Path | None = None
    labels_from: LabelsFrom = "names"
    dataset: str | None = None
    layout: str | None = None
    up: str | None = None
    scale: float | None = None
    fps: float | None = None
    by_layout: Mapping[str, Correction] = field(default_factory=dict)
    by_file: Mapping[Path, Correction] = field(default_factory=dict)
    recipe: str | None = None
    processes: int | None = None
    batch: int = 64

    def correction(self, path: Path, layout: str) -> Correction:
        """What to put right in this file, which says that it is in this layout."""
        general = Correction(self.layout, self.up, self.scale, self.fps)
        special = self.by_layout.get(layout)
        found = general if special is None else special.over(general)
        own = self.by_file.get(path)
        return found if own is None else own.over(found)
