"""One job in its own process: ``python -m flora_engine.worker``.

The first line of stdin is the job: ``{"version": 1, "action": NAME, "arguments": {…}}``, NAME being one of
`flora_engine.recipes.actions.ACTIONS`. After it, each line is a command: ``stop``, ``pause``, ``resume`` or
``detach``. The end of stdin means that the parent is gone, and stops the job, unless it was detached: then it says
``detached``, and nothing more, and lives on by itself.

stdout carries one JSON object a line: the job's events (see `flora_engine.jobs`), then exactly one last event:
``finished`` (result), ``cancelled``, or ``failed`` (text for people; cause: the class of a `FloraError`, or bug;
details, a traceback, if it is a bug of ours). Whatever libraries print goes to stderr. The exit status is 0 after
``finished``, 1 after ``failed``, 130 after ``cancelled``; a job succeeded only if it ended with status 0 and said
``finished``.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, TextIO

from flora_engine.errors import Cancelled, FloraError, explained
from flora_engine.jobs import Event, Job, Listener
from flora_engine.recipes.actions import checked, plain

VERSION = 1

# How long a stopped job may take to notice before the process ends anyway (everything on disk survives that), and how
# long one that noticed may take to put its things away.
_TO_NOTICE, _TO_TIDY = 0.8, 10.0


class _WorkerJob(Job):
    """A job that knows whether its work has noticed the stop."""

    def __init__(self, listener: Listener) -> None:
        super().__init__(listener)
        self.noticed = threading.Event()

    def check(self) -> None:
        try:
            super().check()
        except Cancelled:
            self.noticed.set()
            raise


class _Lines:
    """JSON lines on one stream, from several threads."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lock = stream, threading.Lock()

    def __call__(self, event: Event) -> None:
        line = json.dumps(event, ensure_ascii=False, default=plain)
        with self._lock:
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
            except BrokenPipeError:
                pass  # nobody reads any more; the end of stdin stops the job


def parse_payload(line: str) -> tuple[str, dict[str, Any]]:
    """The action and its arguments; raises FloraError for anything but the documented form."""
    try:
        payload = json.loads(line)
    except ValueError:
        raise FloraError("the job's first line is not JSON") from None
    if not isinstance(payload, dict) or set(payload) != {"version", "action", "arguments"}:
        raise FloraError("a job has exactly the keys version, action and arguments")
    if payload["version"] != VERSION:
        raise FloraError(f"this program speaks version {VERSION} of the job format, not {payload['version']!r}")
    if not isinstance(payload["arguments"], dict):
        raise FloraError("the arguments of a job must be an object")
    return str(payload["action"]), payload["arguments"]


def _obey(commands: TextIO, job: _WorkerJob, end: Callable[[], None], let_go: Callable[[], None]) -> None:
    """Read commands until stdin ends; a stopped job that does not notice in time is ended by `end`."""
    known = {"stop": job.stop, "pause": job.pause, "resume": job.resume}
    for line in commands:
        word = line.strip()
        if word in known:
            known[word]()
        elif word == "detach":
            job.emit("detached")
            let_go()
            return
        elif word:
            job.warn(f"unknown command {word!r}")
        if word == "stop":
            break
    job.stop()
    if job.noticed.wait(_TO_NOTICE):
        time.sleep(_TO_TIDY)
    end()


def _failure(error: BaseException) -> Event:
    known = explained(error)
    if known is not None:
        return {"kind": "failed", "text": str(known), "cause": type(known).__name__}
    details = "".join(traceback.format_exception(error))
    return {"kind": "failed", "text": f"unexpected {type(error).__name__}: {error}", "details": details, "cause": "bug"}


def run(
    stdin: TextIO,
    stdout: TextIO,
    end: Callable[[int], None] = os._exit,
    let_go: Callable[[], None] = lambda: None,
) -> int:
    """Do the one job that `stdin` describes; returns the exit status.

    end: leaves the process at once. let_go: called when the job is detached, to write nowhere from then on.
    """
    say = _Lines(stdout)
    job = _WorkerJob(say)
    last = threading.Lock()  # taken by whoever says the last event

    def give_up() -> None:
        if last.acquire(blocking=False):
            say({"kind": "cancelled", "forced": True})
            end(130)

    try:
        work = checked(*parse_payload(stdin.readline()))
        threading.Thread(target=_obey, args=(stdin, job, give_up, let_go), name="commands", daemon=True).start()
        event, status = {"kind": "finished", "result": work(job)}, 0
    except (Cancelled, KeyboardInterrupt):
        event, status = {"kind": "cancelled", "forced": False}, 130
    except BaseException as error:
        event, status = _failure(error), 1
    last.acquire()
    say(event)
    return status


def main() -> int:
    """Keep the real stdout for events and let everything else that prints, C libraries too, print to stderr."""
    real = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    commands = os.fdopen(os.dup(0), "r", encoding="utf-8")

    def let_go() -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (real.fileno(), 1, 2):
            os.dup2(nowhere, stream)

    status = run(commands, real, let_go=let_go)
    real.flush()
    # Not a normal exit: daemon threads and thread pools of libraries can hold that up or crash it.
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
