"""Labelled recordings, prepared for an encoder.

Preparing is done once: the clips lie in the user's cache folder under a key made of the recordings (path, size and
time of change; or content hash, name and numbers), of the settings and of the code that reads and prepares.
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
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from flora_engine.datasets.catalogue import dataset_names
from flora_engine.datasets.clips import Clips
from flora_engine.datasets.labelled import NUMBERS, Facts, Item, find_items, forget_projects, labels_of
from flora_engine.datasets.settings import DataSettings
from flora_engine.errors import FloraError
from flora_engine.files import replacing, write_text
from flora_engine.jobs import Job
from flora_engine.preprocessing import prepare
from flora_engine.processes import cpu_count, in_order, workers_that
from flora_engine.resources import cache_folder, code_key

_BATCH = 32  # recordings a worker process takes at a time
_SERIAL = 2000  # below this many recordings, starting processes costs more than it saves
_SOURCES = ("skeleton", "readers", "preprocessing", "project/columns.py", "datasets/labelled.py", "datasets/loading.py")


@dataclass(frozen=True)
class Prepared:
    """joints (N, 3, T, V, M); for each item its facts, or None if it failed (zeros then); why they failed."""

    joints: NDArray[np.float32]
    facts: list[Facts | None]
    problems: list[str]


def load_clips(
    job: Job,
    settings: DataSettings,
    *,
    processes: int | None = None,
    cache: bool = True,
    most: int | None = None,
) -> Clips:
    """All labelled recordings of one data set, prepared as `settings` says; or at most so many, taken evenly.

    Labels are in the numbering of the data set, whatever order a project keeps its classes in; of a data set that is
    not in the catalogue, in that of the project. A recording of a raw folder has the class that its file names, else
    the one of its action number. Recordings that cannot be read or prepared, have no label, or a class that the data
    set does not have are left out with a warning. processes: None for one per CPU; the result does not depend on it.
    joints may be a copy-on-write map of the cache file.

    Raises FloraError if the folder or project is missing or nothing in it can be used, or if a process that reads is
    ended from outside.
    """
    items = find_items(settings)
    if most is not None:
        items = _some(job, items, most, settings)
    folder = cache_folder() / "clips" / _key(items, settings)
    if cache and (folder / "facts.json").is_file():
        prepared = _read_cache(folder)
    else:
        prepared = _prepare_all(job, items, settings, processes, folder if cache else None)
    for problem in prepared.problems:
        job.warn(problem)
    clips = _clips(prepared, items, *labels_of(job, settings, items, prepared.facts), settings.persons)
    numbered = settings.project is None or settings.dataset not in dataset_names()
    return clips if numbered else clips.in_numbering_of(job, settings.dataset)


def _some(job: Job, items: Sequence[Item], most: int, settings: DataSettings) -> list[Item]:
    """At most so many, evenly over those that have a label as far as that is known before they are read."""
    if settings.raw is None and settings.project is not None:
        _, labels = labels_of(job, settings, items, [None] * len(items))
        items = [item for item, label in zip(items, labels, strict=True) if label >= 0] or items
    rows = np.unique(np.linspace(0, len(items) - 1, min(len(items), most)).astype(np.int64))
    return [items[row] for row in rows]


def _key(items: Sequence[Item], settings: DataSettings) -> str:
    digest = hashlib.sha256(f"{_code_key()} {settings.preparation} {settings.frames}".encode())
    for item in items:
        digest.update(f"\n{item.identity}".encode())
    return f"{settings.dataset}-{digest.hexdigest()[:24]}"


@functools.cache
def _code_key() -> str:
    return code_key(_SOURCES)


# Reading and preparing


def _prepare_item(item: Item, preparation: str, frames: int) -> tuple[NDArray[np.float32], Facts] | str:
    try:
        sequence = item.read()
        joints = prepare(sequence, preparation, frames)
        return joints, Facts.of(sequence)
    except FloraError as error:
        return str(error)


def _prepare_batch(
    items: Sequence[Item], preparation: str, frames: int
) -> list[tuple[NDArray[np.float32], Facts] | str]:
    return [_prepare_item(item, preparation, frames) for item in items]


def _prepared(
    items: Sequence[Item], settings: DataSettings, processes: int | None
) -> Generator[tuple[NDArray[np.float32], Facts] | str, None, None]:
    """Results in the order of `items`, computed here or in worker processes."""
    processes = processes or (cpu_count() if len(items) >= _SERIAL else 1)
    work = functools.partial(_prepare_batch, preparation=settings.preparation, frames=settings.frames)
    try:
        with workers_that("reads recordings"):
            yield from in_order(work, items, _BATCH, processes)
    finally:
        forget_projects()


def _prepare_all(
    job: Job, items: Sequence[Item], settings: DataSettings, processes: int | None, folder: Path | None
) -> Prepared:
    """Prepare everything; into the cache folder if one is given, which appears there only when it is complete."""
    if folder is None:
        return _fill(job, items, settings, processes, None)
    with replacing(folder / "joints.npy") as path:
        prepared = _fill(job, items, settings, processes, path)
    rows = [None if fact is None else [fact.name, fact.numbers, fact.class_name] for fact in prepared.facts]
    write_text(folder / "facts.json", json.dumps({"facts": rows, "problems": prepared.problems}))
    return _read_cache(folder)


def _fill(
    job: Job, items: Sequence[Item], settings: DataSettings, processes: int | None, path: Path | None
) -> Prepared:
    """Into memory, or into the file at `path`, which may be larger than memory."""
    joints: NDArray[np.float32] | None = None
    facts: list[Facts | None] = []
    problems: list[str] = []
    with closing(_prepared(items, settings, processes)) as results:
        for done, result in enumerate(results):
            if done % 16 == 0:
                job.progress("reading recordings", done, len(items))
            if isinstance(result, str):
                facts.append(None)
                problems.append(result)
                continue
            if joints is None:
                shape = (len(items), *result[0].shape)
                joints = np.zeros(shape, np.float32) if path is None else open_memmap(path, "w+", np.float32, shape)
            joints[done] = result[0]
            facts.append(result[1])
    job.progress("reading recordings", len(items), len(items))
    if joints is None:
        raise FloraError(f"none of the {len(items)} recordings can be used; the first says: {problems[0]}")
    if isinstance(joints, np.memmap):
        joints.flush()
    return Prepared(joints, facts, problems)


def _read_cache(folder: Path) -> Prepared:
    stored = json.loads((folder / "facts.json").read_text(encoding="utf-8"))
    facts = [None if row is None else Facts(row[0], tuple(row[1]), row[2]) for row in stored["facts"]]
    return Prepared(np.load(folder / "joints.npy", mmap_mode="c"), facts, stored["problems"])


# Labels


def _clips(
    prepared: Prepared, items: Sequence[Item], names: tuple[str, ...], labels: NDArray[np.int64], persons: int
) -> Clips:
    keep = np.array([fact is not None for fact in prepared.facts], bool) & (labels >= 0)
    if not keep.any():
        raise FloraError("no recording has a label", remedy="Check the file names, or label them in a project.")
    kept = [fact for fact, use in zip(prepared.facts, keep, strict=True) if use and fact is not None]
    numbers = dict(zip(NUMBERS, np.array([fact.numbers for fact in kept], np.int64).T, strict=True))
    return Clips(
        joints=(prepared.joints if keep.all() else prepared.joints[keep])[..., :persons],
        labels=labels[keep],
        names=tuple(fact.name for fact in kept),
        class_names=names,
        subjects=numbers["subject"],
        cameras=numbers["camera"],
        setups=numbers["setup"],
        sources=tuple(item.source for item, use in zip(items, keep, strict=True) if use),
    )
