"""Charts of the listed recordings by class, subject, camera and length."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from PySide6.QtWidgets import QLabel, QScrollArea, QTabWidget, QVBoxLayout, QWidget

from app.library.recordings import counted as number_of
from app.theme import LIGHT, Theme
from app.workers.tasks import Newest
from flora_engine.project.statistics import Statistics, statistics
from flora_engine.project.table import Table

_BAR = 20  # pixels per class


class StatisticsPanel(QWidget):
    """Bar charts that follow the filter of the library, counted off the window's thread while they are visible."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = LIGHT
        self._asked: tuple[Table, np.ndarray] | None = None
        self.counted: Statistics | None = None
        self._task = Newest(self)
        self._task.done.connect(self._on_counted)
        self.summary = QLabel(wordWrap=True)
        self._charts = {name: pg.PlotWidget() for name in ("classes", "subjects", "cameras", "lengths")}
        self._tabs = QTabWidget()
        self._tabs.setDocumentMode(True)
        self._tabs.setUsesScrollButtons(False)
        self._tabs.tabBar().setDrawBase(False)
        for name, title in (
            ("classes", "Classes"),
            ("subjects", "Subjects"),
            ("cameras", "Cameras"),
            ("lengths", "Lengths"),
        ):
            chart = self._charts[name]
            chart.setAccessibleName(f"Recordings by {title.lower()}")
            chart.setMenuEnabled(False)
            chart.setMouseEnabled(False, False)
            chart.hideButtons()
            page: QWidget = chart
            if name == "classes":
                page = QScrollArea(widgetResizable=True)
                page.setWidget(chart)
            self._tabs.addTab(page, title)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 0, 8, 8)
        column.addWidget(self.summary)
        column.addWidget(self._tabs, 1)

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        for chart in self._charts.values():
            chart.setBackground(theme.surface)
            for side in ("left", "bottom"):
                axis = chart.getAxis(side)
                axis.setPen(theme.border)
                axis.setTextPen(theme.text)
                axis.setStyle(tickLength=0)
        if self.counted is not None:
            self._on_counted(self.counted)

    @property
    def is_busy(self) -> bool:
        """Whether it is counting."""
        return self._task.is_busy

    def show_rows(self, table: Table | None, rows: np.ndarray) -> None:
        """Count these rows as soon as the panel is visible."""
        self._asked = None if table is None else (table, rows)
        if self.isVisible():
            self._count()

    def showEvent(self, event: object) -> None:
        self._count()

    def _count(self) -> None:
        if self._asked is not None:
            table, rows = self._asked
            self._task.submit(lambda: statistics(table, rows))

    def _on_counted(self, counted: object) -> None:
        assert isinstance(counted, Statistics)
        self.counted = counted
        minutes = counted.seconds / 60
        self.summary.setText(
            f"{number_of(counted.recordings)}, {number_of(counted.frames, 'frame')}, {minutes:,.1f} minutes, "
            f"{number_of(len(counted.numbers['subject']), 'subject')}"
        )
        classes = {name or "(no class)": count for name, count in counted.classes.items() if count or name}
        self._draw_classes(classes)
        self._draw_numbers("subjects", counted.numbers["subject"])
        self._draw_numbers("cameras", counted.numbers["camera"])
        self._draw_lengths(counted)

    def _draw_classes(self, classes: dict[str, int]) -> None:
        chart = self._charts["classes"]
        chart.clear()
        names, counts = list(classes), list(classes.values())
        places = np.arange(len(names))[::-1]
        chart.addItem(pg.BarGraphItem(x0=0, y=places, height=0.7, width=counts, brush=self._theme.accent, pen=None))
        chart.getAxis("left").setTicks([list(zip(places.tolist(), names, strict=True))])
        chart.setYRange(-0.7, len(names) - 0.3, padding=0)
        chart.setXRange(0, max(counts, default=1) * 1.05, padding=0)
        chart.setMinimumHeight(max(120, _BAR * len(names) + 40))

    def _draw_numbers(self, name: str, counts: dict[int, int]) -> None:
        chart = self._charts[name]
        chart.clear()
        places = np.arange(len(counts))
        heights = list(counts.values())
        chart.addItem(pg.BarGraphItem(x=places, height=heights, width=0.7, brush=self._theme.accent, pen=None))
        labels = [(place, str(number) if number else "?") for place, number in enumerate(counts)]
        step = max(1, len(labels) // 25)
        chart.getAxis("bottom").setTicks([labels[::step]])
        chart.setXRange(-0.7, max(len(counts), 1) - 0.3, padding=0)
        chart.setYRange(0, max(heights, default=1) * 1.05, padding=0)

    def _draw_lengths(self, counted: Statistics) -> None:
        chart = self._charts["lengths"]
        chart.clear()
        edges = counted.length_edges
        chart.addItem(
            pg.BarGraphItem(
                x0=edges[:-1], x1=edges[1:], height=counted.lengths, brush=self._theme.accent, pen=self._theme.surface
            )
        )
        chart.setLabel("bottom", "frames")
        chart.setXRange(float(edges[0]), float(edges[-1]), padding=0.02)
        chart.setYRange(0, max(int(counted.lengths.max(initial=1)), 1) * 1.05, padding=0)
