"""The part of `flora label` that ranks many recordings: `--batch`, which resumes after a stop or a crash."""

from __future__ import annotations

import argparse
from pathlib import Path

from flora_engine.commands.console import console_job
from flora_engine.errors import FloraError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("many recordings (docs/labels.md)")
    group.add_argument(
        "--batch", type=Path, metavar="JOURNAL", help="rank folders or a project by several processes into JSON lines"
    )
    group.add_argument("--filter", default="", help="of a project: only the recordings that meet this query")
    group.add_argument("--scheduler", metavar="tcp://…", help="rank by the workers of a Dask cluster (extra “cluster”)")
    group.add_argument("--processes", type=int, help="worker processes (default: one per CPU)")


def refuse_alone(arguments: argparse.Namespace) -> None:
    """FloraError if an option of `--batch` stands without it."""
    for name in ("filter", "processes", "scheduler"):
        if getattr(arguments, name):
            raise FloraError(f"--{name} belongs to --batch", remedy="Add --batch JOURNAL.")


def run(arguments: argparse.Namespace) -> int:
    """Rank, and bring the rankings into the project if one is ranked; the status is 1 if a recording has a problem."""
    from flora_engine.project import Project, is_project
    from flora_engine.recipes import batch

    for name in ("timeline", "json", "out", "why", "learn_from"):
        if getattr(arguments, name):
            raise FloraError(f"--batch does not go with --{name.replace('_', '-')}")
    projects = [path for path in arguments.files if is_project(path)]
    if projects and len(arguments.files) > 1:
        raise FloraError("a project is ranked by itself", path=projects[0], remedy="Name the project alone.")
    if arguments.filter and not projects:
        raise FloraError("--filter is for the recordings of a project")
    given = {"project": projects[0], "filter": arguments.filter} if projects else {"files": arguments.files}
    asked = batch.Request.of(
        **given,
        classes=arguments.classes,
        classes_file=arguments.classes_file,
        model=arguments.model,
        journal=arguments.batch,
        processes=arguments.processes,
        scheduler=arguments.scheduler,
    )
    with console_job() as job:
        result = batch.run(job, asked)
    print(f"{result.journal}: {result.ranked} recordings ranked ({result.new} of them now), {result.failed} failed")
    if projects:
        with Project.open(projects[0], "write") as project:
            print(f"{batch.take_journal(project, asked.journal)} rankings are new in the project")
    return 1 if result.failed else 0
