"""The open project and the one way to edit it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QThreadPool, Signal

from app.workers.tasks import InTurn, attempt
from flora_engine.labelling.segment_file import SegmentFile
from flora_engine.labelling.segments import Segment
from flora_engine.project import Project

Change = Callable[[Project], object]


class Session(QObject):
    """Edits run one after the other off the window's thread; views look again after each (`changed`).

    file: the segments of the recording on screen if it is in no project. While there is one, Undo and Redo are about it
    as long as it has something to undo or redo.
    """

    opened = Signal()  # a project has taken the place of what was open
    closing = Signal()  # let go of the project: it is closed right after this
    closed = Signal()
    changed = Signal()  # an edit ended, well or not: show what the project holds now
    busy = Signal(bool)  # an edit takes longer than a moment, or is over
    problem = Signal(str)  # one sentence about an edit that nobody else reports

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.project: Project | None = None
        self.file: SegmentFile | None = None
        self._undo_title: str | None = None
        self._redo_title: str | None = None
        self._turns = InTurn(self)
        self._turns.busy.connect(self.busy)

    @property
    def is_busy(self) -> bool:
        return self._turns.is_busy

    @property
    def undo_title(self) -> str | None:
        """What Undo would undo, None if there is nothing."""
        return (self.file.undo_title if self.file is not None else None) or self._undo_title

    @property
    def redo_title(self) -> str | None:
        """What Redo would redo, None if there is nothing."""
        return (self.file.redo_title if self.file is not None else None) or self._redo_title

    @property
    def can_undo(self) -> bool:
        """Whether Undo and Redo may run now, if there is something to do."""
        of_file = self.file is not None and (self.file.undo_title or self.file.redo_title) is not None
        return self.can_edit or of_file

    @property
    def can_edit(self) -> bool:
        return self.project is not None and self.project.writable and not self.is_busy

    def is_open(self, folder: Path) -> bool:
        """Whether the open project lies at `folder`."""
        return self.project is not None and self.project.folder.absolute() == folder.absolute()

    def open(self, project: Project) -> None:
        """Take this project in place of the one that is open."""
        self.close()
        self.project = project
        self.opened.emit()
        self.read(lambda: (project.next_undo(), project.next_redo()), self._on_titles)

    def close(self) -> None:
        """Close the project; edits that were asked for are finished first."""
        if self.project is None:
            return
        self.closing.emit()
        project, self.project = self.project, None
        self._turns.finish()
        QThreadPool.globalInstance().waitForDone(2000)
        project.close()
        self._undo_title = self._redo_title = None
        self.closed.emit()

    def edit(
        self,
        change: Change,
        done: Callable[[Any], object] | None = None,
        failed: Callable[[str], object] | None = None,
    ) -> None:
        """Do `change` after the edits before it, then `done` with what it returned or `failed` with one sentence.

        A quick edit is over when this returns. A longer one continues off the window's thread.
        """
        project = self.project
        if project is None:
            return

        def work() -> tuple[Any, str, str | None, str | None]:
            result, problem = attempt(lambda: change(project))
            return result, problem, project.next_undo(), project.next_redo()

        def then(answer: Any, trouble: str) -> None:
            if project is not self.project:
                return
            result, problem, self._undo_title, self._redo_title = answer or (None, trouble, None, None)
            if problem:
                (failed or self.problem.emit)(problem)
            elif done is not None:
                done(result)
            self.changed.emit()

        self._turns.do(work, then)

    def read(self, task: Callable[[], Any], then: Callable[[Any, str], object]) -> None:
        """Do `task` after the edits before it, then `then(result, problem)` if the same project is still open."""
        project = self.project

        def answer(result: Any, problem: str) -> None:
            if project is self.project:
                then(result, problem)

        self._turns.do(task, answer)

    def edit_file(self, segments: tuple[Segment, ...], title: str) -> None:
        """Make these the segments of the recording on screen, which is in no project."""
        if self.file is not None and self.file.set(segments, title):
            self.changed.emit()

    def refresh(self) -> None:
        """Another part has changed the project, or whether it can be edited."""
        self.edit(lambda project: None)

    def undo(self, done: Callable[[str | None], object]) -> None:
        """Undo the last edit, then `done` with its title."""
        if self.file is not None and self.file.undo_title is not None:
            done(self.file.undo())
            self.changed.emit()
            return
        self.edit(lambda project: project.undo(), done)

    def redo(self, done: Callable[[str | None], object]) -> None:
        """Redo the edit that was undone last, then `done` with its title."""
        if self.file is not None and self.file.redo_title is not None:
            done(self.file.redo())
            self.changed.emit()
            return
        self.edit(lambda project: project.redo(), done)

    def _on_titles(self, titles: Any, problem: str) -> None:
        self._undo_title, self._redo_title = titles or (None, None)
        self.changed.emit()
