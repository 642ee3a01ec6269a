"""From the confirmed recordings of a project to what a ranker is taught."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flora_engine.errors import FloraError
from flora_engine.labelling.bundle import MANIFEST
from flora_engine.labelling.corrections import MOST
from flora_engine.labelling.teaching import Ranker, Taught
from flora_engine.project import Project
from flora_engine.semantics.class_texts import ClassText


def model_key(folder: Path) -> str:
    """What tells one model from another: the hash of its manifest, which holds its files' hashes. FloraError."""
    try:
        return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()[:32]
    except OSError as error:
        raise FloraError(f"the model cannot be read: {error.strerror}", path=folder) from None


def taught_by(
    project: Project, ranker: Ranker, model: str, texts: Sequence[ClassText], leave_out: int | None = None
) -> Taught | None:
    """What the confirmed recordings of the typed actions teach; None if there are none, or learning is off.

    model: `model_key` of the ranker's bundle. leave_out: a recording that is about to be ranked, which must not be
    recognised as itself. Latents that were made are kept in the project, if it can be written. A recording that cannot
    be prepared teaches nothing.
    """
    if not project.lessons.on:
        return None
    confirmed = project.lessons.confirmed([text.name for text in texts], MOST + 1)
    confirmed = [(id, name) for id, name in confirmed if id != leave_out]
    if not confirmed:
        return None
    known = project.lessons.latents(model, [id for id, _ in confirmed])
    new: dict[int, bytes] = {}
    for id, _ in confirmed:
        if id not in known:
            row = _latent(project, ranker, id)
            if row is not None:
                new[id] = row
    if new and project.writable:
        project.lessons.keep(model, new)
    known |= new
    if not ranker.spaces:  # all were known: the widths come with the first recording
        _first(project, ranker, [id for id, _ in confirmed])
    rows = [(np.frombuffer(known[id], "<f4"), name) for id, name in confirmed if id in known]
    rows = [(row, name) for row, name in rows if len(row) == sum(ranker.spaces)]
    if not rows:
        return None
    return Taught(np.stack([row for row, _ in rows]), tuple(name for _, name in rows), ranker.spaces)


def _latent(project: Project, ranker: Ranker, id: int) -> bytes | None:
    try:
        row: bytes = ranker.latents([project.recordings.read(id)])[0][0].astype("<f4").tobytes()
        return row
    except FloraError:
        return None


def _first(project: Project, ranker: Ranker, ids: Sequence[int]) -> None:
    """Let the ranker make one latent."""
    for id in ids:
        if _latent(project, ranker, id) is not None:
            return
