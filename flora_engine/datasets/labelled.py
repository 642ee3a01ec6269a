"""Labelled recordings before anything is made of them: which there are, how each is read, and which class it has.

They come from a raw folder through the readers, from a motion archive, or from a project.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.datasets.catalogue import dataset_names, load_dataset
from flora_engine.datasets.clips import left_out
from flora_engine.datasets.importing.find import find_recordings
from flora_engine.datasets.motion_archive import SUFFIX, is_archive, open_archive, part_of
from flora_engine.datasets.settings import RecordingSettings
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.project import Project, is_project
from flora_engine.project.columns import NAMES, whole_number
from flora_engine.readers import read_sequence
from flora_engine.skeleton import SkeletonSequence

NUMBERS = ("action", *NAMES)
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Item:
    """One recording before it is read: a file, or a row of a project or of an archive. identity changes when its
    content does.
    """

    path: Path
    row: int | None
    identity: str

    @property
    def source(self) -> str:
        """Where it can be read again."""
        return str(self.path.absolute()) if self.row is None else f"{self.path}#{self.row}"

    def read(self) -> SkeletonSequence:
        """The recording. Raises FloraError. Projects and archives stay open until `forget_projects`."""
        return _read(self.path, self.row)


@dataclass(frozen=True)
class Facts:
    """What a recording says of itself; numbers as in `NUMBERS`, 0 if unknown."""

    name: str
    numbers: tuple[int, ...]
    class_name: str

    @classmethod
    def of(cls, sequence: SkeletonSequence) -> Facts:
        """Those of a recording. Raises FloraError if a number of it is none."""
        numbers = tuple(whole_number(sequence.metadata, key, sequence.source) for key in NUMBERS)
        return cls(sequence.name, numbers, str(sequence.metadata.get("class_name", "")))


def class_names(dataset: str) -> tuple[str, ...]:
    """The class names of resources/datasets/{dataset}.yaml in their order; empty if there is no such file."""
    return load_dataset(dataset).class_names if dataset in dataset_names() else ()


# Which recordings


def find_items(settings: RecordingSettings) -> list[Item]:
    """All recordings of a data set, labelled or not. Raises FloraError if there are none."""
    if settings.raw is None:
        return _of_project(settings.project)
    archive = settings.raw.suffix.lower() == SUFFIX and not settings.raw.is_dir()
    return _of_archive(settings.raw) if archive else _of_folder(settings.raw)


def _of_folder(folder: Path) -> list[Item]:
    if not folder.is_dir():
        raise FloraError("there is no such folder of recordings", path=folder)
    return [Item(path, None, _file_identity(path)) for path in find_recordings([folder])[0]]


def _file_identity(path: Path) -> str:
    stat = path.stat()
    return f"{path} {stat.st_size} {stat.st_mtime_ns}"


def _of_archive(path: Path) -> list[Item]:
    path = path.resolve()
    if not is_archive(path):
        raise FloraError("there is no such motion archive", path=path, remedy="See docs/formats.md, Motion archives.")
    identity = _file_identity(path)
    return [Item(path, row, f"{identity} {row}") for row in range(len(open_archive(path)))]


def _of_project(folder: Path | None) -> list[Item]:
    if folder is None:
        raise FloraError("the data settings name neither a raw folder nor a project")
    with Project.open(folder, "read") as project:
        table, hashes = project.table, project.recordings.hashes()
    numbers = (column.tolist() for column in table.numbers.values())
    items = [
        Item(folder.resolve(), id, f"{hashes[id].hex()} {said}")
        for id, *said in zip(table.ids.tolist(), table.names, *numbers, strict=True)
    ]
    if not items:
        raise FloraError("the project holds no recordings", path=folder)
    return items


# Reading


def parted_source(source: str) -> tuple[Path, int | None]:
    """What `Item.source` says: a file and None, or the folder of a project or an archive and the recording's number."""
    folder, mark, id = source.rpartition("#")
    if mark and id.isdecimal() and is_project(Path(folder)):
        return Path(folder), int(id)
    return part_of(Path(source)) or (Path(source), None)


def read_source(source: str) -> SkeletonSequence:
    """The recording that `Clips.sources` names. Raises FloraError if it is not there any more.

    Projects and archives stay open for the next recording, until `forget_projects`.
    """
    return _read(*parted_source(source))


def forget_projects() -> None:
    """Close projects and archives that are kept open: the next time another one may lie there."""
    _open_project.cache_clear()
    open_archive.cache_clear()


def _read(path: Path, row: int | None) -> SkeletonSequence:
    if row is None:
        return read_sequence(path)
    return _open_project(path).recordings.read(row) if path.is_dir() else open_archive(path).read(row)


@functools.lru_cache(maxsize=4)
def _open_project(folder: Path) -> Project:
    """The project, kept open while its recordings are read."""
    return Project.open(folder, "read")


# Labels


def labels_of(
    job: Job, settings: RecordingSettings, items: Sequence[Item], facts: Sequence[Facts | None]
) -> tuple[tuple[str, ...], Labels]:
    """Class names, and the label of each item (-1: none) over them: those of the project, or of the data set.

    A recording of a raw folder or an archive has the class that its file names, else the one of its action number.
    Those of a class that the data set does not have are left out with a warning.
    """
    if settings.project is not None:
        return _of_rows(settings.project, items)
    return _of_facts(job, settings.dataset, facts)


def _of_rows(folder: Path, items: Sequence[Item]) -> tuple[tuple[str, ...], Labels]:
    with Project.open(folder, "read") as project:
        table = project.table
        rows = table.rows(np.array([item.row for item in items], np.int64))
        return table.class_names, table.classes[rows].astype(np.int64)


def _of_facts(job: Job, dataset: str, facts: Sequence[Facts | None]) -> tuple[tuple[str, ...], Labels]:
    names = class_names(dataset)
    labels = np.array([-1 if fact is None else fact.numbers[0] - 1 for fact in facts], np.int64)
    if not names:  # a data set that the program does not know: its actions go by number
        return tuple(f"action {number + 1}" for number in range(int(labels.max(initial=-1)) + 1)), labels
    place = load_dataset(dataset).places
    unknown: list[str] = []
    for row, fact in enumerate(facts):
        if fact is not None and fact.class_name:
            labels[row] = place.get(fact.class_name.casefold(), -1)
            unknown += [fact.class_name] if labels[row] < 0 else []
    if unknown:
        job.warn(left_out(len(unknown), dataset, sorted(set(unknown))))
    too_high = labels >= len(names)
    if np.any(too_high):
        job.warn(f"{int(too_high.sum())} recordings have an action beyond the {len(names)} of {dataset}")
        labels[too_high] = -1
    return names, labels
