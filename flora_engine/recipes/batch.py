"""Rank actions for many recordings: by several processes, with a journal, so that a batch resumes after a crash."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.labelling.bundle import BUILTIN, bundle_title, find_bundle
from flora_engine.labelling.features import feature_cache
from flora_engine.labelling.folder import recordings
from flora_engine.labelling.journal import Head, Journal, Line, read_journal
from flora_engine.labelling.labeller import Labeller
from flora_engine.labelling.learning import model_key, taught_by
from flora_engine.labelling.teaching import Ranker, Taught, TaughtRanker
from flora_engine.processes import cpu_count, in_order, on_cluster
from flora_engine.project import Project, RankingSaid
from flora_engine.project.filters import select
from flora_engine.readers import read_sequence
from flora_engine.recipes import request
from flora_engine.recipes.label import candidate_texts
from flora_engine.recipes.request import UserPath
from flora_engine.semantics.class_texts import ClassText
from flora_engine.skeleton import SkeletonSequence

_AT_ONCE = 8  # recordings that a process ranks together
_LOST = 3  # times that a lost process is replaced
_POOL = 24  # recordings from which on starting processes is worth it


class Request(request.Request):
    """project: rank its recordings, those of `ids`, else those that meet `filter`. files: or recordings, and folders.

    classes: actions as they are typed, or classes_file with them. model: a bundle, or the run that made it; None for
    the built-in one. journal: where the rankings go, as they are done. processes: None for one per CPU.
    scheduler: of a Dask cluster whose workers rank instead.
    """

    project: UserPath | None = None
    ids: tuple[int, ...] | None = None
    filter: str = ""
    files: tuple[UserPath, ...] = ()
    classes: str | None = None
    classes_file: UserPath | None = None
    model: UserPath | None = None
    journal: UserPath
    processes: int | None = Field(None, ge=1)
    scheduler: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Request:
        if (self.project is None) == (not self.files):
            raise ValueError("give either a project or files")
        if (self.classes is None) == (self.classes_file is None):
            raise ValueError("give either classes or classes_file")
        return self


@dataclass(frozen=True)
class Result:
    """How many recordings were ranked in all, by this run, and how many have a problem."""

    journal: str
    ranked: int
    new: int
    failed: int


def run(job: Job, request: Request) -> Result:
    """Rank everything that the journal lacks. Emits events of kind `ranked` (done). FloraError, Cancelled."""
    texts = candidate_texts(request.classes, request.classes_file)
    folder = BUILTIN if request.model is None else find_bundle(request.model)
    items = _items(request)
    where = "" if request.project is None else str(request.project)
    known = [[text.name, text.motion, text.definition] for text in texts]
    journal = Journal(
        request.journal, Head(bundle_title(folder), model_key(folder), request.classes or "", known, items)
    )
    try:
        wanted = [item for item in items if item not in journal.done]
        work = functools.partial(rank_items, _Work(folder, texts, where, _taught(request, folder, texts)))
        done = _rank_all(job, work, wanted, journal, request.processes, request.scheduler)
    finally:
        journal.close()
    lines = [journal.done[item] for item in items]
    failed = sum(bool(line.problem) for line in lines)
    return Result(str(request.journal), len(lines) - failed, done, failed)


def _rank_all(
    job: Job, work: Any, wanted: list[str], journal: Journal, processes: int | None, scheduler: str | None = None
) -> int:
    """Rank what is wanted, and replace processes that are lost; how many were ranked."""
    many = cpu_count() if processes is None else processes
    done, lost, total = 0, 0, len(wanted)
    while wanted:
        job.progress("ranking", done, total)
        if scheduler is None:
            found = in_order(work, wanted, _AT_ONCE, many if len(wanted) >= _POOL else 1, job=job, quietly=True)
        else:
            found = on_cluster(work, wanted, _AT_ONCE, scheduler, job=job)
        part: list[Line] = []
        try:
            for line in found:
                part.append(line)
                if line.problem:
                    job.warn(line.problem)
                if len(part) >= _AT_ONCE or done + len(part) == total:
                    journal.add(part)
                    done += len(part)
                    part = []
                    job.emit("ranked", done=done)
                job.progress("ranking", done + len(part), total)
        except BrokenProcessPool:
            lost += 1
            if lost > _LOST:
                raise FloraError("processes that rank end again and again; there may be too little memory") from None
            job.warn("a process that ranked was lost; its recordings are ranked again")
        finally:
            found.close()
            if part:
                journal.add(part)
                done += len(part)
        wanted = [item for item in wanted if item not in journal.done]
    job.progress("ranking", total, total)
    return done


def _items(request: Request) -> list[str]:
    """What is ranked, as the journal names it."""
    if request.project is None:
        return [str(file) for file in recordings(list(request.files))]
    if request.ids is not None:
        return [str(id) for id in request.ids]
    with Project.open(request.project, "read") as project:
        table = project.table
        chosen = [str(id) for id in table.ids[select(table, request.filter)].tolist()]
    if not chosen:
        raise FloraError(f"no recording meets the filter “{request.filter}”", path=request.project)
    return chosen


def _taught(request: Request, folder: Path, texts: list[ClassText]) -> Taught | None:
    """What the project teaches at the start of the batch."""
    if request.project is None:
        return None
    with Project.open(request.project, "read") as project:
        if not project.lessons.on or not project.lessons.confirmed([text.name for text in texts], 1):
            return None
        return taught_by(project, Labeller(folder, threads=1, features=feature_cache()), model_key(folder), texts)


@dataclass(frozen=True)
class _Work:
    """What a process needs to know."""

    model: Path
    texts: list[ClassText]
    project: str
    taught: Taught | None


def rank_items(work: _Work, items: Sequence[str]) -> list[Line]:
    """The rankings of some recordings; one that cannot be read or prepared has a problem."""
    ranker = _ranker(work.model)
    if work.taught is not None:
        ranker = TaughtRanker(ranker, work.taught)
    lines: dict[str, Line] = {}
    latents, good = [], []
    for item in items:
        try:
            latents.append(ranker.latents([_sequence(work.project, item)])[0])
            good.append(item)
        except FloraError as error:
            lines[item] = Line(item, problem=str(error))
    if good:
        for item, ranking in zip(good, ranker.rank(np.concatenate(latents), work.texts), strict=True):
            labels = tuple((label.name, label.score) for label in ranking.labels)
            lines[item] = Line(item, labels, ranking.none, time.time())
    return [lines[item] for item in items]


def _sequence(project: str, item: str) -> SkeletonSequence:
    """A recording of a project, or of a file if `project` is empty."""
    return _project(project).recordings.read(int(item)) if project else read_sequence(Path(item))


@functools.lru_cache(maxsize=1)
def _ranker(model: Path) -> Ranker:
    """One model per process, on one CPU: the processes share the work."""
    return Labeller(model, threads=1, features=feature_cache())


@functools.lru_cache(maxsize=1)
def _project(folder: str) -> Project:
    return Project.open(Path(folder), "read")


def take_journal(project: Project, path: Path) -> int:
    """Bring the rankings of a journal into the project; how many are new. Raises FloraError."""
    head, lines = read_journal(path)
    said = [
        (int(line.item), RankingSaid(head.model, line.ranking, line.none, line.time))
        for line in lines
        if not line.problem and line.item.isdigit()
    ]
    return project.statements.add_rankings(said)
