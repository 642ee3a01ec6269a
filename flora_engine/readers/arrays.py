"""Arrays of joints whose names are not known: `.npy`, and `.npz` archives of other programs.

The number of joints says which layout is meant, and where several have as many, how the joints hang together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.readers import _input, _telling
from flora_engine.readers._archive import MAX_FPS, Archive, array_names, parse_npy
from flora_engine.readers.assembly import by_count, from_layout, from_names
from flora_engine.skeleton import LAYOUTS, SkeletonSequence

Array = NDArray[np.float64]
MAX_PERSONS = 6
FEWEST_JOINTS, MAX_JOINTS, MAX_ARRAYS = 10, 500, 50
COUNTS = {count for layout in LAYOUTS.values() for count in layout.counts}
_RATES = ("fps", "frame_rate", "framerate", "mocap_framerate", "mocap_frame_rate", "rate")
_SHAPES = "A recording needs numbers of shape (T, V, 3) or (T, M, V, 3): frames, persons, joints, coordinates."
MOTION_ARCHIVE = {"joints_mm", "first", "frames"}  # arrays that a motion archive has (docs/formats.md)
# What archives that hold no single recording are, by arrays that only they hold.
_OTHERS = (
    ({"x_train", "y_train"}, "holds the clips of a whole data set, as published for NTU RGB+D",
     "Use `flora prepare ntu60 --from FILE --project FOLDER` (or ntu120)."),
    ({"poses", "trans"}, "holds SMPL parameters (poses, trans), not joints",
     "Run a body model over them and save its joints as an array (T, 22, 3)."),
    (MOTION_ARCHIVE, "is a motion archive: it holds all recordings of a data set",
     "Import it into a project: `flora import FILE --project FOLDER`, or File, Import in the window."),
)  # fmt: skip


def claims_npy(path: Path, head: bytes) -> bool:
    return path.suffix.lower() == ".npy"


def read_npy(path: Path, head: bytes) -> SkeletonSequence | None:
    """joints (T, M, V, 3) of a single array; axes, unit and layout are guessed. None where it is not `.npy`."""
    if not claims_npy(path, head):
        return None
    try:
        array = parse_npy(_input.read_bytes(path, _input.MAX_VALUES * 4))
    except ValueError as error:
        raise FloraError(_input.shown(error), path=path, remedy="Write the file again, as plain numbers.") from None
    joints, confidence = joints_of(array)
    if joints is None:
        joints, confidence = uncounted(array)
    if joints is None:
        raise FloraError(f"has the shape {_input.shown(array.shape)}, which is not one of joints", path=path,
                         remedy=_SHAPES)  # fmt: skip
    return recording_of(joints, confidence, None, path)


def refuse_others(names: set[str], path: Path) -> None:
    """FloraError for an archive of another program that holds no recording, by the names of its arrays."""
    for theirs, what, remedy in _OTHERS:
        if theirs <= names:
            raise FloraError(what, path=path, remedy=remedy)


def published_data_set(path: Path) -> str | None:
    """Which data set's published split file this is ("ntu60", "ntu120", "pku1"), from its names alone; else None."""
    if path.suffix.lower() != ".npz" or not path.is_file() or not _OTHERS[0][0] <= array_names(path):
        return None
    name = path.name.lower()
    return "ntu120" if "120" in name else "pku1" if "pku" in name else "ntu60"


def from_archive(archive: Archive) -> SkeletonSequence:
    """The one array of an archive that can be joints; FloraError where there are none or several."""
    path = archive.path
    refuse_others(archive.names, path)
    named: dict[str, NDArray[np.generic]] = {}
    for name in sorted(archive.names)[:MAX_ARRAYS]:
        if archive.dtype_kind(name) in tuple("iuf"):
            array = archive.array(name)
            assert array is not None
            named[name] = array
    return from_arrays(named, path, sorted(archive.names))


