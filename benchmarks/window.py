"""What a large project and the 3D view cost the window: `xvfb-run -a python benchmarks/window.py` (about two minutes).

Makes the project of `benchmarks/project.py` (114,480 recordings) in a temporary folder and opens it in the real window:
time until rows are listed, time from a typed filter to its rows, the longest time that the event loop did not come
round meanwhile, resident memory; then milliseconds a frame of the view in use. Without a display it runs offscreen with
the painter view, as under software OpenGL, unless FLORA_OPENGL=1.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "xcb" if os.environ.get("DISPLAY") else "offscreen")

import psutil
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

sys.path.insert(0, str(Path(__file__).parent))
from project import make

from app.application import calm_collector, make_application
from app.main_window import MainWindow
from flora_engine.demo import ACTIONS, synthesise

RECORDINGS = 114_480
QUERIES = ("a", "S012 A05", "class:action frames:>80", "subject:3,7 camera:1", "nothing like this", "")


class Gaps:
    """The longest time between two rounds of the event loop."""

    def __init__(self) -> None:
        self.longest, self._last = 0.0, time.perf_counter()
        self._timer = QTimer(interval=1)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def _tick(self) -> None:
        now = time.perf_counter()
        self.longest, self._last = max(self.longest, now - self._last), now

    def take(self) -> float:
        """The longest gap in milliseconds, and start again."""
        longest, self.longest, self._last = self.longest, 0.0, time.perf_counter()
        return 1000 * longest

    def stop(self) -> None:
        self._timer.stop()


def wait(condition: Callable[[], bool]) -> float:
    """Milliseconds until `condition`."""
    start, loop = time.perf_counter(), QEventLoop()
    while not condition():
        # Sleeping between events as the real loop does: spinning would keep the interpreter from the other threads.
        loop.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
        if time.perf_counter() - start > 60:
            raise TimeoutError
    return 1000 * (time.perf_counter() - start)


def measure_project(window: MainWindow, folder: Path) -> None:
    gaps = Gaps()
    window.opening.open_project(folder)
    opened = wait(lambda: window.library.model.rowCount() == RECORDINGS)
    print(f"open {RECORDINGS:,} recordings: {opened:.0f} ms, longest gap {gaps.take():.0f} ms")
    library = window.library
    for query in QUERIES:
        done: list[int] = []
        connection = library.shown.connect(lambda done=done: done.append(1))
        library.filter.setText(query)
        took = wait(lambda done=done: bool(done))
        library.shown.disconnect(connection)
        rows = library.model.rowCount()
        print(f"filter “{query}”: {took:.0f} ms to {rows:,} rows (120 ms of it wait for the next key), "
              f"longest gap {gaps.take():.0f} ms")  # fmt: skip
    measure_edits(window, gaps)
    gaps.stop()
    print(f"resident memory {psutil.Process().memory_info().rss / 2**20:.0f} MB")


def measure_edits(window: MainWindow, gaps: Gaps) -> None:
    """Edits of many recordings and the split editor, which count everything."""
    library = window.library
    for count in (1, 2_000, 20_000):
        ids = library.model.table.ids[:count].tolist()
        for title, act in (
            (f"set the class of {count:,}", lambda ids=ids: window.edits.set_class(ids, "another")),
            ("undo it", lambda: window.run_command("library.undo")),
        ):
            wait(lambda: not window.session.is_busy and not library.is_busy)
            gaps.take()
            act()
            took = wait(lambda: not window.session.is_busy)
            wait(lambda: not library.is_busy)
            print(f"{title}: {took:.0f} ms, longest gap {gaps.take():.0f} ms")
    window.run_command("library.splits")
    editor = window.edits.split_editor
    took = wait(lambda: editor.classes.topLevelItemCount() > 0 and not editor.is_busy)
    print(f"open the split editor: {took:.0f} ms, longest gap {gaps.take():.0f} ms")
    editor.close()
    window.run_command("library.statistics")
    took = wait(lambda: window.statistics.counted is not None)
    wait(lambda: not window.statistics.is_busy)
    print(f"open the statistics: {took:.0f} ms, longest gap {gaps.take():.0f} ms")
    window.run_command("library.statistics")


def measure_view(window: MainWindow, frames: int = 200) -> None:
    wait(lambda: not window.opening.is_busy)  # else the project's recording comes in between
    pair = next(index for index, action in enumerate(ACTIONS) if action.other is not None)
    window.player.show_sequence(synthesise(pair), play=False)
    window.resize(1360, 820)
    wait(window.player.view.isVisible)
    view = window.player.view
    start = time.perf_counter()
    for number in range(frames):
        view.show_frame(number % window.player.playback.frames)
        view.repaint()
        QApplication.processEvents()
    each = 1000 * (time.perf_counter() - start) / frames
    kind = "OpenGL" if window.player.uses_opengl else "painter"
    print(f"two persons by {kind} at {view.width()}×{view.height()}: {each:.1f} ms a frame")


def main() -> int:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        # In a process of its own: what making it takes is no part of the window's memory.
        maker = multiprocessing.get_context("spawn").Process(target=make, args=(folder / "project", RECORDINGS))
        maker.start()
        maker.join()
        make_application()
        window = MainWindow(settings_file=folder / "settings.json")
        calm_collector()
        window.labels.set_text("")  # no ranking: the model is measured by benchmarks/labelling.py
        window.show()
        measure_project(window, folder / "project")
        window.stage.setCurrentWidget(window.player)
        measure_view(window)
        window.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
