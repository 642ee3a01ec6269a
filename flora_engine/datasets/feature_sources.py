"""Encoder features as their authors give them: Flora's unified npz, or a folder (or npz) of arrays with other names.

Sources of the names: the loaders of SynSE, SA-DVAE and TDSM (`train`, `ztest`, `gtest`), of SMIE (`seen_train_data` …,
and `train`, `test` for its comparisons) and of PURLS (`train_feature` …, before its pooling). STAR publishes no
features; those of its splits are in Flora's layout. docs/howto/published-downloads.md has the table.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flora_engine.datasets.benchmarks import Benchmark, all_benchmarks
from flora_engine.datasets.features import STRETCHES, Features
from flora_engine.datasets.published_files import (
    FEATURE_ARRAYS,
    FEATURE_SIZES,
    SPLIT_SIZES,
    class_numbers,
    open_arrays,
    read_features,
)
from flora_engine.errors import FloraError

Array = NDArray[Any]
Pairs = tuple[tuple[str, str], ...]
_RULES = {("ntu60", "xsub"): "NTU60_CS", ("ntu60", "xview"): "NTU60_CV", ("ntu120", "xsub"): "NTU120_CSub",
          ("ntu120", "xset"): "NTU120_CSet"}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """How somebody names the arrays of a split: (data, labels) of each part; the whole test part may be left out.

    normalised: features (N, F, T, V) of single frames and joints, which are scaled to length 1 before their mean.
    """

    title: str
    train: Pairs
    zsl: Pairs
    gzsl: Pairs
    normalised: bool = False

    def names(self, pairs: Pairs) -> list[str]:
        return [name for pair in pairs for name in pair]


SOURCES = (
    Source("SynSE, SA-DVAE, TDSM", (("train", "train_label"),), (("ztest", "z_label"),), (("gtest", "g_label"),)),
    Source("SMIE", (("seen_train_data", "seen_train_label"),), (("unseen_data", "unseen_label"),),
           (("seen_test_data", "seen_test_label"), ("unseen_data", "unseen_label"))),
    Source("PURLS", (("train_feature", "train_labels"),), (("test_feature", "test_labels"),),
           (("val_feature", "val_labels"), ("test_feature", "test_labels")), normalised=True),
    Source("SMIE's comparisons", (("train", "train_label"),), (("test", "test_label"),), ()),
)  # fmt: skip


def read_any_features(path: Path) -> Features:
    """The features of a split from a unified npz, or a folder or npz in one of `SOURCES`; the whole test part is empty
    where the source has none. FloraError, one sentence: what is missing, or why the arrays are no features.
    """
    source = _source(path)
    if source is None:
        return read_features(path)
    train, zsl = (_part(path, source, pairs, _pooled) for pairs in (source.train, source.zsl))
    gzsl = _part(path, source, source.gzsl, _pooled) if source.gzsl else (train[0][:0], train[1][:0])
    widths = {part[0].shape[1] for part in (train, zsl, gzsl)}
    if len(widths) > 1:
        raise FloraError(f"the parts have features of different sizes: {sorted(widths)}", path=path)
    return Features(*train, *zsl, *gzsl)


def read_local_features(path: Path) -> Features | None:
    """What heads that attend to body parts read beside the features: (N, STRETCHES·V·F), stretches of time first. None
    if the source does not publish single joints; those of PURLS do.
    """
    source = _source(path)
    if source is None or not source.normalised:
        return None
    shape = _array(path, source.train[0][0]).shape
    if len(shape) != 4 or shape[2] != STRETCHES:
        return None
    train, zsl = (_part(path, source, pairs, _local) for pairs in (source.train, source.zsl))
    gzsl = _part(path, source, source.gzsl, _local) if source.gzsl else (train[0][:0], train[1][:0])
    return Features(*train, *zsl, *gzsl)


def part_sizes(path: Path) -> tuple[int, int, int]:
    """Rows of the train, unseen and whole test part, without their features. FloraError as `read_any_features`."""
    source = _source(path)
    if source is None:
        labels = open_arrays(path, FEATURE_ARRAYS)
        return (labels["train_label"].size, labels["zsl_label"].size, labels["gzsl_label"].size)
    train, zsl, gzsl = (sum(len(_array(path, data)) for data, _ in pairs)
                        for pairs in (source.train, source.zsl, source.gzsl))  # fmt: skip
    return train, zsl, gzsl


def _source(path: Path) -> Source | None:
    """Who names arrays like that, without a whole test part if that is not there; None for the unified layout."""
    names = set(_names(path))
    if names >= set(FEATURE_ARRAYS):
        return None
    source = next((s for s in SOURCES if names >= {*s.names(s.train), *s.names(s.zsl)}), None)
    if source is None:
        raise _unknown(path, sorted(names))
    return source if names >= set(source.names(source.gzsl)) else replace(source, gzsl=())


def _names(path: Path) -> list[str]:
    """The arrays of a folder of .npy files or of an npz file."""
    if path.is_dir():
        return sorted(file.stem for file in path.glob("*.npy"))
    try:
        with zipfile.ZipFile(path) as archive:
            return sorted(info.filename.removesuffix(".npy") for info in archive.infolist())
    except (OSError, zipfile.BadZipFile) as error:
        raise FloraError(f"cannot be read as an npz file ({error})", path=path) from None


def _unknown(path: Path, names: list[str]) -> FloraError:
    best = max(SOURCES[:3], key=lambda s: len({*s.names(s.train), *s.names(s.zsl)} & set(names)))
    needed = [*best.names(best.train), *best.names(best.zsl)]
    lacking = [name for name in needed if name not in names]
    if len(lacking) < len(needed):
        files = " and ".join(f"{name}.npy" for name in lacking)
        return FloraError(f"looks like features of {best.title}, but {files} is not there", path=path,
                          remedy="Copy or download it again.")  # fmt: skip
    there = ", ".join(names[:6]) or "none"
    return FloraError(f"holds no features of a split (its arrays: {there})", path=path,
                      remedy="docs/howto/published-downloads.md lists what the sources call them.")  # fmt: skip


def _part(
    path: Path, source: Source, pairs: Pairs, read: Callable[[Array, Source, Path, str], NDArray[np.float32]]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Rows (N, ·) as `read` gives them and labels (N,) of one part, whose pieces lie in several arrays."""
    data, labels = [], []
    for name, label_name in pairs:
        values = read(_array(path, name), source, path, name)
        numbers = _array(path, label_name)
        # PURLS keeps (names, numbers) of recordings in some of its files.
        numbers = numbers[1] if numbers.ndim == 2 and len(numbers) == 2 and len(values) != 2 else numbers
        kept = class_numbers(numbers.reshape(-1), path, label_name)
        if len(kept) != len(values):
            raise FloraError(f"{name} has {len(values)} rows, but {label_name} {len(kept)}", path=path,
                             remedy="Take both from one download.")  # fmt: skip
        if source.normalised:
            here = values.any(axis=1)
            values, kept = values[here], kept[here]
        data.append(values)
        labels.append(kept)
    return np.concatenate(data), np.concatenate(labels)


