"""`flora import PATH… --project DIR`: bring recordings into a project."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

from flora_engine.commands.console import console_job
from flora_engine.datasets.importing import ImportOptions, Preview, import_folder, preview
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.project import DATABASE, Project
from flora_engine.readers.corrections import TURNS, Correction
from flora_engine.skeleton import LAYOUTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="recordings, or folders of them")
    parser.add_argument("--project", type=Path, help="project folder; made where there is none")
    parser.add_argument(
        "--labels", type=Path, help="CSV with the columns file, class and, if you like, subject, camera"
    )
    parser.add_argument(
        "--labels-from", choices=("names", "folders", "none"), default="names", help="where else labels come from"
    )
    parser.add_argument("--dataset", help="whose classes the action numbers in the file names mean: ntu60, ntu120, …")
    parser.add_argument(
        "--layout", choices=sorted(LAYOUTS), help="the joints' true order, where a file says it wrongly"
    )
    parser.add_argument("--up", choices=sorted(TURNS), help="the axis that points up in the files")
    parser.add_argument("--scale", type=float, help="factor to metres: 0.01 for centimetres")
    parser.add_argument("--fps", type=float, help="frames per second, where a file does not say")
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
        processes=arguments.jobs,
    )
    with console_job() as job:
        if arguments.dry_run:
            return _show(job, arguments.paths, options)
        if arguments.project is None:
            print("flora import: --project is missing (or --dry-run)")
            return 2
        with _project(arguments.project) as project:
            report = import_folder(job, project, arguments.paths, options)
    print(report.text())
    return 1 if report.failed else 0


def import_action(job: Job, project: str, paths: list[str], options: dict[str, Any]) -> dict[str, Any]:
    """The worker's "import": as `flora import`; options are those of ImportOptions, paths as text.

    by_layout: {layout: {layout, up, scale, fps}}; by_file: the same by absolute paths.
    """
    known = {field.name for field in fields(ImportOptions)}
    if unknown := sorted(set(options) - known):
        raise FloraError(f"unknown import options: {', '.join(unknown)}")
    if "labels" in options:
        options = {**options, "labels": Path(options["labels"])}
    if "by_layout" in options:
        options = {**options, "by_layout": {key: Correction(**one) for key, one in options["by_layout"].items()}}
    if "by_file" in options:
        options = {**options, "by_file": {Path(key): Correction(**one) for key, one in options["by_file"].items()}}
    with _project(Path(project)) as opened:
        report = import_folder(job, opened, [Path(path) for path in paths], ImportOptions(**options))
    return {
        "text": report.text(),
        "added": report.added,
        "known": report.known,
        "failed": [[str(path), problem] for path, problem in report.failed],
    }


def _project(folder: Path) -> Project:
    return Project.open(folder, "write") if (folder / DATABASE).exists() else Project.create(folder)


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
