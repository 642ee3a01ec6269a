"""C3D files, as Vicon, Qualisys, OptiTrack and force-plate laboratories write them: their labelled points.

The library `c3d` reads them. What its header claims is checked against the size of the file first, and whatever it
raises for a damaged file becomes one sentence.
"""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path

import numpy as np

from flora_engine.errors import FloraError
from flora_engine.readers import _input
from flora_engine.readers._archive import check_fps
from flora_engine.readers._cells import OURS
from flora_engine.readers.assembly import OUR_AXES, from_names
from flora_engine.skeleton import SkeletonSequence

MAX_POINTS = 1000
_UNITS = {"mm": "millimetres", "m": "metres", "cm": "centimetres", "in": "inches"}


def claims(path: Path, head: bytes) -> bool:
    return path.suffix.lower() == ".c3d"


def read(path: Path, head: bytes) -> SkeletonSequence | None:
    """joints (T, 1, V, 3) from points that are joints, or from which joints follow; axes are guessed, the unit is the
    file's unless no person has that size. None where the name is not `.c3d`; FloraError where it is broken.
    """
    if not claims(path, head):
        return None
    data = _input.read_bytes(path, _input.MAX_VALUES * 4)
    _check_header(data, path)
    import c3d  # type: ignore[import-untyped]  # only few need it

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader = c3d.Reader(io.BytesIO(data))
            names = [str(label).strip() for label in reader.point_labels]
            unit = str(reader.get("POINT:UNITS").string_value if reader.get("POINT:UNITS") else "").strip().lower()
            rate = float(reader.point_rate)
            maker = reader.get("MANUFACTURER:SOFTWARE")
            claim = OUR_AXES if maker and OURS in str(maker.string_value) else None
            frames = [points[:, [0, 1, 2, 3]] for _, points, _ in reader.read_frames(copy=True)]
    except Exception as error:  # the library's own errors are of many kinds
        problem = f"is a damaged C3D file ({_input.shown(error) or type(error).__name__})"
        raise FloraError(problem, path=path, remedy=_input.COPY_AGAIN) from None
    if not frames or not names or any(frame.shape != frames[0].shape for frame in frames):
        raise FloraError("holds no frames of points", path=path, remedy="Export the trial with its labelled markers.")
    points = np.array(frames, np.float64)
    names = names[: points.shape[1]]
    values = points[:, None, : len(names), :3]
    values[points[:, None, : len(names), 3] < 0] = np.nan  # a residual of -1: not seen
    return from_names(values, names, check_fps(rate, path), path, unit=_UNITS.get(unit), claim=claim)


def _check_header(data: bytes, path: Path) -> None:
    """Refuse a header that claims more points than the file can hold: the library would take memory for them."""
    if len(data) < 1024 or data[1] != 0x50:
        raise FloraError(f"is not a C3D file (it looks like {_input.looks_like(data[:512])})", path=path,
                         remedy=_input.COPY_AGAIN)  # fmt: skip
    little = data[512 * max(0, data[0] - 1) + 3 : 512 * max(0, data[0] - 1) + 4] != b"\x56"
    points, analog, first, last = struct.unpack_from("<4H" if little else ">4H", data, 2)
    frames = max(0, last - first + 1)
    if points > MAX_POINTS or frames * (8 * points + 2 * analog) > len(data):
        raise FloraError(f"claims {frames} frames of {points} points, but has {len(data)} bytes", path=path,
                         remedy=_input.COPY_AGAIN)  # fmt: skip