def _array(path: Path, name: str) -> Array:
    if not path.is_dir():
        return open_arrays(path, (name,))[name]
    file = path / f"{name}.npy"
    try:
        return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise FloraError(
            f"cannot be read as an array ({error})", path=file, remedy="Copy or download it again."
        ) from None


def _pooled(array: Array, source: Source, path: Path, name: str) -> NDArray[np.float32]:
    """Features (N, F) from (N, F), (N, 1, F), or (N, F, T, V) of single frames and joints."""
    if array.ndim == 5 and array.shape[1] == 3:
        raise FloraError(f"{name} holds joints of recordings, not features of an encoder", path=path,
                         remedy="Extract features with `flora extract`, or take the feature download.")  # fmt: skip
    if array.ndim == 3 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 4 and source.normalised:
        array = _of_length_1(array).mean(axis=(2, 3))
    if array.ndim != 2 or array.dtype.kind != "f":
        raise FloraError(f"{name} should be (N, F) numbers, but is {array.dtype} {array.shape}", path=path)
    values = np.array(array, np.float32)
    if not np.isfinite(values).all():
        raise FloraError(f"{name} holds values that are not finite numbers", path=path)
    return values


def _local(array: Array, source: Source, path: Path, name: str) -> NDArray[np.float32]:
    """(N, T·V·F) from (N, F, T, V)."""
    if array.ndim != 4 or not np.isfinite(array).all():
        raise FloraError(f"{name} should be finite numbers (N, F, T, V), but is {array.dtype} {array.shape}", path=path)
    return _of_length_1(array).transpose(0, 2, 3, 1).reshape(len(array), -1).astype(np.float32)


