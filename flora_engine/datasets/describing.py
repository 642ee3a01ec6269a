"""Descriptors of labelled recordings, for heads that read them: each is read again and measured, once.

The values lie in the user's cache folder, under a key made of the recordings and of the code that reads and measures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from flora_engine.datasets.clips import Clips
from flora_engine.datasets.loading import forget_projects, parted_source, read_source
from flora_engine.descriptors import catalogue, measure
from flora_engine.errors import FloraError
from flora_engine.files import replacing
from flora_engine.jobs import Job
from flora_engine.processes import cpu_count, in_order
from flora_engine.resources import PACKAGE, cache_folder

_BATCH = 16  # recordings a worker process takes at a time
_SERIAL = 200  # below this many recordings, starting processes costs more than it saves
_CODE = ("skeleton", "readers", "descriptors")


def describe_clips(job: Job, clips: Clips, *, processes: int | None = None) -> NDArray[np.float32]:
    """float32 (N, D) in the catalogue's order, NaN for what a recording does not show. processes: None for one per CPU.

    Raises FloraError if it is not known where the recordings lie or one cannot be read any more.
    """
    if len(clips.sources) != len(clips.names):
        raise FloraError("it is not known where these recordings lie", remedy="Leave out the heads that measure them.")
    path = cache_folder() / "descriptors" / f"{_key(clips)}.npy"
    if path.is_file():
        return np.asarray(np.load(path, allow_pickle=False), np.float32)
    values = np.empty((len(clips.names), len(catalogue())), np.float32)
    count = processes or (cpu_count() if len(clips.names) >= _SERIAL else 1)
    try:
        with closing(in_order(_measure, clips.sources, _BATCH, count, job=job)) as measured:
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
