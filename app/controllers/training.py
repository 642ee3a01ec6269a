"""Trainings in the window: each runs in a process of its own, and its model can rank here afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.dialogs.form import show_form
from app.notice import Notice
from app.session import Session
from app.training.dialog import TrainDialog, TrainRequest
from app.workers.jobs import HeavyJob, JobBar
from app.workers.supervisor import End
from flora_engine.runs.folder import list_runs


class Training(QObject):
    """`use` takes the bundle of a training. A training continues if the project is closed."""

    def __init__(
        self, session: Session, jobs: JobBar, notice: Notice, use: Callable[[Path], object], window: QWidget
    ) -> None:
        super().__init__(window)
        self._session, self._jobs, self._notice, self._use, self._window = session, jobs, notice, use, window

    def show(self) -> TrainDialog:
        """The training dialog. Runs go into the open project's folder, or into the home folder."""
        project = self._session.project
        base = project.folder if project is not None and project.writable else Path.home() / "flora"
        return show_form(TrainDialog(base / "runs", self._window), self.start)

    def start(self, request: TrainRequest) -> None:
        """Train; what is done is kept, however the training ends."""
        before = {run.path for run in list_runs(request.out)}
        job = HeavyJob(f"Train {request.config.stem}", "train", request.arguments(), self)
        job.ended.connect(lambda end: self._on_end(request, before, end))
        self._jobs.add(job)

    def _on_end(self, request: TrainRequest, before: set[Path], end: End) -> None:
        if end.outcome == "finished":
            self._on_finished(end.result)
            return
        new = [run.path for run in list_runs(request.out) if run.path not in before]
        run = request.resume or (new[-1] if new else None)
        stopped = end.outcome == "cancelled"
        text = "The training was stopped. The run keeps what is done." if stopped else end.text
        if run is None:
            self._notice.say(text)
            return
        action = "Resume" if stopped else "Retry"
        self._notice.say(f"{text} The run is {run}.", action, lambda: self.start(replace(request, resume=run)))

    def _on_finished(self, result: dict[str, Any]) -> None:
        run = Path(str(result["run"]))
        bundle = run / str(result.get("bundle", ""))
        if "bundle" in result and (bundle / "manifest.json").is_file():
            self._notice.say(f"Trained: {run}", "Use this model", lambda: self._use(bundle))
        else:
            self._notice.say(f"Trained: {run}. This run has no model that can rank here.")
