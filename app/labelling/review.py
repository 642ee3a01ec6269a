"""The review queue: recordings that a model ranked and nobody has named yet; a key says which rank is right."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QEvent, QItemSelectionModel, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QHeaderView, QLabel, QPlainTextEdit, QVBoxLayout, QWidget

from app.tables import ColumnsModel
from app.widgets import choice_box, rows_view
from flora_engine.project import Project, RankingSaid

KEYS = 9  # ranks that a key can take
_NARROWEST, _LEAD_FROM = 270, 340  # pixels: of the panel, and from which on it has room for the lead
_TITLES = ("Recording", "Best", "Share", "Lead")


@dataclass(frozen=True)
class Waiting:
    """One recording of the queue. lead: share of the best action less that of the second."""

    id: int
    name: str
    said: RankingSaid

    @property
    def lead(self) -> float:
        shares = [share for _, share in self.said.ranking[:2]]
        return shares[0] - (shares[1] if len(shares) > 1 else 0.0)


def queue_of(project: Project) -> list[Waiting]:
    """Every ranked recording that has no class, by id."""
    table = project.table
    names = dict(zip(table.ids.tolist(), table.names, strict=True))
    unnamed = {int(id) for id, place in zip(table.ids, table.classes, strict=True) if place < 0}
    rankings = project.statements.newest_rankings()
    return [Waiting(id, names[id], said) for id, said in rankings.items() if id in unnamed and said.ranking]


def in_order(queue: Sequence[Waiting], order: str) -> list[Waiting]:
    """By "sure": the least sure first. By "class": the best action's name, the surest first."""
    if order == "class":
        return sorted(queue, key=lambda one: (one.said.ranking[0][0].casefold(), -one.said.ranking[0][1], one.id))
    return sorted(queue, key=lambda one: (one.lead, one.id))


def history_of(project: Project, id: int) -> list[str]:
    """Who said what about a whole recording, when and by which model, the newest first; one line each."""
    said: list[tuple[float, str]] = []
    for ranking in project.statements.rankings(id):
        name, share = ranking.ranking[0]
        said.append((ranking.time, f"{ranking.model}: {name}, {share:.0%}"))
    names = project.classes.by_id()
    for edit, change in project.labels.history(id):
        row = change.after or {}
        if (change.after or change.before or {}).get("begin") is None:
            who = row.get("author") or row.get("origin") or "somebody"
            by = f", proposed by {row['model']}" if row.get("model") else ""
            what = names.get(row.get("class", -1), "a class that is gone") if row else "no class"
            undone = "" if edit.state == "done" else " (undone)"
            said.append((edit.time, f"{who}: {what}{by}{undone}"))
    return [f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(when))}  {text}" for when, text in sorted(said)[::-1]]


@dataclass(frozen=True)
class _Column:
    title: str
    number: bool = False
    tip: str = ""


class _QueueModel(ColumnsModel):
    """The queue, in the order that was chosen."""

    def __init__(self, parent: QObject | None = None) -> None:
        columns = [_Column(title, place > 1) for place, title in enumerate(_TITLES)]
        super().__init__(columns, parent)
        self.queue: list[Waiting] = []

    def show(self, queue: list[Waiting]) -> None:
        self.queue = queue
        self.set_rows(np.arange(len(queue), dtype=np.int64))

    def text(self, row: int, column: int) -> str:
        one = self.queue[row]
        name, share = one.said.ranking[0]
        return (one.name, name, f"{share:.0%}", f"{one.lead:.0%}")[column]


