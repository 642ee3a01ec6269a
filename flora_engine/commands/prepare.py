"""`flora prepare DATASET --raw DIR --project DIR`: the published preparations (docs/method.md, sections 2, 3)."""

from __future__ import annotations

import argparse
from pathlib import Path

from flora_engine.commands.console import console_job
from flora_engine.datasets.preparing import report_path
from flora_engine.errors import FloraError
from flora_engine.processes import cpu_count
from flora_engine.recipes import preparing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", choices=sorted(preparing.CLASSES), help="which data set")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--raw", type=Path, help="folder of the unpacked raw files; subfolders are searched")
    source.add_argument("--from", dest="npz", type=Path, help="a published split file (NTU60_CS.npz …) instead")
    parser.add_argument("--project", type=Path, required=True, help="project folder; made if there is none")
    parser.add_argument(
        "--missing", type=Path, help="list of recordings to leave out (default: those found near --raw)"
    )
    parser.add_argument(
        "--write-missing", type=Path, help="write the names of all skipped recordings, to be such a list"
    )
    parser.add_argument(
        "--whole", action="store_true", help="of PKU-MMD: also keep whole recordings with their true segments"
    )
    parser.add_argument("--scheduler", metavar="tcp://…", help="prepare by the workers of a Dask cluster instead")
    parser.add_argument("--jobs", type=int, default=cpu_count(), help="processes (default: one per CPU)")


def run(arguments: argparse.Namespace) -> int:
    if arguments.jobs < 1:
        raise FloraError("--jobs should be 1 or more")
    names = ("dataset", "raw", "npz", "project", "missing", "write_missing", "jobs", "whole", "scheduler")
    with console_job() as job:
        result = preparing.run(job, preparing.Request.of(**{name: getattr(arguments, name) for name in names}))
    if isinstance(result, preparing.Imported):
        print(
            f"{result.imported} new recordings from {arguments.npz}; set-up 1 is its train part, set-up 2 its test part"
        )
        return 0
    print(result.as_text().split("\n\nSkipped:")[0])
    print(f"  all names and reasons: {report_path(arguments.project, result.dataset).with_suffix('.txt')}")
    return 0
