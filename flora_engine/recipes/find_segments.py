"""Find the segments of one recording, for the window: of a file, or of a project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import model_validator

from flora_engine.jobs import Job
from flora_engine.labelling.bundle import BUILTIN, bundle_title, find_bundle
from flora_engine.labelling.features import feature_cache
from flora_engine.labelling.labeller import Labeller
from flora_engine.labelling.lanes import Scores
from flora_engine.labelling.learning import model_key, taught_by
from flora_engine.labelling.spreading import spread_for
from flora_engine.labelling.teaching import Ranker, TaughtRanker
from flora_engine.labelling.timeline import Options, timeline, usual_seconds
from flora_engine.project import Project
from flora_engine.readers import read_sequence
from flora_engine.recipes import request
from flora_engine.recipes.label import candidate_texts
from flora_engine.recipes.request import UserPath
from flora_engine.semantics.class_texts import ClassText
from flora_engine.skeleton import SkeletonSequence


class Request(request.Request):
    """file, or id of a recording in a project. classes: actions as they are typed. scores: file for all scores.

    model: a bundle, or the run that made it; None for the built-in one. background: leave stretches without a class.
    """

    file: UserPath | None = None
    project: UserPath | None = None
    id: int | None = None
    classes: str
    model: UserPath | None = None
    scores: UserPath | None = None
    background: bool = False

    @model_validator(mode="after")
    def _one(self) -> Request:
        if (self.file is None) == (self.project is None) or (self.project is None) != (self.id is None):
            raise ValueError("give either file, or project and id")
        return self


@dataclass(frozen=True)
class Result:
    """segments: [class, begin, end, score] each, frames [begin, end). model: what people call it."""

    segments: list[tuple[str, int, int, float]]
    model: str


def run(job: Job, request: Request) -> Result:
    """Emits events as `flora_engine.labelling.timeline.timeline` does. FloraError, Cancelled."""
    texts = candidate_texts(request.classes, None)
    folder = BUILTIN if request.model is None else find_bundle(request.model)
    sequence, ranker = _read(request, folder, texts)
    options = Options(background=request.background)
    spread = spread_for(job, folder, sequence, quietly=True)
    found = timeline(job, ranker, sequence, texts, options, usual_seconds(texts), spread)
    if request.scores is not None:
        request.scores.write_bytes(Scores(found.names, found.step, found.scores.astype(np.float32)).to_bytes())
    segments = [(s.name, s.start, s.end + 1, s.score or 0.0) for s in found.annotation.segments]
    return Result(segments, bundle_title(folder))


def _read(request: Request, folder: Path, texts: list[ClassText]) -> tuple[SkeletonSequence, Ranker]:
    """The recording, and what ranks it: a project teaches it."""
    labeller = Labeller(folder, features=feature_cache())
    if request.file is not None:
        return read_sequence(request.file), labeller
    assert request.project is not None and request.id is not None
    with Project.open(request.project, "read") as project:
        taught = taught_by(project, labeller, model_key(folder), texts, request.id, own_parts=True)
        sequence = project.recordings.read(request.id)
    return sequence, labeller if taught is None else TaughtRanker(labeller, taught)
