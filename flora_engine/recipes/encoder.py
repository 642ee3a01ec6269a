"""Train Shift-GCN on the seen classes of a split.

On several GPUs or machines the same under torchrun: ``torchrun --nproc-per-node 4 -m flora_engine.cli train-encoder …``
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from flora_engine.config import EncoderConfig, EncoderSettings
from flora_engine.datasets.benchmarks import load_benchmark
from flora_engine.datasets.clips import Clips
from flora_engine.datasets.labelled import class_names
from flora_engine.datasets.loading import load_clips
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.preprocessing import preparation
from flora_engine.project.splits import Parts, Split
from flora_engine.recipes.leaks import divide_apart
from flora_engine.recipes.starting import RunRequest, Start, run_folder, start_of
from flora_engine.runs.folder import RunFolder
from flora_engine.runs.results import EncoderResult, Stream

if TYPE_CHECKING:
    from flora_engine.training.distributed import World


class Request(RunRequest):
    """As of every training; the configuration is of kind encoder."""


def run(job: Job, request: Request) -> EncoderResult:
    """Train in a new run, or resume one. Under torchrun every process calls this. Raises FloraError, Cancelled."""
    start = start_of(request)
    if not isinstance(start.settings, EncoderConfig):
        raise FloraError(
            f"this configuration is of kind {start.settings.kind}, not encoder", remedy="Use `flora train` for it."
        )
    return train(job, start, start.settings, request.device)


def train(job: Job, start: Start, config: EncoderConfig, device: str | None) -> EncoderResult:
    """Train an encoder configuration; everything is loaded and checked before there is a folder."""
    from flora_engine.training.distributed import world

    with world(device) as here:
        if not here.first:  # the first process has prepared the clips when it names the folder; these map its cache
            folder = RunFolder.open(_shared_path(here, ""))
            clips, parts = _load(Job(), config)
            return EncoderResult(streams=_train(Job(), config, clips, parts, folder, device), run=folder.path)
        clips, parts = _load(job, config)
        with run_folder(job, start) as folder:
            _shared_path(here, str(folder.path))
            seen = len(np.unique(clips.labels[parts.train]))
            job.log(f"{len(parts.train)} recordings of {seen} seen classes train the encoder")
            result = EncoderResult(streams=_train(job, config, clips, parts, folder, device), run=folder.path)
            folder.write_result(result.stored())
        return result


def _shared_path(here: World, path: str) -> Path:
    return Path(here.from_first(path))


def _load(job: Job, config: EncoderConfig) -> tuple[Clips, Parts]:
    clips = load_clips(job, config.data)
    return clips, divide_apart(split_of(config), clips, class_names(config.data.dataset) or clips.class_names)


def _train(
    job: Job, config: EncoderConfig, clips: Clips, parts: Parts, folder: RunFolder, device: str | None
) -> dict[str, Stream]:
    up = preparation(config.data.preparation).up
    return train_on(job, config.encoder, clips, parts.train, folder, up=up, device=device)


def train_on(
    job: Job,
    settings: EncoderSettings,
    clips: Clips,
    rows: NDArray[np.int64],
    folder: RunFolder,
    *,
    up: str,
    device: str | None,
) -> dict[str, Stream]:
    """Train one network per stream on `rows` of the clips, and keep them in the run's checkpoints.

    up: the vertical axis of the clips, that of their preparation. Raises FloraError, Cancelled.
    """
    from flora_engine.training.encoder.trainer import train_encoder

    seen = np.unique(clips.labels[rows])
    found = train_encoder(
        job,
        settings,
        clips.joints,
        np.searchsorted(seen, clips.labels).clip(max=len(seen) - 1),  # labels of other rows are never read
        folder,
        rows=rows,
        class_ids=seen.tolist(),
        class_names=[clips.class_names[label] for label in seen],
        device=device,
        up=up,
    )
    return {name: Stream.model_validate(stream) for name, stream in found["streams"].items()}


def split_of(config: EncoderConfig) -> Split:
    """The split of an encoder configuration: its own, or its benchmark's."""
    if config.split is not None:
        return config.split
    assert config.benchmark is not None
    return load_benchmark(config.benchmark).split()
