"""The dialog for published data sets without Qt: its request, what it finds, its report."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flora_engine.datasets.preparing import Report, report_path
from flora_engine.datasets.published_files import read_split
from flora_engine.errors import FloraError
from flora_engine.recipes.preparing import CLASSES, find_tasks

TITLES = {"ntu60": "NTU RGB+D 60", "ntu120": "NTU RGB+D 120", "pku1": "PKU-MMD I", "pku2": "PKU-MMD II"}
_WHERE = {
    "ntu60": "The folder of the .skeleton files (nturgb+d_skeletons), or one above it.",
    "ntu120": "The folder above nturgb+d_skeletons and nturgb+d_skeletons120.",
    "pku1": "The folder above the skeletons, their labels and the cross-subject file.",
    "pku2": "The folder above the skeletons, their labels and the cross-subject file.",
}


@dataclass(frozen=True)
class PrepareRequest:
    """source: a raw folder, or a published split file (.npz)."""

    dataset: str
    source: Path
    project: Path
    missing: Path | None = None
    jobs: int = 1

    @property
    def title(self) -> str:
        return f"Prepare {TITLES[self.dataset]}"

    def arguments(self) -> dict[str, Any]:
        """JSON-ready arguments of the worker's action `prepare`."""
        common: dict[str, Any] = {"dataset": self.dataset, "project": str(self.project)}
        if is_split_file(self.source):
            return common | {"npz": str(self.source)}
        missing = None if self.missing is None else str(self.missing)
        return common | {"raw": str(self.source), "missing": missing, "jobs": self.jobs}


def is_split_file(source: Path) -> bool:
    return source.suffix.lower() == ".npz"


def where(dataset: str) -> str:
    """One line on which folder to choose."""
    return _WHERE[dataset]


def glance(dataset: str, source: Path, missing: Path | None) -> str:
    """What a preparation would read, in one line, from the names of the files; FloraError if there is nothing."""
    if is_split_file(source):
        split = read_split(source)
        return f"{len(split.train):,} recordings of the train part and {len(split.test):,} of the test part."
    report = Report(dataset, str(source))
    tasks = find_tasks(dataset, source, missing, report)
    kind = "files" if dataset.startswith("ntu") else "long recordings, cut by their labels"
    parts = [f"{len(tasks):,} {kind} of {TITLES[dataset]}"]
    if report.excluded:
        parts.append(f"{len(report.excluded):,} left out by the lists of missing skeletons")
    if report.skipped:
        parts.append(f"{len(report.skipped):,} skipped")
    return "; ".join(parts) + "."


def unfinished(project: Path) -> tuple[str, Path] | None:
    """(data set, raw folder) of a stopped preparation into this project, None if there is none."""
    for dataset in CLASSES:
        try:
            data = json.loads(report_path(project, dataset).read_text(encoding="utf-8"))
            if not data["finished"]:
                return dataset, Path(data["raw"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def report_of(result: dict[str, Any]) -> Report:
    """The report that the worker's action `prepare` returned."""
    try:
        return Report(**result)
    except TypeError:
        raise FloraError("the preparation returned no report; look into the folder “reports” of the project") from None
