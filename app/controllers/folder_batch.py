"""A folder of recordings that is in no project: ranked in other processes, reviewed one by one, saved as a table."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from app.controllers.opening import Opening
from app.labelling.panel import LabelPanel
from app.labelling.review import ReviewPanel, Waiting
from app.labelling.service import LabelService
from app.library.recordings import RecordingsPanel, counted
from app.notice import Feedback
from app.session import Session
from app.settings import SettingsFile
from app.workers.jobs import HeavyJob, JobBar
from app.workers.supervisor import End
from app.workers.tasks import Newest, attempt
from flora_engine.labelling.decisions import Decision, add_decision, read_decisions, write_decisions
from flora_engine.labelling.journal import Line, read_journal
from flora_engine.labelling.learning import model_key
from flora_engine.project import RankingSaid
from flora_engine.project.labels import login

_EVERY = 2.0  # seconds between looks at the journal


@dataclass(frozen=True)
class _Batch:
    """What is being labelled. journal: what the model says; people: what is decided."""

    folder: Path
    classes: str
    journal: Path
    people: Path


@dataclass(frozen=True)
class _Look:
    """What is known: the files by number, what the model said, and what was decided."""

    model: str
    items: tuple[str, ...]
    lines: tuple[Line, ...]
    decisions: dict[str, Decision]

    def queue(self) -> list[Waiting]:
        """The ranked files that nobody has decided."""
        number = {item: place for place, item in enumerate(self.items)}
        stems = Counter(Path(item).stem for item in self.items)
        open_lines = [one for one in self.lines if one.ranking and one.item not in self.decisions]
        return [
            Waiting(number[one.item], _name(one.item, stems), RankingSaid(self.model, one.ranking, one.none, one.time))
            for one in open_lines
            if one.item in number
        ]


def _name(item: str, stems: Counter[str]) -> str:
    """What a file is called in the queue: without its ending, if no other is called so."""
    path = Path(item)
    return path.stem if stems[path.stem] == 1 else path.name


def _look(batch: _Batch) -> _Look | None:
    if not batch.journal.is_file():
        return None
    head, lines = read_journal(batch.journal)
    return _Look(head.model, tuple(head.items), tuple(lines), read_decisions(batch.people))


class FolderBatch(QObject):
    """Of one folder at a time. Labelling the same folder for the same actions again continues where it was left."""

    shown = Signal()  # show the queue
    changed = Signal()  # whether there is something to save

    def __init__(
        self,
        session: Session,
        opening: Opening,
        recordings: RecordingsPanel,
        labels: LabelPanel,
        service: LabelService,
        review: ReviewPanel,
        jobs: JobBar,
        settings: SettingsFile,
        feedback: Feedback,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._session, self._opening, self._recordings, self._labels = session, opening, recordings, labels
        self._service, self._review, self._jobs = service, review, jobs
        self._settings, self._feedback, self._window = settings, feedback, window
        self._batch: _Batch | None = None
        self._known: _Look | None = None
        self._done: list[int] = []  # numbers of the files decided here
        self._looking, self._saving = Newest(self), Newest(self)
        self._looking.done.connect(self._on_look)
        self._saving.done.connect(lambda path: feedback.notice.say(f"Wrote {path}"))
        for task in (self._looking, self._saving):
            task.failed.connect(feedback.problem)
        review.chosen.connect(self._on_chosen)
        review.decided.connect(self.decide)
        review.back_wanted.connect(self.take_back)
        session.opened.connect(self.forget)
        opening.cleared.connect(self.forget)

    @property
    def is_busy(self) -> bool:
        return self._looking.is_busy or self._saving.is_busy

    @property
    def can_save(self) -> bool:
        """Whether a folder is being labelled."""
        return self._batch is not None

    def ask(self) -> None:
        """Choose a folder."""
        start = str(self._settings.start_folder())
        if name := QFileDialog.getExistingDirectory(self._window, "Label a folder", start):
            self.start(Path(name))

    def start(self, folder: Path) -> None:
        """Rank the actions in the box for everything below a folder, and review it as it comes."""
        classes = self._labels.text()
        if not self._labels.classes():
            self._feedback.problem("Type at least one action; then a folder can be labelled.")
            return
        key, problem = attempt(lambda: model_key(self._service.folder))
        if problem:
            self._feedback.problem(problem)
            return
        self._opening.close_all()
        self._opening.open_paths([folder])
        name = hashlib.sha256(f"{key}\n{classes}\n{folder.resolve()}".encode()).hexdigest()[:16]
        place = self._settings.path.parent / "labelled"
        self._batch = batch = _Batch(folder, classes, place / f"{name}.jsonl", place / f"{name}.people.jsonl")
        arguments = {"files": [str(folder)], "classes": classes, "model": str(self._service.folder)}
        job = HeavyJob(f"Label {folder.name}", "label-batch", arguments | {"journal": str(batch.journal)}, self)
        looked = time.monotonic()

        def on_event(event: dict[str, Any]) -> None:
            nonlocal looked
            if event.get("kind") == "ranked" and time.monotonic() - looked > _EVERY:
                looked = time.monotonic()
                self.refresh()

        job.event_arrived.connect(on_event)
        job.ended.connect(partial(self._on_end, batch))
        self._jobs.add(job)
        self.changed.emit()
        self.shown.emit()
        self.refresh()

    def refresh(self) -> None:
        """Look at what waits."""
        batch = self._batch
        if batch is not None:
            self._looking.submit(lambda: (batch, _look(batch)))

    def decide(self, number: int, name: str, model: str) -> None:
        """A file has this class, as the reviewer says."""
        if self._say(number, name, model):
            self._done.append(number)

    def take_back(self) -> None:
        """Take the last decision back; the file is under review again."""
        if self._done and self._say(self._done[-1], "", ""):
            number = self._done.pop()
            numbers = [one.id for one in self._review.model.queue]
            self._review.select(numbers.index(number))

    def ask_save(self) -> None:
        """Choose where the table goes."""
        if self._batch is None:
            return
        start = self._settings.start_folder() / f"{self._batch.folder.name} labels.csv"
        name, _ = QFileDialog.getSaveFileName(self._window, "Save the labels", str(start), "CSV (*.csv)")
        if name:
            self.save(Path(name))

    def save(self, path: Path) -> None:
        """Write the table: what was decided, and what the model says."""
        batch = self._batch
        if batch is None:
            return

        def work() -> Path:
            found = _look(batch)
            write_decisions(path, [] if found is None else found.lines, {} if found is None else found.decisions)
            return path

        self._saving.submit(work)

    def forget(self) -> None:
        """Something else is open now. What was decided is kept for the next time."""
        if self._batch is None:
            return
        self._batch, self._known = None, None
        self._done.clear()
        self._looking.forget()
        self._jobs.shut_down(self)
        self._review.show_queue([])
        self.changed.emit()

    def _say(self, number: int, name: str, model: str) -> bool:
        """Keep a decision, and show what waits then."""
        batch, known = self._batch, self._known
        if batch is None or known is None:
            return False
        decision = Decision(known.items[number], name, login(), model, time.time())
        _, problem = attempt(lambda: add_decision(batch.people, decision))
        if problem:
            self._feedback.problem(problem)
            return False
        others = {item: one for item, one in known.decisions.items() if item != decision.item}
        self._known = replace(known, decisions=others | ({decision.item: decision} if name else {}))
        self._review.show_queue(self._known.queue())
        return True

    def _on_look(self, answer: object) -> None:
        batch, found = answer if isinstance(answer, tuple) else (None, None)
        if batch is self._batch and found is not None:
            self._known = found
            self._review.show_queue(found.queue())

    def _on_chosen(self, number: int) -> None:
        known = self._known
        if self._batch is None or known is None:
            return
        path = Path(known.items[number])
        if path in self._recordings.model.paths:
            self._recordings.select(path)
        else:
            self._opening.open_recording(path)
        said = next((one for one in known.lines if one.item == str(path)), None)
        if said is not None and said.ranking:
            when = time.strftime("%Y-%m-%d %H:%M", time.localtime(said.time))
            self._review.show_said([f"{when}  {known.model}: {said.ranking[0][0]}, {said.ranking[0][1]:.0%}"])

    def _on_end(self, batch: _Batch, end: End) -> None:
        if batch is not self._batch:
            return
        self.refresh()
        if end.outcome == "finished":
            failed = end.result["failed"]
            more = f" {counted(failed)} could not be ranked." if failed else ""
            text = f"Ranked {counted(end.result['ranked'])}. Review them, then save the labels.{more}"
            self._feedback.notice.say(text, "Save the labels…", self.ask_save)
        else:
            text = "The ranking was stopped. What is ranked is kept." if end.outcome == "cancelled" else end.text
            self._feedback.notice.say(text, "Resume", partial(self.start, batch.folder))
