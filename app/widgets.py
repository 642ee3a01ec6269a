"""Small parts that several dialogs are made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from PySide6.QtCore import QAbstractItemModel, QItemSelectionModel, QModelIndex, QPersistentModelIndex, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)


def button(title: str, act: Callable[[], object], *, primary: bool = False) -> QPushButton:
    """A button that Return presses only where it is the `primary` one of its dialog."""
    made = QPushButton(title)
    made.setAutoDefault(primary)
    made.setDefault(primary)
    made.setProperty("primary", primary)
    made.clicked.connect(lambda _=False: act())
    return made


def choice_box(entries: Sequence[tuple[str, object]]) -> QComboBox:
    """A box of (title, data) that gives way where it is narrow."""
    box = QComboBox()
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(12)
    for title, value in entries:
        box.addItem(title, value)
    return box


def path_row(line: QLineEdit, *choices: tuple[str, Callable[[], object]]) -> QWidget:
    """A line for a path with buttons that choose it."""
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    row.addWidget(line, 1)
    for title, act in choices:
        row.addWidget(button(title, act))
    return holder


def buttons_row(message: QLabel, *buttons: QPushButton) -> QHBoxLayout:
    """The foot of a dialog: what there is to say, then what there is to press."""
    row = QHBoxLayout()
    message.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    row.addWidget(message, 1)
    for each in buttons:
        row.addWidget(each, 0, Qt.AlignmentFlag.AlignBottom)
    return row


def rows_view(model: QAbstractItemModel) -> QTableView:
    """A sortable table of whole rows, several of which may be selected; in the model's own order at first."""
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
    # The view's own selection would be asked of every row, whenever the header is drawn: a second for 20,000 rows.
    header.setSelectionModel(QItemSelectionModel(model, header))
    return view


class ElidedLabel(QLabel):
    """One line at the right that gives way: what does not fit is cut with an ellipsis."""

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideMiddle, self.width())
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
        painter.end()


class EndElided(QStyledItemDelegate):
    """Cells whose text is cut at its end, in a view that cuts others in their middle."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        option.textElideMode = Qt.TextElideMode.ElideRight


def sentence(text: str) -> str:
    """`text` with a capital at its start, unless that is the name of a file."""
    return text[:1].upper() + text[1:] if re.match(r"[a-z]+ ", text) else text


class TextDialog(QDialog):
    """A longer text to read and copy, such as the report of a job."""

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
