"""Trainings in the window: each runs in a process of its own and keeps everything in its run folder.

A page looks at the folder alone. So a run that another program trains is watched, paused and stopped in the same way,
and one that was left to train in the background is found again by the next window.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from app.controllers.encoders import Encoders
from app.controllers.training_queue import TrainingQueue
from app.notice import Feedback
from app.session import Session
from app.settings import SettingsFile
from app.theme import Theme
from app.training.draft import from_data, with_smaller_batches
from app.training.run_page import RunPage
from app.training.window import TrainingWindow
from app.training.wizard import TrainRequest, Wizard
from app.workers.jobs import HeavyJob, JobBar
from app.workers.supervisor import End
from app.workers.tasks import Newest, attempt
from flora_engine.recipes.bundle import lacks_encoder
from flora_engine.runs.folder import CONFIG, RunFolder, list_runs
from flora_engine.runs.listing import read_config
from flora_engine.runs.results import FloraResult, read_result


class Training(QObject):
    """`use` takes the bundle of a training, `play` the source and the name of a recording to show.

    A training continues if the project is closed.
    """

    def __init__(
        self,
        session: Session,
        jobs: JobBar,
        feedback: Feedback,
        settings: SettingsFile,
        use: Callable[[Path], object],
        open_project: Callable[[], object],
        play: Callable[[str, str], object],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._session, self._jobs, self._feedback, self._settings = session, jobs, feedback, settings
        self._use, self._open_project, self._play, self._main = use, open_project, play, window
        self._wizard: Wizard | None = None
        self._window: TrainingWindow | None = None
        self._of_run: dict[Path, HeavyJob] = {}  # the jobs of this window by their runs
        self.question: QMessageBox | None = None  # about closing, while it is asked
        self.queue = TrainingQueue(settings.path.with_name("queue.json"), self.start, self._mine, feedback, window)
        self.encoders = Encoders(jobs, feedback, self._use, self._page_of, window)
        self._finding = Newest(self)
        self._finding.done.connect(self._on_found)
        session.opened.connect(self.find_running)

    # -- windows -------------------------------------------------------------------------------------------------

    @property
    def window(self) -> TrainingWindow:
        """The window of runs, made when it is first asked for."""
        if self._window is None:
            self._window = TrainingWindow(self.runs_folder(), self.queue.queue, self._main)
            self._window.resume_wanted.connect(self.resume)
            self._window.cancel_wanted.connect(self.cancel)
            self._window.encoder_wanted.connect(self.encoders.ask)
            self._window.use_wanted.connect(self._use)
            self._window.report_wanted.connect(self.ask_report)
            self._window.play_wanted.connect(self._play)
            self._window.queue.next_wanted.connect(self.queue.next)
            self.queue.changed = self._window.queue.refresh
            self._window.runs.folder_changed.connect(self._remember)
        return self._window

    def runs_folder(self) -> Path:
        """Where runs go: into the open project's folder, else where they went last, else into the home folder."""
        project = self._session.project
        if project is not None and project.writable:
            return project.folder / "runs"
        return Path(self._settings.now.runs) if self._settings.now.runs else Path.home() / "flora" / "runs"

    def show(self) -> Wizard:
        """The wizard; what was entered before it was closed is still there."""
        if self._wizard is None:
            self._wizard = Wizard(self._session, self.runs_folder(), self._open_project, self._main)
            self._wizard.wanted.connect(self._on_wanted)
        _raise(self._wizard)
        return self._wizard

    def show_runs(self) -> None:
        """The table of runs."""
        window = self.window
        if self._session.project is not None and Path(window.runs.folder.text()) != self.runs_folder():
            window.runs.set_folder(self.runs_folder())
        window.tabs.setCurrentWidget(window.runs)
        _raise(window)

    def show_smaller(self, path: Path) -> None:
        """The wizard with the settings of a run whose memory was not enough, but with batches half as large."""
        draft, problem = attempt(lambda: from_data(with_smaller_batches(read_config(path))))
        if draft is None:
            self._feedback.problem(problem)
            return
        wizard = self.show()
        wizard.show_draft(draft)
        wizard.message.setText("Batches are half as large as in the run whose memory was not enough.")

    def watch(self, path: Path, tab: str = "") -> None:
        """The page of a run, and a tab of it."""
        page = self.window.open_run(path)
        if tab:
            page.show_tab(tab)
        _raise(self.window)

    def set_theme(self, theme: Theme) -> None:
        if self._window is not None:
            self._window.set_theme(theme)

    # -- runs ----------------------------------------------------------------------------------------------------

    def start(self, title: str, arguments: dict[str, Any], watch: bool = True) -> HeavyJob:
        """Run the action `train`. What is done is kept, however it ends. watch: open the run's page when it begins."""
        job = HeavyJob(title, "train", arguments, self)
        found: list[Path] = [Path(str(arguments["resume"]))] if "resume" in arguments else []

        def on_event(event: dict[str, Any]) -> None:
            if event.get("kind") == "state" and event.get("state") == "started" and "run" in event:
                run = Path(str(event["run"]))
                found[:] = [run]
                self._of_run[run] = job
                self._remember(run.parent)
                if watch:
                    self.watch(run)

        job.event_arrived.connect(on_event)
        job.ended.connect(lambda end: self._on_end(job, found[0] if found else None, end))
        self._jobs.add(job)
        return job

    def resume(self, path: Path) -> None:
        """Continue a run where it was stopped."""
        self.queue.offer(f"Train {path.name}", {"resume": str(path), "out": str(path.parent)})

    def cancel(self, path: Path) -> None:
        """End the process that works on a run at once."""
        job = self._of_run.get(path) or self.encoders.job_of(path)
        if job is not None and job in self._jobs.jobs:
            job.cancel()
            return
        _, problem = attempt(RunFolder(path).kill)
        if problem:
            self._feedback.problem(problem)

    def ask_report(self, path: Path) -> None:
        """Save the report of a run."""
        name, _ = QFileDialog.getSaveFileName(
            self._main, "Save the report", f"{path.name}.html", "HTML (*.html);;Results as CSV (*.csv)"
        )
        if name:
            self.write_report(path, Path(name))

    def write_report(self, path: Path, out: Path) -> None:
        """Write the report of a run, or its results alone as CSV; the notice says what became of it."""
        from flora_engine.runs.report import write_report, write_results

        write = write_results if out.suffix.lower() == ".csv" else write_report
        _, problem = attempt(lambda: write(RunFolder(path), out))
        self._feedback.notice.say(problem or f"Wrote {out}")

    def find_running(self) -> None:
        """Look for a run that trains in the background, such as one that an earlier window left."""
        folder = self.runs_folder()
        self._finding.submit(lambda: [run.path for run in list_runs(folder) if run.is_running()])

    # -- closing -------------------------------------------------------------------------------------------------

    def may_close(self) -> bool:
        """Whether the window can close now; else the user is asked, and the answer closes it or not."""
        mine = self._mine()
        if not mine:
            for window in (self._window, self._wizard):
                if window is not None:
                    window.close()
            return True
        if self.question is None:
            self.question = self._ask(mine)
        return False

    def _ask(self, mine: list[HeavyJob]) -> QMessageBox:
        box = QMessageBox(self._main)
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("A training is running")
        box.setText(f"{mine[0].title} is running." if len(mine) == 1 else f"{len(mine)} trainings are running.")
        box.setInformativeText("It can train on without this window; the next window finds it.")
        role = QMessageBox.ButtonRole.ActionRole
        background = box.addButton("Train on in the background", role)
        stop = box.addButton("Stop with a checkpoint", role)
        box.addButton("Stay", QMessageBox.ButtonRole.RejectRole)

        def answered(_result: int) -> None:
            self.question = None
            if box.clickedButton() not in (background, stop):
                return
            if box.clickedButton() is background:
                for job in mine:
                    job.detach()
            else:
                for job in mine:
                    job.shut_down(seconds=15.0)
                    job.detached = True  # it has ended: nothing is left to ask about
            self._main.close()

        box.finished.connect(answered)
        box.open()
        return box

    def _page_of(self, run: Path) -> RunPage | None:
        """The open page of a run, if there is one."""
        return None if self._window is None else self._window.page_of(run)

    def _mine(self) -> list[HeavyJob]:
        """The trainings of this window."""
        return [job for job in self._jobs.jobs if job.parent() is self and not job.detached]

    # -- inside --------------------------------------------------------------------------------------------------

    def _on_end(self, job: HeavyJob, run: Path | None, end: End) -> None:
        self._of_run = {path: one for path, one in self._of_run.items() if one is not job}
        say = self._feedback.notice.say
        page = None if run is None else self._page_of(run)
        if page is not None:
            page.look()
        QTimer.singleShot(0, self, lambda: self.queue.on_end(end.outcome == "cancelled"))  # when its strip has gone
        if end.outcome == "finished":
            self._on_finished(end.result)
            return
        stopped = end.outcome == "cancelled"
        text = "The training was stopped. The run keeps what is done." if stopped else end.text
        if run is None or not (run / CONFIG).is_file():
            say(text)
            return
        reached = RunFolder(run).reached()
        text = f"{text} The run is {run}." + (f" It had come to {reached}." if reached and not stopped else "")
        title, act = self._way_on(run, "" if stopped else end.cause)
        say(text, title, act)

    def _way_on(self, run: Path, cause: str) -> tuple[str, Callable[[], object]]:
        """What can be done about a run that did not finish: the title of a button, and what it does."""
        if cause == "NotEnoughMemoryError":
            return "Smaller batch…", lambda: self.show_smaller(run)
        if cause == "bug":
            return "Open the log", lambda: self.watch(run, "Log")
        return ("Resume" if cause in ("", "DiskFullError", "died") else "Retry"), lambda: self.resume(run)

    def _on_finished(self, result: dict[str, Any]) -> None:
        run = Path(str(result["run"]))
        bundle = run / str(result.get("bundle", ""))
        if "bundle" in result and (bundle / "manifest.json").is_file():
            self._feedback.notice.say(f"Trained: {run}", "Use this model", lambda: self._use(bundle))
        else:
            found = read_result(result)
            if isinstance(found, FloraResult) and lacks_encoder(found):
                text = f"Trained: {run}. To label recordings, it lacks the encoder that made its features."
                self._feedback.notice.say(text, "Add encoder…", lambda: self.encoders.ask(run))
                return
            missing = str(result.get("to_label") or "This run has no model that can rank here.")
            self._feedback.notice.say(f"Trained: {run}. {missing}")

    def _on_wanted(self, request: object) -> None:
        assert isinstance(request, TrainRequest)
        self.queue.offer(f"Train {request.title}", request.arguments())

    def _on_found(self, paths: object) -> None:
        assert isinstance(paths, list)
        others = [path for path in paths if path not in self._of_run]
        self.queue.watch(others)
        if others:
            text = f"A training is running in the background: {others[0].name}."
            self._feedback.notice.say(text, "Watch it", lambda: self.watch(others[0]), about="running")
        else:
            self.queue.remind()

    def _remember(self, folder: Path) -> None:
        self._settings.change(runs=str(folder))


def _raise(window: QWidget) -> None:
    window.show()
    window.raise_()
    window.activateWindow()
