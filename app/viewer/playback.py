"""The frame on screen, by elapsed time. Qt-free; the caller can pass a clock, so that tests need not wait."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

SPEEDS = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 4.0)


class Playback:
    """Play, pause, seek, speed and loop over `frames` frames at `fps`.

    The position depends only on the clock, so a slow view skips frames and stays in time. Every change restarts the
    count from the frame on screen (`_anchor`).
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.frames, self.fps = 0, 30.0
        self._speed, self._loop, self._playing = 1.0, True, False
        self._anchor_frame, self._anchor_time = 0.0, 0.0

    def load(self, frames: int, fps: float, *, play: bool = False) -> None:
        """Start at the first frame of a new recording; keep speed and loop."""
        self.frames = max(0, frames)
        self.fps = fps if math.isfinite(fps) and fps > 0 else 30.0
        self._playing = play and self.frames > 1
        self._set_anchor(0.0)

    @property
    def playing(self) -> bool:
        return self._playing

    @property
    def speed(self) -> float:
        return self._speed

    @property
    def loop(self) -> bool:
        return self._loop

    def frame(self) -> int:
        """The frame to show now, 0-based. Without loop, playback stops at the last frame."""
        position = self._position()
        last = max(self.frames - 1, 0)
        if self._playing and not self._loop and position >= last:
            self._playing = False
            self._set_anchor(float(last))
            return last
        return min(int(position + 1e-6), last)  # clocks round: 2.9999999 is frame 3

    def seconds(self) -> float:
        """Time of the frame on screen from the start of the recording."""
        return self.frame() / self.fps

    def play(self) -> None:
        """Resume. From the last frame without loop, start again."""
        if self.frames < 2 or self._playing:
            return
        at_end = self.frame() >= self.frames - 1
        self._set_anchor(0.0 if at_end else float(self.frame()))
        self._playing = True

    def pause(self) -> None:
        self._set_anchor(float(self.frame()))
        self._playing = False

    def toggle(self) -> None:
        self.pause() if self._playing else self.play()

    def seek(self, frame: int) -> None:
        """Go to `frame` (clamped) and continue to play if playing."""
        self._set_anchor(float(min(max(frame, 0), max(self.frames - 1, 0))))

    def step(self, count: int) -> None:
        """Pause and move by `count` frames; wrap around if looping."""
        self.pause()
        target = self.frame() + count
        self.seek(target % self.frames if self._loop and self.frames else target)

    def set_speed(self, speed: float) -> None:
        self._set_anchor(self._position())
        self._speed = min(max(speed, SPEEDS[0]), SPEEDS[-1])

    def set_loop(self, loop: bool) -> None:
        self._set_anchor(self._position())
        self._loop = loop

    def faster(self, steps: int) -> float:
        """Move `steps` places along SPEEDS (negative: slower) and return the new speed."""
        nearest = min(range(len(SPEEDS)), key=lambda i: abs(SPEEDS[i] - self._speed))
        self.set_speed(SPEEDS[min(max(nearest + steps, 0), len(SPEEDS) - 1)])
        return self._speed

    def _position(self) -> float:
        """The fractional frame, within [0, frames) if looping; otherwise it may exceed the end."""
        if not self._playing:
            return self._anchor_frame
        passed = (self._clock() - self._anchor_time) * self.fps * self._speed
        position = self._anchor_frame + passed
        return position % self.frames if self._loop and self.frames else position

    def _set_anchor(self, frame: float) -> None:
        self._anchor_frame, self._anchor_time = frame, self._clock()


def clock_text(seconds: float) -> str:
    """`seconds` as m:ss.t."""
    tenths = round(seconds * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"
