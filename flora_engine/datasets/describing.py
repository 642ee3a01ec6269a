"""Descriptors of labelled recordings: each is read and measured, once.

The values lie in the user's cache folder, under a key made of the recordings and of the code that reads and measures.
`describe_clips` serves heads beside an encoder, `load_described` trainings without one.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.datasets.catalogue import dataset_names
from flora_engine.datasets.clips import Clips, in_numbering_of
from flora_engine.datasets.labelled import (
    Facts,
    Item,
    find_items,
    forget_projects,
    labels_of,
    parted_source,
    read_source,
)
from flora_engine.datasets.settings import RecordingSettings
from flora_engine.descriptors import catalogue, measure
from flora_engine.errors import FloraError
from flora_engine.files import open_arrays, replacing
from flora_engine.jobs import Job
from flora_engine.processes import cpu_count, in_order, workers_that
from flora_engine.resources import PACKAGE, cache_folder, code_key

_BATCH = 16  # recordings a worker process takes at a time
_SERIAL = 200  # below this many recordings, starting processes costs more than it saves
_CODE = ("skeleton", "readers", "descriptors")


def describe_clips(job: Job, clips: Clips, *, processes: int | None = None) -> NDArray[np.float32]:
    """float32 (N, D) in the catalogue's order, NaN for what a recording does not show. processes: None for one per CPU.

    Raises FloraError if it is not known where the recordings lie, if one cannot be read any more, or if a process that
    measures is ended from outside.
    """
    if len(clips.sources) != len(clips.names):
        raise FloraError("it is not known where these recordings lie", remedy="Leave out the heads that measure them.")
    path = cache_folder() / "descriptors" / f"{_key(clips)}.npy"
    if path.is_file():
        return np.asarray(np.load(path, allow_pickle=False), np.float32)
    values = np.empty((len(clips.names), len(catalogue())), np.float32)
    count = processes or (cpu_count() if len(clips.names) >= _SERIAL else 1)
    try:
        with (
            workers_that("measures recordings"),
            closing(in_order(_measure, clips.sources, _BATCH, count, job=job)) as measured,
        ):
            for row, found in enumerate(measured):
                values[row] = found
                if row % _BATCH == 0:
                    job.progress("measuring recordings", row, len(values))
    finally:
        forget_projects()
    job.progress("measuring recordings", len(values), len(values))
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, values)
    return values


def _measure(sources: Sequence[str]) -> list[NDArray[np.float32]]:
    return [measure(read_source(source)) for source in sources]


def _key(clips: Clips) -> str:
    digest = hashlib.sha256(" ".join(catalogue()).encode())
    for part in _CODE:
        for file in sorted((PACKAGE / part).rglob("*.py")):
            digest.update(file.read_bytes())
    for row, source in enumerate(clips.sources):
        file = parted_source(source)[0]
        time = file.stat().st_mtime_ns if file.is_file() else 0
        digest.update(f"\n{source} {time}".encode() + np.ascontiguousarray(clips.joints[row]).tobytes())
    return digest.hexdigest()[:24]


# Without an encoder


@dataclass(frozen=True)
class Described:
    """N labelled recordings of one data set.

    values: float32 (N, D) in the catalogue's order. labels: int64 (N,), 0-based over class_names.
    """

    values: NDArray[np.float32]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]


@dataclass(frozen=True)
class _Found:
    """values: float32 (items, D). facts: None of those that failed; why, in problems."""

    values: NDArray[np.float32]
    facts: list[Facts | None]
    problems: list[str]


def load_described(job: Job, settings: RecordingSettings, *, processes: int | None = None) -> Described:
    """All labelled recordings of one data set, measured; labels as `load_clips` gives them.

    Those that cannot be read, or have no class of the data set, are left out with a warning. Values are kept per data
    set, so that a training that was stopped continues with the next one. processes: None for one per CPU. Raises
    FloraError if nothing can be used or a process that measures is ended from outside, Cancelled.
    """
    items = find_items(settings)
    path = cache_folder() / "descriptors" / f"{settings.dataset}-{_key_of(items)}.npz"
    found = _read_found(path) if path.is_file() else _measure_items(job, items, path, processes)
    for problem in found.problems:
        job.warn(problem)
    names, labels = labels_of(job, settings, items, found.facts)
    labels = np.where([fact is None for fact in found.facts], -1, labels)
    if settings.project is not None and settings.dataset in dataset_names():
        names, labels = in_numbering_of(job, names, labels, settings.dataset)
    keep = labels >= 0
    if not keep.any():
        raise FloraError(
            f"no recording of {settings.dataset} has a label",
            path=settings.raw or settings.project,
            remedy="Check the file names, or label them in a project.",
        )
    return Described(found.values[keep], labels[keep], names)


def _key_of(items: Sequence[Item]) -> str:
    digest = hashlib.sha256(f"{' '.join(catalogue())} {_code_key()}".encode())
    for item in items:
        digest.update(f"\n{item.identity}".encode())
    return digest.hexdigest()[:24]


@functools.cache
def _code_key() -> str:
    return code_key((*_CODE, "project/columns.py", "datasets/labelled.py", "datasets/motion_archive.py"))


def _measure_items(job: Job, items: Sequence[Item], path: Path, processes: int | None) -> _Found:
    values = np.full((len(items), len(catalogue())), np.nan, np.float32)
    facts: list[Facts | None] = []
    problems: list[str] = []
    with closing(_measured(job, items, processes)) as results:
        for row, result in enumerate(results):
            if row % _BATCH == 0:
                job.progress("measuring recordings", row, len(items))
            if isinstance(result, str):
                problems.append(result)
                facts.append(None)
                continue
            values[row], fact = result
            facts.append(fact)
    job.progress("measuring recordings", len(items), len(items))
    told = [None if fact is None else [fact.name, fact.numbers, fact.class_name] for fact in facts]
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, values=values, told=np.array(json.dumps({"facts": told, "problems": problems})))
    return _Found(values, facts, problems)


def _read_found(path: Path) -> _Found:
    with open_arrays(path) as stored:
        values, told = stored["values"], json.loads(str(stored["told"]))
    facts = [None if row is None else Facts(row[0], tuple(row[1]), row[2]) for row in told["facts"]]
    return _Found(values, facts, told["problems"])


def _measured(
    job: Job, items: Sequence[Item], processes: int | None
) -> Generator[tuple[NDArray[np.float32], Facts] | str, None, None]:
    """Results in the order of `items`, computed here or in worker processes."""
    processes = processes or (cpu_count() if len(items) >= _SERIAL else 1)
    try:
        with workers_that("measures recordings"):
            yield from in_order(_measure_all, items, _BATCH, processes, job=job)
    finally:
        forget_projects()


def _measure_all(items: Sequence[Item]) -> list[tuple[NDArray[np.float32], Facts] | str]:
    return [_measure_item(item) for item in items]


def _measure_item(item: Item) -> tuple[NDArray[np.float32], Facts] | str:
    try:
        sequence = item.read()
        return measure(sequence), Facts.of(sequence)
    except FloraError as error:
        return str(error)
