"""What a run decided about single recordings, kept in its folder so that its page can show it. No torch.

::

    analysis/classes.json                   names of all classes, which are unseen, how alike their texts are
    analysis/recordings.json                name and source of each test recording
    analysis/HEAD-SETTING-seedN.npz         `Decisions` of one head under the held-out protocol
    analysis/HEAD-latents.npz               `Latents` of one head with a flow

They lie in the folder of each split of a pipeline, or in that of the run. Runs of earlier versions do not have them.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.files import open_arrays, replacing, write_text

FOLDER, CLASSES, RECORDINGS = "analysis", "classes.json", "recordings.json"
COMPONENTS = 32  # principal components of latents that are kept
_FILE = re.compile(r"(?P<head>\w+)-(?P<setting>zsl|gzsl)-seed(?P<seed>\d+)\.npz$")
_DAMAGED = "Train the run again to have it."
Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Decisions:
    """Decisions about N recordings of a test part. rows: (N,) places in the part. labels, predicted: (N,) classes.

    lead: (N,) the score of the true class minus that of the best other one; below 0 if the decision is wrong.
    Of all classes (gzsl) also the bonus of unseen classes that was chosen, and `curve`, (3, P): rising bonuses, the
    accuracy of seen and of unseen samples at each; else (3, 0).
    """

    rows: Ints
    labels: Ints
    predicted: Ints
    lead: Floats
    curve: Floats
    bonus: float = 0.0

    @classmethod
    def of(cls, rows: Ints, labels: Ints, classes: Ints, scores: Floats) -> Decisions:
        """For the largest of scores (N, C). classes: (C,); every label is one of them."""
        order = np.argsort(classes)
        columns = order[np.searchsorted(classes[order], labels)]
        own = scores[np.arange(len(labels)), columns]
        others = scores.copy()
        others[np.arange(len(labels)), columns] = -np.inf
        lead = own - others.max(axis=1) if len(classes) > 1 else np.zeros(len(labels))
        predicted = classes[scores.argmax(axis=1)]
        return cls(rows, labels, predicted, lead.astype(np.float32), np.zeros((3, 0), np.float32))

    def shares(self, unseen: Sequence[int]) -> tuple[float, float]:
        """What is right of the recordings of seen and of unseen classes; nan without any."""
        right, new = self.predicted == self.labels, np.isin(self.labels, unseen)
        seen_right, unseen_right = (float(right[rows].mean()) if rows.any() else float("nan") for rows in (~new, new))
        return seen_right, unseen_right


@dataclass(frozen=True)
class Latents:
    """Points in the space of texts and skeletons, as their first principal components (at most COMPONENTS).

    rows: (N,) places in the test part of all classes. recordings: (N, C). texts: (K, C). explained: (C,) shares.
    """

    rows: Ints
    recordings: Floats
    texts: Floats
    explained: Floats


@dataclass(frozen=True)
class Recording:
    """A test recording. source: a file, or FOLDER#ID of a project; "" if it is not known."""

    name: str
    source: str = ""


# Writing


def write_classes(folder: Path, names: Sequence[str], unseen: Sequence[int], similarity: Floats) -> None:
    """Keep the classes of a run or split. similarity: (K, K) cosines between class texts."""
    content = {
        "names": list(names),
        "unseen": [int(label) for label in unseen],
        "similarity": [[round(float(value), 3) for value in row] for row in similarity],
    }
    write_text(folder / FOLDER / CLASSES, json.dumps(content, ensure_ascii=False))


def write_recordings(folder: Path, zsl: Sequence[Recording], gzsl: Sequence[Recording]) -> None:
    """Keep which recordings the test parts hold, in their order."""
    parts = {name: [[one.name, one.source] for one in part] for name, part in (("zsl", zsl), ("gzsl", gzsl))}
    write_text(folder / FOLDER / RECORDINGS, json.dumps(parts, ensure_ascii=False))


def write_decisions(folder: Path, head: str, setting: str, seed: int, decisions: Decisions) -> None:
    """Keep the decisions of one head, setting and seed."""
    _write(folder / FOLDER / f"{head}-{setting}-seed{seed}.npz", decisions)


