"""What all formats of segments share: a file as checked lines, seconds and frames."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flora_engine.labelling.segments import Annotation, Segment

# One entry of a file: its place ("line 3"), and the segment or what is wrong with it.
Row = tuple[str, Segment | str]


@dataclass(frozen=True)
class Recording:
    """What a file of segments is read for: frames per second and length of the recording."""

    fps: float
    frames: int


@dataclass(frozen=True)
class Format:
    """One format. claims(text): whether a file is in it. read: its segments in file order; it raises nothing."""

    name: str
    title: str
    suffix: str
    claims: Callable[[str], bool]
    write: Callable[[Annotation], str]
    read: Callable[[str, Recording], Iterator[Row]]


def one_line(name: str) -> str:
    """A class name fit for a field of a text file."""
    return " ".join(name.split())


def edges(segment: Segment, fps: float) -> tuple[float, float]:
    """Begin of the first and end of the last frame in seconds."""
    return segment.start / fps, (segment.end + 1) / fps


def from_seconds(name: str, start: str, end: str, fps: float, score: str = "") -> Segment | str:
    """The segment between two times in seconds, moved to the nearest edges of frames; or what is wrong."""
    try:
        first, last = float(start.replace(",", ".")), float(end.replace(",", "."))
    except ValueError:
        return f"“{one_line(start)}” to “{one_line(end)}” are not two times in seconds"
    if not (math.isfinite(first) and math.isfinite(last)):
        return "a time is not finite"
    begin, after = round(first * fps), round(last * fps)
    if begin == after and first <= last:
        return f"the segment “{one_line(name)}” is shorter than one frame"
    return from_frames(name, str(begin), str(after - 1), score)


def from_frames(name: str, start: str, end: str, score: str = "") -> Segment | str:
    """The segment of two frame numbers from 0, both included; or what is wrong."""
    name = one_line(name)
    try:
        first, last = int(start), int(end)
    except ValueError:
        return f"“{one_line(start)}” to “{one_line(end)}” are not two frame numbers"
    try:
        share = float(score) if score.strip() else None
    except ValueError:
        share = math.nan
    return _problem(name, first, last, share) or Segment(name, first, last, share)


def _problem(name: str, first: int, last: int, share: float | None) -> str:
    if not name:
        return "the segment has no class"
    if first < 0:
        return f"the segment “{name}” begins before the recording"
    if last < first:
        return f"the segment “{name}” ends before it begins"
    if share is not None and not math.isfinite(share):
        return f"the score of the segment “{name}” is not a number"
    return ""


def table(text: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header (lower case) and rows with their line numbers of a CSV text; empty rows are left out."""
    reader = csv.reader(io.StringIO(text))
    try:
        header = [cell.strip().lower() for cell in next(reader, [])]
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error:
        return [], []
    return header, rows
