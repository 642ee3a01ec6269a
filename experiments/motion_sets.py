"""The eight sets of real motion that are left out one by one: recordings, classes in plain words, descriptions.

A folder holds `utd_mhad/*.mat`, `nw_ucla/*.json`, `ntu/raw/*.skeleton` and the archives `motion/{name}.npz`
(joints_mm (frames, M, V, 3), first, frames, label, classes, subject, name, fps, layout). Class texts are those of
resources/datasets; archives that name the two sides of one action apart are joined by `RENAMED`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flora_engine.datasets.catalogue import ClassText, load_dataset
from flora_engine.errors import FloraError
from flora_engine.readers import read_sequence
from flora_engine.skeleton import LAYOUTS, SkeletonSequence

FILES = {"utd_mhad": ("utd_mhad", "*.mat"), "nw_ucla": ("nw_ucla", "*.json"), "ntu": ("ntu/raw", "*.skeleton")}
ARCHIVES = ("kinder_gator", "msr_daily", "sbu", "precog", "mesh2motion")
NAMES = (*FILES, *ARCHIVES)
DATASET = {"ntu": "ntu120"}
# “The other side” is the side not used before, so both are one class.
_OTHER_SIDE = {
    "bend your other knee while raising your leg": "bend your knee while raising your leg",
    "kick a ball as far as you can with the other leg": "kick a ball as far as you can",
    "kick a ball with the other leg": "kick a ball",
    "lift your leg to the other side": "lift your leg to one side",
    "put your hands on your hips and lean to the other side": "put your hands on your hips and lean to the side",
    "raise your arm to the other side": "raise your arm to one side",
    "raise your other hand": "raise your hand",
    "throw a ball as far as you can with the other arm": "throw a ball as far as you can",
    "throw a ball with your other arm": "throw a ball",
    "wave your other hand": "wave your hand",
}
SAME = {"kinder_gator": _OTHER_SIDE}


@dataclass(frozen=True)
class MotionSet:
    """sequences: N recordings. labels: int64 (N,), index into texts. texts: K classes, each with recordings."""

    name: str
    sequences: list[SkeletonSequence]
    labels: np.ndarray
    texts: list[ClassText]


def load_set(folder: Path, name: str) -> MotionSet:
    """One of NAMES from `folder`. Raises FloraError if its files are missing or are not what its classes expect."""
    if name in ARCHIVES:
        return _archive(folder / "motion" / f"{name}.npz", name)
    if name not in FILES:
        raise FloraError(f"there is no motion set “{name}”", remedy=f"Known: {', '.join(NAMES)}.")
    place, pattern = FILES[name]
    paths = sorted((folder / place).glob(pattern))
    if not paths:
        raise FloraError(f"the folder holds no {pattern}", path=folder / place)
    sequences = [read_sequence(path) for path in paths]
    numbers = np.array([int(sequence.metadata["action"]) - 1 for sequence in sequences])
    return _compact(name, sequences, numbers, list(load_dataset(DATASET.get(name, name)).classes))


def _compact(name: str, sequences: list[SkeletonSequence], numbers: np.ndarray, texts: list[ClassText]) -> MotionSet:
    """Without the classes that have no recording."""
    used, labels = np.unique(numbers, return_inverse=True)
    return MotionSet(name, sequences, labels.astype(np.int64), [texts[number] for number in used])


def _archive(path: Path, name: str) -> MotionSet:
    try:
        content = np.load(path)
    except OSError as error:
        raise FloraError(f"cannot read the archive: {error.strerror or error}", path=path) from None
    raw = [str(c) for c in content["classes"]]
    groups = class_groups(name, raw)
    texts = list(load_dataset(name).classes)
    if max(groups) + 1 != len(texts):
        raise FloraError(f"the archive has {max(groups) + 1} classes, {name}.yaml has {len(texts)}", path=path)
    labels = np.array(groups)[content["label"]]
    return MotionSet(name, list(_sequences(content, path)), labels.astype(np.int64), texts)


def class_groups(name: str, raw: list[str]) -> list[int]:
    """The class of every name in an archive: numbered as they come, names in SAME with the one that they equal."""
    same = SAME.get(name, {})
    places: dict[str, int] = {}
    return [places.setdefault(same.get(one, one), len(places)) for one in raw]


def _sequences(content: np.lib.npyio.NpzFile, path: Path) -> Iterator[SkeletonSequence]:
    layout, fps = str(content["layout"]), float(content["fps"])
    if layout not in LAYOUTS:
        raise FloraError(f"the archive names an unknown layout “{layout}”", path=path)
    joints = content["joints_mm"]
    subjects = {subject: number for number, subject in enumerate(np.unique(content["subject"]), start=1)}
    for first, frames, title, subject in zip(
        content["first"], content["frames"], content["name"], content["subject"], strict=True
    ):
        part = joints[first : first + frames].astype(np.float32) / 1000
        yield SkeletonSequence(part, fps, layout, name=str(title), metadata={"subject": subjects[subject]})