def from_arrays(named: Mapping[str, NDArray[np.generic]], path: Path, others: Sequence[str] = ()) -> SkeletonSequence:
    """The recording in the one of several named arrays that can be joints, or that a recipe names.

    others: names of all that the file holds, to be shown if there is none. FloraError if there are none or several.
    """
    found = {name: each for name, array in named.items() if (each := joints_of(array))[0] is not None}
    found = found or {name: each for name, array in named.items() if (each := uncounted(array))[0] is not None}
    looks = [f"{name}: {each[0].shape[2]} joints" for name, each in found.items() if each[0] is not None]
    recipe = _telling.saw(looks, "arrays")
    if recipe.array is not None and recipe.array not in found:
        problem = f"has no array of joints called {recipe.array!r}, only {', '.join(found) or 'others'}"
        raise FloraError(_input.shown(problem, 200), path=path, remedy="Choose one of these in the recipe.")
    if recipe.array is not None:
        found = {recipe.array: found[recipe.array]}
    if len(found) > 1:
        problem = f"holds {len(found)} arrays that may be joints: {', '.join(found)}"
        raise FloraError(_input.shown(problem, 200), path=path,
                         remedy=f"Say which one in a reading recipe: `array: {next(iter(found))}`.")  # fmt: skip
    if not found:
        shown = ", ".join(f"{name} {array.shape}" for name, array in named.items())
        names = shown or ", ".join(list(others)[:8]) or "nothing"
        raise FloraError(_input.shown(f"holds no array `joints`, only {names}", 200), path=path,
                         remedy=f"Name the right one `joints`. {_SHAPES}")  # fmt: skip
    rate = next((float(named[name].reshape(-1)[0]) for name in _RATES if name in named and named[name].size == 1), None)
    ((joints, confidence),) = found.values()
    assert joints is not None
    return recording_of(joints, confidence, rate if rate is not None and 0 < rate <= MAX_FPS else None, path)


def uncounted(array: NDArray[np.generic]) -> tuple[Array | None, Array | None]:
    """The same as `joints_of` for (T, V, 3 or 4) and (T, M, V, 3 or 4) of a number of joints that no layout has."""
    fits = array.dtype.kind in "iuf" and array.ndim in (3, 4) and array.size > 0 and array.shape[-1] in (3, 4)
    if not fits or not FEWEST_JOINTS <= array.shape[-2] <= MAX_JOINTS:
        return None, None
    if array.ndim == 4 and array.shape[1] > MAX_PERSONS:
        return None, None
    values = array.reshape(len(array), -1, *array.shape[-2:]).astype(np.float64)
    return values[..., :3], values[..., 3] if values.shape[3] == 4 else None


def joints_of(array: NDArray[np.generic]) -> tuple[Array | None, Array | None]:
    """(T, M, V, 3) joints and (T, M, V) confidences or None of an array in a usual shape; (None, None) for others.

    Usual are (T, V, 3 or 4), (T, 3 V), (V, 3, T), (3, V, T), (T, M, V, 3 or 4), (M, T, V, 3 or 4) and (3, T, V, M); a
    fourth number is a confidence.
    """
    if array.dtype.kind not in "iuf" or not array.size or array.ndim not in (2, 3, 4):
        return None, None
    shape = array.shape
    if array.ndim == 2:
        if shape[1] % 3 or shape[1] // 3 not in COUNTS:
            return None, None
        array = array.reshape(len(array), 1, shape[1] // 3, 3)
    elif array.ndim == 3:
        if shape[2] in (3, 4) and shape[1] in COUNTS:
            array = array[:, None]
        elif shape[1] == 3 and shape[0] in COUNTS:
            array = array.transpose(2, 0, 1)[:, None]
        elif shape[0] == 3 and shape[1] in COUNTS:
            array = array.transpose(2, 1, 0)[:, None]
        else:
            return None, None
    elif shape[3] in (3, 4) and shape[2] in COUNTS and min(shape[:2]) <= MAX_PERSONS:
        array = array if shape[1] <= shape[0] else array.transpose(1, 0, 2, 3)
    elif shape[0] == 3 and shape[2] in COUNTS and shape[3] <= MAX_PERSONS:
        array = array.transpose(1, 3, 2, 0)
    else:
        return None, None
    values = array.astype(np.float64)
    return values[..., :3], values[..., 3] if values.shape[3] == 4 else None


def recording_of(joints: Array, confidence: Array | None, fps: float | None, path: Path) -> SkeletonSequence:
    """The recording of (T, M, V, 3) joints without names, which a recipe may name by their numbers from 1."""
    _telling.saw((f"{joints.shape[2]} joints",), "count")
    numbers = [str(number) for number in range(1, joints.shape[2] + 1)]
    if _telling.saw(numbers).joints:
        return from_names(joints, numbers, fps, path, confidence=confidence)
    layout, notes = by_count(joints, path)
    count = len(LAYOUTS[layout].joints)
    joints, confidence = joints[:, :, :count], None if confidence is None else confidence[:, :, :count]
    return from_layout(joints, layout, fps, path, confidence=confidence, notes=notes)
