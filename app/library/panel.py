"""The left side of the window for a project: a filter over the table of its recordings."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QItemSelection, QItemSelectionModel, QObject, QPoint, Qt, QTimer, Signal
from PySide6.QtWidgets import QHeaderView, QLabel, QLineEdit, QMenu, QTableView, QVBoxLayout, QWidget

from app.commands import key_text, title_of
from app.library.query import common_values, with_term
from app.library.recordings import counted
from app.library.table_model import COLUMNS, ProjectModel
from app.widgets import EndElided, button, rows_view, runs, selected_places, sentence, submenu
from app.workers.tasks import Newest
from flora_engine.project import Project
from flora_engine.project.filters import select, sort_rows
from flora_engine.project.table import Table

_DEBOUNCE = 120  # ms
_MOST_RANGES = 2000  # of selected rows that are selected again
# Which columns are shown at first, and how wide the table must be for that.
_SHOWN_AT_FIRST = {"class": 0, "name": 0, "subject": 350, "frames": 420}
_NARROW_CLASS = 108
_HELP = """Words occur in the name or the class.
class:wave   subject:3   camera:1,2   frames:>100   seconds:1-3
is:labelled   -is:labelled   source:folder   class:"sit down"
Right-click the title of a column for its values."""
_EMPTY = f"""The project is empty.

