"""Long jobs in the window: one supervisor each, and a strip with progress, pause and stop."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QObject, QSignalBlocker, Qt, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from app.workers.supervisor import WORKER, End, Supervisor


class _Relay(QObject):
    """Signals for the threads that listen to a process. It has no parent: a job may be destroyed with its window while
    such a thread speaks, and a signal of an object that is being destroyed ends the program.
    """

    said = Signal(dict)
    ended = Signal(object)

    def say(self, event: dict[str, Any]) -> None:
        self.said.emit(event)

    def finish(self, end: End) -> None:
        self.ended.emit(end)


class HeavyJob(QObject):
    """A supervised job. It starts at once. Its events arrive in the window's thread, not before the window works again:
    whoever connects in the same turn in which the job was made misses nothing.
    """

    event_arrived = Signal(dict)
    over = Signal()  # before `ended`, for those who only show that it works
    ended = Signal(object)  # End

    def __init__(
        self,
        title: str,
        action: str,
        arguments: dict[str, Any],
        parent: QObject | None = None,
        *,
        command: Sequence[str] = WORKER,
    ) -> None:
        super().__init__(parent)
        self.title = title
        self.paused = False
        self.detached = False  # it lives on when the window has gone
        relay = _Relay()
        relay.said.connect(self.event_arrived, Qt.ConnectionType.QueuedConnection)
        relay.ended.connect(self._on_end, Qt.ConnectionType.QueuedConnection)
        # Its methods keep the relay alive as long as the threads have them.
        self._supervisor = Supervisor(action, arguments, relay.say, relay.finish, command=command)

    def stop(self) -> None:
        self._supervisor.stop()

    def cancel(self) -> None:
        """End the job's process at once. What it wrote is on the disk."""
        self._supervisor.kill()

    def detach(self) -> None:
        """Let the job live on by itself when this program ends; one that does not understand is stopped."""
        self.detached = self._supervisor.detach()

    def set_paused(self, paused: bool) -> None:
        self.paused = paused
        (self._supervisor.pause if paused else self._supervisor.resume)()

    def shut_down(self, seconds: float = 1.5) -> None:
        """Ask the job to stop, then leave nothing running. What it confirmed is on the disk."""
        self._supervisor.stop()
        if not self._supervisor.wait(seconds):
            self._supervisor.kill()
            self._supervisor.wait(5.0)

    @Slot(object)
    def _on_end(self, end: End) -> None:
        self.over.emit()
        self.ended.emit(end)


class JobStrip(QFrame):
    """One running job: title, stage, progress, time left, pause and stop."""

    def __init__(self, job: HeavyJob, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.job = job
        self.setAccessibleName(f"Job: {job.title}")
        self._text = QLabel(job.title)
        self._bar = QProgressBar()
        self._bar.setRange(0, 0)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName("Progress")
        self.time_left = QLabel()
        self.time_left.setProperty("role", "muted")
        self._pause = QPushButton("Pause")
        self._pause.setCheckable(True)
        self._pause.toggled.connect(self._on_pause)
        self.stop_button = QPushButton("Stop")
        self.stop_button.setToolTip("Keeps what is done so far")
        self.stop_button.clicked.connect(self._on_stop)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 2, 10, 2)
        for widget, stretch in (
            (self._text, 2),
            (self._bar, 3),
            (self.time_left, 0),
            (self._pause, 0),
            (self.stop_button, 0),
        ):
            row.addWidget(widget, stretch)
        self._shown = 0.0
        job.event_arrived.connect(self._on_event)

    @Slot(dict)
    def _on_event(self, event: dict[str, Any]) -> None:
        if event.get("kind") == "state" and event.get("state") in ("paused", "resumed"):
            with QSignalBlocker(self._pause):  # whoever asked for it: the strip, a run's page, a terminal
                self.job.paused = event["state"] == "paused"
                self._pause.setChecked(self.job.paused)
            self._pause.setText("Resume" if self.job.paused else "Pause")
        if event.get("kind") != "progress":
            return
        done, total = int(event.get("done", 0)), int(event.get("total", 0))
        now = time.monotonic()
        if now - self._shown < 0.1 and done < total:  # a quick job reports more often than people can read
            return
        self._shown = now
        self._bar.setRange(0, total)
        self._bar.setValue(done)
        self._text.setText(f"{self.job.title}: {event.get('stage', '')}")
        self.time_left.setText(f"{done:,} of {total:,}{left_text(event.get('seconds_left'))}")

    def _on_pause(self, paused: bool) -> None:
        self.job.set_paused(paused)
        self._pause.setText("Resume" if paused else "Pause")

    def _on_stop(self) -> None:
        self.stop_button.setEnabled(False)
        self._pause.setEnabled(False)
        self.time_left.setText("Stopping…")
        self.job.stop()


class JobBar(QWidget):
    """All running jobs, one strip each; hidden if there are none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self.jobs: list[HeavyJob] = []
        self.hide()

    def add(self, job: HeavyJob) -> None:
        """Show a job until it ends."""
        strip = JobStrip(job)
        self.jobs.append(job)
        self._column.addWidget(strip)
        job.over.connect(lambda: self._drop(job, strip))
        self.show()

    def shut_down(self, of: QObject | None = None) -> None:
        """End all jobs, or those that `of` started."""
        for job in list(self.jobs):
            if (of is None or job.parent() is of) and not job.detached:
                job.shut_down()

    def _drop(self, job: HeavyJob, strip: JobStrip) -> None:
        if job in self.jobs:
            self.jobs.remove(job)
        strip.deleteLater()
        self.setVisible(bool(self.jobs))


def left_text(seconds: float | None) -> str:
    """Time left in words, "" if it is not known yet."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f", {max(seconds, 0):.0f} s left"
    return f", {seconds / 60:.0f} min left" if seconds < 5400 else f", {seconds / 3600:.1f} h left"
