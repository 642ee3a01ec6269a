"""A regular NTU file read by Python's own `split` and `float`: what is used if Numba is not installed.

Regular means: one thing per line as the Kinect writes it, plain spaces, and only finite numbers. Whatever else there is
goes to the loop of `_ntu_parser`, which says where the trouble is.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

JOINTS = 25
MAX_BODIES = 6
_DIGITS = 19  # of the longest number that surely fits into 64 bits
_WHITE = b" \t\n\r\x0b\x0c"  # where bytes.split splits
_STATES = (b"0", b"1", b"2")


@dataclass
class _Columns:
    frame: list[int] = field(default_factory=list)
    position: list[int] = field(default_factory=list)
    body_id: list[int] = field(default_factory=list)
    coordinates: list[float] = field(default_factory=list)
    tracking: list[int] = field(default_factory=list)


class _IrregularError(Exception):
    pass


def parse_regular(
    data: bytes, at: int, frames: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.uint64], NDArray[np.float32], NDArray[np.uint8]] | None:
    """(frame, position, body id (B,), joints (B, 25, 3), tracking (B, 25)) of the text from byte `at` on.

    None if the file is not regular, which says nothing about whether it can be read.
    """
    text = data[at:]
    if min(text.translate(None, _WHITE), default=255) <= 32:
        return None
    lines = filter(None, map(bytes.split, text.splitlines()))
    found = _Columns()
    try:
        for frame in range(frames):
            for position in range(_count(next(lines), MAX_BODIES)):
                _read_body(lines, found)
                found.frame.append(frame)
                found.position.append(position)
    except (_IrregularError, StopIteration, ValueError):
        return None
    with np.errstate(over="ignore"):
        joints = np.array(found.coordinates, np.float64).astype(np.float32).reshape(-1, JOINTS, 3)
    if not np.isfinite(joints).all():
        return None
    return (
        np.array(found.frame, np.int32),
        np.array(found.position, np.int32),
        np.array(found.body_id, np.uint64),
        joints,
        np.array(found.tracking, np.uint8).reshape(-1, JOINTS),
    )


def _read_body(lines: Iterator[list[bytes]], found: _Columns) -> None:
    opening = next(lines)
    if len(opening) != 10 or not _plain(opening[0]) or _count(next(lines), JOINTS) != JOINTS:
        raise _IrregularError
    found.body_id.append(int(opening[0]))
    rows = list(itertools.islice(lines, JOINTS))
    if len(rows) != JOINTS or any(len(row) != 12 for row in rows):
        raise _IrregularError
    for row in rows:
        found.coordinates += map(float, row[:3])
        found.tracking.append(_STATES.index(row[11]))


def _plain(text: bytes) -> bool:
    return text.isdigit() and len(text) <= _DIGITS


def _count(fields: list[bytes], most: int) -> int:
    if len(fields) != 1 or not _plain(fields[0]) or (count := int(fields[0])) > most:
        raise _IrregularError
    return count
