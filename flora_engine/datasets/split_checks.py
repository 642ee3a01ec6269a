"""What is wrong with a split before anything is trained on it: leaks, empty classes, empty parts; and its counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from flora_engine.project import Project
from flora_engine.project.splits import Parts, Split, parts_of

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Finding:
    """An "error" makes the split useless or its results untrue; a "warning" is for the user to judge."""

    level: Literal["error", "warning"]
    text: str


@dataclass(frozen=True)
class Recordings:
    """What a split is checked against: (N,) arrays, 0 if a number is unknown, label -1 if there is none.

    contents: equal numbers for equal motion, or None. spans: (row, class) pairs of labelled parts of recordings.
    """

    labels: Ints
    subjects: Ints
    cameras: Ints
    setups: Ints
    class_names: tuple[str, ...]
    contents: Ints | None = None
    spans: tuple[tuple[int, int], ...] = ()

    def parts(self, split: Split) -> Parts:
        return parts_of(split, self.labels, self.subjects, self.cameras, self.setups)


@dataclass(frozen=True)
class Counts:
    """Recordings per class (K,): training, test of ZSL (unseen classes), test of GZSL (all), and in no part."""

    train: Ints
    zsl: Ints
    gzsl: Ints
    unused: Ints


def of_project(project: Project) -> Recordings:
    """The recordings of a project, in the order of its table."""
    table = project.table
    return Recordings(
        labels=table.classes.astype(np.int64),
        subjects=table.numbers["subject"].astype(np.int64),
        cameras=table.numbers["camera"].astype(np.int64),
        setups=table.numbers["setup"].astype(np.int64),
        class_names=table.class_names,
        contents=project.recordings.contents(),
        spans=tuple(project.labels.span_classes()),
    )


def count_parts(split: Split, recordings: Recordings) -> Counts:
    """How many recordings of each class every part holds."""
    parts = recordings.parts(split)
    unused = np.ones(len(recordings.labels), bool)
    unused[parts.train] = unused[parts.gzsl] = False
    unused &= recordings.labels >= 0

    def count(labels: Ints) -> Ints:
        return np.bincount(labels, minlength=len(recordings.class_names)).astype(np.int64)

    labels = recordings.labels
    return Counts(*(count(labels[part]) for part in (parts.train, parts.zsl, parts.gzsl, unused)))


def check_split(split: Split, recordings: Recordings) -> list[Finding]:
    """Everything that is wrong or doubtful, errors first; empty if nothing is."""
    classes = len(recordings.class_names)
    beyond = [index for index in split.unseen if not 0 <= index < classes]
    if beyond:
        return [Finding("error", f"unseen class {beyond[0]} does not exist: there are {classes} classes")]
    if len(set(split.unseen)) == classes:
        return [Finding("error", "every class is unseen: there is nothing to train on")]
    parts = recordings.parts(split)
    findings = [
        *check_parts(split, parts, recordings),
        *_empty(split, parts, recordings),
        *_rule(split, recordings),
    ]
    return sorted(findings, key=lambda finding: finding.level)


def check_parts(split: Split, parts: Parts, recordings: Recordings) -> list[Finding]:
    """Leaks from test into training, whoever made the parts."""
    findings = []
    labels, subjects = recordings.labels, recordings.subjects
    leaked = np.unique(labels[parts.train][np.isin(labels[parts.train], split.unseen)])
    if len(leaked):
        findings.append(Finding("error", f"unseen classes are in training: {_names(leaked, recordings)}"))
    if both := len(np.intersect1d(parts.train, parts.gzsl)):
        findings.append(Finding("error", f"{both} recordings are in training and in test"))
    train = set(parts.train.tolist())
    inside = sorted({label for row, label in recordings.spans if row in train and label in split.unseen})
    if inside:
        text = f"parts of training recordings are labelled with unseen classes: {_names(inside, recordings)}"
        findings.append(Finding("warning", text))
    shared = np.intersect1d(subjects[parts.train], subjects[parts.gzsl])
    shared = shared[shared > 0]
    if len(shared):
        text = f"{_count(len(shared), 'subject is', 'subjects are')} in training and in test: {_list(shared)}"
        findings.append(Finding("error" if split.train.by == "subject" else "warning", text))
    if recordings.contents is not None:
        copies = int(np.isin(recordings.contents[parts.gzsl], recordings.contents[parts.train]).sum())
        if copies:
            text = f"{_count(copies, 'test recording is', 'test recordings are')} an exact copy of a training recording"
            findings.append(Finding("warning", text))
    return findings


def _empty(split: Split, parts: Parts, recordings: Recordings) -> list[Finding]:
    findings = [
        Finding("error", f"the {name} part is empty")
        for name, part in (("training", parts.train), ("unseen test", parts.zsl), ("test", parts.gzsl))
        if len(part) == 0 and (split.unseen or name != "unseen test")
    ]
    everywhere = np.bincount(recordings.labels[recordings.labels >= 0], minlength=len(recordings.class_names))
    counts = count_parts(split, recordings)
    unseen = np.isin(np.arange(len(everywhere)), split.unseen)
    empty, none = everywhere == 0, "no recordings at all"
    for level, classes, text in (
        ("error", unseen & empty, f"unseen classes have {none}"),
        ("warning", ~unseen & empty, f"seen classes have {none}"),
        ("error", unseen & ~empty & (counts.zsl == 0), "unseen classes have no test recordings"),
        ("warning", ~unseen & ~empty & (counts.train == 0), "seen classes have no training recordings"),
        ("warning", ~unseen & ~empty & (counts.gzsl == 0), "seen classes have no test recordings"),
    ):
        if classes.any():
            kind: Literal["error", "warning"] = "error" if level == "error" else "warning"
            findings.append(Finding(kind, f"{text}: {_names(np.flatnonzero(classes), recordings)}"))
    unlabelled = int((recordings.labels < 0).sum())
    if unlabelled:
        findings.append(
            Finding("warning", f"{_count(unlabelled, 'recording has', 'recordings have')} no label and no part")
        )
    return findings


def _rule(split: Split, recordings: Recordings) -> list[Finding]:
    """Numbers that the train rule needs and nobody has."""
    by = split.train.by
    if by == "fraction":
        return []
    numbers = {"subject": recordings.subjects, "camera": recordings.cameras, "setup": recordings.setups}[by]
    findings = []
    missing = sorted(set(split.train.values) - set(numbers.tolist()))
    if missing:
        findings.append(Finding("warning", f"no recording has {by} {_list(missing)}"))
    unknown = int((numbers == 0).sum())
    if unknown:
        findings.append(Finding("warning", f"{_count(unknown, 'recording does', 'recordings do')} not tell the {by}"))
    return findings


def _names(classes: Sequence[int] | Ints, recordings: Recordings) -> str:
    return _list([recordings.class_names[index] for index in classes])


def _list(values: Sequence[object] | Ints, most: int = 6) -> str:
    shown = ", ".join(str(value) for value in values[:most])
    return shown if len(values) <= most else f"{shown} and {len(values) - most} more"


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
