"""What a test leaves behind: threads, processes, running timers and windows. `tests/conftest.py` fails it for them.

A leak is named with where it was made, if that can be known. What a process keeps for its whole life is no leak: see
`_LASTING`.
"""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
from patience import PATIENCE

# Names of threads, and parts of command lines, that live as long as the process that runs the tests.
_LASTING_THREADS = ("MainThread", "Dummy-", "pytest_timeout", "execnet", "QueueFeederThread", "cpu-kernels", "Dask-")
_LASTING_PROCESSES = ("resource_tracker", "forkserver", "Xvfb", "compile_worker")


def threads() -> set[threading.Thread]:
    """Threads of Python that are running, without those that last."""
    return {one for one in threading.enumerate() if not one.name.startswith(_LASTING_THREADS)}


def processes() -> set[psutil.Process]:
    """Children of this process and theirs, without those that last."""
    found = set()
    for child in psutil.Process().children(recursive=True):
        try:
            command = " ".join(child.cmdline())
            alive = child.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:  # it has just ended
            continue
        if alive and not any(part in command for part in _LASTING_PROCESSES):
            found.add(child)
    return found


def after_a_while(left: Callable[[], set[Any]], pump: Callable[[], object] = lambda: None) -> set[Any]:
    """What is still left when everything that is about to end has ended; `pump` lets it end."""
    end = time.monotonic() + PATIENCE / 4
    while (rest := left()) and time.monotonic() < end:
        pump()
        time.sleep(0.01)
    return rest


@contextmanager
def no_threads_and_processes_left(pump: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Raise AssertionError if the body leaves threads or processes that were not there before."""
    threads_before, processes_before = threads(), processes()
    yield
    if rest := after_a_while(lambda: threads() - threads_before, pump):
        frames = sys._current_frames()
        stacks = [traceback.format_stack(frames[one.ident]) for one in rest if one.ident in frames]
        where = "".join(line for stack in stacks for line in stack)
        raise AssertionError(f"threads left behind: {sorted(one.name for one in rest)}\n{where}")
    if children := after_a_while(lambda: processes() - processes_before, pump):
        commands = [" ".join(one.cmdline()) for one in children if one.is_running()]
        for one in children:
            one.kill()
        raise AssertionError(f"processes left behind: {commands}")
