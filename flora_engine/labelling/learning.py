"""From what people confirmed in a project, recordings and parts of them, to what a ranker is taught."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flora_engine.errors import FloraError
from flora_engine.labelling.bundle import MANIFEST
from flora_engine.labelling.corrections import MOST
from flora_engine.labelling.teaching import Ranker, Taught
from flora_engine.labelling.windows import cut
from flora_engine.project import Project
from flora_engine.project.lessons import Lesson
from flora_engine.semantics.class_texts import ClassText


def model_key(folder: Path) -> str:
    """What tells one model from another: the hash of its manifest, which holds its files' hashes. FloraError."""
    try:
        return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()[:32]
    except OSError as error:
        raise FloraError(f"the model cannot be read: {error.strerror}", path=folder) from None


def taught_by(
    project: Project,
    ranker: Ranker,
    model: str,
    texts: Sequence[ClassText],
    leave_out: int | None = None,
    *,
    own_parts: bool = False,
) -> Taught | None:
    """What the confirmed recordings, and parts of recordings, of the typed actions teach; None if there are none, or
    learning is off.

    model: `model_key` of the ranker's bundle. leave_out: a recording that is about to be ranked, which must not be
    recognised as itself; own_parts: but what a person said of parts of it counts, for its other parts. Latents that
    were made are kept in the project, if it can be written. What cannot be prepared teaches nothing.
    """
    if not project.lessons.on:
        return None
    lessons = project.lessons.confirmed([text.name for text in texts], MOST + 1)
    lessons = [one for one in lessons if one.id != leave_out or (own_parts and one.begin is not None)]
    if not lessons:
        return None
    keys = {one: (one.id, model if one.begin is None else f"{model} {one.begin}-{one.end}") for one in lessons}
    known = project.lessons.latents(keys.values())
    new: dict[tuple[int, str], bytes] = {}
    for lesson, key in keys.items():
        if key not in known:
            row = _latent(project, ranker, lesson)
            if row is not None:
                new[key] = row
    if new and project.writable:
        project.lessons.keep(new)
    known |= new
    if not ranker.spaces:  # all were known: the widths come with the first recording
        _first(project, ranker, lessons)
    rows = [(np.frombuffer(known[key], "<f4"), one.class_name) for one, key in keys.items() if key in known]
    rows = [(row, name) for row, name in rows if len(row) == sum(ranker.spaces)]
    if not rows:
        return None
    return Taught(np.stack([row for row, _ in rows]), tuple(name for _, name in rows), ranker.spaces)


def _latent(project: Project, ranker: Ranker, lesson: Lesson) -> bytes | None:
    try:
        sequence = project.recordings.read(lesson.id)
        if lesson.begin is not None and lesson.end is not None:
            sequence = cut(sequence, lesson.begin, lesson.end - lesson.begin)
        row: bytes = ranker.latents([sequence])[0][0].astype("<f4").tobytes()
        return row
    except FloraError:
        return None


def _first(project: Project, ranker: Ranker, lessons: Sequence[Lesson]) -> None:
    """Let the ranker make one latent."""
    for lesson in lessons:
        if _latent(project, ranker, lesson) is not None:
            return
