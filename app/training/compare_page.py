"""Two to eight runs side by side: curves overlaid, results, differences seed by seed, settings that differ."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from app.theme import Theme
from app.training.curves import CurvesView
from app.training.exporting import ask_export, table_csv
from app.training.metrics import Curve, Drawn, drawn
from app.training.runs_panel import names_of
from app.widgets import button, buttons_row, choice_box
from app.workers.tasks import Newest
from flora_engine.errors import FloraError
from flora_engine.runs.events import History
from flora_engine.runs.folder import RunFolder
from flora_engine.runs.listing import RunRow, different
from flora_engine.runs.results import AnyResult, read_result
from flora_engine.runs.tables import differences, numbers


class ComparePage(QWidget):
    """Shows the runs as they were when it was opened."""

    def __init__(self, runs: Sequence[RunRow], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.names = names_of(runs)
        self.curves = CurvesView()
        self.results = _table(self.names, {})
        self.settings = _table(self.names, different([run.config for run in runs]))
        self.base = choice_box([(name, place) for place, name in enumerate(self.names)])
        self.base.setAccessibleName("Run that the others are compared with")
        self.base.currentIndexChanged.connect(lambda _: self._show_differences())
        self.differences = _table(self.names, {})
        self._found: list[AnyResult | None] = []
        self._runs = runs
        self._task = Newest(self)
        self._task.done.connect(self._on_read)
        self._task.submit(self._read)
        self.tabs = tabs = QTabWidget()
        tabs.setDocumentMode(True)
        for widget, title in (
            (self.curves, "Curves"),
            (self.results, "Results"),
            (self._differences_page(), "Differences"),
            (self.settings, "Settings that differ"),
        ):
            tabs.addTab(widget, title)
        self.message = QLabel(wordWrap=True)
        self.curves.trouble.connect(self.message.setText)
        column = QVBoxLayout(self)
        column.addWidget(tabs, 1)
        column.addLayout(buttons_row(self.message, button("Export the table…", self._ask_export)))

    @property
    def title(self) -> str:
        return f"Compare {len(self.names)} runs"

    @property
    def is_busy(self) -> bool:
        return self._task.is_busy

    def set_theme(self, theme: Theme) -> None:
        self.curves.set_theme(theme)

    def _differences_page(self) -> QWidget:
        row = QHBoxLayout()
        row.addWidget(QLabel("What each run has more than"))
        row.addWidget(self.base)
        row.addWidget(QLabel("in percentage points, seed by seed, with the standard error", wordWrap=True), 1)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 6, 0, 0)
        column.addLayout(row)
        column.addWidget(self.differences, 1)
        return page

    def _read(self) -> tuple[list[list[Drawn]], list[AnyResult | None]]:
        plots: list[list[Drawn]] = []
        found: list[AnyResult | None] = []
        for run, name in zip(self._runs, self.names, strict=True):
            history = History(run.path)
            history.refresh()
            plots.append(drawn(history, before=f"{name} "))
            try:
                found.append(read_result(RunFolder(run.path).result() or {}))
            except FloraError:
                found.append(None)
        return plots, found

    def _on_read(self, answer: object) -> None:
        assert isinstance(answer, tuple)
        plots, self._found = answer
        self.curves.show_plots(overlaid(plots))
        _fill(self.results, beside([numbers(result) for result in self._found]))
        self._show_differences()

    def _show_differences(self) -> None:
        if self._found:
            base = self._found[int(self.base.currentData())]
            columns = [differences(result, base) if result is not base else {} for result in self._found]
            _fill(self.differences, beside([{key: str(one) for key, one in column.items()} for column in columns]))

    def _ask_export(self) -> None:
        table = {1: self.results, 2: self.differences, 3: self.settings}.get(self.tabs.currentIndex())
        if table is None:
            self.message.setText("Curves have an export of their own; choose a table.")
            return
        self.message.setText(ask_export(self, "comparison", table, lambda: as_text(table)))


def beside(columns: Sequence[dict[str, str]]) -> dict[str, list[str]]:
    """Named texts of several runs as rows; "" if a run does not have one."""
    rows = dict.fromkeys(key for one in columns for key in one)
    return {key: [one.get(key, "") for one in columns] for key in rows}


def as_text(table: QTableWidget) -> str:
    """A table as CSV."""

    def cells(row: int) -> list[str]:
        items = (table.item(row, column) for column in range(table.columnCount()))
        return ["" if item is None else item.text() for item in items]

    heads = (table.horizontalHeaderItem(column) for column in range(table.columnCount()))
    return table_csv(
        ["" if head is None else head.text() for head in heads], [cells(row) for row in range(table.rowCount())]
    )


def overlaid(runs: Sequence[Sequence[Drawn]]) -> list[Drawn]:
    """The plots of several runs in one, the last curves of each."""
    plots = list(dict.fromkeys(each.plot for run in runs for each in run))
    room = max(1, 8 // max(1, len(runs)))
    found = []
    for plot in plots:
        curves: list[Curve] = []
        left_out = 0
        for run in runs:
            for each in run:
                if each.plot == plot:
                    curves += each.curves[-room:]
                    left_out += each.left_out + max(0, len(each.curves) - room)
        found.append(Drawn(plot, tuple(curves), left_out))
    return found


def _table(names: Sequence[str], rows: dict[str, list[str]]) -> QTableWidget:
    table = QTableWidget(0, len(names) + 1)
    table.setHorizontalHeaderLabels(["", *names])
    table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
    table.verticalHeader().hide()
    table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    _fill(table, rows)
    return table


def _fill(table: QTableWidget, rows: dict[str, list[str]]) -> None:
    table.setRowCount(len(rows))
    for place, (key, values) in enumerate(rows.items()):
        for column, text in enumerate((key, *values)):
            table.setItem(place, column, QTableWidgetItem(text))
