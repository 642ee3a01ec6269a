"""Worker processes that never outlive the program that started them."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import pickle
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, TypeVar

from flora_engine.errors import FloraError
from flora_engine.jobs import Job

_TO_ANSWER = 20  # seconds that a scheduler has

T = TypeVar("T")
R = TypeVar("R")


def _start_quietly() -> None:
    """As `_die_with_parent`, and let others go first."""
    if hasattr(os, "nice"):
        os.nice(10)
    _die_with_parent()


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
    function: Callable[[Sequence[T]], list[R]],
    items: Sequence[T],
    batch: int,
    processes: int,
    *,
    ahead: int = 2,
    job: Job | None = None,
    quietly: bool = False,
) -> Generator[R, None, None]:
    """Yield the results of `function` over batches of `items`, in order; a few batches ahead, so memory stays bounded.

    processes 1: computed here. Closing the generator stops the workers. `function` must be importable by name.
    ahead: batches per process that may wait for a slow one. job: asked every tenth of a second while there is nothing
    to yield; with one, nobody waits for the processes after a stop: they end after the batches they are at.
    quietly: the processes leave the CPUs to others, such as a window, that want them.
    """
    batches = (items[start : start + batch] for start in range(0, len(items), batch))
    if processes <= 1:
        for part in batches:
            yield from function(part)
        return
    # spawn: a fork of a process that runs torch's or Qt's threads can hang
    start = _start_quietly if quietly else _die_with_parent
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), start)
    with tempfile.TemporaryDirectory(prefix="flora-", ignore_cleanup_errors=True) as folder:
        send = functools.partial(_send, function, folder)
        try:
            waiting: list[Future[_Parcel]] = [pool.submit(send, part) for part in islice(batches, ahead * processes)]
            while waiting:
                next_one = waiting.pop(0)
                while job is not None and not wait([next_one], 0.1).done:
                    job.check()
                yield from _receive(next_one.result())
                waiting.extend(pool.submit(send, part) for part in islice(batches, 1))
        except BaseException:
            pool.shutdown(wait=job is None, cancel_futures=True)
            raise
        pool.shutdown()


@contextlib.contextmanager
def workers_that(
    work: str, remedy: str = "Run it again; if the memory was full, end other programs first."
) -> Iterator[None]:
    """FloraError if one of the processes of `in_order` that do this work inside is ended from outside."""
    try:
        yield
    except BrokenProcessPool:
        raise FloraError(f"a process that {work} was ended from outside", remedy=remedy) from None


def on_cluster(
    function: Callable[[Sequence[T]], list[R]],
    items: Sequence[T],
    batch: int,
    address: str,
    *,
    ahead: int = 2,
    job: Job | None = None,
) -> Generator[R, None, None]:
    """As `in_order`, by the workers of the Dask cluster whose scheduler is at `address` (`tcp://…`).

    The same program must be installed where they run, and files must have the same paths there. What a lost worker was
    at is given to another one. Raises FloraError if nobody answers, if the extra `cluster` is missing, or if a piece
    was lost with several workers.
    """
    try:
        import distributed
    except ImportError:
        raise FloraError(
            "a cluster needs the package “distributed”", remedy="Install it: pip install 'flora-studio[cluster]'."
        ) from None
    try:
        # a client that finds nobody leaves its thread behind
        where = distributed.comm.get_address_host_port(address)
        socket.create_connection(where, timeout=_TO_ANSWER).close()
        client = distributed.Client(address, timeout=_TO_ANSWER, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise FloraError(f"no scheduler answers at {address}: {error}", remedy="Start one: dask scheduler.") from None
    with client:
        batches = (items[start : start + batch] for start in range(0, len(items), batch))
        many = max(len(client.scheduler_info(n_workers=-1)["workers"]), 1)
        waiting = [client.submit(function, part, pure=False) for part in islice(batches, ahead * many)]
        try:
            while waiting:
                next_one = waiting.pop(0)
                while not next_one.done():
                    if job is not None:
                        job.check()
                    time.sleep(0.05)
                try:
                    yield from next_one.result()
                except distributed.KilledWorker as error:
                    raise FloraError(f"a piece of work was lost with several workers: {error}") from None
                waiting.extend(client.submit(function, part, pure=False) for part in islice(batches, 1))
        finally:
            client.cancel(waiting)


# Arrays go through a file that stays in memory rather than through the pool's pipe, which copies them thrice.
_Parcel = tuple[bytes, list[int], str]


def _send(function: Callable[[Sequence[T]], list[R]], folder: str, part: Sequence[T]) -> _Parcel:
    """The results pickled without their arrays, the arrays' sizes in bytes, and the file that holds them."""
    buffers: list[pickle.PickleBuffer] = []
    skeleton = pickle.dumps(function(part), protocol=5, buffer_callback=buffers.append)
    handle, name = tempfile.mkstemp(dir=folder)
    with os.fdopen(handle, "wb") as file:
        views = [buffer.raw() for buffer in buffers]
        file.writelines(views)
    return skeleton, [view.nbytes for view in views], name


def _receive(parcel: _Parcel) -> list[Any]:
    skeleton, sizes, name = parcel
    content = memoryview(bytearray(sum(sizes)))  # of our own, so that arrays made of it can be written to
    with Path(name).open("rb") as file:
        file.readinto(content)
    Path(name).unlink()
    ends = list(accumulate(sizes))
    results: list[Any] = pickle.loads(
        skeleton, buffers=[content[end - n : end] for end, n in zip(ends, sizes, strict=True)]
    )
    return results


def cpu_count() -> int:
    """CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_used() -> int | None:
    """Bytes of memory that this process has now (on Linux) or had at most (elsewhere); None if nothing tells."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        pass
    try:
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    except ImportError:
        return None
    return most if sys.platform == "darwin" else most * 1024
