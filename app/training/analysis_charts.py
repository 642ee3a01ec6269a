"""Charts of what a run decided: seen against unseen accuracy, and the map of recordings and class texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from app.theme import current_theme
from app.training.curves import COLOURS
from flora_engine.runs.analysis import Latents, View

Points = NDArray[np.float32]


class SeenUnseenChart(QWidget):
    """One curve per seed: what is right of seen and of unseen classes for every bonus, with the chosen one marked."""

    def __init__(self) -> None:
        super().__init__()
        self.text = QLabel(wordWrap=True)
        self.text.setProperty("role", "muted")
        self.chart = _chart("Accuracy of seen and unseen classes")
        self.chart.setLabel("bottom", "accuracy of seen classes, %")
        self.chart.setLabel("left", "accuracy of unseen classes, %")
        self.chosen: list[tuple[float, float]] = []  # shares at the chosen calibration, per seed
        _stack(self, self.text, self.chart)

    def show_view(self, view: View) -> None:
        """Draw the curves of a view of all classes; another one has none."""
        self.chart.clear()
        _colour(self.chart)
        self.chosen = []
        if view.setting != "gzsl":
            self.text.setText("Choose “all classes” above: among unseen classes alone there is nothing to balance.")
            return
        factors = []
        for place, one in enumerate(view.decisions):
            colour = COLOURS[place % len(COLOURS)]
            _, seen, unseen = one.curve
            self.chart.plot(100 * seen, 100 * unseen, pen=pg.mkPen(colour, width=1.6))
            point = one.shares(view.analysis.unseen)
            self.chosen.append(point)
            self.chart.plot([100 * point[0]], [100 * point[1]], pen=None, symbol="o", symbolSize=11, symbolBrush=colour)
            factors.append(f"{math.exp(-one.bonus):.2f}")
        self.chart.setRange(xRange=(0, 100), yRange=(0, 100), padding=0.02)
        seeds = "" if len(factors) == 1 else ", one curve per seed"
        said = f"● The chosen calibration (factor {', '.join(dict.fromkeys(factors))}){seeds}."
        self.text.setText(f"{said} A smaller factor favours unseen classes.")


class MapChart(QWidget):
    """Recordings as points and class texts as names. Unseen classes have colours, seen ones are grey."""

    chosen = Signal(int)  # place of a recording in the test part

    def __init__(self) -> None:
        super().__init__()
        self.text = QLabel(wordWrap=True)
        self.text.setProperty("role", "muted")
        self.chart = _chart("Map of recordings and class texts")
        self.chart.hideAxis("left")
        self.chart.hideAxis("bottom")
        self._rows: NDArray[np.int64] = np.zeros(0, np.int64)
        self._points = pg.ScatterPlotItem(size=7, hoverable=True, hoverSize=11)
        self._points.sigClicked.connect(self._on_clicked)
        _stack(self, self.text, self.chart)

    def show_points(
        self,
        latents: Latents,
        labels: NDArray[np.int64],
        names: Sequence[str],
        unseen: Sequence[int],
        places: tuple[Points, Points] | None = None,
    ) -> None:
        """Draw a map. labels: of the latents' recordings. places: (N, 2) and (K, 2), if not the first components."""
        theme, self._rows = current_theme(), latents.rows
        recordings, texts = places or (latents.recordings[:, :2], latents.texts[:, :2])
        self.chart.clear()
        _colour(self.chart)
        colour = {label: COLOURS[place % len(COLOURS)] for place, label in enumerate(unseen)}
        brushes = [pg.mkBrush(colour.get(int(label), theme.muted)) for label in labels]
        self._points.setData(recordings[:, 0], recordings[:, 1], brush=brushes, pen=None, data=np.arange(len(labels)))
        self.chart.addItem(self._points)
        for label in range(min(len(names), len(texts))):
            here = label in colour
            if not here and len(names) > 40:
                continue
            self.chart.plot(
                *texts[label][:, None],
                pen=None,
                symbol="star",
                symbolSize=13,
                symbolBrush=colour.get(label, theme.muted),
            )
            item = pg.TextItem(names[label], color=theme.text if here else theme.muted, anchor=(0, 1))
            item.setPos(*(float(value) for value in texts[label]))
            self.chart.addItem(item)
        self.chart.autoRange()
        how = (
            "UMAP of the first components"
            if places is not None
            else f"PCA ({latents.explained[:2].sum():.0%} of the spread)"
        )
        self.text.setText(f"{how}. ● a recording (click it), ★ the texts of a class. Grey: seen classes.")

    def show_nothing(self, text: str) -> None:
        self.chart.clear()
        _colour(self.chart)
        self.text.setText(text)

    def _on_clicked(self, _item: Any, points: Any) -> None:
        if len(points):
            self.chosen.emit(int(self._rows[int(points[0].data())]))


def _chart(name: str) -> Any:
    chart = pg.PlotWidget()
    chart.setAccessibleName(name)
    chart.setMenuEnabled(False)
    chart.hideButtons()
    _colour(chart)
    return chart


def _colour(chart: Any) -> None:
    theme = current_theme()
    chart.setBackground(theme.surface)
    for side in ("left", "bottom"):
        chart.getAxis(side).setPen(theme.grid)
        chart.getAxis(side).setTextPen(theme.muted)


def _stack(widget: QWidget, text: QLabel, chart: QWidget) -> None:
    column = QVBoxLayout(widget)
    column.setContentsMargins(0, 4, 0, 0)
    column.addWidget(chart, 1)
    column.addWidget(text, 0, Qt.AlignmentFlag.AlignBottom)
