"""`flora verify PROJECT`: read every recording of a project, and compare it with what was imported."""

from __future__ import annotations

import argparse
from pathlib import Path

from flora_engine.commands.console import console_job
from flora_engine.recipes import verify


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", type=Path, help="project folder")


def run(arguments: argparse.Namespace) -> int:
    with console_job() as job:
        result = verify.run(job, verify.Request.of(project=arguments.project))
    for problem in result.problems:
        print(problem)
    print(f"{arguments.project}: {result.recordings} recordings read, {len(result.problems) or 'no'} problems found")
    return 1 if result.problems else 0
