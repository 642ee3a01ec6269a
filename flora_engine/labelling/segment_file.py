"""The segments of a recording that is in no project: in a file beside it, with undo until it is closed."""

from __future__ import annotations

from pathlib import Path

from flora_engine.labelling.exchange import Recording, read_segments, write_segments
from flora_engine.labelling.segments import Annotation, Segment

SUFFIX = ".segments.json"


def beside(recording: Path) -> Path:
    """Where the segments of a recording file are kept."""
    return recording.with_name(recording.name + SUFFIX)


class SegmentFile:
    """True segments of one file. Nothing is written before `save`. Raises FloraError if its file is damaged."""

    def __init__(self, recording: Path, fps: float, frames: int) -> None:
        self.recording, self.fps, self.frames = recording, fps, frames
        self.path = beside(recording)
        there = self.path.is_file()
        self.segments = read_segments(self.path, Recording(fps, frames), "json") if there else ()
        self._saved = self.segments
        self._done: list[tuple[str, tuple[Segment, ...]]] = []  # title of an edit, and the segments before it
        self._undone: list[tuple[str, tuple[Segment, ...]]] = []  # title, and the segments after it

    @property
    def changed(self) -> bool:
        """Whether there is something to save."""
        return self.segments != self._saved

    @property
    def undo_title(self) -> str | None:
        return self._done[-1][0] if self._done else None

    @property
    def redo_title(self) -> str | None:
        return self._undone[-1][0] if self._undone else None

    def set(self, segments: tuple[Segment, ...], title: str) -> bool:
        """Make these the segments, as one edit; False if they are that already."""
        if segments == self.segments:
            return False
        self._done.append((title, self.segments))
        self._undone.clear()
        self.segments = segments
        return True

    def undo(self) -> str | None:
        """Undo the last edit; its title, or None if there is none."""
        return self._move(self._done, self._undone)

    def redo(self) -> str | None:
        """Redo the edit that was undone last; its title, or None if there is none."""
        return self._move(self._undone, self._done)

    def _move(
        self, source: list[tuple[str, tuple[Segment, ...]]], target: list[tuple[str, tuple[Segment, ...]]]
    ) -> str | None:
        if not source:
            return None
        title, segments = source.pop()
        target.append((title, self.segments))
        self.segments = segments
        return title

    def save(self) -> Path:
        """Write the file in one step; raises OSError."""
        write_segments(self.path, Annotation(self.recording.name, self.fps, self.frames, self.segments), "json")
        self._saved = self.segments
        return self.path

    def discard(self) -> None:
        """Forget what was not saved."""
        self.segments = self._saved
        self._done.clear()
        self._undone.clear()
