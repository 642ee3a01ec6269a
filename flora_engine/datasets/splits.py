"""Which classes are unseen, which recordings train: the split of a zero-shot experiment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from flora_engine.errors import FloraError


class TrainRule(BaseModel):
    """Which recordings belong to the train part, whatever their class; all others are the test part.

    by "subject", "camera" or "setup": those whose number is in `values`. by "fraction": a stratified, seeded share
    `fraction` of each class.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    by: Literal["subject", "camera", "setup", "fraction"] = "subject"
    values: tuple[int, ...] = ()
    fraction: float = Field(default=0.5, gt=0, lt=1)
    seed: int = 0


class Split(BaseModel):
    """Unseen classes (0-based) and the train rule; everything else about a split follows from the data."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    unseen: tuple[int, ...] = Field(min_length=1)
    train: TrainRule = TrainRule()
    low_shot: float | None = Field(default=None, gt=0, le=1)
    seed: int = 0


@dataclass(frozen=True)
class Parts:
    """Indices into the recordings. train: seen classes of the train part (after low-shot). zsl: unseen classes of the
    test part. gzsl: the whole test part."""

    train: NDArray[np.int64]
    zsl: NDArray[np.int64]
    gzsl: NDArray[np.int64]


def _train_part(rule: TrainRule, labels: NDArray[np.int64], numbers: dict[str, NDArray[np.int64]]) -> NDArray[np.bool_]:
    if rule.by != "fraction":
        return np.isin(numbers[rule.by], rule.values)
    chosen = np.zeros(len(labels), bool)
    random = np.random.default_rng(rule.seed)
    for label in np.unique(labels):
        members = random.permutation(np.flatnonzero(labels == label))
        chosen[members[: max(1, round(rule.fraction * len(members)))]] = True
    return chosen


def _low_shot(train: NDArray[np.int64], labels: NDArray[np.int64], share: float, seed: int) -> NDArray[np.int64]:
    """A seeded `share` of each class's training recordings, at least one."""
    random = np.random.default_rng(seed)
    kept = [
        random.permutation(train[labels[train] == label])[: max(1, int(share * np.sum(labels[train] == label)))]
        for label in np.unique(labels[train])
    ]
    return np.sort(np.concatenate(kept)).astype(np.int64)


def divide(
    split: Split,
    labels: NDArray[np.int64],
    subjects: NDArray[np.int64],
    cameras: NDArray[np.int64],
    setups: NDArray[np.int64],
) -> Parts:
    """The parts of `split` over N recordings described by (N,) arrays.

    Raises FloraError where a part would be empty.
    """
    in_train = _train_part(split.train, labels, {"subject": subjects, "camera": cameras, "setup": setups})
    unseen = np.isin(labels, split.unseen)
    train = np.flatnonzero(in_train & ~unseen)
    if split.low_shot is not None and len(train):
        train = _low_shot(train, labels, split.low_shot, split.seed)
    parts = Parts(train, np.flatnonzero(~in_train & unseen), np.flatnonzero(~in_train))
    for name in ("train", "zsl", "gzsl"):
        if len(getattr(parts, name)) == 0:
            raise FloraError(
                f"the {name} part of split “{split.name}” is empty",
                remedy="Choose other classes or another train rule.",
            )
    return parts
