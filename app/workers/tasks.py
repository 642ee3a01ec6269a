"""Short tasks on the thread pool: of several requests only the newest is answered."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QThreadPool, Signal, Slot

from flora_engine.errors import Cancelled, FloraError

_log = logging.getLogger(__name__)


class Newest(QObject):
    """Runs one task at a time off the window's thread; a newer request replaces the waiting one and makes the running
    one's answer stale, so that `done` and `failed` only ever speak of what was asked last.
    """

    done = Signal(object)  # what the newest task returned
    failed = Signal(str)  # one sentence
    busy = Signal(bool)
    _ended = Signal(int, object, str)

    def __init__(self, parent: QObject | None = None, pool: QThreadPool | None = None) -> None:
        super().__init__(parent)
        self._pool = pool or QThreadPool.globalInstance()
        self._newest, self._running = 0, False
        self._waiting: Callable[[], Any] | None = None
        self._ended.connect(self._on_ended)

    @property
    def is_busy(self) -> bool:
        return self._running

    def submit(self, task: Callable[[], Any]) -> None:
        """Ask for `task()`; whatever was asked before is forgotten."""
        self._newest += 1
        if self._running:
            self._waiting = task
            return
        self._running = True
        self.busy.emit(True)
        self._start(task)

    def forget(self) -> None:
        """Answer nothing that was asked so far."""
        self._newest += 1
        self._waiting = None

    def _start(self, task: Callable[[], Any]) -> None:
        number, ended = self._newest, self._ended

        def run() -> None:
            result, problem = None, ""
            try:
                result = task()
            except Cancelled:
                problem = "Stopped"
            except FloraError as error:
                problem = str(error)
            except Exception as error:  # a bug of ours: the window lives on and says so
                _log.exception("a task failed")
                problem = f"Something went wrong inside the program: {type(error).__name__}: {error}"
            try:
                ended.emit(number, result, problem)
            except RuntimeError:  # the window went away while we worked
                _log.debug("nobody is left to hear of task %d", number)

        self._pool.start(run)

    @Slot(int, object, str)
    def _on_ended(self, number: int, result: object, problem: str) -> None:
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
