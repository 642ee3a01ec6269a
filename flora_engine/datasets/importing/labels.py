"""The class name of each imported recording: from a file of labels, the recording itself, or its folder."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from flora_engine.datasets.catalogue import load_dataset
from flora_engine.datasets.importing.find import LABELS_FILE
from flora_engine.datasets.importing.options import ImportOptions
from flora_engine.errors import FloraError
from flora_engine.project import Incoming
from flora_engine.project.columns import NAMES, whole_number
from flora_engine.skeleton import SkeletonSequence

# Formats that belong to one data set, so that their action numbers have names: (layout, suffix) -> data set
_DATASETS = {("kinect_v1_utd", ".mat"): "utd_mhad", ("kinect_v1", ".json"): "nw_ucla"}


@dataclass(frozen=True)
class LabelRow:
    class_name: str
    numbers: dict[str, int]


class Labelled(Protocol):
    """What a label goes by: of a recording, or of a look at one."""

    @property
    def source(self) -> Path | None: ...
    @property
    def name(self) -> str: ...
    @property
    def layout(self) -> str: ...
    @property
    def metadata(self) -> Mapping[str, int | str]: ...


class ImportLabels:
    """Decides the class name, and corrects the numbers, of each recording."""

    def __init__(self, files: Sequence[Path], options: ImportOptions) -> None:
        self._from = options.labels_from
        dataset = load_dataset(options.dataset) if options.dataset else None
        self._names = dataset.class_names if dataset else ()
        self._places = dataset.places if dataset else {}
        self._rows: dict[str, LabelRow] = {}
        tables = [options.labels] if options.labels else sorted(_labels_files(files))
        for table in tables:
            self._rows |= read_labels(table)

    def label(self, sequence: SkeletonSequence, digest: bytes) -> Incoming:
        """The recording with its class name ("" if nothing tells it)."""
        row = self._row(sequence)
        if row is None:
            return Incoming(sequence, self._class_name(sequence), digest)
        sequence = replace(sequence, metadata={**sequence.metadata, **row.numbers})
        return Incoming(sequence, row.class_name, digest)

    def class_name(self, recording: Labelled) -> str:
        """The class name of a recording, "" if nothing tells it."""
        row = self._row(recording)
        return self._class_name(recording) if row is None else row.class_name

    def _row(self, sequence: Labelled) -> LabelRow | None:
        """The CSV may name a file by the end of its path, by its name, or by its name without the suffix."""
        parts = sequence.source.parts if sequence.source else ()
        keys = ["/".join(parts[start:]) for start in range(1, len(parts))] if self._rows else []
        keys += [Path(key).with_suffix("").as_posix() for key in keys] + [sequence.name]
        return next((self._rows[key] for key in keys if key in self._rows), None)

    def _class_name(self, sequence: Labelled) -> str:
        if self._from == "none":
            return ""
        if self._from == "folders":
            return sequence.source.parent.name if sequence.source else ""
        if name := str(sequence.metadata.get("class_name", "")):
            place = self._places.get(name.casefold())
            return name if place is None else self._names[place]
        action = whole_number(sequence.metadata, "action")
        names = self._names or _known_names(sequence)
        if 1 <= action <= len(names):
            return names[action - 1]
        return f"action {action}" if action > 0 else ""


def _known_names(sequence: Labelled) -> tuple[str, ...]:
    suffix = sequence.source.suffix.lower() if sequence.source else ""
    dataset = _DATASETS.get((sequence.layout, suffix))
    return load_dataset(dataset).class_names if dataset else ()


def _labels_files(files: Sequence[Path]) -> set[Path]:
    return {path for folder in {file.parent for file in files} if (path := folder / LABELS_FILE).is_file()}


def read_labels(path: Path) -> dict[str, LabelRow]:
    """Read a CSV of labels: file -> label.

    The first line names the columns: `file` or `name`, `class`, and any of columns.NAMES (subject, camera …; whole
    numbers). UTF-8. FloraError with the line if it is not so.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file))
            columns = list(lines[0]) if lines else []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FloraError(f"cannot read the labels: {error}", path=path) from None
    key = next((name for name in ("file", "name") if name in columns), None)
    if key is None or "class" not in columns:
        raise FloraError(
            "the labels need the columns file and class", path=path, where="line 1", remedy="See docs/projects.md."
        )
    rows = {}
    for number, line in enumerate(lines, start=2):
        numbers = {name: whole_number(line, name, path, f"line {number}") for name in NAMES if line.get(name)}
        if not line[key]:
            raise FloraError("there is no file name", path=path, where=f"line {number}")
        rows[line[key].replace("\\", "/").removeprefix("./")] = LabelRow((line["class"] or "").strip(), numbers)
    return rows