def write_latents(folder: Path, head: str, latents: Latents) -> None:
    """Keep the latents of one head."""
    _write(folder / FOLDER / f"{head}-latents.npz", latents)


def _write(path: Path, content: Any) -> None:
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **asdict(content))


def components(rows: Ints, recordings: Floats, texts: Floats) -> Latents:
    """Latents as principal components of the recordings. recordings: (N, H), texts: (K, H); directions count."""
    recordings, texts = (
        one / np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-12) for one in (recordings, texts)
    )
    middle = recordings.mean(axis=0)
    _, strength, axes = np.linalg.svd(recordings - middle, full_matrices=False)
    axes = axes[:COMPONENTS]
    share = strength**2 / max(float(np.sum(strength**2)), 1e-12)
    return Latents(
        rows,
        ((recordings - middle) @ axes.T).astype(np.float32),
        ((texts - middle) @ axes.T).astype(np.float32),
        share[: len(axes)].astype(np.float32),
    )


# Reading


@dataclass(frozen=True)
class Analysis:
    """What one folder keeps. files: (head, setting) → seeds."""

    folder: Path
    names: tuple[str, ...]
    unseen: tuple[int, ...]
    similarity: Floats
    recordings: dict[str, tuple[Recording, ...]]
    files: dict[tuple[str, str], tuple[int, ...]]

    @property
    def heads(self) -> list[str]:
        return list(dict.fromkeys(head for head, _ in self.files))

    def view(self, head: str, setting: str) -> View:
        """The decisions of one head with every seed. FloraError if a file is damaged."""
        seeds = self.files[head, setting]
        found = [_read(self.folder / FOLDER / f"{head}-{setting}-seed{seed}.npz", Decisions) for seed in seeds]
        same = [one for one in found if np.array_equal(one.rows, found[0].rows)]
        return View(self, setting, seeds[: len(same)], tuple(same))

    def latents(self, head: str) -> Latents | None:
        """The latents of a head; None if it has none. FloraError if the file is damaged."""
        path = self.folder / FOLDER / f"{head}-latents.npz"
        return _read(path, Latents) if path.is_file() else None


@dataclass(frozen=True)
class View:
    """The decisions of one head in one setting, one entry of `decisions` per seed, all about the same recordings."""

    analysis: Analysis
    setting: str
    seeds: tuple[int, ...]
    decisions: tuple[Decisions, ...]

    @property
    def labels(self) -> Ints:
        return self.decisions[0].labels

    @cached_property
    def classes(self) -> Ints:
        """The classes that occur, like beside like."""
        found = np.unique(np.concatenate([self.labels, *(one.predicted for one in self.decisions)]))
        near = self.analysis.similarity
        return found[order_of(near[np.ix_(found, found)])] if len(near) > found.max(initial=-1) else found

    @cached_property
    def confusion(self) -> NDArray[np.float64]:
        """(C, C) over `classes`: the share of a row's recordings that were taken for a column's class."""
        place = np.zeros(int(self.classes.max(initial=0)) + 1, np.int64)
        place[self.classes] = np.arange(len(self.classes))
        counts = np.zeros((len(self.classes), len(self.classes)))
        for one in self.decisions:
            np.add.at(counts, (place[one.labels], place[one.predicted]), 1.0)
        shares: NDArray[np.float64] = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
        return shares

    @cached_property
    def lead(self) -> Floats:
        """(N,): mean over seeds."""
        mean: Floats = np.mean([one.lead for one in self.decisions], axis=0, dtype=np.float32)
        return mean

    def accuracies(self) -> dict[int, tuple[int, float]]:
        """class → number of recordings and the share that is right, mean over seeds, in the order of `classes`."""
        right = np.mean([one.predicted == self.labels for one in self.decisions], axis=0)
        here = [(int(label), self.labels == label) for label in self.classes]
        return {label: (int(rows.sum()), float(right[rows].mean())) for label, rows in here if rows.any()}

    def cell(self, true: int, predicted: int) -> Ints:
        """Rows (of `labels`) of a class that were taken for another with any seed, the most certain first."""
        taken = np.any([one.predicted == predicted for one in self.decisions], axis=0)
        return self._sorted(np.flatnonzero((self.labels == true) & taken))

    def of_class(self, true: int) -> Ints:
        """Rows of a class, the hardest first."""
        return self._sorted(np.flatnonzero(self.labels == true))

    def hardest(self, most: int = 200) -> Ints:
        """Rows with the smallest lead."""
        return self._sorted(np.arange(len(self.labels)))[:most]

    def recording(self, row: int) -> Recording:
        """The recording of a row; without a name if the run trained from features alone."""
        place, known = int(self.decisions[0].rows[row]), self.analysis.recordings.get(self.setting, ())
        return known[place] if place < len(known) else Recording(f"row {place + 1}")

    def said(self, row: int) -> int:
        """The class that most seeds chose."""
        values, counts = np.unique([int(one.predicted[row]) for one in self.decisions], return_counts=True)
        return int(values[int(np.argmax(counts))])

    def _sorted(self, rows: Ints) -> Ints:
        return rows[np.argsort(self.lead[rows], kind="stable")]


