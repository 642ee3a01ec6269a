"""NTU RGB+D 60 and 120: the raw folder, the published preparation of its files, and the published split files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.datasets.preparing import Report, Result, Task, incoming
from flora_engine.datasets.published_files import SPLIT_SIZES, npz_writer
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.preprocessing import bodies, ctrgcn
from flora_engine.project import Project
from flora_engine.readers.ntu import FPS, metadata, read_bodies
from flora_engine.skeleton import SkeletonSequence, to_kinect_v2

NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")
FIELDS = ("setup", "camera", "subject", "replication", "action")


@dataclass(frozen=True)
class Part:
    """A data set: its set-ups and actions are 1 to these; recordings in all, and those with skeletons."""

    setups: int
    actions: int
    recordings: int
    with_skeletons: int


PARTS = {"ntu60": Part(17, 60, 56_880, 56_578), "ntu120": Part(32, 120, 114_480, 113_945)}


@dataclass(frozen=True)
class Export:
    """A published split file: whose number decides (a field of the name), which values train and which test.

    Samples lie in the order of these values, then of their names.
    """

    dataset: str
    by: str
    train: tuple[int, ...]
    test: tuple[int, ...]


_TRAIN_60 = (1, 2, 4, 5, 8, 9, *range(13, 20), 25, 27, 28, 31, 34, 35, 38)
_TRAIN_120 = (
    *_TRAIN_60,
    *(45, 46, 47, 49, 50, *range(52, 60), 70, 74, 78, *range(80, 87), 89, *range(91, 96), 97, 98, 100, 103),
)
EXPORTS = {
    "NTU60_CS": Export("ntu60", "subject", _TRAIN_60, tuple(sorted({*range(1, 41)} - {*_TRAIN_60}))),
    "NTU60_CV": Export("ntu60", "camera", (2, 3), (1,)),
    "NTU120_CSub": Export("ntu120", "subject", _TRAIN_120, tuple(sorted({*range(1, 107)} - {*_TRAIN_120}))),
    "NTU120_CSet": Export("ntu120", "setup", tuple(range(2, 33, 2)), tuple(range(1, 33, 2))),
}


# Reading the raw folder


def numbers(name: str) -> dict[str, int]:
    """setup, camera, subject, replication and action of a recording's name; empty if it is no such name."""
    match = NAME.fullmatch(name)
    return dict(zip(FIELDS, map(int, match.groups()), strict=True)) if match else {}


def find(raw: Path, dataset: str, left_out: frozenset[str], report: Report) -> list[Task]:
    """The `.skeleton` files of the data set anywhere below `raw`, in name order; the others go into the report.

    Raises FloraError if there is no such folder or no such file in it.
    """
    if not raw.is_dir():
        raise FloraError("there is no such folder", path=raw)
    part = PARTS[dataset]
    tasks: dict[str, Task] = {}
    for path in sorted(raw.rglob("*.skeleton"), key=lambda path: (path.name, str(path))):
        fields = numbers(path.stem)
        if not fields:
            report.skipped[str(path)] = "its name is not of the form SsssCcccPpppRrrrAaaa"
        elif fields["setup"] > part.setups or fields["action"] > part.actions:
            continue  # of the larger data set, which may lie in the same folder
        elif path.stem in tasks:
            report.skipped[str(path)] = f"a file of this name is in {tasks[path.stem].path.parent} as well"
        else:
            tasks[path.stem] = Task(path, path.stem)
    if not tasks:
        raise FloraError(
            f"holds no recording of {dataset}",
            path=raw,
            remedy="Unpack the SsssCcccPpppRrrrAaaa.skeleton files into it, in subfolders or not.",
        )
    report.found = len(tasks)
    report.excluded += [name for name in tasks if name in left_out]
    kept = [task for name, task in tasks.items() if name not in left_out]
    _check_counts(report, part, len(kept))
    return kept


def _check_counts(report: Report, part: Part, kept: int) -> None:
    if report.found != part.recordings:
        report.warnings.append(f"the raw folder holds {report.found} of the {part.recordings} recordings")
    elif kept != part.with_skeletons:
        report.warnings.append(
            f"{kept} recordings remain after the lists of missing skeletons, published are {part.with_skeletons}"
        )


