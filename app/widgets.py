"""Small parts that several dialogs are made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import (
    QAbstractItemModel,
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QSize,
    Qt,
)
from PySide6.QtGui import QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QMenuBar,
    QPlainTextEdit,
    QPushButton,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QToolTip,
    QVBoxLayout,
    QWidget,
)


def button(title: str, act: Callable[[], object], *, primary: bool = False) -> QPushButton:
    """A button. Return presses it if it is the `primary` one of its dialog."""
    made = QPushButton(title)
    made.setAutoDefault(primary)
    made.setDefault(primary)
    made.setProperty("primary", primary)
    made.clicked.connect(lambda _=False: act())
    return made


def submenu(above: QMenu | QMenuBar, title: str) -> QMenu:
    """A menu in another, which owns it. PySide6 6.8 to 6.10 delete that of `addMenu(title)` when Python forgets it."""
    made = QMenu(title, above)
    above.addMenu(made)
    return made


def choice_box(entries: Sequence[tuple[str, object]]) -> QComboBox:
    """A box of (title, data) that shrinks if there is little room."""
    box = QComboBox()
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(12)
    for title, value in entries:
        box.addItem(title, value)
    return box


def buttons_row(message: QLabel, *buttons: QPushButton) -> QHBoxLayout:
    """The foot of a dialog: a message, then buttons."""
    row = QHBoxLayout()
    message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    row.addWidget(message, 1)
    for each in buttons:
        row.addWidget(each, 0, Qt.AlignmentFlag.AlignBottom)
    return row


def rows_view(model: QAbstractItemModel) -> QTableView:
    """A sortable table in which whole rows are selected; in the model's own order at first."""
    view = QTableView()
    view.setModel(model)
    view.setSortingEnabled(True)
    view.setShowGrid(False)
    view.setAlternatingRowColors(True)
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
    view.setTabKeyNavigation(False)
    view.setWordWrap(False)
    view.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    view.verticalHeader().hide()
    view.verticalHeader().setDefaultSectionSize(24)
    header = view.horizontalHeader()
    header.setHighlightSections(False)
    header.setSortIndicatorClearable(True)
    header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
    # With the selection of the view, drawing the header would ask about every row: a second for 20,000 rows.
    header.setSelectionModel(QItemSelectionModel(model, header))
    return view


def selected_places(view: QTableView) -> NDArray[np.int64]:
    """The selected rows of a view, sorted. By ranges: one Python object per selected row would block the window."""
    selection = view.selectionModel().selection()
    ranges = [selection.at(place) for place in range(selection.count())]
    rows = [np.arange(one.top(), one.bottom() + 1) for one in ranges]
    return np.unique(np.concatenate(rows)) if rows else np.zeros(0, np.int64)


def runs(places: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Sorted row numbers as (first, last) of runs without gaps."""
    parts = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if len(places) else []
    return [(int(part[0]), int(part[-1])) for part in parts]


class ElidedLabel(QLabel):
    """One line, aligned right, or left if `left`; text that does not fit is cut with an ellipsis, in the middle or, if
    `end`, at its end. If there is no tool tip, the whole text is one while it is cut.
    """

    def __init__(self, *, left: bool = False, end: bool = False) -> None:
        super().__init__()
        flags = Qt.AlignmentFlag
        self._align = (flags.AlignLeft if left else flags.AlignRight) | flags.AlignVCenter
        self._mode = Qt.TextElideMode.ElideRight if end else Qt.TextElideMode.ElideMiddle

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.drawText(self.rect(), self._align, self._shown())
        painter.end()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent) and not self.toolTip():
            QToolTip.showText(event.globalPos(), "" if self._shown() == self.text() else self.text(), self)
            return True
        return super().event(event)

    def _shown(self) -> str:
        return self.fontMetrics().elidedText(self.text(), self._mode, self.width())


class EndElided(QStyledItemDelegate):
    """Cells whose text is cut at its end, in a view that cuts other cells in the middle."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        option.textElideMode = Qt.TextElideMode.ElideRight


def sentence(text: str) -> str:
    """`text` with a capital at its start, unless it starts with a file name."""
    return text[:1].upper() + text[1:] if re.match(r"[a-z]+ ", text) else text


class TextDialog(QDialog):
    """A long text to read and copy, such as the report of a job."""

    def __init__(self, title: str, heading: str, text: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.resize(720, 460)
        self.heading = QLabel(heading, wordWrap=True)
        self.heading.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.text = QPlainTextEdit(text, readOnly=True)
        self.text.setAccessibleName(title)
        column = QVBoxLayout(self)
        column.addWidget(self.heading)
        column.addWidget(self.text, 1)
        column.addLayout(buttons_row(QLabel(), button("Close", self.accept, primary=True)))