def parts_of(path: Path) -> list[str]:
    """Where a run keeps an analysis: "" for its own folder, else names of splits."""
    folders = [path, *(sorted(one for one in path.iterdir() if one.is_dir()) if path.is_dir() else [])]
    return ["" if one == path else one.name for one in folders if (one / FOLDER / CLASSES).is_file()]


def read_analysis(folder: Path) -> Analysis:
    """What the folder of a run or split keeps; FloraError if it is damaged."""
    try:
        classes = json.loads((folder / FOLDER / CLASSES).read_text(encoding="utf-8"))
        path = folder / FOLDER / RECORDINGS
        parts = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        files: dict[tuple[str, str], list[int]] = {}
        for file in sorted((folder / FOLDER).iterdir()):
            if match := _FILE.match(file.name):
                files.setdefault((match["head"], match["setting"]), []).append(int(match["seed"]))
        return Analysis(
            folder,
            tuple(str(name) for name in classes["names"]),
            tuple(int(label) for label in classes["unseen"]),
            np.array(classes["similarity"], np.float32),
            {
                str(name): tuple(Recording(str(one), str(source)) for one, source in part)
                for name, part in parts.items()
            },
            {key: tuple(sorted(seeds)) for key, seeds in files.items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FloraError(
            f"what the run kept about its recordings is damaged: {error}", path=folder / FOLDER, remedy=_DAMAGED
        ) from None


def _read(path: Path, kind: type[Any]) -> Any:
    try:
        with open_arrays(path) as file:
            found = {field.name: file[field.name] for field in fields(kind)}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise FloraError(
            f"what the run kept about its recordings is damaged: {error}", path=path, remedy=_DAMAGED
        ) from None
    if "bonus" in found:
        found["bonus"] = float(found["bonus"])
    return kind(**found)


def order_of(similarity: NDArray[Any]) -> Ints:
    """An order (K,) in which like stands beside like: the leaves of a tree that joins the two groups most alike first.

    Groups are as alike as their members on average; two are joined by the ends that are most alike.
    """
    near = np.asarray(similarity, np.float64)
    groups = [[place] for place in range(len(near))]
    alike = near.copy()  # of groups: rows and columns of those that were joined are set to -inf
    np.fill_diagonal(alike, -np.inf)
    for _ in range(len(near) - 1):
        one, other = sorted(divmod(int(alike.argmax()), len(near)))
        sizes = len(groups[one]), len(groups[other])
        groups[one] = _joined(groups[one], groups[other], near)
        both = (sizes[0] * alike[one] + sizes[1] * alike[other]) / sum(sizes)
        alike[one], alike[:, one] = both, both
        alike[other], alike[:, other], alike[one, one] = -np.inf, -np.inf, -np.inf
    return np.array(groups[0] if groups else [], np.int64)


def _joined(one: list[int], other: list[int], near: NDArray[np.float64]) -> list[int]:
    """Two orders as one; each may be turned so that like ends meet."""
    ways = [(left, right) for left in (one, one[::-1]) for right in (other, other[::-1])]
    left, right = max(ways, key=lambda way: near[way[0][-1], way[1][0]])
    return left + right
