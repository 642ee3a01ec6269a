"""`flora prepare DATASET --raw DIR --project DIR`: the published preparations (docs/method.md, sections 2, 3)."""

from __future__ import annotations

import argparse
from pathlib import Path

from flora_engine.commands.console import console_job
from flora_engine.datasets import ntu, pku, preparing
from flora_engine.datasets.catalogue import dataset_names, load_dataset
from flora_engine.datasets.preparing import Report, Task
from flora_engine.datasets.published_files import import_split
from flora_engine.errors import FloraError
from flora_engine.files import write_text
from flora_engine.jobs import Job
from flora_engine.processes import cpu_count
from flora_engine.project import Project

# data set -> the file of its classes
CLASSES = {"ntu60": "ntu60", "ntu120": "ntu120", "pku1": "pku51", "pku2": "pku41"}
_VIDEOS_AT_ONCE = 1  # a PKU-MMD recording takes as long as a hundred of NTU


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", choices=sorted(CLASSES), help="which data set")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--raw", type=Path, help="folder of the unpacked raw files; subfolders are searched")
    source.add_argument("--from", dest="npz", type=Path, help="a published split file (NTU60_CS.npz …) instead")
    parser.add_argument("--project", type=Path, required=True, help="project folder; made where there is none")
    parser.add_argument(
        "--missing", type=Path, help="list of recordings to leave out (default: those found near --raw)"
    )
    parser.add_argument(
        "--write-missing", type=Path, help="write the names of all skipped recordings, to be such a list"
    )
    parser.add_argument("--jobs", type=int, default=cpu_count(), help="processes (default: one per CPU)")


def class_names(dataset: str) -> tuple[str, ...]:
    """The class names of a data set in label order; empty where the program does not know them."""
    name = CLASSES[dataset]
    return load_dataset(name).class_names if name in dataset_names() else ()


def find_tasks(dataset: str, raw: Path, missing: Path | None, report: Report) -> list[Task]:
    """What `prepare` would read below `raw`; what it would not goes into `report`. Raises FloraError as it does."""
    if dataset in ntu.PARTS:
        return ntu.find(raw, dataset, preparing.missing_names(raw, missing, ntu.NAME), report)
    return pku.find(raw, dataset, preparing.missing_names(raw, missing, pku.CLIP), report)


def prepare(job: Job, dataset: str, raw: Path, folder: Path, missing: Path | None = None, jobs: int = 1) -> Report:
    """Prepare the raw folder of a data set into the project at `folder`; may be run again to continue.

    Raises FloraError where `raw` holds none of the data set or the project cannot be written, Cancelled when stopped.
    """
    names = class_names(dataset)
    report = Report(dataset, str(raw))
    tasks = find_tasks(dataset, raw, missing, report)
    if dataset in ntu.PARTS:
        return preparing.prepare_all(job, folder, report, tasks, ntu.Prepare(names), names, jobs)
    sides = pku.find_split(raw, "subject")
    if sides is None:
        report.warnings.append("no cross-subject file in the raw folder: clips do not know which part they are of")
    work = pku.Prepare(names, sides["train"] if sides else frozenset())
    return preparing.prepare_all(job, folder, report, tasks, work, names, jobs, _VIDEOS_AT_ONCE)


def prepare_action(
    job: Job,
    dataset: str,
    project: str,
    raw: str | None = None,
    npz: str | None = None,
    missing: str | None = None,
    jobs: int | None = None,
) -> dict[str, object]:
    """`prepare` for the worker: plain arguments in, the report out; {"imported": N} of a published split file `npz`."""
    if dataset not in CLASSES:
        raise FloraError(f"the data set “{dataset}” is unknown", remedy=f"Known ones: {', '.join(sorted(CLASSES))}.")
    if (raw is None) == (npz is None):
        raise FloraError("prepare needs either a raw folder or a published split file")
    if npz is not None:
        return {"imported": _import(job, Path(npz), Path(project), class_names(dataset))}
    assert raw is not None
    listed = Path(missing) if missing else None
    return vars(prepare(job, dataset, Path(raw), Path(project), listed, jobs or cpu_count()))


def run(arguments: argparse.Namespace) -> int:
    if arguments.jobs < 1:
        raise FloraError("--jobs should be 1 or more")
    with console_job() as job:
        if arguments.npz:
            count = _import(job, arguments.npz, arguments.project, class_names(arguments.dataset))
            print(f"{count} new recordings from {arguments.npz}; set-up 1 is its train part, set-up 2 its test part")
            return 0
        report = prepare(job, arguments.dataset, arguments.raw, arguments.project, arguments.missing, arguments.jobs)
    if arguments.write_missing:
        write_text(arguments.write_missing, "".join(f"{name}\n" for name in sorted(report.skipped)))
    print(report.as_text().split("\n\nSkipped:")[0])
    print(f"  all names and reasons: {preparing.report_path(arguments.project, report.dataset).with_suffix('.txt')}")
    return 0


def _import(job: Job, npz: Path, folder: Path, names: tuple[str, ...]) -> int:
    with Project.open(folder, "write") if (folder / "project.sqlite").exists() else Project.create(folder) as project:
        return import_split(job, project, npz, names)
