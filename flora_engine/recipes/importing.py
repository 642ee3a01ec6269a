"""Bring recordings into a project."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from flora_engine.datasets.importing import ImportOptions, import_folder
from flora_engine.jobs import Job
from flora_engine.project import open_or_create
from flora_engine.recipes import request
from flora_engine.recipes.request import UserPath


class Request(request.Request):
    """project: a folder, made if there is none. paths: recordings, or folders of them."""

    project: UserPath
    paths: tuple[UserPath, ...] = Field(min_length=1)
    options: ImportOptions = ImportOptions()


@dataclass(frozen=True)
class Result:
    """text: the report in a few lines. known: recordings that the project had already. failed: (file, why) pairs."""

    text: str
    added: int
    known: int
    failed: list[tuple[str, str]]


def run(job: Job, request: Request) -> Result:
    """Import; raises FloraError for what no file can be read with, Cancelled. What is committed stays."""
    with open_or_create(request.project, "write") as project:
        report = import_folder(job, project, request.paths, request.options)
    failed = [(str(path), problem) for path, problem in report.failed]
    return Result(report.text(), report.added, report.known, failed)
