"""Tables of marker laboratories, whose headers take several lines: Motive, Nexus, Workstation, Qualisys Track Manager.

Each becomes a table with one line of column names, at the same line numbers, so that errors name the line of the file.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MARKS = (b"Format Version", b"Trajectories", b"Devices", b"Model Outputs", b"Joints", b"TRAJECTORIES", b"Segments",
         b"Title", b"NO_OF_FRAMES")  # fmt: skip
_MOST_LINES = 60  # of a header
_UNITS = {"meters": "m", "metres": "m", "millimeters": "mm", "millimetres": "mm", "centimeters": "cm", "inches": "in"}


def flattened(text: str) -> str:
    """The text with one line of names such as "Anna:LFHD X (mm)" in place of such a header.

    Any other text, and one whose header is damaged, is unchanged.
    """
    start = text.lstrip("\ufeff\r\n ")
    for marks, flatten in ((MARKS[:1], _motive), (MARKS[1:-1], _vicon), (MARKS[-1:], _qualisys)):
        if start.startswith(tuple(mark.decode() for mark in marks)):
            try:
                return flatten(text.splitlines()) or text
            except (csv.Error, ValueError, IndexError):
                return text
    return text


def is_one(head: bytes) -> bool:
    """Whether the beginning of a file is that of such a header."""
    start = head.lstrip(b"\xef\xbb\xbf\r\n ")
    return start.startswith(MARKS) and (not start.startswith(b"Title") or b"\nTRAJECTORIES" in start)


def _cells(line: str, mark: str = ",") -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=mark), [])]


def _table(lines: Sequence[str], first: int, header: Sequence[str], rate: str, mark: str = ",") -> str:
    """Comments with the frame rate, the header at the line before `first` (from 0), and the rows from there on."""
    written = io.StringIO()
    csv.writer(written, delimiter=mark, lineterminator="").writerow(header)
    before = [f"# fps: {rate}" if rate else "#", *["#"] * max(0, first - 2)]
    return "\n".join([*before[: first - 1], written.getvalue(), *lines[first:]])


def _motive(lines: Sequence[str]) -> str | None:
    """OptiTrack Motive: a line of facts, then the types, names, kinds and axes of the columns."""
    facts = _cells(lines[0])
    said = dict(zip((cell.lower() for cell in facts[::2]), facts[1::2], strict=False))
    rows = [(i, _cells(line)) for i, line in enumerate(lines[:_MOST_LINES]) if line.strip(", \t")]
    last = next(((i, cells) for i, cells in rows if cells[0].lower() == "frame"), None)
    above = [cells for i, cells in rows if last is not None and 0 < i < last[0]]
    if last is None or len(above) < 3:
        return None
    width = len(last[1])
    types, names, kinds = (cells + [""] * (width - len(cells)) for cells in (above[0], above[1], above[-1]))
    wanted = "Bone" if "Bone" in types else "Bone Marker" if "Bone Marker" in types else "Marker"
    unit = _UNITS.get(said.get("length units", "").lower(), "")
    whose = list(dict.fromkeys(name.split(":")[0] for name, kind in zip(names, types, strict=True) if kind == wanted))
    several = wanted == "Bone" and len(whose) > 1
    header = list(last[1])
    for i in range(2, width):
        person, _, part = names[i].partition(":")
        joint = "Hip" if wanted == "Bone" and part in ("", person) else part or person  # the root is called as it all
        joint = f"person{whose.index(person) + 1}_{joint}" if several and person in whose else joint
        use = types[i] == wanted and kinds[i] == "Position" and header[i] in ("X", "Y", "Z")
        header[i] = f"{joint} {header[i]}{f' ({unit})' if unit else ''}" if use else f"other {i}"
    return _table(lines, last[0] + 1, header, said.get("export frame rate") or said.get("capture frame rate", ""))


def _vicon(lines: Sequence[str]) -> str | None:
    """Vicon Nexus and Workstation: the bones of Plug-in Gait if all are among the model outputs, else the points."""
    titles = {line.strip(", \t").lower(): i for i, line in enumerate(lines) if line[:1].isalpha()}
    outputs, points = titles.get("model outputs"), titles.get("trajectories")
    found = _bones(lines, outputs) if outputs is not None else None
    return found or (_points(lines, points) if points is not None else None)


def _points(lines: Sequence[str], start: int) -> str | None:
    """The word Trajectories, the rate, names over three columns each, axes, units, rows to a blank one.

    Workstation, the older program, numbers "Field #", has no sub-frames, and says no units: they are millimetres.
    """
    if start + 4 >= len(lines):
        return None
    names, header, units = (_cells(lines[start + k]) for k in (2, 3, 4))
    first = start + 5
    if units[0].isdigit():
        units, first = ["mm"] * len(header), start + 4
    name, before = "", 1 + (len(header) > 1 and header[1] == "Sub Frame")
    for i in range(before, len(header)):
        name = names[i] if i < len(names) and names[i] else name
        unit = f" ({units[i]})" if i < len(units) and units[i] else ""
        header[i] = f"{name} {header[i]}{unit}" if header[i] in ("X", "Y", "Z") else f"other {i}"
    header[:before] = ["Frame", "other 1"][:before]
    return _table(lines[: _end(lines, first)], first, header, _cells(lines[start + 1])[0])


def _end(lines: Sequence[str], first: int) -> int:
    return next((i for i in range(first, len(lines)) if not lines[i].strip(", \t")), len(lines))


def _bones(lines: Sequence[str], start: int) -> str | None:
    """Model outputs of Nexus: each bone's turn (a rotation vector in degrees), place and length, as RX … TX … SX ….

    As points: the places, and for femurs their proximal ends, which lie on their z axes. None if a bone is missing.
    """
    if start + 4 >= len(lines):
        return None
    names, axes = _cells(lines[start + 2]), _cells(lines[start + 3])
    place = {name.rpartition(":")[2]: i for i, name in reversed(list(enumerate(names))) if axes[i : i + 1] == ["RX"]}
    sided = [side + bone for side in "LR" for bone in ("CL", "HU", "RA", "HN", "FE", "TI", "FO")]
    wanted = ["PEL", "TRX", "HED", *sided]
    if any(bone not in place for bone in wanted):
        return None
    first = start + 5
    rows = [_cells(line) for line in lines[first : _end(lines, first)]]
    values = np.array([[[float(cell or "nan") for cell in row[place[bone] : place[bone] + 9]] for bone in wanted]
                       for row in rows])  # fmt: skip
    points = dict(zip((f"{bone}O" for bone in wanted), values[:, :, 3:6].transpose(1, 0, 2), strict=True))
    for bone in ("LFE", "RFE"):
        own = values[:, wanted.index(bone)]
        points[f"{bone}P"] = own[:, 3:6] + own[:, 8:9] * _turned_z(np.radians(own[:, :3]))
    header = ["Frame", *(f"{name} {axis} (mm)" for name in points for axis in "XYZ")]
    table = np.concatenate(list(points.values()), axis=1)
    written = (",".join("" if np.isnan(v) else f"{v:.4f}" for v in frame) for frame in table)
    whole = [*[""] * first, *(f"{row[0]},{text}" for row, text in zip(rows, written, strict=True))]
    return _table(whole, first, header, _cells(lines[start + 1])[0])


def _turned_z(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T, 3): where rotation vectors (T, 3), in radians, turn the z axis."""
    angle = np.linalg.norm(vectors, axis=1, keepdims=True)
    axis = np.divide(vectors, angle, out=np.zeros_like(vectors), where=angle > 0)
    z = np.array([0.0, 0.0, 1.0])
    turned = z * np.cos(angle) + np.cross(axis, z) * np.sin(angle) + axis * axis[:, 2:] * (1 - np.cos(angle))
    return np.asarray(turned, np.float64)


def _qualisys(lines: Sequence[str]) -> str | None:
    """Qualisys Track Manager: a line per fact, the names of the markers among them, millimetres."""
    said, first = dict[str, list[str]](), 0
    for first, line in enumerate(lines[:_MOST_LINES]):  # noqa: B007
        key, *values = _cells(line, "\t")
        if not key.isupper() or ("_" not in key and key not in {"FREQUENCY", "DESCRIPTION"}):
            break
        said[key] = [value for value in values if value]
    names = said.get("MARKER_NAMES", [])
    if first < len(lines) and lines[first].strip()[:1].isalpha():  # names of columns
        first += 1
    before = len(_cells(lines[first].rstrip("\t"), "\t")) - 3 * len(names) if first < len(lines) else -1
    if not names or before < 0:
        return None
    header = [*["Frame", "Time"][:before], *(f"other {i}" for i in range(2, before))]
    header += [f"{name} {axis} (mm)" for name in names for axis in "XYZ"]
    rate = said.get("FREQUENCY", [""])[0]
    return _table(lines, first, header, rate, "\t")
