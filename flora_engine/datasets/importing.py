"""Bring recordings of any known format into a project: in batches, each one a transaction.

What is in the project already is passed over, so an import that was stopped, killed or repeated continues where it was.
A file that cannot be read never stops the rest.
"""

from __future__ import annotations

import csv
import functools
import os
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal, Protocol

from pydantic import ConfigDict

from flora_engine.datasets.catalogue import load_dataset
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.processes import cpu_count, in_order
from flora_engine.project import Incoming, Project, content_hash
from flora_engine.project.columns import NAMES, whole_number
from flora_engine.readers import can_read, read_sequence
from flora_engine.readers.corrections import Correction, correct
from flora_engine.readers.inspection import Inspection, inspect
from flora_engine.skeleton import SkeletonSequence

LABELS_FILE = "classes.csv"  # beside recordings: used when no other file of labels is named
_READ_AT_ONCE = 8  # files a worker process takes at a time
_INSPECTED_AT_ONCE = 4  # few: a stopped inspection is over once each process is through with what it took
_INSPECTED_AHEAD = 16  # a long recording does not keep the other processes waiting
_SERIAL_INSPECTION = 200
_SERIAL = 500  # below this many files, starting processes costs more than it saves
_SURE = (".skeleton", ".bvh")  # nothing else is called so: such a file that cannot be read is worth a word
# Formats that belong to one data set, so that their action numbers have names: (layout, suffix) -> data set
_DATASETS = {("kinect_v1_utd", ".mat"): "utd_mhad", ("kinect_v1", ".json"): "nw_ucla"}

LabelsFrom = Literal["names", "folders", "none"]


@dataclass(frozen=True)
class ImportOptions:
    """What the user may say before an import.

    labels: a CSV (see `read_labels`), which goes before all else. labels_from: "names", the class or action number that
    the file or its name tells; "folders", the name of the folder the file is in; "none". dataset: whose class names the
    action numbers mean (its classes are all added, in their order). layout, up, scale, fps: put right what files say
    wrongly, see readers.corrections; by_layout: the same for the files that say they are in this layout, and by_file
    for single ones (absolute paths), each going before what is more general.
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
    processes: int | None = None
    batch: int = 64

    def correction(self, path: Path, layout: str) -> Correction:
        """What to put right in this file, which says that it is in this layout."""
        general = Correction(self.layout, self.up, self.scale, self.fps)
        special = self.by_layout.get(layout)
        found = general if special is None else special.over(general)
        own = self.by_file.get(path)
        return found if own is None else own.over(found)


@dataclass
class ImportReport:
    """What came of every file. known: files passed over because the project has them, by source or by content."""

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
            lines.append(f"{self.ignored} files that are no recordings were passed over")
        return "\n".join(lines + [f"failed: {problem}" for _, problem in self.failed])


@dataclass(frozen=True)
class LabelRow:
    class_name: str
    numbers: dict[str, int]


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
    start, report = time.monotonic(), ImportReport()
    files, ignored = find_recordings(paths, leave_out=options.labels)
    report.ignored = ignored
    labeller = Labeller(files, options)
    if options.dataset:
        project.classes.ensure(load_dataset(options.dataset).class_names)
    sources = project.recordings.sources()
    new = [path for path in files if str(path) not in sources]
    report.known = len(files) - len(new)
    processes = options.processes or (cpu_count() if len(new) >= _SERIAL else 1)
    read = functools.partial(_read_all, options=replace(options, by_file={}))
    waiting: list[Incoming] = []
    try:
        with closing(in_order(read, _tasks(new, options), _READ_AT_ONCE, processes)) as results:
            for done, result in enumerate(results):
                job.progress("importing", done, len(new))
                if result.sequence is None:
                    report.failed.append((result.path, result.problem))
                    job.warn(result.problem)
                    continue
                waiting.append(labeller.label(result.sequence, result.digest))
                if len(waiting) >= options.batch:
                    _commit(project, waiting, report, job)
    except BrokenProcessPool:
        raise FloraError(
            "a process that reads recordings was ended from outside", remedy="Import again; it goes on from here."
        ) from None
    _commit(project, waiting, report, job)
    job.progress("importing", len(new), len(new))
    report.seconds = time.monotonic() - start
    return report


@dataclass(frozen=True)
class Preview:
    """What an import would make of a file. inspection None: it cannot be read, and problem says why.

    layout: as corrected; own_layout: as the file says, "" where it cannot be read. name, metadata: what labels go by.
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
    files, _ = find_recordings(paths, leave_out=options.labels)
    labeller = Labeller(files, options)
    for found in inspect_files(job, files, options):
        yield found if found.inspection is None else replace(found, class_name=labeller.class_name(found))