Drag a folder of recordings here, press {{key}} to import, or choose File → {title_of("file.prepare")}"""
_NO_MATCH = "No recordings match this filter."


@dataclass(frozen=True)
class _Rows:
    table: Table
    rows: NDArray[np.int64]


class LibraryPanel(QWidget):
    """Filters and sorts off the window's thread. The current row plays; edits change the selected rows."""

    chosen = Signal(int)  # id of the recording to show
    selection_changed = Signal()
    shown = Signal()  # the table has other rows
    menu_wanted = Signal(QPoint)
    wanted = Signal(str)  # command id

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.project: Project | None = None
        self._sort, self._descending = "id", False
        self._task = Newest(self)
        self._task.done.connect(self._on_rows)
        self._task.failed.connect(self._on_problem)
        self._timer = QTimer(self, singleShot=True, interval=_DEBOUNCE)
        self._timer.timeout.connect(self.refresh)
        self.model = ProjectModel(self)
        self.model.sort_wanted.connect(self._on_sort)
        self.filter = QLineEdit(placeholderText="Filter: wave subject:3 frames:>60", clearButtonEnabled=True)
        self.filter.setAccessibleName("Filter recordings")
        self.filter.setToolTip(_HELP)
        self.filter.textChanged.connect(lambda _: self._timer.start())
        self.problem = QLabel(wordWrap=True)
        self.problem.setProperty("role", "muted")
        self.problem.hide()
        self.view = self._make_view()
        self.count = QLabel()
        self.count.setProperty("role", "muted")
        self.empty = QLabel(wordWrap=True, alignment=Qt.AlignmentFlag.AlignTop)
        self.empty.setProperty("role", "muted")
        self.empty.setContentsMargins(4, 8, 4, 4)
        self.empty.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 0, 6, 8)
        for widget in (self.filter, self.problem, self.empty):
            column.addWidget(widget)
        column.addWidget(self.view, 1)
        column.addWidget(self.count)
        self.train = button("Train a model…", lambda: self.wanted.emit("actions.train"))
        self.train.setToolTip("On the recordings and classes of this project")
        column.addWidget(self.train)
        self.setMinimumWidth(190)

    def set_project(self, project: Project | None) -> None:
        """Show another project from its first recording, without a filter."""
        self.project = project
        self.filter.blockSignals(True)
        self.filter.clear()
        self.filter.blockSignals(False)
        self._sort, self._descending = "id", False
        self.view.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.model.show_rows(None, np.zeros(0, np.int64))
        self.refresh()

    def refresh(self) -> None:
        """Filter and sort again, as after an edit."""
        self._timer.stop()
        project, query, key, descending = self.project, self.filter.text(), self._sort, self._descending
        if project is None:
            self._task.forget()
            return

        def find() -> _Rows:
            table = project.table
            return _Rows(table, sort_rows(table, select(table, query), key, descending))

        self._task.submit(find)

    @property
    def is_busy(self) -> bool:
        """Whether rows are being filtered or sorted."""
        return self._task.is_busy

    def selected_ids(self) -> list[int]:
        """The recordings that an edit changes."""
        table = self.model.table
        if table is None:
            return []
        found: list[int] = table.ids[self.model.rows[selected_places(self.view)]].tolist()
        return found

    def select_row(self, row: int) -> None:
        """Make one row the current and only selected row, whatever keys are held."""
        flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
        self.view.selectionModel().setCurrentIndex(self.model.index(row, 0), flags)

    def shown_rows(self) -> NDArray[np.int64]:
        """Rows of the project's table that match the filter."""
        return self.model.rows

    def _make_view(self) -> QTableView:
        view = rows_view(self.model)
        view.setAccessibleName("Recordings of the project")
        header = view.horizontalHeader()
        header.setSectionsMovable(True)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._on_header_menu)
        for place, column in enumerate(COLUMNS):
            view.setColumnWidth(place, column.width)
            view.setColumnHidden(place, column.key not in _SHOWN_AT_FIRST)
        view.setItemDelegateForColumn(_place("class"), EndElided(view))
        self._fitting, self._fits = False, True  # the widths follow the table's until the user changes one
        header.sectionResized.connect(self._on_resized)
        view.viewport().installEventFilter(self)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.customContextMenuRequested.connect(lambda at: self.menu_wanted.emit(view.viewport().mapToGlobal(at)))
        view.selectionModel().currentRowChanged.connect(self._on_current)
        view.selectionModel().selectionChanged.connect(lambda *_: self.selection_changed.emit())
        return view

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and watched is self.view.viewport() and self._fits:
            self._fit_columns(self.view.viewport().width())
        return super().eventFilter(watched, event)

    def _fit_columns(self, width: int) -> None:
        """Show as many of the first columns as fit; the name gets the rest of the width."""
        self._fitting = True
        shown = {key for key, least in _SHOWN_AT_FIRST.items() if width >= least}
        others = 0
        for place, column in enumerate(COLUMNS):
            self.view.setColumnHidden(place, column.key not in shown)
            if column.key in shown - {"name"}:
                wide = column.width if "subject" in shown or column.key != "class" else _NARROW_CLASS
                self.view.setColumnWidth(place, wide)
                others += wide
        self.view.setColumnWidth(_place("name"), max(width - others, 60))
        self._fitting = False

    def _on_resized(self, *_: int) -> None:
        self._fits = self._fits and self._fitting

    def _show_column(self, place: int, shown: bool) -> None:
        self._fits = False
        self.view.setColumnHidden(place, not shown)

    def header_menu(self, place: int) -> QMenu:
        """The menu of a column's title: its most common values as filters, and which columns to show."""
        column = COLUMNS[place]
        menu = QMenu(self)
        table = self.model.table
        values = common_values(table, column.key) if table is not None else []
        for value, count in values:
            text = f"{column.title}: {value.removeprefix('=')}   ({count:,})".replace("&", "&&")
            menu.addAction(text, functools.partial(self._set_term, column.key, value))
        if values:
            menu.addAction(f"{column.title}: all", lambda: self._set_term(column.key, None))
            menu.addSeparator()
        columns = submenu(menu, "Columns")
        for other, shown in enumerate(COLUMNS):
            action = columns.addAction(shown.title)
            action.setCheckable(True)
            action.setChecked(not self.view.isColumnHidden(other))
            action.toggled.connect(lambda on, other=other: self._show_column(other, on))
        return menu

    def _on_header_menu(self, at: QPoint) -> None:
        header = self.view.horizontalHeader()
        self.header_menu(max(header.logicalIndexAt(at), 0)).popup(header.mapToGlobal(at))

    def _set_term(self, key: str, value: str | None) -> None:
        self.filter.setText(with_term(self.filter.text(), key, value))

    def _on_sort(self, key: str, descending: bool) -> None:
        self._sort, self._descending = key, descending
        self.refresh()

    def _on_rows(self, found: object) -> None:
        assert isinstance(found, _Rows)
        self.problem.hide()
        current = self.view.currentIndex()
        keep = self.model.id_at(current.row()) if current.isValid() else None
        selected = self.selected_ids()
        selection = self.view.selectionModel()
        selection.blockSignals(True)
        self.model.show_rows(found.table, found.rows)
        self._select_again(selected, keep)
        selection.blockSignals(False)
        rows, total = len(found.rows), len(found.table)
        self.count.setText(f"{rows:,} of {counted(total)}" if rows < total else counted(total))
        self.empty.setText(_NO_MATCH if total else _EMPTY.format(key=key_text("file.import")))
        self.empty.setVisible(not rows)
        self.view.viewport().update()
        if (keep is None or self.model.row_of(keep) < 0) and rows:
            self.select_row(0)
        self.shown.emit()

    def _select_again(self, ids: list[int], current: int | None) -> None:
        """After a reset: select again what is still there, if it lies in few ranges."""
        model, selection = self.model, self.view.selectionModel()
        row = model.row_of(current) if current is not None else -1
        if row < 0 or model.table is None:
            return
        selection.setCurrentIndex(model.index(row, 0), QItemSelectionModel.SelectionFlag.NoUpdate)
        chosen = QItemSelection()
        places = np.flatnonzero(np.isin(model.table.ids[model.rows], ids))
        for first, last in runs(places)[:_MOST_RANGES]:
            chosen.select(model.index(first, 0), model.index(last, 0))
        flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
        selection.select(chosen, flags)

    def _on_problem(self, problem: str) -> None:
        self.problem.setText(sentence(problem))
        self.problem.show()

    def _on_current(self, current: object, previous: object) -> None:
        index = self.view.currentIndex()
        if index.isValid():
            self.chosen.emit(self.model.id_at(index.row()))


def _place(key: str) -> int:
    """The index of a column."""
    return next(place for place, column in enumerate(COLUMNS) if column.key == key)
