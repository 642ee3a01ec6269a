"""Features of the splits of a pipeline from encoders with several seeds: what the chance of an encoder is worth.

    OMP_NUM_THREADS=1 python experiments/seeded_features.py --config configs/demo/utd_mhad.yaml --data-root FOLDER
        --out OUT [--seeds 5] [--workers 2]

Writes OUT/SPLIT-seedN.npz (unified feature files), one encoder each, seeds from the outside in; files that exist are
kept, so the same command continues where it was stopped. OUT/SPLIT-seedN-local.npz holds the local features of the same
encoder. Writes OUT/SPLIT-descriptors.npz first, the descriptors of the same recordings in the same layout, which no
seed changes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
import torch

from flora_engine.config import EncoderSettings, PipelineConfig, load_config
from flora_engine.datasets.clips import Clips
from flora_engine.datasets.describing import describe_clips
from flora_engine.datasets.loading import load_clips
from flora_engine.datasets.published_files import write_features
from flora_engine.jobs import Job
from flora_engine.project.splits import Parts, Split, divide
from flora_engine.recipes.starting import with_absolute_paths
from flora_engine.training.encoder.trainer import train_encoder
from flora_engine.training.extraction import extract_streams, split_features
from flora_engine.training.local_features import local_features


def features_by_encoder(
    encoder: EncoderSettings, clips: Clips, train: np.ndarray, used: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Features and local features of the clips `used` by an encoder trained on the clips `train`, and the minutes of
    training.
    """
    labels, start = clips.labels[train], time.monotonic()
    with tempfile.TemporaryDirectory() as run:
        joints = np.ascontiguousarray(clips.joints[train])
        found = train_encoder(Job(), encoder, joints, np.searchsorted(np.unique(labels), labels), Path(run))
        minutes = (time.monotonic() - start) / 60
        checkpoints = {stream: Path(run) / one["checkpoint"] for stream, one in found["streams"].items()}
        joints = clips.joints[used]
        return extract_streams(Job(), checkpoints, joints), local_features(Job(), checkpoints, joints), minutes


def make(config: PipelineConfig, split: Split, seed: int, path: Path) -> float:
    """Train the encoder of a split with a seed and write its features; returns the minutes of training."""
    torch.set_num_threads(1)
    clips = load_clips(Job(), config.data[0])
    parts = divide(split, clips.labels, clips.subjects, clips.cameras, clips.setups)
    used = np.union1d(parts.train, parts.gzsl)
    data, local, minutes = features_by_encoder(
        config.encoder.model_copy(update={"seed": seed}), clips, parts.train, used
    )
    inside = Parts(*(np.searchsorted(used, part) for part in (parts.train, parts.zsl, parts.gzsl)))
    for values, file in ((local, path.with_name(f"{path.stem}-local.npz")), (data, path)):  # what says “done” last
        write_features(split_features(values, clips.labels[used], inside), file)
    return minutes


def describe(config: PipelineConfig, out: Path) -> None:
    """Write the descriptors of every split that are not there yet."""
    clips = load_clips(Job(), config.data[0])
    values = describe_clips(Job(), clips)
    for split in config.splits:
        parts = divide(split, clips.labels, clips.subjects, clips.cameras, clips.setups)
        write_features(split_features(values, clips.labels, parts), out / f"{split.name}-descriptors.npz")


def pipeline_of(file: Path, data_root: Path | None) -> PipelineConfig:
    """The configuration in `file`, its data folders found; ends the program if it is none on one data set."""
    config = load_config(file)
    if not isinstance(config, PipelineConfig) or len(config.data) != 1:
        raise SystemExit(f"{file} is not a pipeline on one data set")
    found = with_absolute_paths(config, data_root, None)
    assert isinstance(found, PipelineConfig)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    config = pipeline_of(given.config, given.data_root)
    given.out.mkdir(parents=True, exist_ok=True)
    describe(config, given.out)
    with ProcessPoolExecutor(given.workers, multiprocessing.get_context("spawn")) as pool:
        running = {
            pool.submit(make, config, split, seed, path): path
            for seed in range(given.seeds)
            for split in config.splits
            if not (path := given.out / f"{split.name}-seed{seed}.npz").exists()
        }
        for future in as_completed(running):
            print(f"{running[future]}: {future.result():.1f} minutes", flush=True)


if __name__ == "__main__":
    main()
