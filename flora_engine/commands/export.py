"""`flora export KIND --project DIR --out PATH`: published npz layouts, labels or splits of a project."""

from __future__ import annotations

import argparse
import csv
import io
import re
from pathlib import Path

from flora_engine.commands.console import console_job
from flora_engine.datasets import ntu, pku
from flora_engine.errors import FloraError
from flora_engine.files import write_text
from flora_engine.jobs import Job
from flora_engine.project import Project
from flora_engine.project.splits import export_split

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
    copy = {"published": None, "yes": True, "no": False}[arguments.copy_single]
    with Project.open(arguments.project, "read") as project, console_job() as job:
        counts = export(job, project, arguments.kind, arguments.out, arguments.splits, copy)
    print(f"{arguments.out}: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    return 0


def export(
    job: Job, project: Project, kind: str, path: Path, splits: Path | None = None, copy_single: bool | None = None
) -> dict[str, int]:
    """Write one of `KINDS`; what was written, and how many. splits and copy_single as on the command line."""
    if kind == "labels":
        return {"recordings": export_labels(job, project, path)}
    if kind == "splits":
        return {"splits": export_splits(project, path)}
    if kind in ntu.EXPORTS:
        return ntu.export_split(job, project, kind, path, copy_single)
    if kind in pku.EXPORTS:
        return pku.export_split(job, project, kind, path, splits)
    raise FloraError(f"“{kind}” cannot be exported", remedy=f"Known: {', '.join(KINDS)}.")


def export_action(job: Job, kind: str, project: str, out: str, splits: str | None = None) -> dict[str, int]:
    """`export` for the worker: plain arguments in, counts out."""
    with Project.open(Path(project), "read") as opened:
        return export(job, opened, kind, Path(out), Path(splits) if splits else None)


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
        labels = project.labels.of(int(table.ids[row]))
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
    splits = project.splits.all()
    if not splits:
        raise FloraError("the project holds no splits", path=project.folder)
    for name, split in splits.items():
        file = re.sub(r"[^\w.-]+", "_", name)
        export_split(split, project.classes.names(), folder / f"{file}.yaml")
    return len(splits)
