"""Charts and tables as files: PNG, SVG and CSV, by the name's ending."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QPoint, QRect
from PySide6.QtGui import QPainter
from PySide6.QtSvg import QSvgGenerator
from PySide6.QtWidgets import QFileDialog, QGraphicsView, QWidget

from flora_engine.errors import FloraError
from flora_engine.files import replacing, write_text

FILTER = "PNG (*.png);;SVG (*.svg);;CSV (*.csv)"
_KINDS = (".png", ".svg", ".csv")


def ask_export(parent: QWidget, stem: str, shown: QWidget, text: Callable[[], str]) -> str:
    """Ask for a file and write it; returns one sentence about what went wrong, "" if nothing did."""
    name, chosen = QFileDialog.getSaveFileName(parent, "Export", f"{stem}.png", FILTER)
    if not name:
        return ""
    path = Path(name)
    if path.suffix.lower() not in _KINDS:
        path = path.with_name(path.name + next((kind for kind in _KINDS if f"*{kind}" in chosen), ".png"))
    try:
        export(path, shown, text)
    except FloraError as error:
        return str(error)
    return ""


def export(path: Path, shown: QWidget, text: Callable[[], str]) -> None:
    """Write the picture of a widget, also of what is scrolled away inside it, or its numbers. FloraError."""
    try:
        if path.suffix.lower() == ".csv":
            write_text(path, text())
            return
        with replacing(path) as temporary:
            if path.suffix.lower() == ".svg":
                _write_svg(temporary, shown)
            elif not shown.grab().save(str(temporary), "PNG"):
                raise FloraError("the picture cannot be written", path=path, remedy="Choose another folder.")
    except OSError as error:
        raise FloraError(
            f"it cannot be written: {error.strerror}", path=path, remedy="Choose another folder."
        ) from None


def _write_svg(path: Path, shown: QWidget) -> None:
    generator = QSvgGenerator()
    generator.setFileName(str(path))
    generator.setSize(shown.size())
    generator.setViewBox(QRect(0, 0, shown.width(), shown.height()))
    generator.setTitle(shown.accessibleName() or "Flora Studio")
    painter = QPainter()
    if not painter.begin(generator):
        raise FloraError("the drawing cannot be written", path=path, remedy="Choose another folder.")
    charts = [(view, view.cacheMode()) for view in shown.findChildren(QGraphicsView)]
    try:
        for view, _ in charts:
            view.setCacheMode(QGraphicsView.CacheModeFlag.CacheNone)  # else backgrounds are pictures of pixels
        shown.render(painter, QPoint())
    finally:
        painter.end()
        for view, mode in charts:
            view.setCacheMode(mode)


def table_csv(titles: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    """A table as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(titles)
    writer.writerows(rows)
    return text.getvalue()
