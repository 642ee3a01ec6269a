"""Segments of a recording: the one type behind predictions, corrections, truth and every file of segments."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Segment:
    """One action in frames `start` to `end`, 0-based, both included. score: 0..1; None for what a person said."""

    name: str
    start: int
    end: int
    score: float | None = None

    @property
    def frames(self) -> int:
        return self.end - self.start + 1


@dataclass(frozen=True)
class Annotation:
    """The segments of one recording. file: its name. frames: its length. Segments may overlap (two persons)."""

    file: str
    fps: float
    frames: int
    segments: tuple[Segment, ...]
