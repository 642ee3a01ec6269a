"""How long a training will take on this machine, and what it needs: a short step of each part is measured.

The steps run the real trainers on random data of the right sizes. Nothing is kept.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from flora_engine.config import (
    DescriptorsConfig,
    EncoderConfig,
    FloraConfig,
    FloraSettings,
    PipelineConfig,
)
from flora_engine.datasets.benchmarks import load_benchmark
from flora_engine.datasets.catalogue import dataset_names, load_dataset
from flora_engine.datasets.feature_sources import part_sizes
from flora_engine.datasets.features import STRETCHES
from flora_engine.datasets.importing.find import find_recordings
from flora_engine.datasets.labelled import find_items, forget_projects
from flora_engine.datasets.settings import DataSettings, RecordingSettings
from flora_engine.datasets.split_checks import of_project
from flora_engine.descriptors import catalogue, measure
from flora_engine.errors import FloraError
from flora_engine.jobs import Event, Job
from flora_engine.processes import memory_used
from flora_engine.project import Project
from flora_engine.project.splits import Split
from flora_engine.recipes.encoder import split_of
from flora_engine.recipes.starting import RunRequest, Start, start_of

_FEATURES, _STATES = 256, 768  # channels of a recording's features per stream, and of both texts of a class
_TRIED = 16  # recordings of a data set that are measured to tell how long all will take
_CLASSES = 24  # of the short step at most; the time of a step hardly depends on them


class Request(RunRequest):
    """As of every training."""


@dataclass(frozen=True)
class Sizes:
    """train, all: recordings. classes, seen: classes. exact: counted, not guessed from the number of files."""

    train: int
    all: int
    classes: int
    seen: int
    exact: bool


@dataclass(frozen=True)
class Estimate:
    """stages: (what, seconds or None if it was not measured). memory, disk, free: bytes; free of the disk for runs."""

    stages: tuple[tuple[str, float | None], ...]
    sizes: Sizes
    memory: int
    disk: int
    free: int
    device: str

    @property
    def seconds(self) -> float:
        return math.fsum(seconds for _, seconds in self.stages if seconds is not None)


def run(job: Job, request: Request) -> dict[str, Any]:
    """Measure; raises FloraError for a configuration that cannot start, Cancelled."""
    estimate = estimate_of(job, start_of(request), request.device)
    return {**vars(estimate), "sizes": vars(estimate.sizes), "seconds": estimate.seconds}


def estimate_of(job: Job, start: Start, device: str | None) -> Estimate:
    """What a training will take and need. Raises FloraError, Cancelled."""
    config = start.settings
    if isinstance(config, DescriptorsConfig):
        return _of_measurements(job, config, start.out)
    from flora_engine.training.distributed import choose_device

    place = str(choose_device(device))
    sizes = sizes_of(config)
    stages: list[tuple[str, float | None]] = []
    data = _data_of(config)
    times = len(config.splits) + int(config.final) if isinstance(config, PipelineConfig) else 1
    width = _FEATURES
    if not isinstance(config, FloraConfig):
        given = len(config.checkpoints) if isinstance(config, PipelineConfig) else 0
        width *= given or len(config.encoder.streams)
        speed = _encoder_speed(job, config, sizes, place)
        epochs = config.encoder.epochs * len(config.encoder.streams)
        stages.append(("Read and prepare the recordings", None))
        if not given:
            stages.append(("Train the encoder", times * epochs * sizes.train / speed))
        stages.append(("Extract features", times * sizes.all / (3 * speed)))  # a forward pass is a third of a step
    if not isinstance(config, EncoderConfig):
        stages += _head_stages(job, config, sizes, width, place, times)
    clip = 0 if data is None else 4 * 3 * data.frames * 25 * data.persons
    if _keeps_local(config):
        width *= 1 + STRETCHES * 25
    memory = (memory_used() or 0) + 2 * sizes.all * clip + 4 * sizes.all * width
    disk = sizes.all * (clip + 4 * width) + times * 100 * 2**20
    return Estimate(tuple(stages), sizes, memory, disk, _free(start.out), place)


def _keeps_local(config: FloraConfig | EncoderConfig | PipelineConfig) -> bool:
    """Whether a head attends to local features, which the training then keeps beside the features."""
    from flora_engine.heads import reads_local

    if isinstance(config, EncoderConfig) or _data_of(config) is None:
        return False
    return reads_local(config.heads, config.flora)


def _of_measurements(job: Job, config: DescriptorsConfig, out: Path) -> Estimate:
    """Of a training without an encoder: some recordings are read and measured, spread over each data set."""
    job.log("measuring some recordings")
    count, seconds = 0, 0.0
    for settings in config.data:
        items = find_items(settings)
        some = items[:: max(1, len(items) // _TRIED)][:_TRIED]
        started = time.monotonic()
        for item in some:
            job.check()
            with contextlib.suppress(FloraError):
                measure(item.read())
        seconds += (time.monotonic() - started) / max(1, len(some)) * len(items)
        count += len(items)
    forget_projects()
    classes, counted = sum(map(_classes_of, config.data)), all(one.project is not None for one in config.data)
    width = 4 * len(catalogue())
    stages = (("Read and measure the recordings", seconds), ("Learn", None))
    sizes, disk = Sizes(count, count, classes, classes, counted), count * width + 2**20
    return Estimate(stages, sizes, (memory_used() or 0) + 2 * count * width, disk, _free(out), "cpu")


def _classes_of(settings: RecordingSettings) -> int:
    """The classes that have recordings in a project, else all of the data set; 0 if neither is known."""
    if settings.project is not None:
        with Project.open(settings.project, "read") as project:
            labels = of_project(project).labels
        return len(np.unique(labels[labels >= 0]))
    return len(load_dataset(settings.dataset).classes) if settings.dataset in dataset_names() else 0


def sizes_of(config: FloraConfig | EncoderConfig | PipelineConfig) -> Sizes:
    """Recordings and classes of a configuration; those of a project are counted, files of a folder are guessed from."""
    if isinstance(config, FloraConfig):
        benchmark = load_benchmark(config.benchmark)
        classes = len(load_dataset(benchmark.dataset).classes)
        if config.features is not None:
            rows = part_sizes(config.features)
            return Sizes(rows[0], sum(rows), classes, len(benchmark.seen), True)
        split, entries = benchmark.split(), [config.data]
    elif isinstance(config, EncoderConfig):
        split, entries = split_of(config), [config.data]
    else:
        split, entries = config.splits[0], list(config.data)
    found = [_sizes(data, split) for data in entries if data is not None]
    classes = sum(one.classes for one in found)
    return Sizes(
        max(1, sum(one.train for one in found)),
        max(1, sum(one.all for one in found)),
        classes,
        max(2, classes - len(split.unseen)),
        all(one.exact for one in found),
    )


def _sizes(data: DataSettings, split: Split) -> Sizes:
    if data.project is not None:
        with Project.open(data.project, "read") as project:
            recordings = of_project(project)
        known = tuple(label for label in split.unseen if label < len(recordings.class_names))
        parts = recordings.parts(split.model_copy(update={"unseen": known}))
        return Sizes(len(parts.train), int((recordings.labels >= 0).sum()), len(recordings.class_names), 0, True)
    files = len(find_recordings([data.raw])[0]) if data.raw is not None else 0
    return Sizes(files // 2, files, len(load_dataset(data.dataset).classes), 0, False)


def _data_of(config: FloraConfig | EncoderConfig | PipelineConfig) -> DataSettings | None:
    return config.data[0] if isinstance(config.data, tuple) else config.data


def _heard(work: Callable[[Job], object], job: Job, metric: str) -> float:
    """The last value of a metric that `work` told; its stop is that of `job`."""
    found: list[float] = []

    def listen(event: Event) -> None:
        job.check()
        if event["kind"] == "metric" and str(event["name"]).endswith(metric):
            found.append(float(event["value"]))

    work(Job(listen))
    return max(found[-1], 1e-6)


def _encoder_speed(job: Job, config: EncoderConfig | PipelineConfig, sizes: Sizes, device: str) -> float:
    """Recordings per second in training. The second of two epochs counts: the first compiles and warms up."""
    from flora_engine.training.encoder.trainer import train_encoder

    data = _data_of(config)
    assert data is not None
    classes = min(sizes.seen, _CLASSES)
    batch = config.encoder.batch_size
    count = max(classes, min(batch, 64))
    joints = np.random.default_rng(0).standard_normal((count, 3, data.frames, 25, data.persons)).astype(np.float32)
    changes = {"epochs": 2, "held_out": 0.0, "warmup_epochs": 0, "streams": config.encoder.streams[:1]}
    settings = config.encoder.model_copy(update={**changes, "batch_size": min(batch, count), "milestones": ()})
    labels = np.arange(count, dtype=np.int64) % classes
    job.log("measuring a step of the encoder")
    with tempfile.TemporaryDirectory(prefix="flora-") as folder:
        return _heard(
            lambda inner: train_encoder(inner, settings, joints, labels, Path(folder), resume=False, device=device),
            job,
            "samples_per_second",
        )


def _head_stages(
    job: Job, config: FloraConfig | PipelineConfig, sizes: Sizes, width: int, device: str, times: int
) -> list[tuple[str, float | None]]:
    """Each head with a flow by its number of steps; the small ones take little beside it and are not measured."""
    from flora_engine.heads import head

    speed: float | None = None
    stages: list[tuple[str, float | None]] = []
    for name in config.heads:
        if not head(name).FLOW:
            stages.append((f"Train and evaluate {name}", None))
            continue
        speed = speed or _flora_speed(job, config, sizes, width, device)
        flora = config.flora
        trainings = flora.folds * len(head(name).choices(flora)) + len(flora.seeds)
        trainings += len(flora.seeds) if "published" in flora.protocols else 0
        trainings *= max(1, len(flora.add_streams))
        samples = flora.total_iterations * min(flora.batch_size, sizes.train)
        stages.append((f"Train and evaluate {name}", times * trainings * samples / speed))
    return stages


def _flora_speed(job: Job, config: FloraConfig | PipelineConfig, sizes: Sizes, width: int, device: str) -> float:
    """Samples per second of Flora's flow, the slower of its phases."""
    from flora_engine.heads import Fit, Problem
    from flora_engine.heads.learning.flora import train_flora

    random = np.random.default_rng(0)
    classes = min(sizes.seen, _CLASSES)
    count = max(4 * classes, config.flora.batch_size)
    problem = Problem(
        random.standard_normal((count, width)).astype(np.float32),
        np.arange(count, dtype=np.int64) % classes,
        random.standard_normal((classes + 2, config.texts.tokens + 1, _STATES)).astype(np.float32),
        device=device,
    )
    settings: FloraSettings = config.flora.model_copy(
        update={"align_iterations": 10, "total_iterations": 40, "evaluations": 2}
    )
    task = Fit(job, problem, {"neighbours": 1, "weight": 0.3}, settings)
    job.log("measuring a step of Flora")
    return _heard(lambda inner: train_flora(replace(task, job=inner)), job, "samples_per_second")


def _free(folder: Path) -> int:
    """Bytes free where `folder` is or will be."""
    place = next((one for one in (folder, *folder.parents) if one.exists()), Path.cwd())
    return shutil.disk_usage(place).free