class ReviewPanel(QWidget):
    """Keys: 1 to 9 take a rank, Return the first, Backspace takes the last decision back, Space plays."""

    chosen = Signal(int)  # id of the recording to show
    decided = Signal(int, str, str)  # id, class, the model that proposed it
    back_wanted = Signal()
    play_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._queue: list[Waiting] = []
        self.order = choice_box([("Least sure first", "sure"), ("By class", "class")])
        self.order.setAccessibleName("Order of the queue")
        self.order.activated.connect(lambda _: self.show_queue(self._queue))
        self.count = QLabel()
        self.count.setProperty("role", "muted")
        self.model = _QueueModel(self)
        self.view = rows_view(self.model)
        self.view.setAccessibleName("Recordings to review")
        self.view.setSortingEnabled(False)
        header, modes = self.view.horizontalHeader(), QHeaderView.ResizeMode
        for place in range(len(_TITLES)):
            header.setSectionResizeMode(place, modes.Stretch if place < 2 else modes.ResizeToContents)
        self.view.setSelectionMode(self.view.SelectionMode.SingleSelection)
        self.view.selectionModel().currentRowChanged.connect(lambda *_: self._on_current())
        self.view.installEventFilter(self)
        self.ranks = QPlainTextEdit(readOnly=True)
        self.ranks.setAccessibleName("Ranks of the recording, and who said what")
        self.ranks.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        top = QHBoxLayout()
        top.addWidget(self.order)
        top.addWidget(self.count, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 0, 6, 6)
        column.addLayout(top)
        column.addWidget(self.view, 3)
        column.addWidget(self.ranks, 2)
        self.setMinimumWidth(_NARROWEST)

    @property
    def current(self) -> Waiting | None:
        """The recording under review."""
        row = self.view.currentIndex().row()
        return self.model.queue[row] if 0 <= row < len(self.model.queue) else None

    def show_queue(self, queue: list[Waiting]) -> None:
        """Show these recordings; the one under review stays, or the one that is now in its place."""
        before, row = self.current, max(self.view.currentIndex().row(), 0)
        self._queue = queue
        self.model.show(in_order(queue, self.order.currentData()))
        self.count.setText(f"{len(queue):,} to review")
        ids = [one.id for one in self.model.queue]
        if before is not None and before.id in ids:
            row = ids.index(before.id)
        self.select(min(row, len(ids) - 1))

    def select(self, row: int) -> None:
        """Review the recording of a row."""
        flags = QItemSelectionModel.SelectionFlag
        index = self.model.index(max(row, 0), 0)
        self.view.selectionModel().setCurrentIndex(index, flags.ClearAndSelect | flags.Rows)
        self._on_current()

    def show_said(self, lines: Sequence[str]) -> None:
        """Who said what about the recording under review, below its ranks."""
        one = self.current
        ranks = [] if one is None else one.said.ranking[:KEYS]
        text = "\n".join(f"{rank}  {name}  {share:.0%}" for rank, (name, share) in enumerate(ranks, 1))
        self.ranks.setPlainText("\n\n".join(part for part in (text, "\n".join(lines)) if part))

    def take(self, rank: int) -> None:
        """The action of this rank (from 1) is right."""
        one = self.current
        if one is not None and rank <= len(one.said.ranking):
            self.decided.emit(one.id, one.said.ranking[rank - 1][0], one.said.model)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.view.setColumnHidden(_TITLES.index("Lead"), self.width() < _LEAD_FROM)
        super().resizeEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The queue's keys, before shortcuts of the window see them."""
        if isinstance(event, QKeyEvent) and event.type() in (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress):
            act = self._act_of(event)
            if act is not None:
                event.accept()
                if event.type() == QEvent.Type.KeyPress:
                    act()
                return True
        return super().eventFilter(watched, event)

    def _act_of(self, event: QKeyEvent) -> Callable[[], object] | None:
        keys = Qt.Key
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            return None
        if keys.Key_1 <= event.key() < keys.Key_1 + KEYS:
            rank = event.key() - keys.Key_1 + 1
            return lambda: self.take(rank)
        return {
            keys.Key_Return: lambda: self.take(1),
            keys.Key_Enter: lambda: self.take(1),
            keys.Key_Backspace: self.back_wanted.emit,
            keys.Key_Space: self.play_wanted.emit,
        }.get(keys(event.key()))

    def _on_current(self) -> None:
        self.show_said([])
        if self.current is not None:
            self.chosen.emit(self.current.id)
