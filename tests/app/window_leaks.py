"""Timers that still run and windows that still exist when a test of the window has ended (see tests/leaks.py)."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import shiboken6
from leaks import after_a_while
from patience import PATIENCE
from PySide6.QtCore import QCoreApplication, QEvent, QThreadPool, QTimer
from PySide6.QtWidgets import QApplication, QMenu, QWidget


def let_windows_go() -> None:
    """Delete what was asked to be deleted, and let what that starts happen."""
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    QApplication.processEvents()


def windows() -> set[QWidget]:
    """The windows that Qt still holds. Not the hidden menus of charts: they are freed with the Python objects that hold
    them, such as the traceback in a captured log.
    """
    return {one for one in QApplication.topLevelWidgets() if one.isVisible() or not isinstance(one, QMenu)}


@contextmanager
def no_timers_and_windows_left() -> Iterator[None]:
    """Raise AssertionError if the body leaves a running QTimer, a window, or a task in Qt's pool."""
    started: dict[QTimer, str] = {}
    start = QTimer.start

    def remembered(timer: QTimer, *arguments: Any) -> None:
        started[timer] = "".join(traceback.format_stack(limit=4)[:-1])
        start(timer, *(one for one in arguments if isinstance(one, int)))  # a signal's text is no time

    before = windows()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(QTimer, "start", remembered)
        yield
    running = after_a_while(
        lambda: {timer for timer in started if shiboken6.isValid(timer) and timer.isActive()}, let_windows_go
    )
    if running:
        raise AssertionError("timers left running, started by\n" + "\n".join(started[timer] for timer in running))
    if rest := after_a_while(lambda: windows() - before, let_windows_go):
        names = sorted(f"{type(one).__name__} {one.windowTitle()!r}" for one in rest)
        for one in rest:
            one.close()
            one.deleteLater()
        let_windows_go()
        raise AssertionError(f"windows left behind: {names}")
    assert QThreadPool.globalInstance().waitForDone(round(1000 * PATIENCE)), "a task is still in Qt's pool"
