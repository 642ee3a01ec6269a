"""Start the window: the application object, the log, and what happens to errors that nothing handles."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from app.icons import application_icon
from flora_engine.errors import FloraError
from flora_engine.resources import log_path

if TYPE_CHECKING:
    from app.main_window import MainWindow

_log = logging.getLogger(__name__)
_LOG_BYTES = 500_000  # then a new file begins


def has_display() -> bool:
    """Whether Qt would find a screen; without one, Qt would abort the process."""
    if os.environ.get("QT_QPA_PLATFORM") or not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def make_application() -> QApplication:
    """The application object, with the attributes that must be set before it is made."""
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    # Without shared contexts a floated or second OpenGL view is black.
    QApplication.setAttribute(Qt.ApplicationAttribute.AA_ShareOpenGLContexts)
    application = QApplication(sys.argv[:1])
    application.setApplicationName("flora-studio")
    application.setApplicationDisplayName("Flora Studio")
    application.setWindowIcon(application_icon())
    sys.setswitchinterval(0.001)  # background threads yield sooner to the window's: 5 ms is the default
    return application


def calm_collector() -> None:
    """Exclude what is loaded so far from Python's garbage collector: a full collection over it blocks all threads, the
    window's too, for up to 90 ms (benchmarks/window.py).
    """
    gc.collect()
    gc.freeze()


def start_log() -> list[logging.Handler]:
    """Write warnings and errors to stderr and to the rotating file at `log_path`; returns the new handlers."""
    path = log_path()
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(
            RotatingFileHandler(
                path, maxBytes=_LOG_BYTES, backupCount=2, encoding="utf-8", errors="replace", delay=True
            )
        )
    except OSError as error:
        print(f"flora: there is no log, because {path.parent} cannot be created: {error.strerror}", file=sys.stderr)
    for handler in handlers:
        handler.setLevel(logging.WARNING)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logging.getLogger().addHandler(handler)
    return handlers


def stop_log(handlers: list[logging.Handler]) -> None:
    for handler in handlers:
        logging.getLogger().removeHandler(handler)
        handler.close()


def show_fault(window: MainWindow, error: BaseException) -> None:
    """Open the dialog with the report of `error`."""
    from app.dialogs.fault import FaultDialog, fault_report

    dialog = FaultDialog(fault_report(error), window)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()


def report_bugs(window: MainWindow) -> None:
    """Log errors that nothing handles, name them in the window with a report to copy, and continue."""

    def report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        _log.critical("unhandled error", exc_info=(kind, error, trace))
        said = f"Internal error: {kind.__name__}: {error}. Details are in {log_path()}"
        window.notice.say(said, "Show report…", lambda: show_fault(window, error))

    def report_of_thread(found: threading.ExceptHookArgs) -> None:
        if found.exc_value is not None:
            trace = (found.exc_type, found.exc_value, found.exc_traceback)
            _log.critical("unhandled error in a thread", exc_info=trace)

    sys.excepthook = report
    threading.excepthook = report_of_thread


def main(paths: list[Path] | None = None, *, demo: bool = False) -> int:
    """Open the window on `paths` or the demo and run until it closes; raises FloraError without a display."""
    if not has_display():
        raise FloraError("there is no display to open a window on", remedy="Use `flora label`: it needs no display.")
    handlers = start_log()
    application = make_application()
    from app.main_window import MainWindow

    window = MainWindow()
    calm_collector()
    report_bugs(window)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl+C in the terminal ends it; a project survives that
    window.show()
    window.training.find_running()
    if paths:
        window.opening.open_paths(paths)
    elif demo:
        window.run_command("file.demo")
    try:
        return int(application.exec())
    finally:
        stop_log(handlers)
