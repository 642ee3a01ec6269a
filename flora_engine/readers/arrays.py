"""Arrays of joints whose names are not known: `.npy`, and `.npz` archives of other programs.

The number of joints says which layout is meant, and where several have as many, how the joints hang together.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.readers import _input
from flora_engine.readers._archive import MAX_FPS, Archive, parse_npy
from flora_engine.readers.assembly import by_count, from_layout
from flora_engine.skeleton import LAYOUTS, SkeletonSequence

Array = NDArray[np.float64]
MAX_PERSONS = 6
COUNTS = {len(layout.joints) for layout in LAYOUTS.values()}
_RATES = ("fps", "frame_rate", "framerate", "mocap_framerate", "mocap_frame_rate", "rate")
_SHAPES = "A recording needs numbers of shape (T, V, 3) or (T, M, V, 3): frames, persons, joints, coordinates."
# What archives of other programs are, by an array that only they hold.
_OTHERS = (
    ({"x_train", "y_train"}, "holds the clips of a whole data set, as published for NTU RGB+D",
     "Use `flora prepare ntu60 --from FILE --project FOLDER` (or ntu120)."),
    ({"poses", "trans"}, "holds SMPL parameters (poses, trans), not joints",
     "Run a body model over them and save its joints as an array (T, 22, 3)."),
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
        raise FloraError(f"has the shape {_input.shown(array.shape)}, which is not one of joints", path=path,
                         remedy=_SHAPES)  # fmt: skip
    return _sequence(joints, confidence, None, path)


def from_archive(archive: Archive) -> SkeletonSequence:
    """The one array of an archive that can be joints; FloraError where there are none or several."""
    path = archive.path
    for theirs, what, remedy in _OTHERS:
        if theirs <= archive.names:
            raise FloraError(what, path=path, remedy=remedy)
    found: dict[str, tuple[Array, Array | None]] = {}
    shown = []
    for name in sorted(archive.names)[:50]:
        if archive.dtype_kind(name) not in "iuf":
            continue
        array = archive.array(name)
        assert array is not None
        shown.append(f"{name} {array.shape}")
        joints, confidence = joints_of(array)
        if joints is not None:
            found[name] = joints, confidence
    if len(found) != 1:
        names = ", ".join(found) or ", ".join(shown) or ", ".join(sorted(archive.names)[:8]) or "nothing"
        several = f"holds {len(found)} arrays that may be joints: {names}"
        problem = several if found else f"holds no array `joints`, only {names}"
        raise FloraError(_input.shown(problem, 200), path=path, remedy=f"Name the right one `joints`. {_SHAPES}")
    rate = next((archive.number(name) for name in _RATES if name in archive.names), None)
    ((joints, confidence),) = found.values()
    return _sequence(joints, confidence, rate if rate is not None and 0 < rate <= MAX_FPS else None, path)


def joints_of(array: NDArray[np.generic]) -> tuple[Array | None, Array | None]:
    """(T, M, V, 3) joints and (T, M, V) confidences or None of an array in a usual shape; (None, None) for others.

    Usual are (T, V, 3 or 4), (T, 3 V), (V, 3, T), (T, M, V, 3 or 4), (M, T, V, 3 or 4) and (3, T, V, M); a fourth
    number is a confidence.
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


def _sequence(joints: Array, confidence: Array | None, fps: float | None, path: Path) -> SkeletonSequence:
    layout, notes = by_count(joints, path)
    return from_layout(joints, layout, fps, path, confidence=confidence, notes=notes)
