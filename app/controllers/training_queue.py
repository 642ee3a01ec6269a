"""One training after the other: a second one is offered a place in the queue, which outlives the window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QMessageBox, QWidget

from app.notice import Feedback
from app.workers.tasks import attempt
from flora_engine.runs.folder import RunFolder
from flora_engine.runs.queue import Queue

_LOOK = 2000  # ms between two looks whether a run that another program trains has ended


class TrainingQueue(QObject):
    """Starts the next training when none is running. It waits after one that was stopped, until somebody asks."""

    def __init__(
        self,
        path: Path,
        start: Callable[[str, dict[str, Any]], object],
        mine: Callable[[], Sequence[object]],
        feedback: Feedback,
        window: QWidget,
    ) -> None:
        """path: of the queue's file. start: runs a training. mine: the jobs of this window that train."""
        super().__init__(window)
        self.queue = Queue(path)
        self.question: QMessageBox | None = None
        self.held = True  # what an earlier window left waits until somebody asks, or another training ends
        self.changed: Callable[[str], object] = lambda why: None  # shows the queue, and what it waits for
        self._start, self._mine, self._feedback, self._main = start, mine, feedback, window
        self._others: list[Path] = []
        self._timer = QTimer(self, interval=_LOOK)
        self._timer.timeout.connect(self._look)

    # -- outside -------------------------------------------------------------------------------------------------

    def offer(self, title: str, arguments: dict[str, Any]) -> None:
        """Start a training, or ask whether it should wait if another one is running."""
        if not self.is_training():
            self._start(title, arguments)
            return
        box = QMessageBox(self._main)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("A training is running")
        box.setText(f"“{title}” can wait until the training that is running has ended.")
        box.setInformativeText("Two at a time share this machine, and each takes longer.")
        wait = box.addButton("Put it into the queue", QMessageBox.ButtonRole.AcceptRole)
        now = box.addButton("Start it now", QMessageBox.ButtonRole.ActionRole)
        box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(wait)

        def answered(_result: int) -> None:
            self.question = None
            if box.clickedButton() is wait:
                self.add(title, arguments)
            elif box.clickedButton() is now:
                self._start(title, arguments)

        box.finished.connect(answered)
        self.question = box
        box.open()

    def add(self, title: str, arguments: dict[str, Any]) -> None:
        """Put a training at the end of the queue."""
        _, problem = attempt(lambda: self.queue.add(title, arguments))
        if problem:
            self._feedback.problem(problem)
            return
        self.held = False
        self._feedback.say(f"“{title}” waits in the queue of the window of runs.")
        self._go_on()  # the other one may have ended while the question was open

    def next(self) -> None:
        """Start the first training that waits, whatever is running."""
        entry, problem = attempt(self.queue.take)
        if problem:
            self._feedback.problem(problem)
        if entry is not None:
            self.held = False
            self._start(entry.title, entry.arguments)
        self._show()

    def on_end(self, stopped: bool) -> None:
        """A training of this window has ended. stopped: by a person, who may want the machine for something else."""
        if stopped:
            self.held = True
        self._go_on()

    def watch(self, paths: Sequence[Path]) -> None:
        """Wait for these runs too, which other programs train."""
        self._others = list(paths)
        if self._others:
            self.held = False
        self._show()

    def remind(self) -> None:
        """Say that an earlier window left trainings in the queue, if nothing is running."""
        entries, _ = attempt(self.queue.entries)
        if entries and not self.is_training():
            count = f"{len(entries)} training{'s wait' if len(entries) != 1 else ' waits'}"
            self._feedback.notice.say(f"{count} in the queue.", "Start the next", self.next, about="queue")

    def close(self) -> None:
        """The window has closed: what waits is kept for the next one."""
        self.held = True
        self._timer.stop()

    def is_training(self) -> bool:
        """Whether this window or another program trains, as far as is known."""
        self._others = [path for path in self._others if RunFolder(path).is_running()]
        return bool(self._mine() or self._others)

    # -- inside --------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        if not self.held:
            self._go_on()

    def _go_on(self) -> None:
        entries, _ = attempt(self.queue.entries)
        if entries and not self.held and not self.is_training():
            self.next()
        else:
            self._show()

    def _show(self) -> None:
        why = (
            "They wait until you start the next one."
            if self.held
            else "The next one starts when no training is running."
        )
        self.changed(why)
        (self._timer.start if self._others and not self.held else self._timer.stop)()
