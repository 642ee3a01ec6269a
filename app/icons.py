"""Icons: controls drawn in the text colour of the theme at any scale, and the program's own from resources/icons."""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPainterPath, QPen, QPixmap

from flora_engine.resources import RESOURCES

ICONS = RESOURCES / "icons"
_SIZE = 24


@cache
def icon(name: str, colour: str) -> QIcon:
    """The icon of a control in `colour`, sharp up to four times its size."""
    result = QIcon()
    for scale in (1, 2, 4):
        result.addPixmap(_pixmap(name, QColor(colour), scale))
    return result


def application_icon() -> QIcon:
    return QIcon(str(ICONS / "flora.png"))


def _pixmap(name: str, colour: QColor, scale: int) -> QPixmap:
    pixmap = QPixmap(_SIZE * scale, _SIZE * scale)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(scale, scale)
    painter.setPen(QPen(colour, 2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
    _SHAPES[name](painter, colour)
    painter.end()
    return pixmap


def _triangle(x: float, towards: float) -> QPainterPath:
    path = QPainterPath(QPointF(x, 5))
    path.lineTo(x + towards, 12)
    path.lineTo(x, 19)
    path.closeSubpath()
    return path


def _play(painter: QPainter, colour: QColor) -> None:
    painter.setBrush(colour)
    painter.drawPath(_triangle(7, 11))


def _pause(painter: QPainter, colour: QColor) -> None:
    painter.fillRect(QRectF(6, 5, 4, 14), colour)
    painter.fillRect(QRectF(14, 5, 4, 14), colour)


def _next(painter: QPainter, colour: QColor) -> None:
    painter.setBrush(colour)
    painter.drawPath(_triangle(10, 8))
    painter.drawLine(QPointF(5, 5), QPointF(5, 19))


def _previous(painter: QPainter, colour: QColor) -> None:
    painter.setBrush(colour)
    painter.drawPath(_triangle(14, -8))
    painter.drawLine(QPointF(19, 5), QPointF(19, 19))


def _loop(painter: QPainter, colour: QColor) -> None:
    painter.drawArc(QRectF(4.5, 4.5, 15, 15), 60 * 16, 290 * 16)
    head = QPainterPath(QPointF(15.5, 1.5))
    head.lineTo(20.5, 5.5)
    head.lineTo(14.5, 8.5)
    head.closeSubpath()
    painter.fillPath(head, colour)


def _close(painter: QPainter, colour: QColor) -> None:
    painter.drawLine(QPointF(7, 7), QPointF(17, 17))
    painter.drawLine(QPointF(17, 7), QPointF(7, 17))


_SHAPES = {"play": _play, "pause": _pause, "next": _next, "previous": _previous, "loop": _loop, "close": _close}
