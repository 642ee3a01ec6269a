"""Learning from what a person confirms: the recordings of the open project teach the model that ranks."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from app.controllers.opening import Opened
from app.labelling.panel import LabelPanel
from app.labelling.service import LabelService
from app.notice import Feedback
from app.session import Session
from app.settings import SettingsFile
from app.workers.tasks import Newest
from flora_engine.errors import FloraError
from flora_engine.labelling.bundle import bundle_title
from flora_engine.labelling.bundle_file import SUFFIX, write_taught_file
from flora_engine.labelling.learning import model_key, taught_by
from flora_engine.labelling.teaching import Taught
from flora_engine.project import Project
from flora_engine.semantics.class_texts import ClassText


class Learning(QObject):
    """Tells the labeller which project to learn from, and asks it to rank again after a correction."""

    changed = Signal()  # whether it learns has changed

    def __init__(
        self,
        session: Session,
        service: LabelService,
        labels: LabelPanel,
        settings: SettingsFile,
        feedback: Feedback,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._session, self._service, self._labels = session, service, labels
        self._settings, self._feedback, self._window = settings, feedback, window
        self._id: int | None = None
        self._lessons: object = None  # what the last ranking could learn from
        self.on = True
        self._saving = Newest(self)
        self._saving.done.connect(lambda path: feedback.notice.say(f"Wrote {path}"))
        self._saving.failed.connect(feedback.problem)
        session.opened.connect(self._on_changed)
        session.changed.connect(self._on_changed)
        session.closing.connect(lambda: service.set_teacher(None))

    @property
    def can_confirm(self) -> bool:
        """Whether the recording on screen is one of a project that can be edited."""
        return self._id is not None and self._session.can_edit

    def show(self, opened: Opened | None) -> None:
        """A recording is on screen, or none. To be called before it is ranked."""
        self._id = opened.id if opened is not None else None
        self._teach()

    def confirm(self) -> None:
        """The selected action of the ranking, or the best one, is the class of the recording on screen."""
        name = self._labels.chosen_action()
        if name and self._id is not None:
            self.say(self._id, name)

    def say(self, id: int, name: str) -> None:
        """A recording has this class, as the model in use proposed or not."""
        model = bundle_title(self._service.folder)
        done = partial(self._feedback.say, f"“{name}” is confirmed; the ranking learns from it" if self.on else "")
        self._session.edit(lambda project: project.labels.set([id], name, model=model), lambda _: done())

    def switch(self) -> None:
        """Learn from now on, or no longer; the project keeps it."""
        on = not self.on
        self._session.edit(lambda project: project.lessons.switch(on))

    def ask_save(self) -> None:
        """Choose where the model goes together with what it has learned."""
        start = self._settings.start_folder() / f"{bundle_title(self._service.folder)} with corrections{SUFFIX}"
        name, _ = QFileDialog.getSaveFileName(self._window, "Save the model with its corrections", str(start))
        if name:
            self.save(Path(name))

    def save(self, path: Path) -> None:
        """Write the model in use and what it has learned about the typed actions as one file."""
        service, text, project = self._service, self._labels.text(), self._session.project
        if project is None:
            return
        teacher = partial(_teach, project, None)  # with the recording on screen, too

        def work() -> Path:
            taught = service.taught(text, teacher)
            if taught is None:
                raise FloraError("nothing is confirmed for the typed actions", remedy="Confirm some recordings first.")
            write_taught_file(service.folder, taught, path)
            return path

        self._saving.submit(work)

    def _on_changed(self) -> None:
        """The project was edited: rank again if there is more, less or something else to learn from."""
        self._teach()
        project = self._session.project
        if project is None:
            return

        def look() -> tuple[bool, object]:
            names = [text.name for text in self._labels.classes()]
            return project.lessons.on, project.lessons.confirmed(names, 1000)

        self._session.read(look, self._on_lessons)

    def _on_lessons(self, answer: Any, problem: str) -> None:
        if problem:
            return
        on, confirmed = answer
        lessons = confirmed if on else []
        if on != self.on:
            self.on = on
            self.changed.emit()
        if lessons != self._lessons:
            self._lessons = lessons
            self._labels.rank_now()

    def _teach(self) -> None:
        project = self._session.project
        self._service.set_teacher(None if project is None else partial(_teach, project, self._id))


def _teach(project: Project, id: int | None, labeller: Any, folder: Path, texts: list[ClassText]) -> Taught | None:
    """What the project teaches a labeller; a stand-in without spaces learns nothing."""
    if not hasattr(labeller, "spaces") or not project.lessons.on:
        return None
    return taught_by(project, labeller, model_key(folder), texts, id)
