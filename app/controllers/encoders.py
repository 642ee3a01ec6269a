"""Encoders that are added to finished runs, each by a job in a process of its own, from the dialog to the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.dialogs.form import show_form
from app.notice import Feedback
from app.training.encoder_dialog import EncoderDialog, EncoderRequest
from app.training.run_page import RunPage
from app.workers.jobs import HeavyJob, JobBar
from app.workers.supervisor import End

_STOPPED = "The encoder was not added: that was stopped, and the run is as it was."


class Encoders(QObject):
    """`use` takes the bundle of a run, `page_of` gives the open page of one. If the window closes, the jobs stop."""

    def __init__(
        self,
        jobs: JobBar,
        feedback: Feedback,
        use: Callable[[Path], object],
        page_of: Callable[[Path], RunPage | None],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._jobs, self._feedback, self._use, self._page_of = jobs, feedback, use, page_of
        self._of_run: dict[Path, HeavyJob] = {}
        self._asked: dict[Path, EncoderRequest] = {}  # what did not work, to be asked for again

    def job_of(self, run: Path) -> HeavyJob | None:
        """The job that works on this run."""
        return self._of_run.get(run)

    def ask(self, run: Path) -> EncoderDialog:
        """The dialog; what was entered before and did not work is still there."""
        page = self._page_of(run)
        above = self.parent() if page is None else page.window()
        assert isinstance(above, QWidget)
        return show_form(EncoderDialog(self._asked.get(run) or EncoderRequest(run), above), self.start)

    def start(self, request: EncoderRequest) -> None:
        """Add the encoder. One at a time works on a run."""
        run = request.run
        if run in self._of_run:
            return
        self._asked[run] = request
        job = HeavyJob(f"Add the encoder of {run.name}", "bundle", request.arguments(), self)
        self._of_run[run] = job
        job.event_arrived.connect(lambda event: self._look(run) if event.get("kind") == "state" else None)
        job.ended.connect(lambda end: self._on_end(run, end))
        self._jobs.add(job)
        if (page := self._page_of(run)) is not None:
            page.encoder_button.setEnabled(False)
            page.say("Adding the encoder…")

    def _look(self, run: Path) -> None:
        if (page := self._page_of(run)) is not None:
            page.look()

    def _on_end(self, run: Path, end: End) -> None:
        del self._of_run[run]
        page, say = self._page_of(run), self._feedback.notice.say
        if end.outcome == "finished":
            del self._asked[run]
            bundle = Path(str(end.result["bundle"]))
            text = f"{run.name} labels recordings now."
            say(text, "Use this model", lambda: self._use(bundle))
        elif end.outcome == "cancelled":
            text = _STOPPED
            say(text, "Add encoder…", lambda: self.ask(run))
        else:
            text = f"The encoder was not added. {end.text}"
            say(text, "Add encoder…", lambda: self.ask(run))
        if page is not None:
            page.say(text)
            page.encoder_button.setEnabled(True)
            page.renew()
