"""The trainings that wait, in turn: moved, removed with a way back, started."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from app.widgets import button, sentence
from app.workers.tasks import attempt
from flora_engine.runs.queue import Queue, Waiting


class QueueView(QWidget):
    """Hidden while nothing waits and nothing was removed."""

    next_wanted = Signal()

    def __init__(self, queue: Queue, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._queue = queue
        self._removed: list[tuple[int, Waiting]] = []
        self.text = QLabel(wordWrap=True)
        self.list = QListWidget()
        self.list.setAccessibleName("Trainings that wait")
        self.list.setMaximumHeight(110)
        self.list.currentRowChanged.connect(lambda _: self._enable())
        self.up = button("Move up", lambda: self._move(-1))
        self.down = button("Move down", lambda: self._move(1))
        self.remove = button("Remove", self._remove)
        self.undo = button("Undo remove", self._undo)
        self.next = button("Start the next now", self.next_wanted.emit)
        buttons = QVBoxLayout()
        for each in (self.up, self.down, self.remove, self.undo):
            buttons.addWidget(each)
        buttons.addStretch(1)
        row = QHBoxLayout()
        row.addWidget(self.list, 1)
        row.addLayout(buttons)
        head = QHBoxLayout()
        head.addWidget(self.text, 1)
        head.addWidget(self.next)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.addLayout(head)
        column.addLayout(row)
        self.refresh()

    def refresh(self, why: str = "") -> None:
        """Show what waits. why: what it waits for."""
        entries, problem = attempt(self._queue.entries)
        entries, chosen = entries or [], self._chosen()
        with QSignalBlocker(self.list):
            self.list.clear()
            for place, entry in enumerate(entries):
                item = QListWidgetItem(f"{place + 1}.  {entry.title}")
                item.setData(Qt.ItemDataRole.UserRole, entry.id)
                self.list.addItem(item)
                if entry.id == chosen:
                    self.list.setCurrentItem(item)
        count = f"{len(entries)} training{'s' if len(entries) != 1 else ''} in the queue."
        self.text.setText(sentence(problem) if problem else " ".join(filter(None, (count, why))))
        self.setVisible(bool(entries or problem or self._removed))
        self._enable()

    def _chosen(self) -> str:
        item = self.list.currentItem()
        return "" if item is None else str(item.data(Qt.ItemDataRole.UserRole))

    def _enable(self) -> None:
        row, last = self.list.currentRow(), self.list.count() - 1
        self.up.setEnabled(row > 0)
        self.down.setEnabled(0 <= row < last)
        self.remove.setEnabled(row >= 0)
        self.undo.setVisible(bool(self._removed))
        self.next.setEnabled(self.list.count() > 0)

    def _move(self, by: int) -> None:
        _, problem = attempt(lambda: self._queue.move(self._chosen(), by))
        self._after(problem)

    def _remove(self) -> None:
        taken, problem = attempt(lambda: self._queue.remove(self._chosen()))
        if taken is not None:
            self._removed.append(taken)
        self._after(problem)

    def _undo(self) -> None:
        place, entry = self._removed.pop()
        _, problem = attempt(lambda: self._queue.add(entry.title, entry.arguments, place))
        self._after(problem)

    def _after(self, problem: str) -> None:
        self.refresh()
        if problem:
            self.text.setText(sentence(problem))
