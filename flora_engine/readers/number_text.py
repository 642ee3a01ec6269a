"""Numbers without names in text files: UTKinect's, and any with three or four numbers for each joint of a layout."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from flora_engine.errors import FloraError
from flora_engine.readers import _input, table
from flora_engine.readers._cells import decode
from flora_engine.readers.arrays import COUNTS
from flora_engine.readers.assembly import from_layout
from flora_engine.skeleton import Note, SkeletonSequence
from flora_engine.skeleton.orientation import look
from flora_engine.skeleton.sequence import Sure

UTKINECT = 1 + 20 * 3  # the number of the picture, and 20 joints in the order of the Kinect v1 SDK
_UTKINECT_FPS = 15.0  # of the publication; the files do not say
_UTKINECT_RATE = Note("frame rate", "15 frames per second, as UTKinect was recorded", "likely")
_MSR = re.compile(r"^a(?P<action>\d\d)_s(?P<subject>\d\d)_e(?P<replication>\d\d)", re.IGNORECASE)
_MSR_RATE = Note("frame rate", "15 frames per second, as MSR Action3D was recorded", "likely")
# The places of a Kinect v1's joints among those of MSR Action3D; which of its two sides is left, no document says.
_MSR_ORDER = (6, 3, 2, 19, 0, 7, 9, 11, 1, 8, 10, 12, 4, 13, 15, 17, 5, 14, 16, 18)
_SWAPPED = (*range(4), *range(8, 12), *range(4, 8), *range(16, 20), *range(12, 16))
_FEWEST_NUMBERS, _PKU = 30, 150  # in a line of a table without a known number of joints; in one of PKU-MMD


def claims(path: Path, head: bytes) -> bool:
    if path.suffix.lower() != ".txt" or not _input.is_text(head):
        return False
    first = head.lstrip().split(b"\n", 1)[0].replace(b",", b" ").replace(b";", b" ").split()
    if not first or not all(re.fullmatch(rb"[-+.\deE]+|nan", token, re.IGNORECASE) for token in first):
        return False
    count = len(first)
    by_joint = any(count == before + step * joints for before in (0, 1, 2) for step in (3, 4) for joints in COUNTS)
    whole = b"\n" in head.strip() and count >= _FEWEST_NUMBERS and count != _PKU
    return by_joint or whole or (count == 4 and _MSR.match(path.name) is not None)


def read(path: Path, head: bytes) -> SkeletonSequence | None:
    """joints (T, 1, V, 3). None where the lines do not look like it; FloraError, with the line, where it is broken."""
    if not claims(path, head):
        return None
    if _MSR.match(path.name) and len(head.lstrip().split(b"\n", 1)[0].split()) == 4:
        return _msr(path, head)
    text = decode(_input.read_bytes(path, _input.MAX_JSON_BYTES), head, path)
    if len(head.lstrip().split(b"\n", 1)[0].split()) == UTKINECT:
        return _utkinect(text, path)
    return table.parse(text, path)


def _msr(path: Path, head: bytes) -> SkeletonSequence:
    """MSR Action3D: a line per joint and frame, x y z and a confidence. Feet and knees show which side is left."""
    if "3d" not in path.stem.lower():
        raise FloraError("holds places in a picture", path=path, remedy="Open the _skeleton3D.txt of the same name.")
    text = decode(_input.read_bytes(path, _input.MAX_JSON_BYTES), head, path)
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            row = [float(word) for word in line.split()]
        except ValueError:
            row = [0.0]
        if row and len(row) != 4:
            raise FloraError("does not hold four numbers, as MSR Action3D has", path=path, where=f"line {number}",
                             remedy=_input.COPY_AGAIN)  # fmt: skip
        rows += [row] if row else []
    if len(rows) % 20:
        raise FloraError(f"has {len(rows)} lines of joints, which are not 20 for each frame", path=path,
                         remedy=_input.COPY_AGAIN)  # fmt: skip
    values = np.array(rows).reshape(-1, 1, 20, 4)[:, :, list(_MSR_ORDER)]
    with np.errstate(all="ignore"):
        seen = look(values[..., :3], "kinect_v1")
    swapped = bool(seen.left_handed) and seen.handed_sure != "unsure"
    values = values[:, :, list(_SWAPPED)] if swapped else values
    sure: Sure = "unsure" if seen.handed_sure == "unsure" else "likely"
    side = Note("left and right", "which side is left is told by feet and knees, not by the file", sure)
    found = from_layout(values[..., :3], "kinect_v1", _UTKINECT_FPS, path, confidence=values[..., 3],
                        notes=(side, _MSR_RATE))  # fmt: skip
    return replace(found, metadata=_input.numbers(_MSR, path.name))


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
