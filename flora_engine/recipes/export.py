"""Write what a project holds into files that other programs read: published npz layouts, labels, splits."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Annotated

from flora_engine.choices import one_of
from flora_engine.datasets import ntu, pku
from flora_engine.errors import FloraError
from flora_engine.files import write_text
from flora_engine.jobs import Job
from flora_engine.project import Project
from flora_engine.project.splits import export_split
from flora_engine.recipes import request
from flora_engine.recipes.request import UserPath

KINDS: tuple[str, ...] = (*ntu.EXPORTS, *pku.EXPORTS, "labels", "splits")


class Request(request.Request):
    """out: a file, for splits a folder. splits: PKU-MMD's folder of cross-subject.txt and cross-view.txt.

    copy_single (NTU RGB+D): copy a single person into the second half too; None as published, for NTU-120 only.
    """

    kind: Annotated[str, *one_of(KINDS)]
    project: UserPath
    out: UserPath
    splits: UserPath | None = None
    copy_single: bool | None = None


def run(job: Job, request: Request) -> dict[str, int]:
    """Write the file or files; returns what was written, and how many. Raises FloraError, Cancelled."""
    kind, path = request.kind, request.out
    with Project.open(request.project, "read") as project:
        if kind == "labels":
            return {"recordings": export_labels(job, project, path)}
        if kind == "splits":
            return {"splits": export_splits(project, path)}
        if kind in ntu.EXPORTS:
            return ntu.export_split(job, project, kind, path, request.copy_single)
        return pku.export_split(job, project, kind, path, request.splits)


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
    """Write every split of the project to folder/NAME.yaml, unseen classes by name; how many.

    FloraError if the project holds none, or two whose names give the same file name.
    """
    splits = project.splits.all()
    if not splits:
        raise FloraError("the project holds no splits", path=project.folder)
    files = {name: re.sub(r"[^\w.-]+", "_", name) for name in splits}
    for name, split in splits.items():
        same = [other for other in splits if files[other].casefold() == files[name].casefold()]
        if len(same) > 1:
            raise FloraError(
                f"the splits “{same[0]}” and “{same[1]}” would be written to the same file",
                path=folder / f"{files[name]}.yaml",
                remedy="Rename one of them.",
            )
        export_split(split, project.classes.names(), folder / f"{files[name]}.yaml")
    return len(splits)
