"""Prepare NTU RGB+D or PKU-MMD as published (docs/method.md, sections 2 and 3) into a project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from flora_engine.choices import one_of
from flora_engine.datasets import ntu, pku, preparing
from flora_engine.datasets.catalogue import dataset_names, load_dataset
from flora_engine.datasets.preparing import Report, Task
from flora_engine.datasets.published_files import import_split
from flora_engine.files import write_text
from flora_engine.jobs import Job
from flora_engine.processes import cpu_count
from flora_engine.project import open_or_create
from flora_engine.recipes import request
from flora_engine.recipes.request import UserPath

# data set -> the file of its classes
CLASSES = {"ntu60": "ntu60", "ntu120": "ntu120", "pku1": "pku51", "pku2": "pku41"}
_VIDEOS_AT_ONCE = 1  # a PKU-MMD recording takes as long as a hundred of NTU


class Request(request.Request):
    """raw: a folder of raw files; or npz: a published split file. missing: a list of recordings to leave out.

    whole: of PKU-MMD, keep each whole recording with its true segments, too. jobs: processes, None for one per CPU.
    scheduler: of a Dask cluster that prepares instead. write_missing: where to write the names of all skipped
    recordings.
    """

    dataset: Annotated[str, *one_of(sorted(CLASSES))]
    project: UserPath
    raw: UserPath | None = None
    npz: UserPath | None = None
    missing: UserPath | None = None
    jobs: int | None = Field(None, ge=1)
    write_missing: UserPath | None = None
    whole: bool = False
    scheduler: str | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Request:
        if (self.raw is None) == (self.npz is None):
            raise ValueError("prepare needs either a raw folder or a published split file")
        if self.whole and (self.raw is None or self.dataset in ntu.PARTS):
            raise ValueError("whole is for the raw recordings of PKU-MMD, which have several actions each")
        return self


@dataclass(frozen=True)
class Imported:
    """Recordings of a published split file that the project did not have."""

    imported: int


def run(job: Job, request: Request) -> Report | Imported:
    """Prepare; may be run again to continue. Raises FloraError, Cancelled."""
    if request.npz is not None:
        with open_or_create(request.project, "write") as project:
            return Imported(import_split(job, project, request.npz, class_names(request.dataset)))
    assert request.raw is not None
    where = (request.dataset, request.raw, request.project, request.missing)
    report = prepare(job, *where, request.jobs or cpu_count(), whole=request.whole, scheduler=request.scheduler)
    if request.write_missing is not None:
        write_text(request.write_missing, "".join(f"{name}\n" for name in sorted(report.skipped)))
    return report


def class_names(dataset: str) -> tuple[str, ...]:
    """The class names of a data set in label order; empty if the program does not know them."""
    name = CLASSES[dataset]
    return load_dataset(name).class_names if name in dataset_names() else ()


def find_tasks(dataset: str, raw: Path, missing: Path | None, report: Report) -> list[Task]:
    """What `prepare` would read below `raw`; what it would not goes into `report`. Raises FloraError as it does."""
    if dataset in ntu.PARTS:
        return ntu.find(raw, dataset, preparing.missing_names(raw, missing, ntu.NAME), report)
    return pku.find(raw, dataset, preparing.missing_names(raw, missing, pku.CLIP), report)


def prepare(
    job: Job,
    dataset: str,
    raw: Path,
    folder: Path,
    missing: Path | None = None,
    jobs: int = 1,
    *,
    whole: bool = False,
    scheduler: str | None = None,
) -> Report:
    """Prepare the raw folder of a data set into the project at `folder`; may be run again to continue.

    whole: of PKU-MMD, keep each whole recording with its true segments, too.

    Raises FloraError if `raw` holds none of the data set or the project cannot be written, Cancelled when stopped.
    """
    names = class_names(dataset)
    report = Report(dataset, str(raw))
    tasks = find_tasks(dataset, raw, missing, report)
    if dataset in ntu.PARTS:
        return preparing.prepare_all(job, folder, report, tasks, ntu.Prepare(names), names, jobs, scheduler=scheduler)
    sides = pku.find_split(raw, "subject")
    if sides is None:
        report.warnings.append("no cross-subject file in the raw folder: clips do not know which part they are of")
    work = pku.Prepare(names, sides["train"] if sides else frozenset(), whole)
    return preparing.prepare_all(job, folder, report, tasks, work, names, jobs, _VIDEOS_AT_ONCE, scheduler)
