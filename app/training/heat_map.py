"""A square table of shares or cosines as a picture: names at its left, the pair under the pointer in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, Qt, Signal
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from app.theme import current_theme

Matrix = NDArray[Any]
# From low to high: stops of Viridis, which is even in lightness. Not from pyqtgraph's files, which do not ship.
_COLOURS = ("#440154", "#414487", "#2a788e", "#22a884", "#7ad151", "#fde725")
_MOST_NAMES = 45  # rows whose names are drawn; with more, every second, third …
_LONGEST, _SHORTEST = 22, 12  # letters of a name at the left; with room for fewer there are none
_PER_LETTER = 22  # pixels of the whole map per letter of a name


class HeatMap(QWidget):
    """Click a cell, or move with the arrow keys and press Return, to choose it."""

    chosen = Signal(int, int)  # row, column

    def __init__(self, title: str, words: Callable[[int, int], str], hint: str = "") -> None:
        """words: what is said about a cell. hint: what is said before one is chosen."""
        super().__init__()
        self.names: list[str] = []
        self.matrix: Matrix = np.zeros((0, 0), np.float32)
        self._words, self._hint = words, hint
        self._at = (-1, -1)
        self.reading = QLabel(wordWrap=True)
        self.reading.setProperty("role", "muted")
        self._chart = pg.PlotWidget()
        self._chart.setAccessibleName(title)
        self._chart.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._chart.setMenuEnabled(False)
        self._chart.hideButtons()
        self._chart.setMouseEnabled(False, False)
        self._chart.invertY(True)
        self._chart.hideAxis("bottom")
        self._image = pg.ImageItem(axisOrder="row-major")
        self._image.setColorMap(pg.ColorMap(None, list(_COLOURS)))
        self._chart.addItem(self._image)
        self._frame = pg.PlotDataItem(pen=pg.mkPen("#e8590c", width=2))
        self._chart.addItem(self._frame, ignoreBounds=True)
        self._chart.scene().sigMouseMoved.connect(self._on_moved)
        self._chart.scene().sigMouseClicked.connect(self._on_clicked)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(title)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._chart, 1)
        column.addWidget(self.reading)
        self._set_colours()

    def show_matrix(self, names: Sequence[str], matrix: Matrix, low: float, high: float) -> None:
        """Show (K, K); `low` and `high` are the ends of the colours."""
        self.names, self.matrix = list(names), matrix
        self._at = (-1, -1)
        self._frame.setData([], [])
        self.reading.setText(self._hint)
        self._image.setImage(np.asarray(matrix, np.float32), levels=(low, max(high, low + 1e-6)))
        self._show_names()
        self._chart.setRange(xRange=(0, len(names)), yRange=(0, len(names)), padding=0.01)

    def _show_names(self) -> None:
        """As long as there is room; in a narrow map only the pointer names them."""
        longest = min(_LONGEST, self.width() // _PER_LETTER)
        every = max(1, -(-len(self.names) // _MOST_NAMES))
        ticks = [(row + 0.5, _short(name, longest)) for row, name in enumerate(self.names) if row % every == 0]
        self._chart.getAxis("left").setTicks([ticks])
        self._chart.showAxis("left", longest >= _SHORTEST)

    def resizeEvent(self, event: object) -> None:
        self._show_names()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._set_colours()

    def _set_colours(self) -> None:
        theme = current_theme()
        self._chart.setBackground(theme.surface)
        axis = self._chart.getAxis("left")
        axis.setPen(theme.grid)
        axis.setTextPen(theme.muted)

    def choose(self, row: int, column: int) -> None:
        """Choose a cell as a click does."""
        self._point(row, column)
        self.chosen.emit(row, column)

    def _point(self, row: int, column: int) -> None:
        self._at = (row, column)
        left, top = [column, column + 1, column + 1, column, column], [row, row, row + 1, row + 1, row]
        self._frame.setData(left, top)
        self.reading.setText(self._words(row, column))

    def _cell(self, place: QPointF) -> tuple[int, int] | None:
        at = self._chart.getPlotItem().vb.mapSceneToView(place)
        row, column = int(np.floor(at.y())), int(np.floor(at.x()))
        return (row, column) if 0 <= row < len(self.names) and 0 <= column < len(self.names) else None

    def _on_moved(self, place: QPointF) -> None:
        cell = self._cell(place)
        self._chart.setToolTip(self._words(*cell) if cell is not None else "")

    def _on_clicked(self, event: Any) -> None:
        cell = self._cell(event.scenePos())
        if cell is not None:
            self.choose(*cell)

    def keyPressEvent(self, event: Any) -> None:
        steps = {Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0)}
        row, column = self._at
        if event.key() in steps and self.names:
            down, right = steps[event.key()]
            last = len(self.names) - 1
            self._point(min(max(row + down, 0), last), min(max(column + right, 0), last))
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and row >= 0:
            self.chosen.emit(row, column)
        else:
            super().keyPressEvent(event)


def _short(name: str, longest: int) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1]}…"
