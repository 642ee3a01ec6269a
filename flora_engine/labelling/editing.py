"""Edits of the segments of a recording: pure functions. Each gives the new segments, in order, and the changed one.

Segments may overlap, as two persons do different things; `tiers` puts overlapping ones into different rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from flora_engine.errors import FloraError
from flora_engine.labelling.segments import Segment

Side = Literal["start", "end"]
Edited = tuple[tuple[Segment, ...], Segment | None]


def in_order(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """By their first frame, then by their last, then by class."""
    return tuple(sorted(segments, key=lambda s: (s.start, s.end, s.name)))


def tiers(segments: Sequence[Segment]) -> list[int]:
    """The row of each segment (which are in order), from 0: the first row that is free where it begins."""
    ends: list[int] = []
    rows = []
    for segment in segments:
        row = next((row for row, end in enumerate(ends) if end < segment.start), len(ends))
        if row == len(ends):
            ends.append(-1)
        ends[row] = segment.end
        rows.append(row)
    return rows


def without(segments: Sequence[Segment], old: Segment) -> list[Segment]:
    """The others. FloraError if there is no such segment any more."""
    others = list(segments)
    if old not in others:
        raise FloraError("this segment is not there any more")
    others.remove(old)
    return others


def add(segments: Sequence[Segment], name: str, start: int, end: int, frames: int) -> Edited:
    """A new segment; its ends are put in order and into the recording. FloraError without a name."""
    name = " ".join(name.split())
    if not name:
        raise FloraError("a segment needs a class")
    start, end = sorted((min(max(start, 0), frames - 1), min(max(end, 0), frames - 1)))
    new = Segment(name, start, end)
    return in_order([*segments, new]), new


def room_at(segments: Sequence[Segment], frame: int, length: int, frames: int) -> tuple[int, int]:
    """First and last frame of a new segment that begins at `frame`: of `length` frames, shorter if one follows.

    FloraError if a segment lies over `frame`.
    """
    if any(s.start <= frame <= s.end for s in segments):
        raise FloraError("there is a segment here", remedy="Split it, or go to a frame without one.")
    following = min((s.start for s in segments if s.start > frame), default=frames)
    return frame, min(frame + max(length, 1), following, frames) - 1


def move_edge(segments: Sequence[Segment], old: Segment, side: Side, frame: int, frames: int) -> Edited:
    """One end of a segment at another frame, which then belongs to it.

    It stays at least one frame long, inside the recording, and clear of the neighbours that it did not overlap.
    """
    others = without(segments, old)
    if side == "start":
        wall = max((s.end + 1 for s in others if s.end < old.start), default=0)
        new = replace(old, start=min(max(frame, wall), old.end), score=None)
    else:
        wall = min((s.start - 1 for s in others if s.start > old.end), default=frames - 1)
        new = replace(old, end=max(min(frame, wall), old.start), score=None)
    return in_order([*others, new]), new


def split(segments: Sequence[Segment], old: Segment, frame: int) -> Edited:
    """Two segments in place of one; `frame` is the first of the second. FloraError if it is not inside."""
    if not old.start < frame <= old.end:
        raise FloraError(
            "the segment cannot be split at this frame", remedy="Go to a frame inside it, after its first one."
        )
    second = replace(old, start=frame)
    return in_order([*without(segments, old), replace(old, end=frame - 1), second]), second


def merge(segments: Sequence[Segment], old: Segment) -> Edited:
    """A segment and the next one as one, with the first one's class and the gap between. FloraError if none follows."""
    others = without(in_order(segments), old)
    following = [s for s in others if s.start > old.start]
    if not following:
        raise FloraError("no segment follows this one, so there is nothing to merge it with")
    both = Segment(old.name, old.start, max(old.end, following[0].end))
    return in_order([*without(others, following[0]), both]), both


def rename(segments: Sequence[Segment], old: Segment, name: str) -> Edited:
    """A segment with another class. FloraError without a name."""
    name = " ".join(name.split())
    if not name:
        raise FloraError("a segment needs a class")
    new = replace(old, name=name, score=None)
    return in_order([*without(segments, old), new]), new


def remove(segments: Sequence[Segment], old: Segment) -> Edited:
    """Without this segment."""
    return in_order(without(segments, old)), None


def accept(segments: Sequence[Segment], found: Sequence[Segment]) -> Edited:
    """Found segments as true ones, without their scores. Only in the frames that no true segment covers.

    So a correction that was made before is never overwritten.
    """
    mine = in_order(segments)
    new: list[Segment] = []
    for one in found:
        start = one.start
        for other in [*(s for s in mine if s.end >= one.start and s.start <= one.end), None]:
            last = one.end if other is None else other.start - 1
            if last >= start:
                new.append(Segment(one.name, start, last))
            if other is not None:
                start = max(start, other.end + 1)
    return in_order([*mine, *new]), new[0] if new else None
