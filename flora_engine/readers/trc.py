"""TRC marker tables, as OpenSim, OpenCap, Motion Analysis and Theia write them: tabs, two header lines, X1 Y1 Z1 …"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from flora_engine.errors import FloraError
from flora_engine.readers import _input
from flora_engine.readers._archive import check_fps
from flora_engine.readers.assembly import from_names
from flora_engine.skeleton import SkeletonSequence

MAX_MARKERS = 500
_UNITS = {"m": "metres", "mm": "millimetres", "cm": "centimetres", "in": "inches"}


def claims(path: Path, head: bytes) -> bool:
    return path.suffix.lower() == ".trc" or head.startswith(b"PathFileType")


def read(path: Path, head: bytes) -> SkeletonSequence | None:
    """joints (T, 1, V, 3) from markers that are joints, or from which joints follow; axes are guessed, the unit is the
    file's unless no person has that size. None where it is no TRC; FloraError, with the line, where it is broken.
    """
    if not claims(path, head):
        return None
    lines = _input.read_bytes(path, _input.MAX_JSON_BYTES).decode("latin-1").splitlines()
    if len(lines) < 6 or not head.startswith(b"PathFileType"):
        raise _wrong("is not a TRC file: it should begin with PathFileType and five lines of header", 1, path)
    settings = dict(zip(lines[1].split(), lines[2].split(), strict=False))
    rate = _number(settings.get("DataRate", settings.get("CameraRate", "")), 3, path)
    names = [name.strip() for name in lines[3].split("\t")[2:]]
    names = [name for name in names if name] or lines[3].split()[2:]
    if not 3 <= len(names) <= MAX_MARKERS:
        raise _wrong(f"names {len(names)} markers", 4, path)
    rows = []
    for number, line in enumerate(lines[5:], 6):
        if line.strip():
            rows.append(_row(line, len(names), number, path))
    if not rows:
        raise _wrong("has a header but no rows", 6, path)
    values = np.array(rows).reshape(len(rows), 1, len(names), 3)
    unit = _UNITS.get(settings.get("Units", "").lower())
    return from_names(values, names, check_fps(rate, path), path, unit=unit, where="line 4")


def _row(line: str, markers: int, number: int, path: Path) -> list[float]:
    cells = line.split("\t") if "\t" in line else line.split()
    cells = [cell.strip() for cell in cells][2 : 2 + 3 * markers]
    cells += [""] * (3 * markers - len(cells))  # trailing gaps are left out
    values = [_number(cell, number, path) if cell else float("nan") for cell in cells]
    for i in range(0, len(values), 3):
        if values[i : i + 3] == [0.0, 0.0, 0.0]:  # a marker that was not seen
            values[i : i + 3] = [float("nan")] * 3
    return values


def _number(text: str, line: int, path: Path) -> float:
    try:
        return float(text.replace(",", ".") if re.fullmatch(r"-?\d+,\d+", text) else text)
    except ValueError:
        raise _wrong(f"holds {text[:20]!r} where a number should be", line, path) from None


def _wrong(problem: str, line: int, path: Path) -> FloraError:
    return FloraError(problem, path=path, where=f"line {line}", remedy=_input.COPY_AGAIN)
