"""Curves of a run: one plot per kind of metric, with zoom, smoothing, and one cursor for all plots of the same axis."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from app.theme import Theme, current_theme
from app.training.exporting import ask_export, export
from app.training.metrics import Curve, Drawn, Plot, as_csv
from app.widgets import button
from flora_engine.runs.events import smoothed

# Okabe and Ito's colours, which people with any kind of colour vision tell apart; the last two are ours.
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b3a500", "#8a8a8a")
_HEIGHT = 210
_MANY = 2000  # points
_WIDE = 760  # pixels from which two plots stand side by side


class _Item(pg.PlotDataItem):  # type: ignore[misc]
    """One line. Each change of a style draws a curve anew, so only what has changed is set."""

    def __init__(self, colour: str) -> None:
        super().__init__(connect="finite", pen=pg.mkPen(colour, width=1.6), symbolBrush=colour, symbol=None)
        self.setDownsampling(auto=True, method="peak")
        self.setClipToView(True)
        self._colour, self._few, self._wide = colour, False, True
        self._drawn: tuple[int, float, float] | None = None

    def show_curve(self, curve: Curve, weight: float) -> None:
        """Draw a curve unless it is what is drawn."""
        count = len(curve.steps)
        drawn = (count, float(np.nansum(curve.values)), weight)
        if drawn == self._drawn:
            return
        self._drawn = drawn
        if (few := count == 1) != self._few:  # a line through one point cannot be seen
            self._few = few
            self.setSymbol("o" if few else None)
        if (wide := count < _MANY) != self._wide:  # wide lines of many points take long to draw
            self._wide = wide
            self.setPen(pg.mkPen(self._colour, width=1.6 if wide else 1))
        self.setData(curve.steps, smoothed(curve.values, weight))


class PlotView(QWidget):
    """One plot: its title, what the cursor reads, the curves. Wheel and drag zoom; a double click shows all again."""

    pointed = Signal(str, float)  # axis, step under the pointer

    def __init__(self, plot: Plot) -> None:
        super().__init__()
        self.plot, self.shown = plot, Drawn(plot, ())
        self.title = QLabel(plot.title)
        self.title.setProperty("role", "heading")
        self.reading = QLabel(wordWrap=True)
        self.reading.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.reading.setProperty("role", "muted")
        self.chart = pg.PlotWidget(enableMenu=False)
        self.chart.setAccessibleName(plot.title)
        self.chart.hideButtons()
        self.chart.setFixedHeight(_HEIGHT - 50)
        self.chart.setLabel("bottom", plot.axis)
        self.chart.getAxis("left").setWidth(52)
        if plot.share:
            self.chart.getAxis("left").setScale(100)
            self.chart.getAxis("left").setLabel("%")
        self.line = pg.InfiniteLine(angle=90, movable=False)
        self.line.hide()
        self.chart.addItem(self.line, ignoreBounds=True)
        self.chart.scene().sigMouseMoved.connect(self._on_moved)
        self.chart.scene().sigMouseClicked.connect(self._on_clicked)
        self._items: list[_Item] = []
        self._log = False
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 6)
        column.setSpacing(2)
        column.addWidget(self.title)
        column.addWidget(self.reading)
        column.addWidget(self.chart)
        column.addStretch(1)
        self.set_theme(current_theme())

    def set_theme(self, theme: Theme) -> None:
        self.chart.setBackground(theme.surface)
        for side in ("left", "bottom"):
            self.chart.getAxis(side).setPen(theme.grid)
            self.chart.getAxis(side).setTextPen(theme.muted)
        self.chart.showGrid(x=True, y=True, alpha=0.2)
        self.line.setPen(pg.mkPen(theme.muted, width=1, style=Qt.PenStyle.DashLine))

    def show_curves(self, shown: Drawn, weight: float, log: bool) -> None:
        """Draw these curves, smoothed by `weight`; a view that was zoomed stays where it is."""
        self.shown = shown
        scale = log and not self.plot.share
        if scale != self._log:
            self._log = scale
            self.chart.setLogMode(y=scale)
        colours = COLOURS
        while len(self._items) < len(shown.curves):
            item = _Item(colours[len(self._items) % len(colours)])
            self.chart.addItem(item)
            self._items.append(item)
        for place, item in enumerate(self._items):
            item.setVisible(place < len(shown.curves))
            if place < len(shown.curves):
                item.show_curve(shown.curves[place], weight)
        self.read(None)

    def read(self, step: float | None) -> None:
        """Show the cursor at `step`, and the curves' values there; None for their last values."""
        self.line.setVisible(step is not None)
        if step is not None:
            self.line.setPos(step)
        colours, parts = COLOURS, []
        for place, curve in enumerate(self.shown.curves):
            if not len(curve.steps):
                continue
            last = len(curve.steps) - 1
            at = last if step is None else int(np.clip(np.searchsorted(curve.steps, step - 0.5), 0, last))
            value = f"{curve.values[at]:.1%}" if self.plot.share else f"{curve.values[at]:.4g}"
            mark = f'<span style="color:{colours[place % len(colours)]}">■</span>'
            parts.append(f"{mark} {_escaped(curve.label)} <b>{value}</b>")
        where = "" if step is None else f"{self.plot.axis} {step:.0f}: "
        more = f" (newest; {self.shown.left_out} more: choose a stage)" if self.shown.left_out else ""
        self.reading.setText(where + "&nbsp; ".join(parts) + more)

    def show_all(self) -> None:
        self.chart.enableAutoRange()

    def _on_moved(self, place: QPointF) -> None:
        if self.chart.sceneBoundingRect().contains(place):
            step = self.chart.getPlotItem().vb.mapSceneToView(place).x()
            self.pointed.emit(self.plot.axis, float(step))

    def _on_clicked(self, event: object) -> None:
        if event.double():  # type: ignore[attr-defined]
            self.show_all()

    def leaveEvent(self, event: object) -> None:
        self.pointed.emit(self.plot.axis, float("nan"))


