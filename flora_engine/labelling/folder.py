"""Many recordings, one after the other: the one loop behind the table, the printed ranking and the JSON lines."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.labelling.ranking import LabelledFile
from flora_engine.labelling.teaching import Ranker
from flora_engine.project import is_project
from flora_engine.readers import can_read, read_sequence
from flora_engine.readers.reading_recipes import ReadingRecipe
from flora_engine.semantics.class_texts import ClassText

_AT_ONCE = 16  # recordings scored together: the texts pass the network once for all of them


def recordings(paths: Sequence[Path]) -> list[Path]:
    """Files as they are; of folders every file that a reader takes, in name order. FloraError if there is none, and for
    a project, whose recordings are no files.
    """
    found: list[Path] = []
    for path in paths:
        if is_project(path):
            remedy = f"Rank its recordings by `flora label {path} --classes … --batch FILE`, or in the window."
            raise FloraError("is a project", path=path, remedy=remedy)
        found += sorted(p for p in path.rglob("*") if p.is_file() and can_read(p)) if path.is_dir() else [path]
    if not found:
        raise FloraError("no recording here", path=paths[0], remedy="See docs/formats.md for what can be read.")
    return found


def label_files(
    job: Job,
    labeller: Ranker,
    files: Sequence[Path],
    texts: list[ClassText],
    *,
    why: bool = False,
    recipe: ReadingRecipe | None = None,
) -> Iterator[LabelledFile]:
    """Rank `texts` for each of `files`, in their order.

    why: with the reasons of every label. recipe: how they are to be read, see `read_sequence`.
    A recording that cannot be read or prepared has a problem and does not stop the others. Raises Cancelled, and
    FloraError if there are no texts.
    """
    for start in range(0, len(files), _AT_ONCE):
        yield from _label(job, labeller, files, range(start, min(start + _AT_ONCE, len(files))), texts, why, recipe)
    job.progress("labelling", len(files), len(files))


def _label(
    job: Job,
    labeller: Ranker,
    files: Sequence[Path],
    which: range,
    texts: list[ClassText],
    why: bool,
    recipe: ReadingRecipe | None,
) -> list[LabelledFile]:
    problems: dict[int, str] = {}
    latents, timings, sequences = [], {}, {}
    for i in which:
        job.progress("labelling", i, len(files))
        start = time.perf_counter()
        try:
            sequence = read_sequence(files[i], recipe=recipe)
            read = time.perf_counter() - start
            latent, seconds = labeller.latents([sequence])
        except FloraError as error:
            problems[i] = str(error)
            job.warn(str(error))
            continue
        latents.append(latent)
        timings[i] = {"read": read, **seconds}
        if why:
            sequences[i] = sequence
    ranked = labeller.rank(np.concatenate(latents), texts) if latents else []
    rankings = iter(ranked)
    results = []
    for i in which:
        if i in problems:
            results.append(LabelledFile(files[i], None, problems[i]))
            continue
        ranking = next(rankings)
        shared = {stage: value / len(latents) for stage, value in ranking.timings.items()}
        ranking = replace(ranking, timings=timings[i] | shared)
        if why:
            ranking = labeller.explain(sequences[i], texts, ranking)
        results.append(LabelledFile(files[i], ranking))
    return results
