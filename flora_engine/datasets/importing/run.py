"""Bring recordings of any known format into a project: in batches, each one a transaction.

What is in the project already is skipped, so an import that was stopped, killed or repeated continues where it was.
A file that cannot be read never stops the rest.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from flora_engine.datasets.catalogue import load_dataset
from flora_engine.datasets.importing.find import find_recordings
from flora_engine.datasets.importing.labels import ImportLabels
from flora_engine.datasets.importing.options import ImportOptions
from flora_engine.datasets.motion_archive import is_archive, open_archive, part_of
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.processes import cpu_count, in_order, workers_that
from flora_engine.project import Incoming, Project, content_hash
from flora_engine.project.columns import NAMES, whole_number
from flora_engine.readers import read_sequence
from flora_engine.readers._input import check_finite
from flora_engine.readers.corrections import Correction, correct
from flora_engine.readers.inspection import Inspection, inspect
from flora_engine.readers.reading_recipes import ReadingRecipe, find_recipe
from flora_engine.skeleton import SkeletonSequence

_READ_AT_ONCE = 8  # files a worker process takes at a time
_INSPECTED_AT_ONCE = 4  # few: a stopped inspection is over once each process is through with what it took
_INSPECTED_AHEAD = 16  # a long recording does not keep the other processes waiting
_SERIAL_INSPECTION = 200
_SERIAL = 500  # below this many files, starting processes costs more than it saves


@dataclass
class ImportReport:
    """What came of every file. known: files skipped because the project has them, by source or by content."""

    added: int = 0
    known: int = 0
    unlabelled: int = 0
    ignored: int = 0
    failed: list[tuple[Path, str]] = field(default_factory=list)
    seconds: float = 0.0

    def text(self) -> str:
        """The report in a few lines."""
        lines = [f"{self.added} added, {self.known} known already, {len(self.failed)} failed in {self.seconds:.1f} s"]
        if self.unlabelled:
            lines.append(f"{self.unlabelled} of them without a label")
        if self.ignored:
            lines.append(f"{self.ignored} files that are not recordings were skipped")
        return "\n".join(lines + [f"failed: {problem}" for _, problem in self.failed])


@dataclass(frozen=True)
class _Read:
    """A recording that was read, or why not."""

    path: Path
    sequence: SkeletonSequence | None
    digest: bytes
    problem: str


def import_folder(
    job: Job, project: Project, paths: Sequence[Path], options: ImportOptions | None = None
) -> ImportReport:
    """Import files and all that is below folders into `project`, which must be open for writing.

    Emits `progress` per file and `warning` per file that fails. FloraError for what no file can be read with: a path
    that is not there, a bad file of labels, an unknown data set. Stopping (Cancelled) keeps what is committed.
    """
    options = options or ImportOptions()
    _recipe(options)  # before anything else, that there is one
    start, report = time.monotonic(), ImportReport()
    files, ignored = find_recordings(paths, options.labels, archives=True)
    report.ignored = ignored
    labels = ImportLabels(files, options)
    if options.dataset:
        project.classes.ensure(load_dataset(options.dataset).class_names)
    elif options.labels_from == "names" and options.labels is None:
        for archive in dict.fromkeys(part[0] for path in files if (part := part_of(path))):
            project.classes.ensure(open_archive(archive).classes)  # in their order
    sources = project.recordings.sources()
    new = [path for path in files if str(path) not in sources]
    report.known = len(files) - len(new)
    processes = options.processes or (cpu_count() if len(new) >= _SERIAL else 1)
    read = functools.partial(_read_all, options=replace(options, by_file={}))
    waiting: list[Incoming] = []
    with (
        workers_that("reads recordings", "Start the import again; it continues where it was."),
        closing(in_order(read, _tasks(new, options), _READ_AT_ONCE, processes)) as results,
    ):
        for done, result in enumerate(results):
            job.progress("importing", done, len(new))
            if result.sequence is None:
                report.failed.append((result.path, result.problem))
                job.warn(result.problem)
                continue
            waiting.append(labels.label(result.sequence, result.digest))
            if len(waiting) >= options.batch:
                _commit(project, waiting, report, job)
    _commit(project, waiting, report, job)
    job.progress("importing", len(new), len(new))
    report.seconds = time.monotonic() - start
    return report


@dataclass(frozen=True)
class Preview:
    """What an import would make of a file. inspection None: it cannot be read, and problem says why.

    layout: as corrected; own_layout: as the file says, "" if it cannot be read. name, metadata: what labels go by.
    """

    path: Path
    class_name: str
    layout: str
    inspection: Inspection | None
    problem: str = ""
    own_layout: str = ""
    name: str = ""
    metadata: Mapping[str, int | str] = field(default_factory=dict)

    @property
    def source(self) -> Path:
        return self.path


def preview(job: Job, paths: Sequence[Path], options: ImportOptions | None = None) -> Iterator[Preview]:
    """Inspect each file as an import with these options would read it; nothing is written. FloraError as there."""
    options = options or ImportOptions()
    files, _ = find_recordings(paths, options.labels, archives=True)
    labels = ImportLabels(files, options)
    for found in inspect_files(job, files, options):
        yield found if found.inspection is None else replace(found, class_name=labels.class_name(found))


def inspect_files(
    job: Job, files: Sequence[Path], options: ImportOptions, *, quietly: bool = False
) -> Generator[Preview, None, None]:
    """Inspect every file, in their order and without its class name; many of them in processes of their own.
    quietly: these leave the CPUs to others, such as a window, that want them.

    Emits `progress` per file and raises Cancelled within a tenth of a second after a stop, or after the file being read
    where they are few. FloraError if one of the processes was ended from outside.
    """
    processes = options.processes or (cpu_count() if len(files) >= _SERIAL_INSPECTION else 1)
    look = functools.partial(_inspect_all, options=replace(options, by_file={}))
    tasks, batch = _tasks(files, options), _INSPECTED_AT_ONCE if processes > 1 else 1
    with (
        workers_that("inspects recordings", "Inspect them again."),
        closing(in_order(look, tasks, batch, processes, ahead=_INSPECTED_AHEAD, job=job, quietly=quietly)) as results,
    ):
        for done, found in enumerate(results):
            job.progress("inspecting", done, len(files))
            yield found
    open_archive.cache_clear()  # the window lives on
    job.progress("inspecting", len(files), len(files))


def _commit(project: Project, waiting: list[Incoming], report: ImportReport, job: Job) -> None:
    """Put the waiting recordings into the project for good, and forget them here."""
    ids = project.recordings.add(waiting)
    for id, recording in zip(ids, waiting, strict=True):
        report.added += id is not None
        report.known += id is None
        report.unlabelled += id is not None and not recording.class_name
    if waiting:
        job.emit("committed", added=report.added, known=report.known)
    waiting.clear()


_Task = tuple[Path, Correction | None]  # a file and what is said of it alone


def _tasks(files: Sequence[Path], options: ImportOptions) -> list[_Task]:
    """Files with their own corrections: no process needs to know those of all the others."""
    return [(path, options.by_file.get(path)) for path in files]


def _read_all(tasks: Sequence[_Task], options: ImportOptions) -> list[_Read]:
    recipe = _recipe(options)
    return [_read(path, own, options, recipe) for path, own in tasks]


def _recipe(options: ImportOptions) -> ReadingRecipe | None:
    return None if options.recipe is None else find_recipe(options.recipe)


def _read(path: Path, own: Correction | None, options: ImportOptions, recipe: ReadingRecipe | None) -> _Read:
    try:
        sequence = _correct(_recording(path, recipe), path, own, options)
    except FloraError as error:
        return _Read(path, None, b"", str(error))
    return _Read(path, sequence, content_hash(sequence), "")


def _inspect_all(tasks: Sequence[_Task], options: ImportOptions) -> list[Preview]:
    recipe = _recipe(options)
    return [_inspect(path, own, options, recipe) for path, own in tasks]


def _inspect(path: Path, own: Correction | None, options: ImportOptions, recipe: ReadingRecipe | None) -> Preview:
    layout = ""
    try:
        sequence = _recording(path, recipe, allow_nan=True)
        layout = sequence.layout
        sequence = _correct(sequence, path, own, options)
    except FloraError as error:
        return Preview(path, "", "", None, str(error), layout)
    kept = {key: value for key, value in sequence.metadata.items() if key in ("action", "class_name")}
    return Preview(path, "", sequence.layout, inspect(sequence), "", layout, sequence.name, kept)


def _recording(path: Path, recipe: ReadingRecipe | None, allow_nan: bool = False) -> SkeletonSequence:
    """What a file holds, or a part of a motion archive. FloraError."""
    if (part := part_of(path)) is not None:
        sequence = open_archive(part[0]).read(part[1])
        return sequence if allow_nan else check_finite(sequence, path)
    if is_archive(path):
        open_archive(path)  # says what is wrong with it: a good one is read in parts
    return read_sequence(path, allow_nan=allow_nan, recipe=recipe)


def _correct(
    sequence: SkeletonSequence, path: Path, own: Correction | None, options: ImportOptions
) -> SkeletonSequence:
    right = options.correction(path, sequence.layout)
    right = right if own is None else own.over(right)
    sequence = correct(sequence, right.layout, right.up, right.scale, right.fps)
    for key in ("action", *NAMES):  # a file with a bad one must not stop the others when they are stored
        whole_number(sequence.metadata, key, path)
    return replace(sequence, source=path, name=sequence.name or path.stem)
