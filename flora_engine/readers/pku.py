"""PKU-MMD skeleton text (docs/method.md, section 1): 150 numbers per line and frame; absent persons are zero."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from flora_engine.errors import FloraError
from flora_engine.readers import _input
from flora_engine.skeleton import SkeletonSequence

FPS = 30.0
NUMBERS = 150
NAME = re.compile(r"^(?:\d{4}|A\d{2}N\d{2})-(?P<view>[LMR])$")
_VIEWS = {"L": 1, "M": 2, "R": 3}
_ENOUGH_TO_TELL = 40  # numbers in the first line; a line of 150 long numbers may not fit the head of the file


def claims(path: Path, head: bytes) -> bool:
    if path.suffix.lower() != ".txt" or not _input.is_text(head):
        return False
    first = head.lstrip().split(b"\n", 1)[0].split()
    return len(first) >= _ENOUGH_TO_TELL and all(re.fullmatch(rb"[-+.\deE]+|nan", token) for token in first[:-1])


def metadata(name: str) -> dict[str, int | str]:
    """camera (L 1, M 2, R 3) from a name like 0002-L or A01N01-L without suffix; else empty."""
    match = NAME.match(name)
    return {"camera": _VIEWS[match["view"]]} if match else {}


def read(path: Path, head: bytes) -> SkeletonSequence | None:
    """joints (T, M, 25, 3), metres, 30 frames a second; M is 1 if the second person never appears.

    None where it is no PKU-MMD text; FloraError where it is broken.
    """
    if not claims(path, head):
        return None
    rows = []
    for number, line in enumerate(_input.read_bytes(path, _input.MAX_JSON_BYTES).splitlines(), 1):
        tokens = line.split()
        if tokens:
            rows.append(_row(tokens, number, path))
    values = np.array(rows).reshape(len(rows), 2, 25, 3)
    persons = 2 if values[:, 1].any() else 1
    if not values.any():
        raise FloraError(f"holds nobody in any of its {len(rows)} frames", path=path, remedy="Leave it out.")
    joints = _input.as_joints(values[:, :persons], path)
    return SkeletonSequence(joints, FPS, name=path.stem, source=path, metadata=metadata(path.stem))


def _row(tokens: list[bytes], line: int, path: Path) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    if len(tokens) != NUMBERS:
        raise FloraError(
            f"holds {len(tokens)} numbers in a line, where PKU-MMD has {NUMBERS}",
            path=path,
            where=f"line {line}",
            remedy=_input.COPY_AGAIN,
        )
    try:
        return np.fromiter(map(float, tokens), np.float64, NUMBERS)
    except ValueError:
        raise FloraError(
            "holds something that is not a number", path=path, where=f"line {line}", remedy=_input.COPY_AGAIN
        ) from None
