"""What a long job tells the outside, and how the outside stops or pauses it.

Every long function of the engine takes a `Job` and calls `progress` often (at least every half second) and
`check` in its inner loop. The command line, the worker process and the tests each bring their own listener.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from flora_engine.errors import Cancelled

Event = dict[str, Any]
Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Listener for callers that do not watch."""


class Job:
    """Progress out, stop and pause in.

    Events are plain JSON-ready dicts with a ``kind``: ``progress`` (stage, done, total, seconds_left or None),
    ``log`` (text), ``warning`` (text), ``metric`` (name, step, value) and whatever else a job documents.
    """

    def __init__(self, listener: Listener = ignore) -> None:
        self._listener = listener
        self._stop = threading.Event()
        self._run = threading.Event()
        self._run.set()
        self._stage, self._stage_start, self._stage_first = "", 0.0, 0

    def emit(self, kind: str, **data: Any) -> None:
        self._listener({"kind": kind, "time": time.time(), **data})

    def log(self, text: str) -> None:
        self.emit("log", text=text)

    def warn(self, text: str) -> None:
        self.emit("warning", text=text)

    def progress(self, stage: str, done: int, total: int) -> None:
        """Report that `done` of `total` units of `stage` are finished, and raise `Cancelled` if asked to stop."""
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._stage_start, self._stage_first = stage, now, done
        counted = done - self._stage_first
        left = (now - self._stage_start) / counted * (total - done) if counted > 0 else None
        self.emit("progress", stage=stage, done=done, total=total, seconds_left=left)
        self.check()

    def check(self) -> None:
        """Wait while paused; raise `Cancelled` once stopped."""
        while not self._run.wait(0.1):
            if self._stop.is_set():
                break
        if self._stop.is_set():
            raise Cancelled

    def stop(self) -> None:
        self._stop.set()

    def pause(self) -> None:
        self._run.clear()

    def resume(self) -> None:
        self._run.set()
