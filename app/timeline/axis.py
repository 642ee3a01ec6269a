"""The part of a recording that the lanes show: frames to pixels and back, zoom and scroll. Qt-free."""

from __future__ import annotations

from dataclasses import dataclass

LEAST = 20.0  # frames that are shown at least: more zoom shows nothing more
# Distances of the marks on the ruler, in seconds
_STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0)


@dataclass
class Axis:
    """`width` pixels show the frames [first, first + span)."""

    frames: int = 0
    fps: float = 30.0
    width: int = 1
    first: float = 0.0
    span: float = 1.0

    def load(self, frames: int, fps: float) -> None:
        """Show all of another recording."""
        self.frames, self.fps = frames, fps
        self.show_all()

    def show_all(self) -> None:
        self.first, self.span = 0.0, float(max(self.frames, 1))

    def x(self, frame: float) -> float:
        """The left edge of a frame in pixels."""
        return (frame - self.first) / self.span * self.width

    def frame(self, x: float) -> int:
        """The frame at a pixel, inside the recording."""
        return min(max(int(self.first + x / max(self.width, 1) * self.span), 0), max(self.frames - 1, 0))

    def zoom(self, factor: float, x: float) -> None:
        """Show `factor` as many frames (below 1: zoom in); the frame at pixel `x` stays where it is."""
        share = x / max(self.width, 1)
        fixed = self.first + share * self.span
        self.span = min(max(self.span * factor, min(LEAST, self.frames)), max(self.frames, 1))
        self.scroll_to(fixed - share * self.span)

    def scroll_to(self, first: float) -> None:
        """Begin at this frame, or as near to it as the recording allows."""
        self.first = min(max(first, 0.0), max(self.frames - self.span, 0.0))

    def follow(self, frame: int) -> bool:
        """Turn the page if `frame` is not shown; whether that was so."""
        if self.first <= frame < self.first + self.span:
            return False
        self.scroll_to(frame - 0.1 * self.span)
        return True

    def marks(self, least: float) -> list[float]:
        """Seconds of the marks of a ruler, at least `least` pixels apart."""
        seconds = self.span / self.fps
        wanted = seconds * least / max(self.width, 1)
        step = next((s for s in _STEPS if s >= wanted), _STEPS[-1] * -(-wanted // _STEPS[-1]))
        number = -(-self.first / self.fps // step)
        found = []
        while number * step * self.fps <= self.first + self.span:
            found.append(number * step)
            number += 1
        return found
