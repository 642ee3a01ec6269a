"""Two to eight runs side by side: their curves overlaid, the settings that differ, the results."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QHeaderView, QTableWidget, QTableWidgetItem, QTabWidget, QVBoxLayout, QWidget

from app.theme import Theme
from app.training.curves import CurvesView
from app.training.metrics import Curve, Drawn, drawn
from app.training.runs_panel import names_of
from app.workers.tasks import Newest
from flora_engine.errors import FloraError
from flora_engine.runs.events import History
from flora_engine.runs.folder import RunFolder
from flora_engine.runs.listing import RunRow, different
from flora_engine.runs.results import read_result
from flora_engine.runs.tables import numbers


class ComparePage(QWidget):
    """Shows the runs as they were when it was opened."""

    def __init__(self, runs: Sequence[RunRow], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.names = names_of(runs)
        self.curves = CurvesView()
        self.results = _table(self.names, {})
        self.settings = _table(self.names, different([run.config for run in runs]))
        self._runs = runs
        self._task = Newest(self)
        self._task.done.connect(self._on_read)
        self._task.submit(self._read)
        tabs = QTabWidget()
        tabs.setDocumentMode(True)
        for widget, title in (
            (self.curves, "Curves"),
            (self.results, "Results"),
            (self.settings, "Settings that differ"),
        ):
            tabs.addTab(widget, title)
        column = QVBoxLayout(self)
        column.addWidget(tabs)

    @property
    def title(self) -> str:
        return f"Compare {len(self.names)} runs"

    @property
    def is_busy(self) -> bool:
        return self._task.is_busy

    def set_theme(self, theme: Theme) -> None:
        self.curves.set_theme(theme)

    def _read(self) -> tuple[list[list[Drawn]], dict[str, list[str]]]:
        plots, found = [], []
        for run, name in zip(self._runs, self.names, strict=True):
            history = History(run.path)
            history.refresh()
            plots.append(drawn(history, before=f"{name} "))
            try:
                found.append(numbers(read_result(RunFolder(run.path).result() or {})))
            except FloraError:
                found.append({})
        rows = dict.fromkeys(key for one in found for key in one)
        return plots, {key: [one.get(key, "") for one in found] for key in rows}

    def _on_read(self, answer: object) -> None:
        assert isinstance(answer, tuple)
        plots, results = answer
        self.curves.show_plots(overlaid(plots))
        _fill(self.results, results)


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
