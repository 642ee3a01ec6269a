"""Many recordings: ranked in other processes, with a journal in the project, and then reviewed one by one."""

from __future__ import annotations

import hashlib
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.controllers.opening import Opening
from app.labelling.panel import LabelPanel
from app.labelling.review import ReviewPanel, history_of, queue_of
from app.labelling.service import LabelService
from app.library.panel import LibraryPanel
from app.library.recordings import counted
from app.notice import Feedback
from app.session import Session
from app.viewer.player import Player
from app.workers.jobs import HeavyJob, JobBar
from app.workers.supervisor import End
from app.workers.tasks import attempt
from flora_engine.errors import FloraError
from flora_engine.labelling.journal import read_journal
from flora_engine.labelling.learning import model_key
from flora_engine.project import Project
from flora_engine.recipes.batch import take_journal

_EVERY = 2.0  # seconds between looks at the journal of a running batch


class Batches(QObject):
    """Rankings are statements of a model; what the reviewer decides is a label, through the session."""

    shown = Signal()  # show the queue

    def __init__(
        self,
        session: Session,
        opening: Opening,
        library: LibraryPanel,
        labels: LabelPanel,
        service: LabelService,
        player: Player,
        review: ReviewPanel,
        jobs: JobBar,
        feedback: Feedback,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._session, self._library, self._labels, self._service = session, library, labels, service
        self._review, self._jobs, self._feedback = review, jobs, feedback
        self._done: list[tuple[int, str | None]] = []  # what was decided here: the recording, and its class before
        self._wanted: int | None = None  # under review after the next look at the queue
        self._visible = False
        review.chosen.connect(opening.open_id)
        review.chosen.connect(self._on_chosen)
        review.decided.connect(self.decide)
        review.back_wanted.connect(self.take_back)
        review.play_wanted.connect(player.toggle)
        session.opened.connect(self._on_opened)
        session.closing.connect(self._on_closing)
        session.changed.connect(self.refresh)

    # -- ranking -------------------------------------------------------------------------------------------------

    def rank_many(self) -> None:
        """Rank the selected recordings if there are several, else all that the library lists."""
        table = self._library.model.table
        if table is None:
            return
        ids = self._library.selected_ids()
        if len(ids) < 2:
            ids = [int(table.ids[row]) for row in self._library.shown_rows()]
        if not self._labels.classes():
            self._feedback.problem("Type at least one action; then recordings can be ranked.")
        elif ids:
            self.start(ids, self._labels.text())

    def start(self, ids: list[int], classes: str) -> None:
        """Rank these recordings of the project; what a journal of the same actions and model holds is not repeated."""
        project = self._session.project
        if project is None:
            return
        key, problem = attempt(lambda: model_key(self._service.folder))
        if problem:
            self._feedback.problem(problem)
            return
        name = hashlib.sha256(f"{key}\n{classes}\n{sorted(ids)}".encode()).hexdigest()[:16]
        journal = project.folder / "batches" / f"{name}.jsonl"
        arguments = {
            **{"project": str(project.folder), "ids": ids, "classes": classes},
            **{"model": str(self._service.folder), "journal": str(journal)},
        }
        job = HeavyJob(f"Rank {counted(len(ids))}", "label-batch", arguments, self)
        looked = time.monotonic()

        def on_event(event: dict[str, Any]) -> None:
            nonlocal looked
            if event.get("kind") == "ranked" and time.monotonic() - looked > _EVERY and not self._session.is_busy:
                looked = time.monotonic()
                self._take(project, journal)

        job.event_arrived.connect(on_event)
        job.ended.connect(lambda end: self._on_end(project, journal, end, partial(self.start, ids, classes)))
        self._jobs.add(job)
        self.show()

    def _take(self, project: Project, journal: Path) -> None:
        if project is self._session.project and project.writable and journal.is_file():
            self._session.edit(lambda project: take_journal(project, journal))

    def _on_end(self, project: Project, journal: Path, end: End, again: partial[None]) -> None:
        self._take(project, journal)
        if project is not self._session.project:
            return
        if end.outcome == "finished":
            failed = end.result["failed"]
            more = f" {counted(failed)} could not be ranked." if failed else ""
            self._feedback.notice.say(f"Ranked {counted(end.result['ranked'])}.{more}")
        else:
            text = "The ranking was stopped. What is ranked is kept." if end.outcome == "cancelled" else end.text
            self._feedback.notice.say(text, "Resume", again)

    # -- review --------------------------------------------------------------------------------------------------

    def show(self) -> None:
        """The queue."""
        self._visible = True
        self.shown.emit()
        self.refresh()

    def refresh(self) -> None:
        """Look at what waits."""
        project = self._session.project
        if project is not None and self._visible:
            self._session.read(partial(queue_of, project), self._on_queue)

    def decide(self, id: int, name: str, model: str) -> None:
        """A recording has this class, as the reviewer says."""
        project = self._session.project
        if project is None or not project.writable:
            return
        table = project.table
        self._done.append((id, table.class_of(int(table.rows(np.array([id]))[0])) or None))
        self._session.edit(lambda project: project.labels.set([id], name, model=model))

    def take_back(self) -> None:
        """Take the last decision back; the recording is under review again."""
        if self._done and self._session.project is not None:
            id, before = self._done.pop()
            self._wanted = id
            self._session.edit(lambda project: project.labels.set([id], before))

    def _on_queue(self, queue: Any, problem: str) -> None:
        if problem:
            self._feedback.problem(problem)
        else:
            self._review.show_queue(queue)
            ids = [one.id for one in self._review.model.queue]
            if self._wanted in ids:
                self._review.select(ids.index(self._wanted))
            self._wanted = None

    def _on_chosen(self, id: int) -> None:
        project = self._session.project
        if project is not None:
            self._session.read(partial(history_of, project, id), self._on_history)

    def _on_history(self, lines: Any, problem: str) -> None:
        self._review.show_said(lines or [])

    # -- projects ------------------------------------------------------------------------------------------------

    def _on_opened(self) -> None:
        """Offer to continue a batch that a crash or the end of the program cut off."""
        self._done.clear()
        project = self._session.project
        if project is not None:
            self._session.read(partial(_unfinished, project, self._service.folder), self._on_unfinished)

    def _on_unfinished(self, answer: Any, problem: str) -> None:
        project = self._session.project
        if problem or answer is None or project is None:
            return
        path, left, classes, ids = answer
        self._take(project, path)
        text = f"A ranking was cut off: {counted(left)} are still to be ranked."
        self._feedback.notice.say(text, "Resume", partial(self.start, ids, classes))

    def _on_closing(self) -> None:
        self._jobs.shut_down(self)
        self._review.show_queue([])


def _unfinished(project: Project, model: Path) -> tuple[Path, int, str, list[int]] | None:
    """The newest journal of a model that lacks recordings: its file, how many, the actions as typed, and all ids."""
    folder = project.folder / "batches"
    if not folder.is_dir():
        return None
    key, there = model_key(model), set(project.table.ids.tolist())
    for path in sorted(folder.glob("*.jsonl"), key=lambda path: path.stat().st_mtime, reverse=True):
        try:
            head, lines = read_journal(path)
        except FloraError:
            continue
        ids = [int(item) for item in head.items if item.isdigit()]
        left = {id for id in ids if id in there} - {int(line.item) for line in lines}
        if head.key == key and head.typed and left:
            return path, len(left), head.typed, ids
    return None
