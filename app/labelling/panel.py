"""The right side of the window: the user's actions, one per line, and how well each fits the recording."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QPainter, QPalette
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListView,
    QMenu,
    QPlainTextEdit,
    QSplitter,
    QStackedWidget,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.labelling.service import LabelService
from app.labelling.why import WhyPanel
from app.settings import DEFAULT_CLASSES
from app.widgets import ElidedLabel, button, sentence
from app.workers.tasks import Newest
from flora_engine.errors import FloraError
from flora_engine.resources import RESOURCES
from flora_engine.semantics.class_texts import ClassText, load_class_texts, parse_typed
from flora_engine.skeleton import SkeletonSequence

if TYPE_CHECKING:
    from flora_engine.labelling.ranking import Ranking

_REMARKS = 3  # lines under the ranking
DEBOUNCE = 300  # ms after the last key before ranking
_PLACEHOLDER = """One action per line, in your own words:

drink water
wave hand
fall down: loses balance and drops to the floor"""
_Index = QModelIndex | QPersistentModelIndex


class RankingModel(QAbstractListModel):
    """The labels of a ranking, best first."""

    ScoreRole = Qt.ItemDataRole.UserRole + 1

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._answer: Ranking | None = None

    def set_answer(self, answer: Ranking | None) -> None:
        self.beginResetModel()
        self._answer = answer
        self.endResetModel()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own signature)
        return 0 if parent.isValid() or self._answer is None else len(self._answer.labels)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if self._answer is None or not index.isValid():
            return None
        row = self._answer.labels[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return row.name
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return f"{index.row() + 1}. {row.name}: {row.score:.1%}"
        return row.score if role == self.ScoreRole else None


class _BarDelegate(QStyledItemDelegate):
    """Name and score on one line, a bar below."""

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(80, option.fontMetrics.height() + 20)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        score = float(index.data(RankingModel.ScoreRole) or 0.0)
        first = index.row() == 0
        box = QRectF(option.rect).adjusted(8, 4, -8, -6)
        palette: QPalette = option.palette
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        if option.state & (QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver):
            painter.setBrush(palette.color(QPalette.ColorRole.Window))
            painter.drawRoundedRect(QRectF(option.rect).adjusted(1, 1, -1, -1), 5, 5)
        font = option.font
        font.setBold(first)
        painter.setFont(font)
        painter.setPen(palette.color(QPalette.ColorRole.Text))
        value = f"{score:.0%}" if score >= 0.01 else "<1%"
        width = painter.fontMetrics().horizontalAdvance(value) + 8
        name = painter.fontMetrics().elidedText(
            str(index.data()), Qt.TextElideMode.ElideRight, int(box.width() - width)
        )
        painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, name)
        painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop, value)
        groove = QRectF(box.left(), box.bottom() - 5, box.width(), 5)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(palette.color(QPalette.ColorRole.Button))
        painter.drawRoundedRect(groove, 2.5, 2.5)
        bar = QColor(palette.color(QPalette.ColorRole.Highlight))
        bar.setAlphaF(1.0 if first else 0.55)
        painter.setBrush(bar)
        groove.setWidth(max(groove.width() * score, 5.0))
        painter.drawRoundedRect(groove, 2.5, 2.5)
        painter.restore()


class LabelPanel(QWidget):
    """Ranks the typed actions for the recording on screen 300 ms after the last change; shows the newest ranking."""

    answered = Signal(object)  # Ranking
    moment_wanted = Signal(object)  # Reason: show when and where in the recording
    limits_wanted = Signal()
    text_changed = Signal(str)

    def __init__(
        self, service: LabelService, presets: Callable[[], list[tuple[str, str]]], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._service = service
        self._sequence: SkeletonSequence | None = None
        self.answer: Ranking | None = None
        self._task = Newest(self)
        self._task.done.connect(self._on_answer)
        self._task.failed.connect(self._on_problem)
        self._task.busy.connect(self._on_busy)
        self._timer = QTimer(self, singleShot=True, interval=DEBOUNCE)
        self._timer.timeout.connect(self.rank_now)
        self.editor = self._make_editor()
        self.notice = QLabel(wordWrap=True)
        self.notice.setAccessibleName("About your actions")
        self.notice.hide()
        self.why = WhyPanel()
        self.why.chosen.connect(self.moment_wanted)
        self._reasoning = Newest(self)
        self._reasoning.done.connect(lambda found: self.why.show_reasons(*found))
        self._reasoning.failed.connect(lambda problem: self.notice.setText(sentence(problem)))
        self.model = RankingModel(self)
        self.ranking = self._make_ranking()
        self.message = QLabel(wordWrap=True, alignment=Qt.AlignmentFlag.AlignTop)
        self.message.setProperty("role", "muted")
        self.message.setContentsMargins(8, 8, 8, 8)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.message)
        self._stack.addWidget(self.ranking)
        self.footer = ElidedLabel(left=True, end=True)
        self.footer.setProperty("role", "muted")
        self.footer.setAccessibleName("Time of labelling")
        self.model_name = ElidedLabel()
        self.model_name.setProperty("role", "muted")
        self.model_name.setAccessibleName("Model")
        self._limits = button("About this model", self.limits_wanted.emit)
        self._limits.setProperty("role", "link")
        self._limits.setToolTip("Its training data, its accuracy and its limits")
        self._lay_out(presets)
        self._refresh()

    # -- outside -------------------------------------------------------------------------------------------------

    def set_sequence(self, sequence: SkeletonSequence | None) -> None:
        """Rank for another recording, at once."""
        self._sequence = sequence
        self._task.forget()
        self._set_answer(None)
        self.rank_now()

    @property
    def is_busy(self) -> bool:
        """Whether a ranking is being made."""
        return self._task.is_busy

    def set_text(self, text: str) -> None:
        self.editor.setPlainText(text)

    def set_model(self, title: str, folder: Path) -> None:
        """Name the model that ranks."""
        self.model_name.setText(title)
        self.model_name.setToolTip(f"{folder}\nActions → Use another model…")

    def focus(self) -> None:
        """Put the cursor into the box of actions."""
        self.editor.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def text(self) -> str:
        return self.editor.toPlainText()

    def classes(self) -> list[ClassText]:
        """The typed actions."""
        return parse_typed(self.text())

    def chosen_action(self) -> str:
        """The selected action of the ranking, the best one if none is selected, "" without a ranking."""
        if self.answer is None:
            return ""
        row = self.ranking.currentIndex().row()
        return self.answer.labels[max(row, 0)].name

    def rank_now(self) -> None:
        """Rank the typed actions for the recording on screen, without waiting."""
        self._timer.stop()
        sequence, text, service = self._sequence, self.text(), self._service
        if sequence is None or not parse_typed(text):
            self._task.forget()
            self._set_answer(None)
            return
        wanted = self._task.wanted()
        self._task.submit(lambda: service.rank(sequence, text, wanted))

    # -- inside --------------------------------------------------------------------------------------------------

    def _make_editor(self) -> QPlainTextEdit:
        editor = QPlainTextEdit()
        editor.setAccessibleName("Your actions, one per line")
        editor.setPlaceholderText(_PLACEHOLDER)
        editor.setTabChangesFocus(True)
        editor.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)
        editor.textChanged.connect(self._on_text)
        return editor

    def _make_ranking(self) -> QListView:
        view = QListView()
        view.setAccessibleName("Ranking, best first")
        view.setModel(self.model)
        view.setItemDelegate(_BarDelegate(view))
        view.setUniformItemSizes(True)
        view.setMouseTracking(True)
        view.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        view.selectionModel().currentChanged.connect(lambda *_: self._explain())
        return view

    def _lay_out(self, presets: Callable[[], list[tuple[str, str]]]) -> None:
        heading = QLabel("Your actions")
        heading.setBuddy(self.editor)
        examples = QToolButton()
        examples.setText("Examples ▾")
        examples.setAccessibleName("Examples")
        examples.setToolTip("Fill the box with a ready list of actions")
        examples.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(examples)
        menu.aboutToShow.connect(lambda: self._fill_presets(menu, presets))
        examples.setMenu(menu)
        head = QHBoxLayout()
        head.addWidget(heading, 1)
        head.addWidget(examples)
        top = QWidget()
        upper = QVBoxLayout(top)
        upper.setContentsMargins(0, 0, 0, 2)
        upper.addLayout(head)
        upper.addWidget(self.editor, 1)
        bottom = QWidget()
        lower = QVBoxLayout(bottom)
        lower.setContentsMargins(0, 2, 0, 0)
        fit = QLabel("How well each fits")
        fit.setToolTip("Shares among the actions you typed; they sum to 100%")
        title = QHBoxLayout()
        title.addWidget(fit)
        title.addWidget(self.model_name, 1)
        lower.addLayout(title)
        lower.addWidget(self._stack, 1)
        lower.addWidget(self.notice)
        foot = QHBoxLayout()
        foot.addWidget(self.footer, 1)
        foot.addWidget(self._limits)
        lower.addLayout(foot)
        splitter = QSplitter(Qt.Orientation.Vertical)
        splitter.addWidget(top)
        splitter.addWidget(bottom)
        splitter.setStretchFactor(0, 2)
        splitter.setStretchFactor(1, 3)
        splitter.addWidget(self.why)
        splitter.setStretchFactor(2, 2)
        splitter.setSizes([170, 250, 160])
        splitter.setChildrenCollapsible(False)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 0, 8, 8)
        column.addWidget(splitter)
        self.setMinimumWidth(230)

    def _fill_presets(self, menu: QMenu, presets: Callable[[], list[tuple[str, str]]]) -> None:
        menu.clear()
        for title, text in presets():
            menu.addAction(title, functools.partial(self.set_text, text))

    def _on_text(self) -> None:
        self.text_changed.emit(self.text())
        self._task.forget()
        self._timer.start()

    def _on_answer(self, answer: Any) -> None:
        self._set_answer(answer)
        self.answered.emit(answer)

    def _on_problem(self, problem: str) -> None:
        self._set_answer(None)
        self.message.setText(sentence(problem))

    def _on_busy(self, busy: bool) -> None:
        if busy and self.answer is None:
            self.message.setText("Ranking…")
        elif busy:
            self.footer.setText("Ranking…")

    def _set_answer(self, answer: Ranking | None) -> None:
        self.answer = answer
        chosen = self.ranking.currentIndex().data()
        self.model.set_answer(answer)
        names = [] if answer is None else [label.name for label in answer.labels]
        if answer is None:
            self._reasoning.forget()
            self.why.show_reasons("", ())
        else:
            self.ranking.setCurrentIndex(self.model.index(names.index(chosen) if chosen in names else 0))
        self._refresh()

    def _explain(self) -> None:
        """Find the reasons of the current label."""
        sequence, text, name, service = self._sequence, self.text(), self.ranking.currentIndex().data(), self._service
        if sequence is not None and name is not None:
            self._reasoning.submit(lambda: (name, service.reasons(sequence, text, name)))

    def _refresh(self) -> None:
        answer = self.answer
        self._stack.setCurrentIndex(0 if answer is None else 1)
        self.notice.setText("" if answer is None else _remarks(answer))
        self.notice.setVisible(bool(self.notice.text()))
        if answer is not None:
            stages = ", ".join(f"{name} {seconds * 1000:.0f} ms" for name, seconds in answer.timings.items())
            learned = f"  ·  learned from {answer.learned}" if answer.learned else ""
            self.footer.setText(f"{answer.seconds * 1000:.0f} ms{learned}")
            self.footer.setToolTip(f"{stages}; confirmed recordings that had a say: {answer.learned}")
            return
        self.footer.clear()
        if self._sequence is None:
            self.message.setText("Open a recording to rank your actions.")
        elif not parse_typed(self.text()):
            self.message.setText("Type at least one action above. “Examples” has ready lists.")


def _remarks(answer: Ranking) -> str:
    """What a ranking cannot say by its order: that perhaps none of the actions happens, and words not understood."""
    lines = [f"{label.name}: {label.notice}" for label in answer.labels if label.notice]
    if answer.none is not None:
        lines.insert(0, f"None of these: {answer.none:.0%}" + (", probably" if answer.none > 0.5 else ""))
    return "\n".join(lines[:_REMARKS])


def class_presets(folder: Path = RESOURCES / "datasets") -> list[tuple[str, str]]:
    """(title, lines) for the menu: some everyday actions, then the classes of every known data set."""
    found = [("Everyday actions", DEFAULT_CLASSES)]
    for path in sorted(folder.glob("*.yaml")):
        try:
            texts = load_class_texts(path.stem)
        except FloraError:
            continue
        title = path.stem.replace("_", "-").upper().replace("NTU", "NTU-").replace("PKU", "PKU-")
        found.append((f"{title} ({len(texts)} actions)", "\n".join(text.name for text in texts)))
    return found
