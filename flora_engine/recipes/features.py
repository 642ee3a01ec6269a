"""Where the features of a Flora run come from: a unified feature file, or recordings and an encoder's checkpoints."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from flora_engine.config import FloraConfig, parse_config
from flora_engine.datasets.benchmarks import load_benchmark
from flora_engine.datasets.catalogue import load_dataset
from flora_engine.datasets.features import Features
from flora_engine.datasets.loading import load_clips
from flora_engine.datasets.published_files import read_features, write_features
from flora_engine.datasets.settings import DataSettings
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.project.splits import divide
from flora_engine.recipes.leaks import check_no_leak, check_trained_apart
from flora_engine.runs.folder import CONFIG, RunFolder
from flora_engine.training.extraction import extract_streams, find_checkpoints, split_features


def obtain_features(job: Job, config: FloraConfig, kept: Path, device: str) -> Features:
    """The configured features. What is extracted from recordings is written to `kept` and read from there next time.

    Raises FloraError for anything missing or unfit, Cancelled.
    """
    if config.features is not None:
        return _from_file(config.features)
    if kept.is_file():
        return read_features(kept)
    assert config.data is not None
    benchmark = load_benchmark(config.benchmark)
    checkpoints = find_checkpoints(list(config.encoder))
    names = load_dataset(benchmark.dataset).class_names
    check_trained_apart(job, checkpoints, [names[label] for label in benchmark.unseen], benchmark.name)
    clips = load_clips(job, config.data)
    labels = clips.labels
    parts = divide(benchmark.split(), labels, clips.subjects, clips.cameras, clips.setups)
    check_no_leak(benchmark.split(), clips, parts, names)
    used = np.union1d(parts.train, parts.gzsl)
    partial = kept.with_name(kept.name + ".parts")
    joints = clips.joints if len(used) == len(labels) else clips.joints[used]
    found = extract_streams(job, checkpoints, joints, partial=partial, device=device)
    whole = np.zeros((len(labels), found.shape[1]), np.float32)
    whole[used] = found
    features = split_features(whole, labels, parts)
    write_features(features, kept)
    shutil.rmtree(partial, ignore_errors=True)
    return features


def _from_file(path: Path) -> Features:
    if not path.is_file():
        raise FloraError(
            "the feature file is not here",
            path=path,
            remedy="Make it with `flora extract`, or name the folder of the published features with --features-root.",
        )
    return read_features(path)


def with_project(
    config: FloraConfig, project: Path, encoder: list[Path], preparation: str | None = None, frames: int | None = None
) -> FloraConfig:
    """The configuration with its features taken from a project and checkpoints instead.

    preparation, frames and persons are those that the first checkpoint's run was trained with, where it says so.
    """
    data = {"dataset": load_benchmark(config.benchmark).dataset, "project": str(project), **trained_with(encoder[0])}
    given = {"preparation": preparation, "frames": frames}
    data |= {key: value for key, value in given.items() if value is not None}
    changed = config.model_dump(mode="json") | {"features": None, "data": data, "encoder": [str(e) for e in encoder]}
    found = parse_config(changed)
    assert isinstance(found, FloraConfig)
    return found


def trained_with(encoder: Path) -> dict[str, object]:
    """How the recordings of an encoder's run were prepared: preparation, frames, persons; empty where it is unknown."""
    for folder in (encoder, encoder.parent.parent):  # a run, or a file in its checkpoints/
        if (folder / CONFIG).is_file():
            data = RunFolder.open(folder).config().get("data")
            if isinstance(data, dict):
                names = DataSettings.model_fields.keys() & {"preparation", "frames", "persons"}
                return {name: data[name] for name in sorted(names) if name in data}
    return {}
