"""Many recordings labelled into one table: CSV, or one JSON object a line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flora_engine.errors import Cancelled, FloraError
from flora_engine.files import write_text
from flora_engine.jobs import Job
from flora_engine.labelling.labeller import Labeller, Ranking
from flora_engine.readers import can_read, read_sequence
from flora_engine.semantics.class_texts import ClassText

FORMATS = (".csv", ".jsonl")
_AT_ONCE = 16  # recordings scored together: the texts pass the network once for all of them


def recordings(paths: Sequence[Path]) -> list[Path]:
    """Files as they are; of folders every file that a reader takes, in name order. FloraError where there is none."""
    found: list[Path] = []
    for path in paths:
        found += sorted(p for p in path.rglob("*") if p.is_file() and can_read(p)) if path.is_dir() else [path]
    if not found:
        raise FloraError("no recording here", path=paths[0], remedy="See docs/formats.md for what can be read.")
    return found


def label_folder(
    job: Job, labeller: Labeller, files: Sequence[Path], texts: list[ClassText], out: Path
) -> dict[str, int]:
    """Rank `texts` for each of `files` and write `out`; returns how many were ``labelled`` and how many ``failed``.

    CSV: file, label and score (0..1) of the best action, a score for each action, problem. JSON lines: file, and
    labels (name, score, error; best first) or problem. A recording that cannot be read or prepared has a problem and
    does not stop the others. Stopped (Cancelled), the file holds the recordings that were done until then.

    Raises FloraError where `out` is of another kind or a name is given to two actions.
    """
    if out.suffix not in FORMATS:
        raise FloraError("labels are written as .csv or .jsonl", path=out, remedy="Give the file one of these endings.")
    names = [text.name for text in texts]
    if len(set(names)) < len(names):
        raise FloraError("an action is named twice", remedy="Name each action once.")
    rows: list[dict[str, Any]] = []
    try:
        for start in range(0, len(files), _AT_ONCE):
            rows += _label(job, labeller, files, range(start, min(start + _AT_ONCE, len(files))), texts)
    except Cancelled:
        _write(out, rows, names)
        raise
    job.progress("labelling", len(files), len(files))
    _write(out, rows, names)
    failed = sum("problem" in row for row in rows)
    return {"labelled": len(rows) - failed, "failed": failed}


def _label(
    job: Job, labeller: Labeller, files: Sequence[Path], which: range, texts: list[ClassText]
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{"file": str(files[i])} for i in which]
    latents, good = [], []
    for i, row in zip(which, rows, strict=True):
        job.progress("labelling", i, len(files))
        try:
            latents.append(labeller.latents([read_sequence(files[i])])[0])
            good.append(row)
        except FloraError as error:
            row["problem"] = str(error)
            job.warn(str(error))
    if latents:
        for row, ranking in zip(good, labeller.rank(np.concatenate(latents), texts), strict=True):
            row["labels"] = plain(ranking)
    return rows


def plain(ranking: Ranking) -> list[dict[str, Any]]:
    """The labels of a ranking as JSON values, best first."""
    return [{"name": label.name, "score": round(label.score, 6), "error": label.error} for label in ranking.labels]


def _write(out: Path, rows: list[dict[str, Any]], names: list[str]) -> None:
    if out.suffix == ".jsonl":
        write_text(out, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "label", "score", *names, "problem"])
    for row in rows:
        labels = row.get("labels", [])
        best = [labels[0]["name"], labels[0]["score"]] if labels else ["", ""]
        scores = {label["name"]: label["score"] for label in labels}
        writer.writerow([row["file"], *best, *(scores.get(name, "") for name in names), row.get("problem", "")])
    write_text(out, text.getvalue())
