"""`flora import PATH… --project DIR`: bring recordings into a project."""

from __future__ import annotations

import argparse
from pathlib import Path

from flora_engine.commands.console import console_job
from flora_engine.commands.info import add_choice
from flora_engine.datasets.importing import ImportOptions, Preview, preview
from flora_engine.jobs import Job
from flora_engine.readers.corrections import TURNS
from flora_engine.recipes import importing
from flora_engine.skeleton import LAYOUTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="recordings, or folders of them")
    parser.add_argument("--project", type=Path, help="project folder; made if there is none")
    parser.add_argument(
        "--labels", type=Path, help="CSV with the columns file, class and, if you like, subject, camera"
    )
    parser.add_argument(
        "--labels-from", choices=("names", "folders", "none"), default="names", help="where else labels come from"
    )
    parser.add_argument("--dataset", help="whose classes the action numbers in the file names mean: ntu60, ntu120, …")
    parser.add_argument("--layout", choices=sorted(LAYOUTS), help="the joints' true order, if a file says it wrongly")
    parser.add_argument("--up", choices=sorted(TURNS), help="the axis that points up in the files")
    parser.add_argument("--scale", type=float, help="factor to metres: 0.01 for centimetres")
    parser.add_argument("--fps", type=float, help="frames per second, if a file does not say")
    add_choice(parser)
    parser.add_argument("--jobs", type=int, help="processes (default: one per CPU)")
    parser.add_argument("--dry-run", action="store_true", help="only say what each file looks like")


def run(arguments: argparse.Namespace) -> int:
    options = ImportOptions(
        labels=arguments.labels,
        labels_from=arguments.labels_from,
        dataset=arguments.dataset,
        layout=arguments.layout,
        up=arguments.up,
        scale=arguments.scale,
        fps=arguments.fps,
        recipe=arguments.recipe,
        processes=arguments.jobs,
    )
    with console_job() as job:
        if arguments.dry_run:
            return _show(job, arguments.paths, options)
        if arguments.project is None:
            print("flora import: --project is missing (or --dry-run)")
            return 2
        request = importing.Request.of(project=arguments.project, paths=arguments.paths, options=options)
        result = importing.run(job, request)
    print(result.text)
    return 1 if result.failed else 0


def _show(job: Job, paths: list[Path], options: ImportOptions) -> int:
    unreadable = 0
    for found in preview(job, paths, options):
        unreadable += found.inspection is None
        print(_line(found))
    return 1 if unreadable else 0


def _line(found: Preview) -> str:
    """One line for a good file, and one more for each thing that is not."""
    if found.inspection is None:
        return f"unreadable  {found.problem}"
    seen = found.inspection
    facts = f"{seen.frames} frames at {seen.fps:g}/s, {seen.persons} person(s), {found.layout}, up {seen.up or '?'}"
    lines = [f"{seen.verdict:<10}  {found.path}: {facts}, class “{found.class_name}”"]
    doubts = [check for check in seen.checks if check.verdict != "good"]
    lines += [f"            {check.verdict}: {check.name}: {check.finding}. {check.advice}" for check in doubts]
    return "\n".join(lines)
