"""Skeletons as tables, wide (a row per frame and person) or long (a row per joint); docs/formats.md shows both.

Joints are found by their names, however they are spelled (`skeleton.names`), or by their numbers; persons are columns
("person1_left_knee_x"), rows with an id, or one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.readers import _input, _lab_tables, _telling
from flora_engine.readers._archive import MAX_FPS, check_fps
from flora_engine.readers._cells import FEWEST_COLUMNS, Cells, decode
from flora_engine.readers._columns import Columns, Role, understand
from flora_engine.readers.arrays import COUNTS
from flora_engine.readers.assembly import HELP, OUR_AXES, from_names
from flora_engine.readers.reading_recipes import ReadingRecipe
from flora_engine.skeleton import SkeletonSequence

Array = NDArray[np.float64]
MAX_PERSONS = 16
MAX_JOINTS = 500
_SUFFIXES = (".csv", ".tsv")
_NUMBER = re.compile(rb"[-+.\deE]+|nan", re.IGNORECASE)
_ROLES: tuple[Role, ...] = ("x", "y", "z", "confidence")


def claims(path: Path, head: bytes) -> bool:
    return path.suffix.lower() in _SUFFIXES


def is_other_list(head: bytes) -> bool:
    """Whether the header has too few columns for joints: a list beside recordings, such as their class names."""
    if _lab_tables.is_one(head):
        return False
    lines = [line for line in head.splitlines() if line.strip() and not line.startswith(b"#")]
    if lines and len(words := lines[0].split()) >= FEWEST_COLUMNS and all(_NUMBER.fullmatch(word) for word in words):
        return False
    return bool(lines) and max(lines[0].count(mark) for mark in (b",", b";", b"\t", b"|")) < FEWEST_COLUMNS - 1


@dataclass
class _Body:
    """One person in one frame: values (N, 4) are x, y, z and confidence; seconds may be NaN."""

    frame: int
    person: str
    values: Array
    seconds: float


def read(path: Path, head: bytes) -> SkeletonSequence | None:
    """joints (T, M, V, 3); axes and unit are guessed; frames are numbered by the file, missing ones are empty.

    None where the name does not say CSV; FloraError, with the line, where it is broken.
    """
    if not claims(path, head):
        return None
    return parse(decode(_input.read_bytes(path, _input.MAX_JSON_BYTES), head, path), path)


def parse(text: str, path: Path) -> SkeletonSequence:
    """The recording in the text of a table."""
    cells = Cells(path, _lab_tables.flattened(text))
    recipe = _telling.saw([f"{len(cells.header)} columns"] if cells.bare else cells.header, "columns")
    usual = _numbered if cells.bare else _named
    columns = _told(cells, recipe) if recipe.columns else usual(cells)
    if columns.long:
        names, bodies = _long(cells, columns)
    else:
        names, bodies = _wide(cells, columns)
    if not bodies:
        raise FloraError("has a header but no rows", path=path, remedy=_input.COPY_AGAIN)
    return _sequence(names, bodies, cells, columns)


def _named(cells: Cells) -> Columns:
    return understand(cells.header)


def _told(cells: Cells, recipe: ReadingRecipe) -> Columns:
    """The columns that a recipe names, or numbers from 1; frames, times and persons as the header names them."""
    place = {name: i for i, name in enumerate(cells.header)} if not cells.bare else {}
    joints: dict[str, dict[Role, int]] = {}
    for joint, three in recipe.columns.items():
        for role, column in zip(_ROLES, three, strict=False):
            at = column - 1 if isinstance(column, int) else place.get(column, -1)
            if not 0 <= at < len(cells.header):
                raise cells.wrong(f"has no column {column!r}, which the reading recipe gives to the {joint}",
                                  cells.first_line)  # fmt: skip
            joints.setdefault(joint, {})[role] = at
    columns = Columns() if cells.bare else understand(cells.header)
    taken = {at for roles in joints.values() for at in roles.values()}
    for other in ("frame", "time", "person"):
        if getattr(columns, other) in taken:
            setattr(columns, other, None)
    columns.axes, columns.joint, columns.unit = {"": joints}, None, None
    return columns


def _numbered(cells: Cells) -> Columns:
    """Columns without a header: three (or four, with a confidence) for each joint, perhaps after a clock.

    Of several ways the first is meant that gives as many joints as a layout has.
    """
    width = len(cells.header)
    ways = [(before, step) for before in (0, 1, 2) for step in (3, 4) if (width - before) % step == 0]
    known = next((way for way in ways if (width - way[0]) // way[1] in COUNTS), None)
    before, step = known or (ways[0] if ways and ways[0][0] == 0 else (0, 0))
    if not step:
        raise cells.wrong(f"has {width} columns without names, which are not three for each joint", cells.first_line)
    joints: dict[str, dict[Role, int]] = {
        str(i): {role: before + step * i + k for k, role in enumerate(_ROLES[:step])}
        for i in range((width - before) // step)
    }
    return Columns({"": joints}, time=before - 1 if before else None)


def _wide(cells: Cells, columns: Columns) -> tuple[list[str], list[_Body]]:
    persons = columns.complete()
    if not persons:
        problem = "holds 2D coordinates (x and y, but no z)" if columns.flat() else "has no columns x, y, z of joints"
        remedy = "3D joints are needed: lift them to 3D first, or export the 3D output." if columns.flat() else HELP
        shown = _input.shown(", ".join(cells.header[:6]))
        raise FloraError(f"{problem} (it has {shown} ...)", path=cells.path, where=f"line {cells.first_line}",
                         remedy=remedy)  # fmt: skip
    names = list(dict.fromkeys(joint for joints in persons.values() for joint in joints))
    if len(names) > MAX_JOINTS:
        raise cells.wrong(f"names {len(names)} joints", cells.first_line)
    index = {name: i for i, name in enumerate(names)}
    slots = {
        who: tuple(zip(*((index[joint], _ROLES.index(role), column) for joint, roles in joints.items()
                         for role, column in roles.items()), strict=True))
        for who, joints in persons.items()
    }  # fmt: skip
    bodies: list[_Body] = []
    last: dict[str, int] = {}
    for line, row in cells.rows():
        who = "" if columns.person is None else row[columns.person].strip()
        number = last.get(who, -1) + 1 if columns.frame is None else cells.whole(row[columns.frame], line)
        last[who] = number
        seconds = float("nan") if columns.time is None else _seconds(cells, row[columns.time], line)
        for column, (joint, k, source) in slots.items():
            values = np.full((len(names), 4), np.nan)
            values[joint, k] = cells.numbers([row[i] for i in source], line)
            bodies.append(_Body(number, f"{who} {column}".strip(), values, seconds))
    return names, bodies


def _long(cells: Cells, columns: Columns) -> tuple[list[str], list[_Body]]:
    roles = columns.axes[""][""]
    assert columns.joint is not None
    found: dict[tuple[int, str], _Body] = {}
    index: dict[str, int] = {}
    rows: list[tuple[_Body, int, list[float]]] = []
    last, seen = {"": 0}, set[tuple[int, str, str]]()
    for line, row in cells.rows():
        who = "" if columns.person is None else row[columns.person].strip()
        joint = row[columns.joint].strip()
        if columns.frame is not None:
            number = cells.whole(row[columns.frame], line)
        else:  # a joint that comes again opens the next frame
            number = last.setdefault(who, 0)
            if (number, who, joint) in seen:
                last[who] = number = number + 1
            seen.add((number, who, joint))
        index.setdefault(joint, len(index))
        if len(index) > MAX_JOINTS:
            raise cells.wrong(f"names more than {MAX_JOINTS} joints", line)
        seconds = float("nan") if columns.time is None else _seconds(cells, row[columns.time], line)
        body = found.setdefault((number, who), _Body(number, who, np.empty(0), seconds))
        numbers = [cells.number(row[roles[role]], line) if role in roles else float("nan") for role in _ROLES]
        rows.append((body, index[joint], numbers))
    for body in found.values():
        body.values = np.full((len(index), 4), np.nan)
    for body, joint_number, numbers in rows:
        body.values[joint_number] = numbers
    return list(index), list(found.values())


def _seconds(cells: Cells, cell: str, line: int) -> float:
    if ":" in cell:
        try:
            return datetime.fromisoformat(cell.strip()).timestamp()
        except (ValueError, OverflowError, OSError):
            raise cells.wrong(f"holds {cell[:20]!r} where a time should be", line) from None
    return cells.number(cell, line)


def _sequence(names: list[str], bodies: list[_Body], cells: Cells, columns: Columns) -> SkeletonSequence:
    path = cells.path
    ids = list(dict.fromkeys(body.person for body in bodies))
    if len(ids) > MAX_PERSONS:
        raise FloraError(f"names {len(ids)} persons", path=path, remedy=f"At most {MAX_PERSONS} are read.")
    numbers = sorted({body.frame for body in bodies})
    first, last = numbers[0], numbers[-1]
    if last - first + 1 > 10 * len(numbers) + 1000:
        raise FloraError(
            f"numbers its {len(numbers)} frames from {first} to {last}",
            path=path,
            remedy="Number them one after the other.",
        )
    _input.check_size(path, last - first + 1, len(ids), len(names))
    index = {name: i for i, name in enumerate(ids)}
    values = np.full((last - first + 1, len(ids), len(names), 4), np.nan)
    for body in bodies:
        values[body.frame - first, index[body.person]] = body.values
    confidence = None if np.isnan(values[..., 3]).all() else values[..., 3]
    return from_names(
        values[..., :3],
        names,
        cells.fps if cells.fps is not None else _fps_of(bodies, columns.time_unit, path, cells.bare),
        path,
        confidence=confidence,
        claim=OUR_AXES if cells.ours else None,
        unit="metres" if cells.ours else columns.unit,
        body_ids=tuple(ids),
        where=f"line {cells.first_line}",
    )


def _fps_of(bodies: list[_Body], unit: float | None, path: Path, bare: bool) -> float | None:
    """The frame rate of the time column: the median step between neighbouring frames; None where there is none.

    unit: seconds per unit. Where the header does not say it, the first of s, ms, µs, 100 ns and ns is meant that gives
    8 to 500 frames per second, else the first that gives one at least. bare: the columns have no names.
    """
    seconds = {body.frame: body.seconds for body in bodies if np.isfinite(body.seconds)}
    if len(seconds) < 2:
        return None
    numbers = sorted(seconds)
    if bare and np.all(np.diff([seconds[n] for n in numbers]) == 1):
        return None  # a count of frames
    step = float(np.median(np.diff([seconds[n] for n in numbers]) / np.diff(numbers)))
    if not step > 0:
        return check_fps(float("nan"), path)
    if unit is None:
        usual = (factor for factor in (1.0, 1e-3, 1e-6, 1e-7, 1e-9) if 1 / 500 <= step * factor <= 1 / 8)
        unit = next(usual, None) or next((factor for factor in (1.0, 1e-3, 1e-6, 1e-9) if step * factor <= 1), 1.0)
    return check_fps(min(1 / (step * unit), 2 * MAX_FPS), path)
