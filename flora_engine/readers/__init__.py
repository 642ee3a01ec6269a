"""Reading recordings: one module per format, one registry.

Reading never runs code from a file, and memory and time are bounded by the file's real size, whatever its header says.
Every problem is one `FloraError` sentence: which file, what is wrong, where, what to do.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np

from flora_engine.errors import FloraError
from flora_engine.readers import (
    _input,
    _telling,
    arrays,
    asf,
    bvh,
    c3d_file,
    freemocap,
    gaps,
    landmarks,
    mvnx,
    npz,
    ntu,
    number_text,
    nw_ucla,
    pickles,
    pku,
    table,
    trc,
    unreadable,
    utd_mhad,
)
from flora_engine.readers._guessing import invented_notes, recipe_notes
from flora_engine.readers.corrections import correct
from flora_engine.readers.npz import write_npz
from flora_engine.readers.ntu import write_ntu
from flora_engine.readers.reading_recipes import LooksLike, ReadingRecipe
from flora_engine.skeleton import SkeletonSequence

__all__ = [
    "READERS",
    "Attempt",
    "Reader",
    "added_readers",
    "attempt_sequence",
    "can_read",
    "correct",
    "read_sequence",
    "write_npz",
    "write_ntu",
]


ENTRY_POINTS = "flora.readers"


@dataclass(frozen=True)
class Reader:
    """One format. title: in full; short: as lists of formats name it.

    claims(path, head): whether a file is for it, from its name and first bytes alone.

    read(path, head): None where it does not claim the file, the recording, or FloraError where it is broken.
    """

    name: str
    title: str
    short: str
    suffixes: tuple[str, ...]
    claims: Callable[[Path, bytes], bool]
    read: Callable[[Path, bytes], SkeletonSequence | None]
    passes_over: Callable[[bytes], bool] = lambda head: False  # files of a folder that are plainly something else


# In order of asking: the formats with a sure mark first, those that only look plausible last.
READERS: tuple[Reader, ...] = (
    Reader("ntu", "NTU RGB+D skeleton text", "NTU RGB+D", (".skeleton",), ntu.claims, ntu.read),
    Reader(
        "utd_mhad",
        "MATLAB file (UTD-MHAD, or an array of joints)",
        "UTD-MHAD",
        (".mat",),
        utd_mhad.claims,
        utd_mhad.read,
    ),
    Reader("nw_ucla", "NW-UCLA JSON", "NW-UCLA", (".json",), nw_ucla.claims, nw_ucla.read),
    Reader("npz", "Flora exchange archive", "npz", (".npz",), npz.claims, npz.read),
    Reader(
        "landmarks",
        "landmarks or bodies as JSON (MediaPipe, Azure Kinect, MMPose)",
        "MediaPipe",
        (".json",),
        landmarks.claims,
        landmarks.read,
        landmarks.is_other_json,
    ),
    Reader("npy", "array of joints", "npy", (".npy",), arrays.claims_npy, arrays.read_npy),
    Reader("bvh", "BVH motion capture", "BVH", (".bvh",), bvh.claims, bvh.read),
    Reader("trc", "TRC markers (OpenSim, OpenCap, Theia)", "TRC", (".trc",), trc.claims, trc.read),
    Reader("c3d", "C3D markers (Vicon, Qualisys, OptiTrack)", "C3D", (".c3d",), c3d_file.claims, c3d_file.read),
    Reader("asf", "Acclaim motion (CMU, HDM05)", "AMC", (".amc",), asf.claims, asf.read),
    Reader("mvnx", "Xsens MVNX", "MVNX", (".mvnx",), mvnx.claims, mvnx.read),
    Reader(
        "text", "numbers in text (UTKinect, MSR Action3D)", "UTKinect", (".txt",), number_text.claims, number_text.read
    ),
    Reader("pickle", "pyskl annotation", "pyskl", (".pkl",), pickles.claims, pickles.read),
    Reader("pku", "PKU-MMD skeleton text", "PKU-MMD", (".txt",), pku.claims, pku.read),
    Reader("csv", "table of joints", "CSV", (".csv", ".tsv"), table.claims, table.read, table.is_other_list),
)


@cache
def added_readers() -> tuple[Reader, ...]:
    """Readers of other packages: the entry points of the group `flora.readers`, each a `Reader`.

    They are asked before ours. One that cannot be loaded is left out with a warning. docs/formats.md has an example.
    """
    found: list[Reader] = []
    for point in entry_points(group=ENTRY_POINTS):
        try:
            reader = point.load()
        except Exception as error:  # whatever a stranger's module raises
            warnings.warn(f"the reader {point.name} cannot be loaded: {error}", RuntimeWarning, stacklevel=2)
            continue
        if isinstance(reader, Reader):
            found.append(reader)
        else:
            warnings.warn(f"the entry point {point.name} is not a Reader", RuntimeWarning, stacklevel=2)
    return tuple(found)


def _reader_of(path: Path, head: bytes) -> Reader | None:
    return next((reader for reader in (*added_readers(), *READERS) if reader.claims(path, head)), None)


def _read(reader: Reader, path: Path, head: bytes) -> SkeletonSequence | None:
    """What a reader makes of a file; a fault of an added reader is named after it."""
    if reader in READERS:
        return reader.read(path, head)
    try:
        return reader.read(path, head)
    except FloraError:
        raise
    except Exception as error:
        problem = f"cannot be read: the added reader {reader.name} failed ({_input.shown(error)})"
        raise FloraError(problem, path=path, remedy="Report it to the package that it came with.") from error


def can_read(path: Path) -> bool:
    """Whether a file of a folder is a recording, from its name and its first 4 KiB; never raises."""
    try:
        head = _input.read_head(path)
    except FloraError:
        return False
    if freemocap.is_beside_body(path):
        return False
    reader = _reader_of(path, head)
    return reader is not None and not reader.passes_over(head)


def read_sequence(path: Path, *, allow_nan: bool = False, recipe: ReadingRecipe | None = None) -> SkeletonSequence:
    """Read one recording of any known format, in the layout of its file.

    Gaps (NaN joints) are kept if `allow_nan`, for inspecting a file. Otherwise those of formats in which gaps are usual
    are filled in and noted, others are refused. recipe: how it is to be read; None: as a saved recipe for such files
    says, if there is one. Raises FloraError and nothing else.
    """
    with _telling.telling(recipe, Path(path).suffix) as told:
        return _read_told(Path(path), told, allow_nan)


@dataclass(frozen=True)
class Attempt:
    """What came of reading a file.

    sequence: None if it was refused, and problem says why. names: what a recipe for such files is known by, of this
    kind; empty if none could help. joints: what the file calls its joints, () if that is not known. recipe: the one
    that was used, or None.
    """

    path: Path
    sequence: SkeletonSequence | None
    problem: str
    names: tuple[str, ...]
    kind: _telling.Kind
    joints: tuple[str, ...]
    recipe: ReadingRecipe | None

    @property
    def looks(self) -> LooksLike:
        return LooksLike(suffix=self.path.suffix.lower(), names=self.names)


def attempt_sequence(path: Path, *, recipe: ReadingRecipe | None = None) -> Attempt:
    """Read as `read_sequence` does, and report what was seen of the file even if it was refused; never raises."""
    with _telling.telling(recipe, path.suffix) as told:
        try:
            sequence, problem = _read_told(path, told, False), ""
        except FloraError as error:
            sequence, problem = None, str(error)
    return Attempt(path, sequence, problem, told.names, told.kind, told.joints, told.recipe)


def _read_told(path: Path, told: _telling.Telling, allow_nan: bool) -> SkeletonSequence:
    head = _input.read_head(path)
    reader = _reader_of(path, head)
    sequence = _read(reader, path, head) if reader else unreadable.read(path, head)
    if sequence is None:
        known = ", ".join(sorted({suffix for reader in (*added_readers(), *READERS) for suffix in reader.suffixes}))
        raise FloraError(
            f"is not a recording of a known format (it looks like {_input.looks_like(head)})",
            path=path,
            remedy=f"Known are {known}; docs/formats.md describes each.",
        )
    if not told.used and told.recipe is not None and not told.recipe.says_nothing:
        sequence = _corrected(sequence, told.recipe)
    if not told.used:  # its format fixes the axes; that joints are made up is said of every layout
        sequence = replace(sequence, notes=(*sequence.notes, *invented_notes(sequence)))
    if (name := freemocap.name_of(path)) is not None:
        sequence = replace(sequence, name=name)
    if allow_nan:
        return sequence
    if any(note.about == "gaps" for note in sequence.notes):
        sequence = gaps.fill(sequence)
    return _input.check_finite(sequence, path)


def _corrected(sequence: SkeletonSequence, recipe: ReadingRecipe) -> SkeletonSequence:
    """A recording whose format fixes its axes and its unit, as a recipe that the user named has it."""
    sequence = correct(sequence, recipe.layout, recipe.up, recipe.told().metres, recipe.fps)
    joints = sequence.joints * np.array([-1, 1, 1], np.float32) if recipe.mirrored else sequence.joints
    return replace(sequence, joints=joints + np.float32(0), notes=(*recipe_notes(recipe), *sequence.notes))