def _of_length_1(array: Array) -> Array:
    """The features (N, F, T, V) of every frame and joint; zeros stay."""
    length = np.linalg.norm(array, axis=1, keepdims=True)
    scaled: Array = np.divide(array, length, out=np.zeros(array.shape, np.float32), where=length > 0)
    return scaled


# Does a file fit its benchmark?


def check_features(features: Features, benchmark: Benchmark, path: Path, *, gzsl: bool = True) -> None:
    """FloraError, one sentence, for what goes wrong most: labels from 1, classes of another split, a missing part."""
    classes, unseen = benchmark.classes, set(benchmark.unseen)
    labels = np.concatenate([features.train_label, features.zsl_label, features.gzsl_label])
    found = set(features.zsl_label.tolist())
    problem, remedy = "", "Use the feature file of this split."
    if labels.size and labels.min() == 1 and labels.max() == classes:
        problem, remedy = f"labels go from 1 to {classes}, but classes count from 0", "Subtract 1 from all labels."
    elif found and found != unseen and found <= set(range(len(unseen))) and set(features.train_label.tolist()) & found:
        problem = f"z_label numbers the unseen classes by themselves, from 0 to {len(unseen) - 1}"
        remedy = f"Write the numbers that they have among all {classes} classes."
    elif found - unseen:
        other = next((b for b in all_benchmarks() if b.dataset == benchmark.dataset and set(b.unseen) == found), None)
        whose = f"those of {other.name}" if other else f"not those of {benchmark.name}: {_shown(found - unseen)}"
        problem = f"the unseen classes of the file are {whose}"
        remedy = "Name that benchmark, or use the feature file of this split." if other else remedy
    elif gzsl and not len(features.gzsl_label):
        problem = "the whole test part is not in the download, and GZSL needs it"
        remedy = "Choose `--setting zsl`, or take a download with it (gtest.npy)."
    elif gzsl and not set(features.gzsl_label.tolist()) - unseen:
        problem = "the whole test part holds no seen class, so that it is the unseen part again"
    if problem:
        raise FloraError(problem, path=path, remedy=remedy)


def _shown(labels: set[int]) -> str:
    ordered = sorted(labels)
    return ", ".join(map(str, ordered[:8])) + (" …" if len(ordered) > 8 else "")


def unusual_sizes(features: Features, benchmark: Benchmark) -> list[str]:
    """Unseen classes without a row, and how the parts differ from the published sizes of this benchmark, a sentence
    each (docs/method.md, section 8). Features of one's own part of the recordings may well differ.
    """
    parts = (len(features.train_label), len(features.zsl_label), len(features.gzsl_label))
    seen = len(benchmark.seen)
    name = f"{benchmark.dataset}_{benchmark.protocol}_seen{seen}_unseen{len(benchmark.unseen)}"
    rule = _RULES.get((benchmark.dataset, benchmark.protocol))
    whole = None if rule is None else SPLIT_SIZES[rule][1]
    train = FEATURE_SIZES[name][0] if benchmark.test_size is not None and name in FEATURE_SIZES else None
    expected = (train, benchmark.test_size, whole)
    absent = set(benchmark.unseen) - set(features.zsl_label.tolist())
    missing = [f"no row of the zsl part shows the unseen classes {_shown(absent)}"] if absent else []
    return missing + [
        f"the {part} part has {size:,} recordings, published are {published:,}"
        for part, size, published in zip(("train", "zsl", "gzsl"), parts, expected, strict=True)
        if published is not None and size != published
    ]