def inspect_files(
    job: Job, files: Sequence[Path], options: ImportOptions, *, quietly: bool = False
) -> Generator[Preview, None, None]:
    """Inspect every file, in their order and without its class name; many of them in processes of their own.
    quietly: these leave the CPUs to others, such as a window, that want them.

    Emits `progress` per file and raises Cancelled within a tenth of a second after a stop, or after the file being read
    where they are few. FloraError where one of the processes was ended from outside.
    """
    processes = options.processes or (cpu_count() if len(files) >= _SERIAL_INSPECTION else 1)
    look = functools.partial(_inspect_all, options=replace(options, by_file={}))
    tasks, batch = _tasks(files, options), _INSPECTED_AT_ONCE if processes > 1 else 1
    try:
        with closing(
            in_order(look, tasks, batch, processes, ahead=_INSPECTED_AHEAD, job=job, quietly=quietly)
        ) as results:
            for done, found in enumerate(results):
                job.progress("inspecting", done, len(files))
                yield found
    except BrokenProcessPool:
        raise FloraError(
            "a process that inspects recordings was ended from outside", remedy="Inspect them again."
        ) from None
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
    return [_read(path, own, options) for path, own in tasks]


def _read(path: Path, own: Correction | None, options: ImportOptions) -> _Read:
    try:
        sequence = _correct(read_sequence(path), path, own, options)
    except FloraError as error:
        return _Read(path, None, b"", str(error))
    return _Read(path, sequence, content_hash(sequence), "")


def _inspect_all(tasks: Sequence[_Task], options: ImportOptions) -> list[Preview]:
    return [_inspect(path, own, options) for path, own in tasks]


def _inspect(path: Path, own: Correction | None, options: ImportOptions) -> Preview:
    layout = ""
    try:
        sequence = read_sequence(path, allow_nan=True)
        layout = sequence.layout
        sequence = _correct(sequence, path, own, options)
    except FloraError as error:
        return Preview(path, "", "", None, str(error), layout)
    kept = {key: value for key, value in sequence.metadata.items() if key in ("action", "class_name")}
    return Preview(path, "", sequence.layout, inspect(sequence), "", layout, sequence.name, kept)


def _correct(
    sequence: SkeletonSequence, path: Path, own: Correction | None, options: ImportOptions
) -> SkeletonSequence:
    right = options.correction(path, sequence.layout)
    right = right if own is None else own.over(right)
    sequence = correct(sequence, right.layout, right.up, right.scale, right.fps)
    for key in ("action", *NAMES):  # a file with a bad one must not stop the others when they are stored
        whole_number(sequence.metadata, key, path)
    return replace(sequence, source=path, name=sequence.name or path.stem)


# Which files


def find_recordings(paths: Sequence[Path], leave_out: Path | None = None) -> tuple[list[Path], int]:
    """Absolute paths of the files to read, and how many other files the folders hold.

    A file that is named itself is read whatever it looks like; below a folder those that a reader claims
    or that are called like recordings, sorted.
    Hidden files and files of labels are passed over. FloraError where a path is missing or none is a recording.
    """
    found: dict[Path, None] = {}
    ignored = 0
    for path in paths:
        if path.is_dir():
            files = [file for file in _walk(path.resolve()) if file != leave_out and file.name != LABELS_FILE]
            recordings = [file for file in files if file.suffix.lower() in _SURE or can_read(file)]
            ignored += len(files) - len(recordings)
            found |= dict.fromkeys(recordings)
        elif path.exists():
            found[path.resolve()] = None
        else:
            raise FloraError("there is no such file or folder", path=path, remedy="Check the name.")
    if not found:
        raise FloraError("there are no recordings of a known format", path=paths[0] if paths else None)
    return list(found), ignored


def _walk(folder: Path) -> list[Path]:
    found = []
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(root, name) for name in sorted(files) if not name.startswith(".")]
    return found


# Labels


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


class Labeller:
    """Decides the class name, and corrects the numbers, of each recording."""

    def __init__(self, files: Sequence[Path], options: ImportOptions) -> None:
        self._from = options.labels_from
        self._names = load_dataset(options.dataset).class_names if options.dataset else ()
        self._rows: dict[str, LabelRow] = {}
        tables = [options.labels] if options.labels else sorted(_labels_files(files))
        for table in tables:
            self._rows |= read_labels(table)

    def label(self, sequence: SkeletonSequence, digest: bytes) -> Incoming:
        """The recording with its class name ("" where nothing tells it)."""
        row = self._row(sequence)
        if row is None:
            return Incoming(sequence, self._class_name(sequence), digest)
        sequence = replace(sequence, metadata={**sequence.metadata, **row.numbers})
        return Incoming(sequence, row.class_name, digest)

    def class_name(self, recording: Labelled) -> str:
        """The class name of a recording, "" where nothing tells it."""
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
            return name
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
    numbers). UTF-8. FloraError with the line where it is not so.
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
