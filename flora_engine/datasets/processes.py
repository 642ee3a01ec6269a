"""Worker processes that never outlive the program that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def _die_with_parent() -> None:
    """A pool's worker waits on a pipe whose other end it holds itself: it would never notice that its parent died."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches all processes of a terminal; the parent decides
    threading.Thread(target=watch, daemon=True).start()


def in_order(
    function: Callable[[Sequence[T]], list[R]], items: Sequence[T], batch: int, processes: int
) -> Generator[R, None, None]:
    """Yield the results of `function` over batches of `items`, in order; a few batches ahead, so memory stays bounded.

    processes 1: computed here. Closing the generator stops the workers. `function` must be importable by name.
    """
    batches = (items[start : start + batch] for start in range(0, len(items), batch))
    if processes <= 1:
        for part in batches:
            yield from function(part)
        return
    # spawn: a fork of a process that runs torch's or Qt's threads can hang
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _die_with_parent)
    try:
        waiting: list[Future[list[R]]] = [pool.submit(function, part) for part in islice(batches, 2 * processes)]
        while waiting:
            yield from waiting.pop(0).result()
            waiting.extend(pool.submit(function, part) for part in islice(batches, 1))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def cpu_count() -> int:
    """CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