class CurvesView(QWidget):
    """All plots of a run, or of several, with the controls above them."""

    trouble = Signal(str)  # one sentence

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.smoothing = QSlider(Qt.Orientation.Horizontal)
        self.smoothing.setMaximum(99)
        self.smoothing.setFixedWidth(110)
        self.smoothing.setAccessibleName("Smoothing")
        self.smoothing.setToolTip("Exponential moving average of each curve")
        self.smoothing.valueChanged.connect(lambda _: self._redraw())
        self.log = QCheckBox("Log scale")
        self.log.toggled.connect(lambda _: self._redraw())
        self.empty = QLabel("Nothing is measured yet.", alignment=Qt.AlignmentFlag.AlignCenter)
        self.empty.setProperty("role", "muted")
        self._plots: list[Drawn] = []
        self.views: dict[str, PlotView] = {}
        row = QHBoxLayout()
        row.addWidget(QLabel("Smoothing"))
        row.addWidget(self.smoothing)
        row.addWidget(self.log)
        row.addStretch(1)
        row.addWidget(button("Show all", self.show_all))
        row.addWidget(button("Export…", self._ask_export))
        self._holder = QWidget()
        self._grid = QGridLayout(self._holder)
        self._grid.setContentsMargins(0, 0, 4, 0)
        self._area = QScrollArea(widgetResizable=True)
        self._area.setWidget(self._holder)
        self._area.setFrameShape(QScrollArea.Shape.NoFrame)
        self._columns = 0
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 6, 0, 0)
        column.addLayout(row)
        column.addWidget(self.empty, 1)
        column.addWidget(self._area, 1)
        self._area.hide()

    def set_theme(self, theme: Theme) -> None:
        for view in self.views.values():
            view.set_theme(theme)
        self._redraw()

    def show_plots(self, plots: list[Drawn]) -> None:
        """Show these plots in place of what was shown."""
        self._plots = plots
        titles = [each.plot.title for each in plots]
        for title in [title for title in self.views if title not in titles]:
            view = self.views.pop(title)
            self._grid.removeWidget(view)
            view.deleteLater()
            self._columns = 0
        for each in plots:
            if each.plot.title not in self.views:
                view = PlotView(each.plot)
                view.pointed.connect(self._on_pointed)
                self.views[each.plot.title] = view
                self._columns = 0
        self.empty.setVisible(not plots)
        self._area.setVisible(bool(plots))
        self._arrange()
        self._redraw()

    def show_all(self) -> None:
        """Undo every zoom."""
        for view in self.views.values():
            view.show_all()

    def export(self, path: Path) -> None:
        """Write a picture of all plots (PNG or SVG), also of those that are scrolled away, or their points (CSV).

        Raises FloraError.
        """
        export(path, self._holder, lambda: as_csv(self._plots))

    def resizeEvent(self, event: object) -> None:
        self._arrange()

    def _arrange(self) -> None:
        columns = 2 if self.width() >= _WIDE and len(self.views) > 1 else 1
        if columns == self._columns:
            return
        self._columns = columns
        for number, each in enumerate(self._plots):
            self._grid.addWidget(self.views[each.plot.title], number // columns, number % columns)
            self.views[each.plot.title].show()  # in a layout that is on screen already Qt leaves it hidden
        for column in range(2):
            self._grid.setColumnStretch(column, int(column < columns))

    def _redraw(self) -> None:
        for each in self._plots:
            self.views[each.plot.title].show_curves(each, self.smoothing.value() / 100, self.log.isChecked())

    def _on_pointed(self, axis: str, step: float) -> None:
        for view in self.views.values():
            if view.plot.axis == axis:
                view.read(None if np.isnan(step) else step)

    def _ask_export(self) -> None:
        if problem := ask_export(self, "curves", self._holder, lambda: as_csv(self._plots)):
            self.trouble.emit(problem)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