@dataclass(frozen=True)
class Prepare:
    """The work on one file: read, denoise, translate. class_names: by action number, or empty."""

    class_names: tuple[str, ...] = ()

    def __call__(self, task: Task) -> Result:
        try:
            actors = ctrgcn.prepare_sequence(read_bodies(task.path), task.name)
        except FloraError as error:
            return Result(problems=((task.name, str(error)),))
        sequence = as_sequence(ctrgcn.translate(actors.joints), task.name, task.path)
        action = numbers(task.name)["action"]
        class_name = self.class_names[action - 1] if action <= len(self.class_names) else f"action {action}"
        return Result((incoming(sequence, class_name),), tuple((task.name, body) for body in actors.dropped))


def as_sequence(joints: NDArray[np.float32], name: str, source: Path) -> SkeletonSequence:
    """Translated actors (T, 75 or 150) as a recording that says how it was prepared."""
    return SkeletonSequence(
        np.ascontiguousarray(joints.reshape(len(joints), -1, 25, 3)),
        FPS,
        name=name,
        source=source,
        metadata={**metadata(name), "prepared": "ctrgcn"},
    )


# Writing the published split files


def flat(sequence: SkeletonSequence) -> NDArray[np.float32]:
    """Translated actors (T, 75 or 150) of a recording that was prepared, or still is to be. May raise FloraError."""
    if sequence.metadata.get("prepared") == "ctrgcn":
        return sequence.joints.reshape(sequence.frames, -1)
    rows = bodies.from_sequence(to_kinect_v2(sequence))
    return ctrgcn.translate(ctrgcn.prepare_sequence(rows, sequence.name).joints)


def export_order(names: Sequence[str], export: Export) -> dict[str, NDArray[np.int64]]:
    """Indices into `names` of the "train" and "test" samples in the published order."""
    fields = [numbers(name) for name in names]
    part = PARTS[export.dataset]
    by_value: dict[int, list[int]] = {}
    for index in sorted(range(len(names)), key=lambda index: names[index]):
        field = fields[index]
        if field and field["setup"] <= part.setups and field["action"] <= part.actions:
            by_value.setdefault(field[export.by], []).append(index)
    return {
        side: np.array([index for value in values for index in by_value.get(value, [])], np.int64)
        for side, values in (("train", export.train), ("test", export.test))
    }


def export_split(job: Job, project: Project, name: str, path: Path, copy_single: bool | None = None) -> dict[str, int]:
    """Write NTU60_CS, NTU60_CV, NTU120_CSub or NTU120_CSet as published: (N, 300, 150) float32 and one-hot float64.

    copy_single: put a single person into the second half too; None as published (NTU-120 does). Returns the sizes of
    the parts; warns through `job` where they are not the published ones. Raises FloraError if the project holds
    none of the recordings, or one of them cannot be prepared.
    """
    export = EXPORTS[name]
    copy = export.dataset == "ntu120" if copy_single is None else copy_single
    table = project.table
    order = export_order(table.names, export)
    sizes = {side: len(rows) for side, rows in order.items()}
    if not any(sizes.values()):
        raise FloraError(f"the project holds no recordings of {export.dataset}", path=project.folder)
    warn_sizes(job, name, sizes)
    total = sum(sizes.values())
    written = 0

    def joints(rows: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
        nonlocal written
        for row in rows:
            yield ctrgcn.align(flat(project.recordings.read(int(table.ids[row]))), copy_single=copy)
            written += 1
            if written % 50 == 0 or written == total:
                job.progress("writing", written, total)

    classes = PARTS[export.dataset].actions
    with npz_writer(path) as writer:
        for side, rows in order.items():
            labels = [numbers(table.names[row])["action"] - 1 for row in rows]
            writer.write(f"x_{side}", (len(rows), ctrgcn.FRAMES, 150), np.float32, joints(rows))
            writer.write(f"y_{side}", (len(rows), classes), np.float64, _one_hot(labels, classes))
    return sizes


def _one_hot(labels: Sequence[int], classes: int) -> Iterator[NDArray[np.float64]]:
    for label in labels:
        row = np.zeros(classes)
        row[label] = 1
        yield row


def warn_sizes(job: Job, name: str, sizes: dict[str, int]) -> None:
    """Tell where the parts of a split file have other sizes than the published ones."""
    for side, expected in zip(("train", "test"), SPLIT_SIZES.get(name, ()), strict=False):
        if sizes[side] != expected:
            job.warn(f"{name}: the {side} part has {sizes[side]} recordings, published are {expected}")
