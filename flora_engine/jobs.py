"""What a long job tells the outside, and how the outside stops or pauses it.

Every long function of the engine takes a `Job` and calls `progress` often (at least every half second) and
`check` in its inner loop. The command line, the worker process and the tests each bring their own listener.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from flora_engine.errors import Cancelled

Event = dict[str, Any]
Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Listener for callers that do not watch."""


class Job:
    """Progress out, stop and pause in.

    Events are plain JSON-ready dicts with a ``kind``: ``progress`` (stage, done, total, seconds_left or None),
    ``log`` (text), ``warning`` (text), ``metric`` (name, step, value), ``part`` (state: started, finished, stopped),
    ``state`` (state: paused, resumed) and whatever else a job documents. Inside `part` each has the part's path.
    """

    def __init__(self, listener: Listener = ignore) -> None:
        self._listeners = [listener]
        self._part: list[str] = []
        self._stop = threading.Event()
        self._run = threading.Event()
        self._run.set()
        self._stage, self._stage_start, self._stage_first = "", 0.0, 0

    def emit(self, kind: str, **data: Any) -> None:
        where = {"part": "/".join(self._part)} if self._part else {}
        event = {"kind": kind, "time": time.time(), **where, **data}
        for listener in self._listeners:
            listener(event)

    @contextlib.contextmanager
    def also(self, listener: Listener) -> Iterator[None]:
        """Let another listener hear every event of the work inside."""
        self._listeners = [*self._listeners, listener]
        try:
            yield
        finally:
            self._listeners = [one for one in self._listeners if one is not listener]

    @contextlib.contextmanager
    def part(self, name: str) -> Iterator[None]:
        """The work inside is one part of the job, below the part around it: one row in a list of what is done."""
        self._part.append(name.replace("/", "-"))
        self._stage = ""
        self.emit("part", state="started")
        try:
            yield
            self.emit("part", state="finished")
        except BaseException:
            self.emit("part", state="stopped")
            raise
        finally:
            self._part.pop()
            self._stage = ""

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
        if self._run.is_set():
            self._run.clear()
            self.emit("state", state="paused")

    def resume(self) -> None:
        if not self._run.is_set():
            self._run.set()
            self.emit("state", state="resumed")
