"""Short tasks off the window's thread: `Newest` answers only the newest, `InTurn` runs all of them in order."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from PySide6.QtCore import QObject, Qt, QThreadPool, Signal, Slot

from flora_engine.errors import Cancelled, FloraError

_log = logging.getLogger(__name__)


def attempt(task: Callable[[], Any]) -> tuple[Any, str]:
    """What `task` returned and "", or None and one sentence about what went wrong."""
    try:
        return task(), ""
    except Cancelled:
        return None, "Stopped"
    except FloraError as error:
        return None, str(error)
    except Exception as error:  # a bug in this program: report it and continue
        _log.exception("a task failed")
        return None, f"Internal error: {type(error).__name__}: {error}"


class _Undelivered:
    """Results on their way to the window's thread; if the receiver goes first, what can be closed is closed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._results: dict[int, object] = {}
        self._gone = False

    def add(self, number: int, result: object) -> None:
        with self._lock:
            if not self._gone:
                self._results[number] = result
                return
        _close(result)

    def take(self, number: int) -> None:
        with self._lock:
            self._results.pop(number, None)

    def drop(self) -> None:
        with self._lock:
            self._gone, results, self._results = True, self._results, {}
        for result in results.values():
            _close(result)


def _close(result: object) -> None:
    close = getattr(result, "close", None)
    if callable(close):
        close()


class Newest(QObject):
    """Runs one task at a time off the window's thread. A newer request replaces the waiting one and makes the result of
    the running one stale, so that `done` and `failed` are always about the newest request.
    """

    done = Signal(object)  # what the newest task returned
    failed = Signal(str)  # one sentence
    stale = Signal(object)  # what a task returned that is not wanted any more, for those who must close it
    busy = Signal(bool)
    _ended = Signal(int, object, str)

    def __init__(self, parent: QObject | None = None, pool: QThreadPool | None = None) -> None:
        super().__init__(parent)
        self._pool = pool or QThreadPool.globalInstance()
        self._newest, self._running = 0, False
        self._waiting: Callable[[], Any] | None = None
        self._ended.connect(self._on_ended)
        self._undelivered = undelivered = _Undelivered()
        self.destroyed.connect(lambda: undelivered.drop())  # noqa: PLW0108 (a method would be held weakly)

    @property
    def is_busy(self) -> bool:
        return self._running

    def wanted(self) -> Callable[[], bool]:
        """Whether the request that is submitted next is still the newest, for a long task to ask."""
        number = self._newest + 1
        return lambda: self._newest == number

    def submit(self, task: Callable[[], Any]) -> None:
        """Ask for `task()`; earlier requests are dropped."""
        self._newest += 1
        if self._running:
            self._waiting = task
            return
        self._running = True
        self.busy.emit(True)
        self._start(task)

    def forget(self) -> None:
        """Drop all requests so far."""
        self._newest += 1
        self._waiting = None

    def _start(self, task: Callable[[], Any]) -> None:
        number, ended, undelivered = self._newest, self._ended, self._undelivered

        def run() -> None:
            result, problem = attempt(task)
            undelivered.add(number, result)
            try:
                ended.emit(number, result, problem)
            except RuntimeError:  # the window went away while we worked
                _log.debug("the receiver of task %d is gone", number)

        self._pool.start(run)

    @Slot(int, object, str)
    def _on_ended(self, number: int, result: object, problem: str) -> None:
        self._undelivered.take(number)
        if number != self._newest and not problem:
            self.stale.emit(result)
        if self._waiting is not None:
            task, self._waiting = self._waiting, None
            self._start(task)
            return
        self._running = False
        self.busy.emit(False)
        if number != self._newest:
            return
        if problem:
            self.failed.emit(problem)
        else:
            self.done.emit(result)


@dataclass
class _Turn:
    task: Callable[[], Any]
    then: Callable[[Any, str], None]
    answer: tuple[Any, str] = (None, "")
    over: threading.Event = field(default_factory=threading.Event)


class InTurn(QObject):
    """Runs tasks one after the other in a thread of its own. A quick task is over when `do` returns. A longer one does
    not block the window, which is called later.
    """

    busy = Signal(bool)
    patience = 0.015  # seconds that `do` waits: too short to notice
    _ended = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._turns: deque[_Turn] = deque()
        self._ended.connect(self._finish, Qt.ConnectionType.QueuedConnection)

    @property
    def is_busy(self) -> bool:
        return bool(self._turns)

    def do(self, task: Callable[[], Any], then: Callable[[Any, str], None]) -> None:
        """Run `task` after those before it, then `then(result, problem)` in the window's thread."""
        turn = _Turn(task, then)
        self._turns.append(turn)
        if len(self._turns) > 1:
            return
        self._start(turn)
        if turn.over.wait(self.patience):
            self._finish()
        else:
            self.busy.emit(True)

    def finish(self) -> None:
        """Wait for all requests, and answer them."""
        while self._turns:
            self._turns[0].over.wait()
            self._finish()

    def _start(self, turn: _Turn) -> None:
        ended = self._ended

        def run() -> None:
            turn.answer = attempt(turn.task)
            turn.over.set()
            try:
                ended.emit()
            except RuntimeError:
                _log.debug("the receiver of a task is gone")

        self._pool.start(run)

    @Slot()
    def _finish(self) -> None:
        if not self._turns or not self._turns[0].over.is_set():
            return
        turn = self._turns.popleft()
        if self._turns:
            self._start(self._turns[0])
        else:
            self.busy.emit(False)
        turn.then(*turn.answer)
