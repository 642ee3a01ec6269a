"""Prepare a published data set into a project: many files in parallel, a report, and it continues where it stopped."""

from __future__ import annotations

import functools
import json
import re
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flora_engine.errors import FloraError
from flora_engine.files import write_text
from flora_engine.jobs import Job
from flora_engine.processes import in_order, on_cluster, workers_that
from flora_engine.project import Incoming, Project, content_hash, open_or_create
from flora_engine.skeleton import SkeletonSequence

BATCH = 64  # files that a process takes at a time: some 50 ms of NTU
COMMIT_SECONDS = 2.0  # prepared recordings reach the project's disk at least this often
_LIST = "*missing*skeleton*.txt"
_SERIAL = 4  # fewer batches are done before other processes have started


@dataclass(frozen=True)
class Task:
    """One raw file. name: of its recording, or what the names of its clips begin with. labels: its label file."""

    path: Path
    name: str
    labels: Path | None = None
    left_out: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Result:
    """What became of a file. recordings: those that were prepared; dropped: (recording, body and reason);
    problems: (recording or file, why it was skipped); excluded: recordings that a list leaves out."""

    recordings: tuple[Incoming, ...] = ()
    dropped: tuple[tuple[str, str], ...] = ()
    problems: tuple[tuple[str, str], ...] = ()
    excluded: tuple[str, ...] = ()


def incoming(sequence: SkeletonSequence, class_name: str, parts: tuple[tuple[str, int, int], ...] = ()) -> Incoming:
    """A recording for the project, hashed here: in the process that prepared it. parts: as of `Incoming`."""
    return Incoming(sequence, class_name, content_hash(sequence), parts)


Work = Callable[[Task], Result]


