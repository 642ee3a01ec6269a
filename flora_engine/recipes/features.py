"""Features from recordings and an encoder's checkpoints: what `flora extract` writes and what a Flora run reads."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flora_engine.config import FloraConfig
from flora_engine.datasets.benchmarks import load_benchmark
from flora_engine.datasets.clips import Clips
from flora_engine.datasets.feature_sources import check_features, read_any_features, unusual_sizes
from flora_engine.datasets.features import Features
from flora_engine.datasets.labelled import class_names
from flora_engine.datasets.loading import load_clips
from flora_engine.datasets.published_files import read_features, write_features
from flora_engine.datasets.settings import DataSettings
from flora_engine.jobs import Job
from flora_engine.project.splits import Parts, Split
from flora_engine.recipes.leaks import check_trained_apart, divide_apart
from flora_engine.recipes.starting import check_recordings
from flora_engine.training.extraction import extract_streams, find_checkpoints, split_features
from flora_engine.training.local_features import local_features


@dataclass(frozen=True)
class Extraction:
    """Everything that gives the features of a split, loaded and checked. checkpoints: one per stream."""

    checkpoints: dict[str, Path]
    clips: Clips
    parts: Parts

    def run(
        self, job: Job, path: Path, device: str | None, batch_size: int = 16, scheduler: str | None = None
    ) -> Features:
        """Write the features to `path` in the unified layout, and return them.

        scheduler: of a Dask cluster whose workers compute instead. Stopped (Cancelled), it resumes: finished parts lie
        in ``PATH.parts`` until all are done. Raises FloraError.
        """
        clips, parts = self.clips, self.parts
        used = np.union1d(parts.train, parts.gzsl)
        partial = path.with_name(path.name + ".parts")
        joints = clips.joints if len(used) == len(clips.labels) else clips.joints[used]
        found = extract_streams(
            *(job, self.checkpoints, joints),
            batch_size=batch_size,
            partial=partial,
            device=device,
            scheduler=scheduler,
        )
        whole = np.zeros((len(clips.labels), found.shape[1]), np.float32)
        whole[used] = found
        features = split_features(whole, clips.labels, parts)
        write_features(features, path)
        shutil.rmtree(partial, ignore_errors=True)
        return features

    def run_local(self, job: Job, path: Path, device: str | None) -> Features:
        """Write the local features (`training.local_features`) to `path` in the same layout, and return them."""
        clips, parts = self.clips, self.parts
        used = np.union1d(parts.train, parts.gzsl)
        found = local_features(job, self.checkpoints, clips.joints[used], device=device)
        inside = Parts(*(np.searchsorted(used, part) for part in (parts.train, parts.zsl, parts.gzsl)))
        features = split_features(found, clips.labels[used], inside)
        write_features(features, path)
        return features


def open_extraction(job: Job, checkpoints: list[Path], data: DataSettings, split: Split) -> Extraction:
    """Load the recordings, divide them, and check that no checkpoint has learned an unseen class. FloraError."""
    found = find_checkpoints(checkpoints)
    names = class_names(data.dataset)
    if names:  # before the recordings are read, which may take long
        check_trained_apart(job, found, [names[label] for label in split.unseen], split.name)
    clips = load_clips(job, data)
    if not names:
        names = clips.class_names
        check_trained_apart(job, found, [names[label] for label in split.unseen], split.name)
    return Extraction(found, clips, divide_apart(split, clips, names))


def open_features(job: Job, config: FloraConfig, kept: Path | None = None) -> Features | Extraction:
    """The features of a Flora run: those of its file, those in `kept` that an earlier start extracted, or what will
    extract them. Raises FloraError for anything missing or unfit.
    """
    if config.features is not None:
        features, benchmark = read_any_features(config.features), load_benchmark(config.benchmark)
        check_features(features, benchmark, config.features, gzsl=config.setting != "zsl")
        for line in unusual_sizes(features, benchmark):
            job.warn(f"{config.features.name}: {line}")
        return features
    if kept is not None and kept.is_file():
        return read_features(kept)
    assert config.data is not None
    check_recordings(config.data)
    return open_extraction(job, list(config.encoder), config.data, load_benchmark(config.benchmark).split())
