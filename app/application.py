"""Starting the window."""

from __future__ import annotations

import gc
import os
import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from app.icons import application_icon
from flora_engine.errors import FloraError

if TYPE_CHECKING:
    from app.main_window import MainWindow


def has_display() -> bool:
    """Whether Qt would find a screen (asked before Qt aborts the process for want of one)."""
    if os.environ.get("QT_QPA_PLATFORM") or not sys.platform.startswith("linux"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def make_application() -> QApplication:
    """The one application object; its attributes must be set before it is made."""
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    # Without shared contexts a floated or second OpenGL view is black.
    QApplication.setAttribute(Qt.ApplicationAttribute.AA_ShareOpenGLContexts)
    application = QApplication(sys.argv[:1])
    application.setApplicationName("flora-studio")
    application.setApplicationDisplayName("Flora Studio")
    application.setWindowIcon(application_icon())
    sys.setswitchinterval(0.001)  # background threads hand over to the window's sooner: 5 ms is the default
    return application


def calm_collector() -> None:
    """Keep what is loaded by now out of Python's cyclic collector: a full round over it holds up every thread, the
    window's too, for up to 90 ms (benchmarks/window.py).
    """
    gc.collect()
    gc.freeze()


def _tell_of_bugs(window: MainWindow) -> None:
    """An exception nobody caught is a bug of ours: it goes to stderr whole, and the window says so and lives on."""

    def tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        sys.__excepthook__(kind, error, trace)
        window.notice.tell(f"Something went wrong inside the program: {kind.__name__}: {error}")

    sys.excepthook = tell


def main(paths: list[Path] | None = None, *, demo: bool = False) -> int:
    """Open the window on `paths` or the demo and run until it closes; raises FloraError without a display."""
    if not has_display():
        raise FloraError("there is no display to open a window on", remedy="`flora label` does the same without one.")
    application = make_application()
    from app.main_window import MainWindow

    window = MainWindow()
    calm_collector()
    _tell_of_bugs(window)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl+C in the terminal; a project survives any kind of end
    window.show()
    if paths:
        window.opening.open_paths(paths)
    elif demo:
        window.run_command("file.demo")
    return int(application.exec())
