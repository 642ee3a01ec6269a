"""What runs cost the window: `xvfb-run -a python benchmarks/runs.py` (about a minute).

A finished run of 200,000 events is opened, then one that grows by 100 events a second, and 1,000 runs are listed.
Printed are the time until the curves are drawn, and the gaps between two rounds of the event loop (99th percentile,
longest) meanwhile.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "xcb" if os.environ.get("DISPLAY") else "offscreen")

import numpy as np
from PySide6.QtCore import QEventLoop, QTimer

from app.application import calm_collector, make_application
from app.training.run_page import RunPage
from app.training.window import TrainingWindow
from flora_engine.jobs import Job
from flora_engine.runs.events import History
from flora_engine.runs.folder import EVENTS, HISTORY, RunFolder
from flora_engine.runs.queue import Queue

EVENTS_BEFORE, RUNS, SECONDS = 200_000, 1_000, 10.0
PLOTS = 4  # of METRICS
METRICS = ("joint/loss", "joint/accuracy", "align_loss", "flow_loss")


class Gaps:
    """Milliseconds between two rounds of the event loop."""

    def __init__(self) -> None:
        self._found: list[float] = []
        self._last = time.perf_counter()
        self._timer = QTimer(interval=1)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def _tick(self) -> None:
        now = time.perf_counter()
        self._found.append(1000 * (now - self._last))
        self._last = now

    def take(self) -> str:
        """The gaps so far in words, and start again."""
        found, self._found = np.array(self._found or [0.0]), []
        return f"gaps: 99th percentile {np.percentile(found, 99):.1f} ms, longest {found.max():.0f} ms"


def wait(condition: Callable[[], bool], seconds: float = 120) -> float:
    """Milliseconds until `condition`."""
    start, loop = time.perf_counter(), QEventLoop()
    while not condition() and time.perf_counter() - start < seconds:
        loop.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
    return 1000 * (time.perf_counter() - start)


def make_run(parent: Path) -> RunFolder:
    run = RunFolder.create(parent, "long", {"kind": "pipeline", "heads": ["flora"]})
    with (run.path / EVENTS).open("w") as file:
        for number in range(EVENTS_BEFORE):
            step, name = divmod(number, len(METRICS))
            event = {
                "kind": "metric",
                "time": 1e9 + number,
                "name": METRICS[name],
                "step": step,
                "value": 1 / (1 + step),
            }
            file.write(json.dumps(event) + "\n")
    return run


def measure_run(window: TrainingWindow, run: RunFolder) -> None:
    start = time.perf_counter()
    History(run.path).refresh()
    print(f"read {EVENTS_BEFORE:,} events: {1000 * (time.perf_counter() - start):.0f} ms")
    over = threading.Event()

    def train() -> None:
        job, step = Job(), EVENTS_BEFORE
        with run.recording(job):
            while not over.wait(0.01):
                step += 1
                job.emit("metric", name="flow_loss", step=step, value=1 / step)

    thread = threading.Thread(target=train)
    thread.start()
    gaps = Gaps()
    page = window.open_run(run.path)
    opened = wait(lambda: "Flow: loss" in page.curves.views)
    print(f"open it while it runs: {opened:.0f} ms to its curves, {gaps.take()}")
    wait(lambda: False, SECONDS)
    print(f"watch it for {SECONDS:.0f} s: {gaps.take()}")
    page.curves.smoothing.setValue(90)
    wait(lambda: False, SECONDS)
    print(f"watch it smoothed for {SECONDS:.0f} s: {gaps.take()}")
    over.set()
    thread.join()


def measure_finished(window: TrainingWindow, run: RunFolder) -> None:
    """Open a run that has finished, with the history that was kept when it ended, and again from its events alone."""
    run.write_result({"kind": "encoder", "streams": {}})
    History(run.path).refresh()
    for words in ("a finished run", "the same without its kept history"):
        gaps = Gaps()
        page = window.open_run(run.path)
        opened = wait(lambda page=page: shown(page))
        print(f"open {words}: {opened:.0f} ms to all {len(page.curves.views)} plots, {gaps.take()}")
        window.tabs.tabCloseRequested.emit(window.tabs.indexOf(page))
        (run.path / HISTORY).unlink(missing_ok=True)


def shown(page: RunPage) -> bool:
    """Whether the curves of METRICS are drawn."""
    return len(page.curves.views) == PLOTS and page.state == "finished" and page.curves.isVisible()


def measure_table(window: TrainingWindow, parent: Path) -> None:
    for number in range(RUNS):
        RunFolder.create(parent, f"run {number}", {"kind": "flora", "benchmark": "a/b", "flora": {"seeds": [number]}})
    gaps = Gaps()
    window.tabs.setCurrentWidget(window.runs)
    window.runs.set_folder(parent)
    took = wait(lambda: window.runs.model.rowCount() == RUNS)
    print(f"list {RUNS:,} runs: {took:.0f} ms, {gaps.take()}")
    start = time.perf_counter()
    window.runs.filter.setText("run 77")
    print(f"filter them: {1000 * (time.perf_counter() - start):.0f} ms to {window.runs.model.rowCount()} rows")


def main() -> int:
    with tempfile.TemporaryDirectory() as temporary:
        make_application()
        folder = Path(temporary)
        window = TrainingWindow(folder / "one", Queue(folder / "queue.json"))
        calm_collector()
        window.show()
        measure_finished(window, make_run(folder / "one"))
        measure_run(window, make_run(folder / "two"))
        measure_table(window, folder / "many")
        window.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
