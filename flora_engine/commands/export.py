"""`flora export KIND --project DIR --out PATH`: published npz layouts, labels or splits of a project."""

from __future__ import annotations

import argparse
from pathlib import Path

from flora_engine.commands.console import console_job
from flora_engine.recipes import export


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "kind", choices=export.KINDS, help="a published split file, the labels (CSV), the splits (YAML)"
    )
    parser.add_argument("--project", type=Path, required=True, help="project folder")
    parser.add_argument(
        "--out", type=Path, required=True, help="file to write; for splits a folder, one file per split"
    )
    parser.add_argument("--splits", type=Path, help="PKU-MMD: folder of cross-subject.txt and cross-view.txt")
    parser.add_argument(
        "--copy-single",
        choices=("published", "yes", "no"),
        default="published",
        help="NTU: put a single person into the second half too (published: for NTU-120 only)",
    )


def run(arguments: argparse.Namespace) -> int:
    request = export.Request.of(
        kind=arguments.kind,
        project=arguments.project,
        out=arguments.out,
        splits=arguments.splits,
        copy_single={"published": None, "yes": True, "no": False}[arguments.copy_single],
    )
    with console_job() as job:
        counts = export.run(job, request)
    print(f"{arguments.out}: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    return 0
