"""Read everything that a project holds, and compare it with what was imported."""

from __future__ import annotations

from dataclasses import dataclass

from flora_engine.jobs import Job
from flora_engine.project import Project
from flora_engine.recipes import request
from flora_engine.recipes.request import UserPath


class Request(request.Request):
    project: UserPath


@dataclass(frozen=True)
class Result:
    """recordings: how many were read. problems: one sentence for each thing that is wrong."""

    recordings: int
    problems: list[str]


def run(job: Job, request: Request) -> Result:
    """Check the database and the frames of every recording. FloraError if the folder is not a project, Cancelled."""
    with Project.open(request.project, "read") as project:
        problems = project.recordings.verify(lambda done, total: job.progress("verifying", done, total))
        return Result(len(project.table), problems)
