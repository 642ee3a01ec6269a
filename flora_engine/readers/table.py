"""Skeletons as CSV tables, wide (a row a frame and person) or long (a row a joint); docs/formats.md shows both."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flora_engine.errors import FloraError
from flora_engine.readers import _input
from flora_engine.readers._archive import check_fps
from flora_engine.skeleton import LAYOUTS, SkeletonSequence

DEFAULT_FPS = 30.0
MAX_PERSONS = 16
FEWEST_COLUMNS, MAX_COLUMNS = 4, 2000
_SUFFIXES = (".csv", ".tsv")
_AXIS = re.compile(r"^(?P<joint>.+?)[ _.]?(?P<axis>[xyz])$")
# Of the layouts with the same joint names the first is meant: by name the order does not matter.
_BY_COUNT = {25: "kinect_v2", 20: "kinect_v1", 33: "mediapipe_33"}


def claims(path: Path, head: bytes) -> bool:
    return path.suffix.lower() in _SUFFIXES


def is_other_list(head: bytes) -> bool:
    """Whether the header has too few columns for joints: a list beside recordings, such as their class names."""
    lines = [line for line in head.splitlines() if line.strip() and not line.startswith(b"#")]
    return bool(lines) and max(lines[0].count(mark) for mark in (b",", b";", b"\t")) < FEWEST_COLUMNS - 1


@dataclass
class _Rows:
    """Joint rows as they come: parallel lists of frame number, person, joint index and x, y, z, and of frame times."""

    frame: list[int]
    person: list[str]
    joint: list[int]
    xyz: list[tuple[float, float, float]]
    seconds: dict[int, float]


def read(path: Path, head: bytes) -> SkeletonSequence | None:
    """joints (T, M, V, 3), metres; frames are numbered by the file, missing ones are empty; empty cells are NaN.

    None where the name does not say CSV; FloraError, with the line, where it is broken.
    """
    if not claims(path, head):
        return None
    data = _input.read_bytes(path, _input.MAX_JSON_BYTES)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FloraError(
            f"is not UTF-8 text (it looks like {_input.looks_like(head)})",
            path=path,
            where=f"line {line}",
            remedy="Save it as CSV in UTF-8.",
        ) from None
    table = _Table(path, text)
    rows, layout = _long(table) if table.is_long() else _wide(table)
    if not rows.frame:
        raise FloraError("has a header but no rows", path=path, remedy=_input.COPY_AGAIN)
    return _sequence(rows, layout, table.fps, path)


class _Table:
    """The header and the data lines of a CSV text: `# fps: 30` comments, then column names, then rows of cells."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.fps: float | None = None
        lines = text.splitlines()
        skipped = 0
        for line in lines:
            if line.strip() and not line.startswith("#"):
                break
            self._comment(line, skipped + 1)
            skipped += 1
        opening = lines[skipped] if skipped < len(lines) else ""
        self.first_line = skipped + 1
        delimiter = max(",;\t", key=opening.count)
        self._rows = csv.reader(io.StringIO("\n".join(lines[skipped:])), delimiter=delimiter)
        names = next(self.cells(), (0, []))[1]
        if not FEWEST_COLUMNS <= len(names) <= MAX_COLUMNS:
            raise self.wrong(f"has {len(names)} columns; it needs a header with joint names", self.first_line)
        self.columns = {name.strip().lower(): i for i, name in reversed(list(enumerate(names)))}
        self.width = len(names)

    def _comment(self, line: str, number: int) -> None:
        match = re.match(r"#\s*fps\s*[:=]\s*(\S{1,30})\s*$", line, re.IGNORECASE)
        if match:
            self.fps = check_fps(self.number(match[1], number), self.path)

    def cells(self) -> Iterator[tuple[int, list[str]]]:
        """(line number, cells) of every line that is not blank."""
        try:
            for cells in self._rows:
                if any(cell.strip() for cell in cells):
                    yield self.first_line + self._rows.line_num - 1, cells
        except csv.Error as error:
            raise self.wrong(
                f"is no valid CSV ({_input.shown(error)})", self.first_line + self._rows.line_num
            ) from None

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        for line, cells in self.cells():
            if len(cells) != self.width:
                raise self.wrong(f"has {len(cells)} cells in a row, {self.width} in the header", line)
            yield line, cells

    def is_long(self) -> bool:
        return {"joint", "x", "y", "z"} <= self.columns.keys()

    def wrong(self, problem: str, line: int) -> FloraError:
        return FloraError(
            problem, path=self.path, where=f"line {line}", remedy="docs/formats.md shows how it should look."
        )

    def number(self, cell: str, line: int) -> float:
        """A cell as a number; an empty one is NaN."""
        try:
            return float(cell) if cell.strip() else float("nan")
        except ValueError:
            raise self.wrong(f"holds {cell[:20]!r} where a number should be", line) from None

    def whole(self, cell: str, line: int) -> int:
        value = self.number(cell, line)
        if not abs(value) < 2**53 or value != int(value):  # also refuses NaN
            raise self.wrong(f"holds {cell[:20]!r} where a whole number should be", line)
        return int(value)


def _key(name: str) -> str:
    """A joint name without what writers vary: case, blanks, underscores."""
    return re.sub(r"[^a-z0-9]", "", name.lower().replace("center", "centre"))


