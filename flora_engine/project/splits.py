"""Which classes are unseen, which recordings train: the split of a zero-shot experiment.

First what a split is (plain data), the parts it makes, and splits as files; last the splits that a project keeps.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flora_engine.errors import FloraError
from flora_engine.files import write_text
from flora_engine.project.history import Change, removal, rows, without_id
from flora_engine.project.store import Store
from flora_engine.project.table import class_rows


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
    """Unseen classes (0-based) and the train rule; everything else about a split follows from the data.

    Without unseen classes it is a supervised split: all classes train, and the zsl part is empty.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    unseen: tuple[int, ...]
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
    for label in np.unique(labels[labels >= 0]):
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


def parts_of(
    split: Split,
    labels: NDArray[np.int64],
    subjects: NDArray[np.int64],
    cameras: NDArray[np.int64],
    setups: NDArray[np.int64],
) -> Parts:
    """The parts of `split` over N recordings described by (N,) arrays; recordings with label -1 are in none.

    Any part may be empty: see `divide` and split_checks.
    """
    labelled = labels >= 0
    numbers = {"subject": subjects, "camera": cameras, "setup": setups}
    in_train = _train_part(split.train, labels, numbers) & labelled
    in_test = labelled & ~in_train
    unseen = np.isin(labels, split.unseen)
    train = np.flatnonzero(in_train & ~unseen)
    if split.low_shot is not None and len(train):
        train = _low_shot(train, labels, split.low_shot, split.seed)
    return Parts(train, np.flatnonzero(in_test & unseen), np.flatnonzero(in_test))


def divide(
    split: Split,
    labels: NDArray[np.int64],
    subjects: NDArray[np.int64],
    cameras: NDArray[np.int64],
    setups: NDArray[np.int64],
) -> Parts:
    """As `parts_of`; raises FloraError if a part would be empty (zsl may be, in a supervised split)."""
    parts = parts_of(split, labels, subjects, cameras, setups)
    for name in ("train", "zsl", "gzsl") if split.unseen else ("train", "gzsl"):
        if len(getattr(parts, name)) == 0:
            raise FloraError(
                f"the {name} part of split “{split.name}” is empty",
                remedy="Choose other classes or another train rule.",
            )
    return parts


def export_split(split: Split, class_names: Sequence[str], path: Path) -> None:
    """Write a split as YAML; unseen classes by name, so that it fits a project whose classes stand in another order."""
    data = split.model_dump(mode="json") | {"unseen": [class_names[index] for index in split.unseen]}
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    write_text(path, f"# A split of Flora Studio: unseen classes by name, and which recordings train.\n{text}")


def import_split(path: Path, class_names: Sequence[str]) -> Split:
    """Read a split that `export_split` wrote; unseen classes may be names or 0-based numbers.

    FloraError if the file is not a split or names a class that is missing.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise FloraError(f"cannot read the split: {error}", path=path) from None
    if not isinstance(data, dict) or not isinstance(data.get("unseen"), list):
        raise FloraError("this is not a split (it has no list of unseen classes)", path=path)
    index = {name: number for number, name in enumerate(class_names)}
    missing = [name for name in data["unseen"] if name not in index and not isinstance(name, int)]
    if missing:
        raise FloraError(f"there is no class “{missing[0]}”", path=path, remedy="Add or rename the class first.")
    try:
        return Split.model_validate(data | {"unseen": [index.get(name, name) for name in data["unseen"]]})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise FloraError(f"this is not a split: {first['msg']}", path=path, where=where) from None


# Kept in a project


class Splits:
    """`project.splits`. In the database unseen classes are ids, so that a split follows its classes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> dict[str, Split]:
        """The splits by name."""
        with self._store.reading() as connection:
            place = {id: index for index, (id, _) in enumerate(class_rows(connection))}
            stored = [json.loads(row["split"]) for row in rows(connection, "splits ORDER BY name")]
        found = [Split.model_validate(data | {"unseen": sorted(place[id] for id in data["unseen"])}) for data in stored]
        return {split.name: split for split in found}

    def save(self, split: Split) -> bool:
        """Keep a split under its name, in place of one of that name. FloraError if it names a class that is missing."""

        def make(connection: sqlite3.Connection) -> list[Change]:
            ids = [id for id, _ in class_rows(connection)]
            beyond = [index for index in split.unseen if not 0 <= index < len(ids)]
            if beyond:
                raise FloraError(f"the split “{split.name}” names class {beyond[0]}, and there are {len(ids)} classes")
            data = split.model_dump(mode="json") | {"unseen": [ids[index] for index in split.unseen]}
            after = {"name": split.name, "split": json.dumps(data, ensure_ascii=False)}
            found = rows(connection, "splits", "name = ?", split.name)
            before = without_id(found[0]) if found else None
            return [Change("splits", found[0]["id"] if found else 0, before, after)] if before != after else []

        return self._store.edit(f"Save split “{split.name}”", make)

    def remove(self, name: str) -> bool:
        """Remove the split of that name; False if there is none."""
        return self._store.edit(
            f"Remove split “{name}”",
            lambda connection: [removal("splits", row) for row in rows(connection, "splits", "name = ?", name)],
        )


def split_that_needs(connection: sqlite3.Connection, class_id: int) -> str | None:
    """The name of a split in which this class is unseen."""
    return next((r["name"] for r in rows(connection, "splits") if class_id in json.loads(r["split"])["unseen"]), None)
