"""A job that tells its progress on the terminal and stops on Ctrl+C or SIGTERM at its next check."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Iterator
from types import FrameType

from flora_engine.jobs import Event, Job

_QUIET_SECONDS = 10.0  # between progress lines where stderr is a file


class _Printer:
    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last = 0.0
        self._open_line = False

    def __call__(self, event: Event) -> None:
        if event["kind"] == "progress":
            self._progress(event)
        elif event["kind"] in ("log", "warning"):
            self._line(("warning: " if event["kind"] == "warning" else "") + str(event["text"]))

    def _progress(self, event: Event) -> None:
        now = time.monotonic()
        if now - self._last < (0.1 if self._terminal else _QUIET_SECONDS) and event["done"] < event["total"]:
            return
        self._last = now
        left = event["seconds_left"]
        text = f"{event['stage']}: {event['done']}/{event['total']}" + ("" if left is None else f", {span(left)} left")
        if self._terminal:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
            self._open_line = True
        else:
            self._line(text)

    def _line(self, text: str) -> None:
        sys.stderr.write(("\n" if self._open_line else "") + text + "\n")
        self._open_line = False

    def close(self) -> None:
        if self._open_line:
            sys.stderr.write("\n")


def span(seconds: float) -> str:
    """A duration for people: 45 s, 3 min 20 s, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


@contextlib.contextmanager
def console_job() -> Iterator[Job]:
    """A job for a command. The first Ctrl+C or SIGTERM stops it in good order, the second at once."""
    printer = _Printer()
    job = Job(printer)

    def stop(number: int, _frame: FrameType | None) -> None:
        job.stop()
        signal.signal(number, signal.default_int_handler)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield job
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        printer.close()
