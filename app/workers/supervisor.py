"""One long job in a process of its own: `python -m flora_engine.worker`, watched by threads. Qt-free.

The process leads its own session, so that everything it leaves behind can be killed with its process group, however it
ended. A job succeeded only if the process ended with status 0 and said `finished`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Literal

from flora_engine.errors import not_enough_memory

VERSION = 1
WORKER = (sys.executable, "-m", "flora_engine.worker")
_PATIENCE = 15.0  # seconds from "stop" until the process group is killed; the worker itself gives up after eleven
_TAIL = 40  # lines of stderr kept for the message about a crash

Event = dict[str, Any]
Outcome = Literal["finished", "cancelled", "failed"]


@dataclass(frozen=True)
class End:
    """How a job ended. result: of a finished job. text: one sentence for users. details: for a bug report.

    cause: of a failure: the class of a `FloraError`, bug, or died if the process ended without a word.
    """

    outcome: Outcome
    result: Any = None
    text: str = ""
    details: str = ""
    cause: str = ""


class Supervisor:
    """Starts the worker at once. `on_event` and then `on_end` (once) are called from threads of this object."""

    def __init__(
        self,
        action: str,
        arguments: dict[str, Any],
        on_event: Callable[[Event], None],
        on_end: Callable[[End], None],
        *,
        command: Sequence[str] = WORKER,
        patience: float = _PATIENCE,
    ) -> None:
        self._on_event, self._on_end, self._patience = on_event, on_end, patience
        self._last: Event = {}
        self._errors: deque[str] = deque(maxlen=_TAIL)
        self._stopped = threading.Event()
        self._detached = threading.Event()
        self._over = threading.Event()
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            encoding="utf-8",
            errors="replace",
        )
        self.pid = self._process.pid
        self._say(json.dumps({"version": VERSION, "action": action, "arguments": arguments}, default=str))
        readers = [
            threading.Thread(target=self._read_events, name=f"job {self.pid} events", daemon=True),
            threading.Thread(target=self._read_errors, name=f"job {self.pid} stderr", daemon=True),
        ]
        for thread in readers:
            thread.start()
        threading.Thread(target=self._write, name=f"job {self.pid} commands", daemon=True).start()
        threading.Thread(target=self._wait, args=(readers,), name=f"job {self.pid}", daemon=True).start()

    def pause(self) -> None:
        self._say("pause")

    def resume(self) -> None:
        self._say("resume")

    def stop(self) -> None:
        """Ask the job to stop. If it does not, it is killed with all its children."""
        if not self._stopped.is_set():
            self._stopped.set()
            self._say("stop")
            threading.Thread(target=self._kill_late, name=f"job {self.pid} patience", daemon=True).start()

    def kill(self) -> None:
        """End the process and its children now."""
        self._stopped.set()
        self._sweep()

    def detach(self, patience: float = 5.0) -> bool:
        """Let the process live on when this program ends; whether it has understood."""
        self._say("detach")
        return self._detached.wait(patience)

    def wait(self, seconds: float) -> bool:
        """Whether the job is over after at most that many seconds."""
        return self._over.wait(seconds)

    def _say(self, line: str) -> None:
        self._lines.put(line)

    def _write(self) -> None:
        """Write in a thread: a pipe holds 64 KiB, so that long arguments block until the process reads."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError), self._process.stdin as stdin:  # it has ended, and `_wait` reports that
            while (line := self._lines.get()) is not None:
                stdin.write(line + "\n")
                stdin.flush()

    def _read_events(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            for line in stdout:
                self._take(line)

    def _take(self, line: str) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if not isinstance(event, dict) or "kind" not in event:
            self._errors.append(line.rstrip())
            return
        if event["kind"] == "detached":
            self._detached.set()
        self._last = event
        self._on_event(event)

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stderr:
            self._errors.extend(line.rstrip() for line in stderr)

    def _wait(self, readers: list[threading.Thread]) -> None:
        if hasattr(os, "waitid"):
            # See the end without reaping: the number of the group stays ours until it has been swept.
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            self._sweep()
        status = self._process.wait()
        for thread in readers:
            thread.join(5.0)
        self._lines.put(None)
        self._over.set()
        self._on_end(self._judge(status))

    def _sweep(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self.pid, signal.SIGKILL)
            else:
                self._process.kill()

    def _kill_late(self) -> None:
        if not self._over.wait(self._patience):
            self._sweep()

    def _judge(self, status: int) -> End:
        kind = self._last.get("kind")
        if status == 0 and kind == "finished":
            return End("finished", self._last.get("result"))
        if kind == "cancelled" or (self._stopped.is_set() and kind != "failed"):
            return End("cancelled", text="Stopped")
        details = str(self._last.get("details", "")) or "\n".join(self._errors)
        cause = str(self._last.get("cause", ""))
        if kind == "failed":
            return End("failed", text=str(self._last.get("text", "the job failed")), details=details, cause=cause)
        if (
            full := not_enough_memory(details)
        ) is not None:  # a library ended the process because it could not continue
            return End("failed", text=str(full), details=details, cause=type(full).__name__)
        how = f"signal {-status}" if status < 0 else f"status {status}"
        return End(
            "failed",
            text=f"The job's process ended unexpectedly ({how}). What it wrote is kept.",
            details=details,
            cause="died",
        )
