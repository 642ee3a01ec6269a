"""Labelled clips in memory, ready for an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from flora_engine.datasets.catalogue import load_dataset
from flora_engine.errors import FloraError
from flora_engine.jobs import Job


@dataclass(frozen=True)
class Clips:
    """N prepared recordings of one data set.

    joints: float32 (N, 3, T, V, M), the encoder's input. labels: int64 (N,), 0-based over `class_names`, which is the
    numbering of these clips. subjects, cameras, setups: int64 (N,), as in the file names; 0 if unknown. names:
    recording names. sources: where each was read from, a file or FOLDER#ID of a project; empty if nobody knows.
    """

    joints: NDArray[np.float32]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    class_names: tuple[str, ...]
    subjects: NDArray[np.int64]
    cameras: NDArray[np.int64]
    setups: NDArray[np.int64]
    sources: tuple[str, ...] = ()

    def in_numbering_of(self, job: Job, dataset: str) -> Clips:
        """The same clips with the labels and class names of a catalogued data set.

        Classes are matched by name, without letter case: a project keeps them in an order of its own. Recordings of
        classes that the data set does not have are left out with a warning. FloraError if none is left.
        """
        names, labels = in_numbering_of(job, self.class_names, self.labels, dataset)
        return replace(self._rows(labels >= 0), labels=labels[labels >= 0], class_names=names)

    def _rows(self, keep: NDArray[np.bool_]) -> Clips:
        if keep.all():
            return self
        return Clips(
            joints=self.joints[keep],
            labels=self.labels[keep],
            names=tuple(name for name, use in zip(self.names, keep, strict=True) if use),
            class_names=self.class_names,
            subjects=self.subjects[keep],
            cameras=self.cameras[keep],
            setups=self.setups[keep],
            sources=tuple(one for one, use in zip(self.sources, keep, strict=True) if use) if self.sources else (),
        )


def in_numbering_of(
    job: Job, class_names: tuple[str, ...], labels: NDArray[np.int64], dataset: str
) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The class names of a catalogued data set, and these labels in its numbering; -1 stays, and is what it lacks.

    Classes are matched by name, without letter case, with a warning if some do not match; FloraError if none does.
    """
    wanted = load_dataset(dataset).class_names
    if class_names == wanted:
        return wanted, labels
    place = load_dataset(dataset).places
    known, labelled = np.array([place.get(name.casefold(), -1) for name in class_names], np.int64), labels >= 0
    found = np.where(labelled, known[labels], -1) if len(known) else np.full_like(labels, -1)
    if not np.any(found >= 0):
        raise FloraError(
            f"not one recording has a class of {dataset}; it has {said(class_names)}",
            remedy=f"Name the classes as the data set does (`flora import … --dataset {dataset}`), "
            "or name the data set that the recordings are of.",
        )
    lost = labelled & (found < 0)
    if lost.any():
        job.warn(left_out(int(lost.sum()), dataset, [class_names[label] for label in np.unique(labels[lost])]))
    return wanted, found


def left_out(count: int, dataset: str, class_names: Sequence[str]) -> str:
    """The warning about recordings of classes that a data set does not have."""
    recordings = "1 recording is" if count == 1 else f"{count:,} recordings are"
    kind = "class" if len(class_names) == 1 else "classes"
    return f"{recordings} left out: {dataset} does not have the {kind} {said(class_names)}"


def said(class_names: Sequence[str], most: int = 5) -> str:
    """Class names for a message: the first ones, and how many more."""
    shown = ", ".join(f"“{name}”" for name in class_names[:most])
    return shown if len(class_names) <= most else f"{shown} and {len(class_names) - most} more"
