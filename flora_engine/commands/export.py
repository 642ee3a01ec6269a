"""`flora export KIND --project DIR --out PATH`: published npz layouts, labels or splits of a project."""

from __future__ import annotations

import argparse
import csv
import io
import re
from pathlib import Path

from flora_engine.commands.console import console_job
from flora_engine.datasets import ntu, pku
from flora_engine.datasets.project import Project
from flora_engine.datasets.splits import export_split
from flora_engine.errors import FloraError
from flora_engine.files import write_text
from flora_engine.jobs import Job

KINDS = (*ntu.EXPORTS, *pku.EXPORTS, "labels", "splits")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", choices=KINDS, help="a published split file, the labels (CSV), or the splits (YAML)")
    parser.add_argument("--project", type=Path, required=True, help="project folder")
    parser.add_argument("--out", type=Path, required=True, help="file to write; for splits a folder, a file a split")
    parser.add_argument("--splits", type=Path, help="PKU-MMD: folder of cross-subject.txt and cross-view.txt")
    parser.add_argument(
        "--copy-single",
        choices=("published", "yes", "no"),
        default="published",
        help="NTU: put a single person into the second half too (published: for NTU-120 only)",
    )


def run(arguments: argparse.Namespace) -> int:
    with Project.open(arguments.project, "read") as project, console_job() as job:
        if arguments.kind == "labels":
            return _told(export_labels(job, project, arguments.out), "recordings", arguments.out)
        if arguments.kind == "splits":
            return _told(export_splits(project, arguments.out), "splits", arguments.out)
        if arguments.kind in ntu.EXPORTS:
            copy = {"published": None, "yes": True, "no": False}[arguments.copy_single]
            sizes = ntu.export_split(job, project, arguments.kind, arguments.out, copy)
        else:
            sizes = pku.export_split(job, project, arguments.kind, arguments.out, arguments.splits)
    print(f"{arguments.out}: {sizes['train']} train and {sizes['test']} test recordings")
    return 0


def _told(count: int, what: str, path: Path) -> int:
    print(f"{path}: {count} {what}")
    return 0


def export_labels(job: Job, project: Project, path: Path) -> int:
    """Write name, class, begin, end, origin, score of every label as CSV (UTF-8); how many recordings it covers.

    begin and end (frames from 0, end excluded) are empty for labels of whole recordings. A recording without a label
    has one line with an empty class, so that the file can be filled in by hand.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("name", "class", "begin", "end", "origin", "score"))
    table = project.table
    for row, name in enumerate(table.names):
        labels = project.labels(int(table.ids[row]))
        for label in labels:
            span = ("" if value is None else value for value in (label.begin, label.end))
            score = "" if label.score is None else f"{label.score:.6g}"
            writer.writerow((name, label.class_name, *span, label.origin, score))
        if not labels:
            writer.writerow((name, "", "", "", "", ""))
        if row % 200 == 0:
            job.progress("writing", row, len(table))
    write_text(path, text.getvalue())
    return len(table)


def export_splits(project: Project, folder: Path) -> int:
    """Write every split of the project to folder/NAME.yaml, in the form that configurations read; how many."""
    splits = project.splits()
    if not splits:
        raise FloraError("the project holds no splits", path=project.folder)
    for name, split in splits.items():
        file = re.sub(r"[^\w.-]+", "_", name)
        export_split(split, project.class_names(), folder / f"{file}.yaml")
    return len(splits)
