"""Numbers without names in text files: UTKinect's, and any with three or four numbers for each joint of a layout."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from flora_engine.errors import FloraError
from flora_engine.readers import _input, table
from flora_engine.readers._cells import decode
from flora_engine.readers.arrays import COUNTS
from flora_engine.readers.assembly import from_layout
from flora_engine.skeleton import Note, SkeletonSequence

UTKINECT = 1 + 20 * 3  # the number of the picture, and 20 joints in the order of the Kinect v1 SDK
_UTKINECT_FPS = 15.0  # of the publication; the files do not say
_UTKINECT_RATE = Note("frame rate", "15 frames per second, as UTKinect was recorded", "likely")
_MSR = re.compile(r"^a\d\d_s\d\d_e\d\d", re.IGNORECASE)


def claims(path: Path, head: bytes) -> bool:
    if path.suffix.lower() != ".txt" or not _input.is_text(head):
        return False
    first = head.lstrip().split(b"\n", 1)[0].replace(b",", b" ").replace(b";", b" ").split()
    if not first or not all(re.fullmatch(rb"[-+.\deE]+|nan", token, re.IGNORECASE) for token in first):
        return False
    count = len(first)
    by_joint = any(count == step * joints for step in (3, 4) for joints in COUNTS)
    return count == UTKINECT or by_joint or (count == 4 and _MSR.match(path.name) is not None)


def read(path: Path, head: bytes) -> SkeletonSequence | None:
    """joints (T, 1, V, 3). None where the lines do not look like it; FloraError, with the line, where it is broken."""
    if not claims(path, head):
        return None
    if _MSR.match(path.name) and len(head.lstrip().split(b"\n", 1)[0].split()) == 4:
        raise FloraError(
            "looks like MSR Action3D, whose order of left and right joints no document gives",
            path=path,
            remedy="Write it as .npz with the layout kinect_v1, once you know which side is which.",
        )
    text = decode(_input.read_bytes(path, _input.MAX_JSON_BYTES), head, path)
    if len(head.lstrip().split(b"\n", 1)[0].split()) == UTKINECT:
        return _utkinect(text, path)
    return table.parse(text, path)


def _utkinect(text: str, path: Path) -> SkeletonSequence:
    rows: dict[int, list[float]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words:
            continue
        try:
            values = [float(word) for word in words]
            frame = int(values[0])
        except (ValueError, OverflowError):
            values, frame = [], 0
        if len(values) != UTKINECT:
            raise FloraError(f"does not hold {UTKINECT} numbers, as UTKinect has", path=path, where=f"line {number}",
                             remedy=_input.COPY_AGAIN)  # fmt: skip
        rows[frame] = values[1:]  # a picture that is listed twice has the same joints
    values_of = np.array([rows[frame] for frame in sorted(rows)]).reshape(-1, 1, 20, 3)
    return from_layout(values_of, "kinect_v1", _UTKINECT_FPS, path, notes=(_UTKINECT_RATE,))
