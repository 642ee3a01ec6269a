"""The eight sets of real motion that are left out one by one: recordings, classes in plain words, descriptions.

They are those of configs/builtin.yaml, and lie in a folder as it says.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flora_engine.config import DescriptorsConfig, load_config
from flora_engine.datasets.catalogue import ClassText, load_dataset
from flora_engine.datasets.labelled import Facts, find_items, labels_of
from flora_engine.datasets.settings import RecordingSettings
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.recipes.starting import with_absolute_paths
from flora_engine.skeleton import SkeletonSequence

BUILTIN = Path(__file__).resolve().parents[1] / "configs" / "builtin.yaml"
ARCHIVES = ("kinder_gator", "msr_daily", "sbu", "precog", "mesh2motion")
NAMES = ("utd_mhad", "nw_ucla", "ntu", *ARCHIVES)
DATASET = {"ntu": "ntu120"}


@dataclass(frozen=True)
class MotionSet:
    """sequences: N recordings. labels: int64 (N,), index into texts. texts: K classes, each with recordings."""

    name: str
    sequences: list[SkeletonSequence]
    labels: np.ndarray
    texts: list[ClassText]


def settings_of(folder: Path) -> dict[str, RecordingSettings]:
    """Where each data set of the built-in model lies below `folder`, by its name in the catalogue."""
    config = with_absolute_paths(load_config(BUILTIN), folder, None)
    assert isinstance(config, DescriptorsConfig)
    return {one.dataset: one for one in config.data}


def load_set(folder: Path, name: str) -> MotionSet:
    """One of NAMES from `folder`. Raises FloraError if its files are missing or are not what its classes expect."""
    if name not in NAMES:
        raise FloraError(f"there is no motion set “{name}”", remedy=f"Known: {', '.join(NAMES)}.")
    dataset = DATASET.get(name, name)
    settings = settings_of(folder)[dataset]
    items = find_items(settings)
    sequences = [item.read() for item in items]
    _, numbers = labels_of(Job(), settings, items, [Facts.of(sequence) for sequence in sequences])
    used, labels = np.unique(numbers, return_inverse=True)
    if used[0] < 0:
        raise FloraError(f"a recording has no class of {dataset}", path=settings.raw)
    texts = load_dataset(dataset).classes
    return MotionSet(name, sequences, labels.astype(np.int64), [texts[number] for number in used])
