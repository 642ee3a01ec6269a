"""Motion archives: one `.npz` file that holds all recordings of a data set, with their classes and people.

Arrays: `joints_mm` (all frames, M, V, 3) in millimetres, y up, the recordings one after the other; `first` and `frames`
(N,), where each begins and how long it is; `name`, `label` (index into `classes`) and `subject` (N,); `classes`, names;
`fps` and `layout`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.readers._archive import Archive, array_names
from flora_engine.readers.arrays import MOTION_ARCHIVE
from flora_engine.skeleton import LAYOUTS, SkeletonSequence

ARRAYS = ("joints_mm", "first", "frames", "name", "label", "subject", "classes", "fps", "layout")
SUFFIX = ".npz"


def is_archive(path: Path) -> bool:
    """Whether this is a motion archive, by the names of its arrays."""
    return path.suffix.lower() == SUFFIX and path.is_file() and array_names(path) >= MOTION_ARCHIVE


def recordings_in(path: Path) -> list[Path]:
    """A path for each recording of an archive, as `part_of` reads it: `sbu.npz#0` … FloraError as in `open_archive`."""
    return [path.with_name(f"{path.name}#{row}") for row in range(len(open_archive(path)))]


def part_of(path: Path) -> tuple[Path, int] | None:
    """The archive that such a path names, and which recording of it; None if it names none."""
    name, _, row = path.name.rpartition("#")
    return (path.with_name(name), int(row)) if row.isdecimal() and name.lower().endswith(SUFFIX) else None


@dataclass(frozen=True)
class MotionArchive:
    """joints: (F, M, V, 3) in millimetres. first, frames, labels, subjects: (N,); subjects are numbered from 1."""

    path: Path
    joints: NDArray[np.generic]
    first: NDArray[np.int64]
    frames: NDArray[np.int64]
    names: tuple[str, ...]
    labels: NDArray[np.int64]
    subjects: NDArray[np.int64]
    classes: tuple[str, ...]
    fps: float
    layout: str

    def __len__(self) -> int:
        return len(self.names)

    def read(self, row: int) -> SkeletonSequence:
        """One recording in metres, its metadata with class and subject. FloraError if there is none."""
        if not 0 <= row < len(self):
            raise FloraError(f"has no recording {row}; it holds {len(self)}, numbered from 0", path=self.path)
        start = int(self.first[row])
        millimetres = self.joints[start : start + int(self.frames[row])].astype(np.float32)
        return SkeletonSequence(
            np.asarray(millimetres / 1000, np.float32),
            self.fps,
            self.layout,
            name=self.names[row],
            source=self.path,
            metadata={"class_name": self.classes[self.labels[row]], "subject": int(self.subjects[row])},
        )


@functools.lru_cache(maxsize=1)
def open_archive(path: Path) -> MotionArchive:
    """Read a whole archive; the last one is kept until `open_archive.cache_clear()`. FloraError if an array is missing
    or does not fit the others.
    """
    archive = Archive(path)
    found = {name: archive.array(name) for name in ARRAYS}
    missing = next((name for name, values in found.items() if values is None), None)
    if missing is not None:
        raise archive.wrong("is missing", missing)
    arrays = {name: values for name, values in found.items() if values is not None}
    layout = str(arrays["layout"])
    if layout not in LAYOUTS:
        raise archive.wrong(f"names the unknown layout “{layout}”", "layout")
    joints, count = arrays["joints_mm"], len(LAYOUTS[layout].joints)
    if joints.ndim != 4 or joints.shape[2:] != (count, 3) or joints.dtype.kind not in "iuf":
        raise archive.wrong(f"has shape {joints.shape}; {layout} needs numbers (frames, M, {count}, 3)", "joints_mm")
    first, frames, labels = (arrays[name].astype(np.int64) for name in ("first", "frames", "label"))
    for name in ("frames", "name", "label", "subject"):
        if arrays[name].shape != first.shape or first.ndim != 1:
            raise archive.wrong(f"has shape {arrays[name].shape}; `first` has {first.shape}", name)
    if np.any(first < 0) or np.any(frames < 1) or np.any(first + frames > len(joints)):
        raise archive.wrong(f"names frames beyond the {len(joints)} that there are", "frames")
    if np.any(labels < 0) or np.any(labels >= len(arrays["classes"])):
        raise archive.wrong(f"names a class beyond the {len(arrays['classes'])} that there are", "label")
    return MotionArchive(
        path=path,
        joints=joints,
        first=first,
        frames=frames,
        names=tuple(str(name) for name in arrays["name"]),
        labels=labels,
        subjects=np.unique(arrays["subject"], return_inverse=True)[1].astype(np.int64) + 1,
        classes=tuple(str(name) for name in arrays["classes"]),
        fps=archive.fps(30.0),
        layout=layout,
    )