def _layout_of(names: set[str], table: _Table) -> tuple[str, dict[str, int]]:
    """The layout all of whose joints are among the names, and the joint index of every name.

    Names may also be numbers from 0 ("0", "joint 0", "j0") in the order of the layout with as many joints.
    """
    keys = {_key(name): name for name in names}
    for layout in LAYOUTS.values():
        index = {_key(joint): i for i, joint in enumerate(layout.joints)}
        if index.keys() <= keys.keys():
            return layout.name, {keys[key]: i for key, i in index.items()}
    numbered = {name: re.fullmatch(r"(?:joint|j)?(\d{1,3})", _key(name)) for name in names}
    index = {name: int(match[1]) for name, match in numbered.items() if match}
    by_count = _BY_COUNT.get(len(index))
    if by_count is not None and sorted(index.values()) == list(range(len(index))):
        return by_count, index
    shown = _input.shown(", ".join(sorted(names)[:6]))
    raise table.wrong(
        f"does not name all joints of a known layout (it has {len(names)}: {shown} ...)", table.first_line
    )


def _person_and_frame(table: _Table) -> tuple[int | None, int | None, int | None]:
    return table.columns.get("person"), table.columns.get("frame"), table.columns.get("time")


def _wide(table: _Table) -> tuple[_Rows, str]:
    axes: dict[str, dict[str, int]] = {}
    for name, column in table.columns.items():
        match = _AXIS.match(name)
        if match:
            axes.setdefault(match["joint"], {})[match["axis"]] = column
    complete = {joint: (a["x"], a["y"], a["z"]) for joint, a in axes.items() if len(a) == 3}
    layout, joint_of = _layout_of(set(complete), table)
    columns = sorted((index, complete[joint]) for joint, index in joint_of.items())
    person, frame, time = _person_and_frame(table)
    rows = _Rows([], [], [], [], {})
    last: dict[str, int] = {}
    for line, cells in table.rows():
        who = "" if person is None else cells[person].strip()
        number = last.get(who, -1) + 1 if frame is None else table.whole(cells[frame], line)
        last[who] = number
        if time is not None:
            rows.seconds[number] = table.number(cells[time], line)
        for joint, (x, y, z) in columns:
            rows.xyz.append((table.number(cells[x], line), table.number(cells[y], line), table.number(cells[z], line)))
            rows.joint.append(joint)
        rows.frame += [number] * len(columns)
        rows.person += [who] * len(columns)
    return rows, layout


def _long(table: _Table) -> tuple[_Rows, str]:
    person, frame, time = _person_and_frame(table)
    if frame is None:
        raise table.wrong("has no column `frame`", table.first_line)
    joint, x, y, z = (table.columns[name] for name in ("joint", "x", "y", "z"))
    rows = _Rows([], [], [], [], {})
    names: list[str] = []
    for line, cells in table.rows():
        number = table.whole(cells[frame], line)
        rows.frame.append(number)
        rows.person.append("" if person is None else cells[person].strip())
        rows.xyz.append((table.number(cells[x], line), table.number(cells[y], line), table.number(cells[z], line)))
        names.append(cells[joint].strip().lower())
        if time is not None:
            rows.seconds[number] = table.number(cells[time], line)
    if not names:
        return rows, ""
    if len(set(names)) > MAX_COLUMNS:
        raise table.wrong(f"names {len(set(names))} joints", table.first_line)
    layout, joint_of = _layout_of(set(names), table)
    kept = [i for i, name in enumerate(names) if name in joint_of]
    rows.frame, rows.person, rows.xyz = ([column[i] for i in kept] for column in (rows.frame, rows.person, rows.xyz))  # type: ignore[assignment]
    rows.joint = [joint_of[names[i]] for i in kept]
    return rows, layout


def _sequence(rows: _Rows, layout: str, fps: float | None, path: Path) -> SkeletonSequence:
    ids = list(dict.fromkeys(rows.person))
    if len(ids) > MAX_PERSONS:
        raise FloraError(f"names {len(ids)} persons", path=path, remedy=f"At most {MAX_PERSONS} are read.")
    first, last = min(rows.frame), max(rows.frame)
    distinct = len(set(rows.frame))
    if last - first + 1 > 10 * distinct + 1000:
        raise FloraError(
            f"numbers its {distinct} frames from {first} to {last}",
            path=path,
            remedy="Number them one after the other.",
        )
    frames, joint_count = last - first + 1, len(LAYOUTS[layout].joints)
    _input.check_size(path, frames, len(ids), joint_count)
    index = {name: i for i, name in enumerate(ids)}
    values = np.zeros((frames, len(ids), joint_count, 3))
    seen = np.zeros((frames, len(ids), joint_count), np.bool_)
    at = (np.array(rows.frame) - first, np.array([index[name] for name in rows.person]), np.array(rows.joint))
    values[at] = rows.xyz
    seen[at] = True
    here = seen.any(axis=2, keepdims=True)
    values[here & ~seen] = np.nan  # a joint without a row, of somebody who is there
    values[np.isnan(values).all(axis=(2, 3))] = 0  # all cells empty: not there
    return SkeletonSequence(
        joints=_input.as_joints(values, path),
        fps=fps if fps is not None else _fps_of(rows.seconds, path),
        layout=layout,
        name=path.stem,
        source=path,
        body_ids=tuple(ids) if any(ids) else None,
    )


def _fps_of(seconds: dict[int, float], path: Path) -> float:
    """The frame rate of the time column: the median step between neighbouring frames; 30 where there is none."""
    if len(seconds) < 2:
        return DEFAULT_FPS
    numbers = sorted(seconds)
    step = float(np.median(np.diff([seconds[n] for n in numbers]) / np.diff(numbers)))
    return check_fps(1.0 / step if step > 0 else float("nan"), path)
