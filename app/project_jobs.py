"""Heavy jobs on the open project: imports, preparations, exports; how each begins, shows and ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.library.export_dialog import ExportRequest
from app.library.import_dialog import ImportRequest
from app.library.import_form import options_data
from app.library.prepare_form import TITLES, PrepareRequest, report_of
from app.notice import Notice
from app.widgets import TextDialog
from app.workers.jobs import HeavyJob, JobBar
from app.workers.supervisor import End
from app.workers.tasks import InTurn
from flora_engine.datasets.preparing import report_path
from flora_engine.project.project import Project

_LOOK_AGAIN = 2.0  # seconds between looks at what a writing job has committed


class ProjectJobs(QObject):
    """`project` tells which project is open: a job of another one ends without a word."""

    grown = Signal()  # a running job has committed recordings
    changed = Signal()  # what the project holds, or whether it can be written

    def __init__(
        self, bar: JobBar, notice: Notice, turns: InTurn, project: Callable[[], Project | None], parent: QObject
    ) -> None:
        super().__init__(parent)
        self._bar, self._notice, self._turns, self._open = bar, notice, turns, project
        self.report: TextDialog | None = None  # of the last preparation, while somebody reads it

    def start_import(self, request: ImportRequest) -> None:
        """Import into the open project."""
        project = self._open()
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
            lambda result: self._notice.tell(str(result["text"])),
            "The import was stopped. What was read is in the project; importing again goes on there.",
            lambda: self.start_import(request),
        )

    def start_prepare(self, request: PrepareRequest) -> None:
        """Prepare a published data set into the open project."""
        project = self._open()
        if project is not None:
            self._write(
                project,
                (request.title, "prepare", request.arguments()),
                lambda result: self._on_prepared(project, request, result),
                "The preparation was stopped. What was prepared is in the project; going on leaves it out.",
                lambda: self.start_prepare(request),
            )

    def start_export(self, request: ExportRequest) -> None:
        """Export from the open project, which can be worked on meanwhile."""
        project = self._open()
        if project is None:
            return
        warnings: list[str] = []
        job = HeavyJob(f"Export {request.out.name}", "export", request.arguments(project.folder), self)
        job.event.connect(lambda event: _collect(event, warnings))
        job.ended.connect(lambda end: self._on_exported(request, end, warnings))
        self._bar.add(job)

    # -- inside --------------------------------------------------------------------------------------------------

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
            self._notice.tell(
                f"{what[0]} has to wait: the project is open for reading only, {project.read_only_reason}."
            )
            return
        project.hand_over(f"“{what[0]}” is running")
        looked = time.monotonic()

        def on_event(event: dict[str, Any]) -> None:
            nonlocal looked
            late = time.monotonic() - looked > _LOOK_AGAIN
            if project is self._open() and late and not self._turns.is_busy:
                looked = time.monotonic()
                self._turns.do(project.refresh, lambda new, _: self.grown.emit() if new else None)

        def on_end(end: End) -> None:
            if project is self._open():
                self._turns.do(project.take_back, lambda _, problem: on_back(end, problem))

        def on_back(end: End, problem: str) -> None:
            if project is not self._open():
                return
            self.changed.emit()
            if problem:
                self._notice.tell(problem)
            elif end.outcome == "finished":
                finished(end.result)
            else:
                text = stopped if end.outcome == "cancelled" else end.text
                self._notice.tell(text, "Go on", again)

        job = HeavyJob(*what, self)
        job.event.connect(on_event)
        job.ended.connect(on_end)
        self._bar.add(job)
        self.changed.emit()

    def _on_prepared(self, project: Project, request: PrepareRequest, result: dict[str, Any]) -> None:
        title = TITLES[request.dataset]
        if "imported" in result:
            self._notice.tell(
                f"{result['imported']:,} new recordings from {request.source.name}; set-up 1 is its train part, "
                "set-up 2 its test part."
            )
            return
        report = report_of(result)
        path = report_path(project.folder, request.dataset).with_suffix(".txt")
        heading = f"{report.prepared:,} recordings prepared, {len(report.skipped):,} skipped. Kept as {path}"
        parent = self.parent()
        self.report = TextDialog(f"Report: {title}", heading, report.as_text(), parent)  # type: ignore[arg-type]
        self.report.destroyed.connect(lambda: setattr(self, "report", None))
        self.report.open()

    def _on_exported(self, request: ExportRequest, end: End, warnings: list[str]) -> None:
        if end.outcome == "finished":
            counts = ", ".join(f"{count:,} {what}" for what, count in end.result.items())
            self._notice.tell(
                " ".join([f"Wrote {request.out}: {counts}.", *(f"{warning}." for warning in warnings[:3])])
            )
        elif end.outcome == "failed":
            self._notice.tell(end.text)
        else:
            self._notice.tell(f"The export was stopped; {request.out.name} was not written.")


def _collect(event: dict[str, Any], warnings: list[str]) -> None:
    if event.get("kind") == "warning":
        warnings.append(str(event.get("text", "")))