@dataclass
class Report:
    """What was done; `prepare_all` writes it as JSON and as text into the project's folder `reports`."""

    dataset: str
    raw: str
    found: int = 0
    prepared: int = 0
    already: int = 0
    excluded: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, list[str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    finished: bool = False
    seconds: float = 0.0

    def as_text(self) -> str:
        """The report for people: the counts first, then each recording that is not there whole, with the reason."""
        lines = [
            f"{self.dataset} from {self.raw}" + ("" if self.finished else " (stopped before the end; run it again)"),
            f"  {self.found} files found",
            f"  {self.prepared} recordings prepared in {self.seconds:.1f} s, {self.already} files were there already",
            f"  {len(self.excluded)} recordings excluded by the lists of missing skeletons",
            f"  {len(self.skipped)} skipped",
            f"  {len(self.dropped)} recordings with dropped bodies",
        ]
        lines += [f"  note: {warning}" for warning in self.warnings]
        lines += ["", "Skipped:", *(f"  {name}: {why}" for name, why in sorted(self.skipped.items()))]
        lines += ["", "Dropped bodies:"]
        lines += [f"  {name}: {'; '.join(bodies)}" for name, bodies in sorted(self.dropped.items())]
        return "\n".join([*lines, "", "Excluded:", *(f"  {name}" for name in sorted(self.excluded))]) + "\n"


# Lists of recordings without usable skeletons


def missing_names(raw: Path, file: Path | None, pattern: re.Pattern[str]) -> frozenset[str]:
    """Recordings to leave out: those named in `file`; or, if it is None, in the published lists that lie near.

    Those are text files with "missing" and "skeleton" in their names, below `raw` or in a folder beside it (where the
    published scripts keep `statistics`). pattern: how a recording's name looks; all else in a list is passed over.
    Raises FloraError if `file` cannot be read or names nothing.
    """
    files = [file] if file else sorted({*raw.rglob(_LIST), *raw.parent.glob(_LIST), *raw.parent.glob(f"*/*/{_LIST}")})
    names: set[str] = set()
    for path in files:
        try:
            names |= {match[0] for match in pattern.finditer(path.read_text(encoding="utf-8", errors="replace"))}
        except OSError as error:
            raise FloraError(f"cannot read the list of missing skeletons ({error.strerror})", path=path) from None
    if file and not names:
        raise FloraError("names no recording to leave out", path=file, remedy="Write one name a line.")
    return frozenset(names)


# Files to results, in parallel


def results(
    tasks: Sequence[Task], work: Work, processes: int = 1, batch: int = BATCH, scheduler: str | None = None
) -> Generator[Result, None, None]:
    """The result of every task, in order, from this process, from `processes` others, or from a Dask cluster.

    A process that dies is a FloraError; what a lost worker of a cluster was at is done again.
    """
    few = len(tasks) <= _SERIAL * batch
    if scheduler is not None:
        yield from on_cluster(functools.partial(_do, work=work), tasks, batch, scheduler)
        return
    with workers_that("reads recordings", "Run it again, with fewer --jobs."):
        yield from in_order(functools.partial(_do, work=work), tasks, batch, 1 if few else processes)


def _do(tasks: Sequence[Task], work: Work) -> list[Result]:
    return [work(task) for task in tasks]


# Results to the project


def prepare_all(
    job: Job,
    folder: Path,
    report: Report,
    tasks: Sequence[Task],
    work: Work,
    class_names: Sequence[str],
    processes: int = 1,
    batch: int = BATCH,
    scheduler: str | None = None,
) -> Report:
    """Prepare `tasks` into the project at `folder` (made if there is none) and complete `report`.

    Files whose recordings the project has are not read again. Stopping keeps what was prepared; the reports of
    earlier runs are carried on. A file that cannot be prepared is named in the report and stops nothing.
    Raises FloraError if the project cannot be written, Cancelled if the job was stopped.
    """
    start = time.monotonic()
    with open_or_create(folder, "write") as project:
        if class_names:
            project.classes.ensure(class_names)
        new = _not_there(project, tasks)
        report.already = len(tasks) - len(new)
        if report.already:
            _carry_on(report, folder)
        pending: list[Result] = []
        last = time.monotonic()
        try:
            with closing(results(new, work, processes, batch, scheduler)) as prepared:
                for done, result in enumerate(prepared, 1):
                    pending.append(result)
                    if time.monotonic() - last >= COMMIT_SECONDS:
                        _store(project, pending, report)
                        write_report(report, folder)  # a killed run leaves one too
                        last = time.monotonic()
                    job.progress("preparing", done, len(new))
            report.finished = True
        finally:  # stopping keeps what is prepared
            _store(project, pending, report)
            report.seconds = time.monotonic() - start
            write_report(report, folder)
    return report


def _not_there(project: Project, tasks: Sequence[Task]) -> list[Task]:
    """Tasks none of whose recordings is in the project; a clip's name begins with its recording's, then C."""
    names = set(project.table.names)
    names |= {name[: name.rindex("C")] for name in names if "C" in name}
    return [task for task in tasks if task.name not in names]


def _store(project: Project, pending: list[Result], report: Report) -> None:
    """Bring the pending results to the project's disk in one transaction, then to the report; `pending` is emptied."""
    recordings = [recording for result in pending for recording in result.recordings]
    ids = iter(project.recordings.add(recordings)) if recordings else iter(())
    for result in pending:
        report.excluded += [name for name in result.excluded if name not in report.excluded]
        for recording in result.recordings:
            if next(ids) is None:
                report.skipped[recording.sequence.name] = "the project holds the same recording already"
            else:
                report.prepared += 1
        report.skipped |= dict(result.problems)
        for name, body in result.dropped:
            report.dropped.setdefault(name, []).append(body)
    pending.clear()


# The report


def report_path(folder: Path, dataset: str) -> Path:
    """The JSON report of a data set; the text for people lies beside it."""
    return folder / "reports" / f"prepare-{dataset}.json"


def write_report(report: Report, folder: Path) -> None:
    path = report_path(folder, report.dataset)
    write_text(path, json.dumps(vars(report), indent=1, ensure_ascii=False) + "\n")
    write_text(path.with_suffix(".txt"), report.as_text())


def _carry_on(report: Report, folder: Path) -> None:
    """Take over what earlier runs said of recordings that are not read again: dropped bodies and excluded clips."""
    try:
        earlier: Any = json.loads(report_path(folder, report.dataset).read_text(encoding="utf-8"))
        dropped, excluded = dict(earlier["dropped"]), list(earlier["excluded"])
    except (OSError, ValueError, KeyError, TypeError):
        return  # no report, or one that somebody edited: the recordings themselves are safe
    report.dropped = {**dropped, **report.dropped}
    report.excluded += [name for name in excluded if name not in report.excluded]
