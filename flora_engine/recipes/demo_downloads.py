"""Plainly synthetic stand-ins for the published downloads, to try the way from them to a model that labels.

They have the published layout, names and widths, and nothing else of the real ones: the encoder's weights are random,
and most features are drawn at random around one point per class. No number that comes from them means anything.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from flora_engine.datasets.benchmarks import Benchmark, load_benchmark
from flora_engine.datasets.features import Features
from flora_engine.datasets.published_files import PREPARATIONS_OF, write_features
from flora_engine.demo import synthesise
from flora_engine.files import replacing
from flora_engine.jobs import Job
from flora_engine.models.shift_gcn.network import ShiftGCN
from flora_engine.models.shift_gcn.published import to_published
from flora_engine.preprocessing import prepare
from flora_engine.readers import write_ntu
from flora_engine.training.extraction import extract

BENCHMARK = "star/ntu60_xsub_unseen5_split1"
ENCODER, RECORDINGS = Path("save_models/ntu60_xsub_seen55_unseen5.pt"), Path("nturgbd_raw")
_ACTIONS, _SUBJECT = (0, 1, 2, 10, 11, 19), 3  # of the recordings: seen and unseen ones, of a person of the test part
_ROWS = 4  # random features per class and part

Array = NDArray[np.float32]


def write_downloads(job: Job, folder: Path, *, seed: int = 0) -> list[Path]:
    """Write a feature file, an encoder and a few recordings that are in the feature file; returns their paths.

    FloraError if the folder cannot be written.
    """
    benchmark = load_benchmark(BENCHMARK)
    recordings = [synthesise(action, subject=_SUBJECT, seed=seed) for action in _ACTIONS]
    paths = [folder / RECORDINGS / f"{sequence.name}.skeleton" for sequence in recordings]
    for sequence, path in zip(recordings, paths, strict=True):
        write_ntu(sequence, path)
    network = _network(len(benchmark.seen), seed)
    with replacing(folder / ENCODER) as temporary:
        torch.save(to_published(network), temporary)
    how, frames = PREPARATIONS_OF[benchmark.dataset]
    clips = np.stack([prepare(sequence, how, frames) for sequence in recordings])
    features = folder / "skeleton_features" / benchmark.features
    features.parent.mkdir(parents=True, exist_ok=True)
    write_features(_features(extract(job, network, clips, device="cpu"), benchmark, seed), features)
    return [features, folder / ENCODER, *paths]


def _network(classes: int, seed: int) -> ShiftGCN:
    """Random weights of the published size."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ShiftGCN(classes).eval()


def _features(made: Array, benchmark: Benchmark, seed: int) -> Features:
    """made: features (N, F) of the recordings, which go into the test part beside random ones."""
    random = np.random.default_rng(seed)
    spread = made.std(axis=0)
    points = made.mean(axis=0) + spread * random.normal(size=(benchmark.classes, made.shape[1]))

    def drawn(classes: tuple[int, ...]) -> tuple[Array, NDArray[np.int64]]:
        labels = np.repeat(np.array(classes, np.int64), _ROWS)
        around = points[labels] + 0.5 * spread * random.normal(size=(len(labels), made.shape[1]))
        return around.astype(np.float32), labels

    parts = [drawn(benchmark.seen), drawn(benchmark.unseen), drawn(tuple(range(benchmark.classes)))]
    parts[2] = np.concatenate([parts[2][0], made]), np.concatenate([parts[2][1], np.array(_ACTIONS, np.int64)])
    return Features(*parts[0], *parts[1], *parts[2])
