"""Windows of a long recording encoded by several processes."""

from __future__ import annotations

import functools
from collections.abc import Generator, Sequence
from pathlib import Path

from flora_engine.jobs import Job
from flora_engine.labelling.features import feature_cache
from flora_engine.labelling.labeller import Labeller
from flora_engine.labelling.timeline import Encoded, Spread, encode
from flora_engine.processes import cpu_count, in_order, workers_that
from flora_engine.skeleton import SkeletonSequence

_LEAST = 180.0  # seconds of a recording from which on starting processes is worth it
_AT_ONCE = 128


def spread_for(job: Job, model: Path, sequence: SkeletonSequence, *, quietly: bool = False) -> Spread | None:
    """What encodes the windows of this recording by a process per CPU; None for a short one, or on one CPU.

    quietly: leave the CPUs to others, such as a window, that want them.
    """
    processes = cpu_count()
    if sequence.seconds < _LEAST or processes < 2:
        return None

    def spread(parts: Sequence[SkeletonSequence]) -> Generator[Encoded, None, None]:
        work = functools.partial(encode_by, model)
        with workers_that("ranks windows", "Label the recording again."):
            yield from in_order(work, parts, _AT_ONCE, processes, job=job, quietly=quietly)

    return spread


def encode_by(model: Path, parts: Sequence[SkeletonSequence]) -> list[Encoded]:
    """The latents of windows, in a process of a pool."""
    return encode(_labeller(model), list(parts))


@functools.lru_cache(maxsize=1)
def _labeller(model: Path) -> Labeller:
    return Labeller(model, threads=1, features=feature_cache())
