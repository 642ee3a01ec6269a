"""Synthetic features of a benchmark, in the layout of whoever publishes such a split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.datasets.benchmarks import Benchmark

WIDTH = 8


def rows(classes: list[int], each: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Features (N, WIDTH) around a mean per class, and their labels."""
    means = np.random.default_rng(7).normal(size=(120, WIDTH))
    labels = np.repeat(np.array(classes, np.int64), each)
    noise = np.random.default_rng(seed).normal(0, 0.1, (len(labels), WIDTH))
    return (means[labels] + noise).astype(np.float32), labels


def write(benchmark: Benchmark, path: Path, *, each: int = 2, source: str = "") -> Path:
    """Features of a benchmark below `path`, as their source names them; source: "" for that of the benchmark."""
    source = source or benchmark.name.split("/", maxsplit=1)[0]
    seen, unseen = list(benchmark.seen), list(benchmark.unseen)
    train, test, zero = rows(seen, each, 0), rows(seen, 1, 1), rows(unseen, each, 2)
    both = np.concatenate([test[0], zero[0]]), np.concatenate([test[1], zero[1]])
    if source == "star":
        arrays = dict(zip(("train_data", "zsl_data", "gzsl_data"), (train[0], zero[0], both[0]), strict=True))
        arrays |= dict(zip(("train_label", "zsl_label", "gzsl_label"), (train[1], zero[1], both[1]), strict=True))
        np.savez(path.with_suffix(".npz"), **arrays)
        return path.with_suffix(".npz")
    parts = {
        "purls_flora": {"train_feature": _frames(train[0]), "train_labels": np.stack([train[1]] * 2),
                        "val_feature": _frames(test[0]), "val_labels": test[1],
                        "test_feature": _frames(zero[0]), "test_labels": zero[1]},
        "starsmie_random_split": {"seen_train_data": train[0], "seen_train_label": train[1],
                                  "seen_test_data": test[0], "seen_test_label": test[1],
                                  "unseen_data": zero[0], "unseen_label": zero[1]},
    }  # fmt: skip
    synse = {"train": train[0][:, None], "train_label": train[1], "ztest": zero[0][:, None], "z_label": zero[1],
             "gtest": both[0][:, None], "g_label": both[1]}  # fmt: skip
    path.mkdir(parents=True)
    for name, array in parts.get(source, synse).items():
        np.save(path / f"{name}.npy", array)
    return path


def _frames(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, F, 3, 25) of single frames and joints, before they are pooled."""
    return np.repeat(np.repeat(features[:, :, None, None], 3, axis=2), 25, axis=3)
