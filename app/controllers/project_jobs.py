"""Long jobs on the open project: imports, preparations and exports, from their dialogs to their reports."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.controllers.opening import Opening, Published
from app.dialogs.export_dialog import ExportDialog, ExportRequest
from app.dialogs.form import show_form
from app.dialogs.import_dialog import ImportDialog, ImportRequest
from app.dialogs.import_form import options_data
from app.dialogs.prepare_dialog import PrepareDialog
from app.dialogs.prepare_form import TITLES, PrepareRequest, report_of
from app.notice import Feedback
from app.session import Session
from app.widgets import TextDialog
from app.workers.jobs import HeavyJob, JobBar
from app.workers.supervisor import End
from flora_engine.datasets.preparing import report_path
from flora_engine.project import Project

_REFRESH = 2.0  # seconds between looks at what a writing job has committed


class ProjectJobs(QObject):
    """A job writes in a process of its own. While it runs, the window only reads the project."""

    grown = Signal()  # a running job has committed recordings

    def __init__(self, session: Session, opening: Opening, jobs: JobBar, feedback: Feedback, window: QWidget) -> None:
        super().__init__(window)
        self._session, self._opening, self._jobs, self._window = session, opening, jobs, window
        self._feedback, self._notice = feedback, feedback.notice
        self.report: TextDialog | None = None  # of the last preparation, while it is open
        opening.import_wanted.connect(self.show_import)
        opening.prepare_wanted.connect(self.show_prepare)
        session.closing.connect(lambda: jobs.shut_down(self))

    # -- dialogs -------------------------------------------------------------------------------------------------

    def ask_import(self) -> None:
        """The import dialog, or how to get a project to import into."""
        if self._session.project is None:
            make = functools.partial(self._opening.ask_new_project, lambda: self.show_import([]))
            self._notice.say("Open or make a project to import into.", "New project…", make)
        else:
            self.show_import([])

    def show_import(self, paths: list[Path]) -> ImportDialog:
        """The import dialog over these paths."""
        return show_form(ImportDialog(paths, self._window), self.start_import)

    def show_prepare(self, published: Published | None = None) -> PrepareDialog:
        """The dialog that prepares a published data set. published: the file to prepare it from."""
        project = self._session.project
        folder = project.folder if project is not None and project.writable else None
        dialog = PrepareDialog(folder, self._window)
        if published is not None:
            dialog.show_source(published.dataset, published.path)
        return show_form(dialog, self.start_prepare)

    def show_export(self) -> ExportDialog:
        """The dialog that exports from the open project."""
        assert self._session.project is not None
        return show_form(ExportDialog(self._session.project.folder, self._window), self.start_export)

    # -- jobs ----------------------------------------------------------------------------------------------------

    def start_import(self, request: ImportRequest) -> None:
        """Import into the open project."""
        project = self._session.project
        if project is None:
            return
        arguments = {
            "project": str(project.folder),
            "paths": [str(path) for path in request.paths],
            "options": options_data(request.options),
        }
        self._write(
            project,
            ("Import", "import", arguments),
            lambda result: self._notice.say(str(result["text"])),
            "The import was stopped. The project keeps what was read; resume to import the rest.",
            lambda: self.start_import(request),
        )

    def start_prepare(self, request: PrepareRequest) -> None:
        """Prepare a published data set into the project of the request, which is opened first if it is not open."""
        if self._session.is_open(request.project):
            self._prepare(request)
        else:
            self._opening.open_or_create(request.project, lambda: self._prepare(request))

    def _prepare(self, request: PrepareRequest) -> None:
        project = self._session.project
        if project is None:
            return
        self._write(
            project,
            (request.title, "prepare", request.arguments()),
            lambda result: self._on_prepared(project, request, result),
            "The preparation was stopped. The project keeps what was prepared; resume to prepare the rest.",
            lambda: self.start_prepare(request),
        )

    def start_export(self, request: ExportRequest) -> None:
        """Export from the open project, which can be edited meanwhile."""
        project = self._session.project
        if project is None:
            return
        warnings: list[str] = []
        job = HeavyJob(f"Export {request.out.name}", "export", request.arguments(project.folder), self)
        job.event_arrived.connect(lambda event: _collect(event, warnings))
        job.ended.connect(lambda end: self._on_exported(request, end, warnings))
        self._jobs.add(job)

    def _write(
        self,
        project: Project,
        what: tuple[str, str, dict[str, Any]],
        finished: Callable[[Any], None],
        stopped: str,
        again: Callable[[], None],
    ) -> None:
        """Run a job (title, action, arguments) that writes to the project, which is read here until it ends."""
        if not project.writable:
            self._notice.say(
                f"{what[0]} cannot start: the project is open for reading only, {project.read_only_reason}."
            )
            return
        project.hand_over(f"“{what[0]}” is running")
        looked = time.monotonic()

        def on_event(event: dict[str, Any]) -> None:
            nonlocal looked
            late = time.monotonic() - looked > _REFRESH
            if project is self._session.project and late and not self._session.is_busy:
                looked = time.monotonic()
                self._session.read(project.refresh, lambda new, _: self.grown.emit() if new else None)

        def on_end(end: End) -> None:
            if project is self._session.project:
                self._session.read(project.take_back, lambda _, problem: on_back(end, problem))

        def on_back(end: End, problem: str) -> None:
            self._session.refresh()
            if problem:
                self._notice.say(problem)
            elif end.outcome == "finished":
                finished(end.result)
            elif end.outcome == "cancelled":
                self._notice.say(stopped, "Resume", again)
            else:
                self._notice.say(end.text, "Retry", again)

        job = HeavyJob(*what, self)
        job.event_arrived.connect(on_event)
        job.ended.connect(on_end)
        self._jobs.add(job)
        self._session.refresh()

    def _on_prepared(self, project: Project, request: PrepareRequest, result: dict[str, Any]) -> None:
        if "imported" in result:
            self._notice.say(
                f"{result['imported']:,} new recordings from {request.source.name}; set-up 1 is its train part, "
                "set-up 2 its test part."
            )
            return
        report = report_of(result)
        path = report_path(project.folder, request.dataset).with_suffix(".txt")
        heading = f"{report.prepared:,} recordings prepared, {len(report.skipped):,} skipped. Saved as {path}"
        self.report = TextDialog(f"Report: {TITLES[request.dataset]}", heading, report.as_text(), self._window)
        self.report.destroyed.connect(self._on_report_closed)
        self.report.open()

    def _on_report_closed(self) -> None:
        self.report = None

    def _on_exported(self, request: ExportRequest, end: End, warnings: list[str]) -> None:
        if end.outcome == "finished":
            counts = ", ".join(f"{count:,} {what}" for what, count in end.result.items())
            self._notice.say(
                " ".join([f"Wrote {request.out}: {counts}.", *(f"{warning}." for warning in warnings[:3])])
            )
        elif end.outcome == "failed":
            self._notice.say(end.text)
        else:
            self._notice.say(f"The export was stopped; {request.out.name} was not written.")


def _collect(event: dict[str, Any], warnings: list[str]) -> None:
    if event.get("kind") == "warning":
        warnings.append(str(event.get("text", "")))
