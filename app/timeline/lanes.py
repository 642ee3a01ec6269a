"""The lanes: click and drag seeks, drags of edges and of empty truth edit, the wheel zooms and scrolls."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from PySide6.QtCore import QEvent, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from app.theme import Theme
from app.timeline.axis import Axis
from app.timeline.colours import Colours
from app.timeline.painting import GUTTER, ROW, Content, Lane, LanePainter, boxes, height_of, lanes_of
from app.viewer.playback import clock_text
from flora_engine.labelling.editing import Side, move_edge
from flora_engine.labelling.segments import Segment

_NEAR = 5  # pixels from an edge in which it can be dragged
_LEAST_DRAG = 4  # pixels: a shorter drag is a click


class Lanes(QWidget):
    """Shows a content and asks for changes; nothing changes before `set_content`, except while an edge is dragged."""

    seek_wanted = Signal(int)
    selected = Signal(object)  # Segment or None
    edge_moved = Signal(object, str, int)  # the segment as it is, "start" or "end", its new frame
    add_wanted = Signal(int, int)  # first and last frame
    rename_wanted = Signal()  # of the selected segment
    menu_wanted = Signal(QPoint)
    class_pressed = Signal(str)  # the class of a key that was pressed
    moved = Signal()  # another part is shown
    height_changed = Signal()  # there are more or fewer lanes

    def __init__(self, colours: Colours, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.axis, self.content = Axis(), Content()
        self.editable = False
        self.keys: dict[str, str] = {}  # key -> class
        self.position = 0
        self._painter = LanePainter(self.axis, colours)
        self._back: QPixmap | None = None
        self._drag: Literal["seek", "edge", "add"] | None = None
        self._from = QPoint()
        self._old: Segment | None = None
        self._side: Side = "start"
        self._range: tuple[int, int] | None = None  # of the segment that is being drawn
        self.setAccessibleName("Timeline of segments")
        self.setAccessibleDescription("The commands of the menu Timeline do by keyboard what the mouse does here")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)

    # -- outside -------------------------------------------------------------------------------------------------

    def set_content(self, content: Content) -> None:
        """Show this; a selected segment that is gone is no longer selected."""
        taller = height_of(lanes_of(content)) != height_of(lanes_of(self.content))
        self.content = content
        self.repaint_all()
        if taller:
            self.updateGeometry()
            self.height_changed.emit()

    def set_theme(self, theme: Theme) -> None:
        self._painter.theme = theme
        self.repaint_all()

    def set_position(self, frame: int) -> None:
        """Where the player is. Cheap: called for every frame that is shown."""
        if frame == self.position:
            return
        self.position = frame
        if self._drag is None and self.axis.follow(frame):
            self.moved.emit()
            self.repaint_all()
        else:
            self.update()

    def zoom(self, factor: float) -> None:
        """Zoom around the playhead if it is in sight, else around the middle."""
        x = self.axis.x(self.position)
        self._zoom(factor, x if 0 <= x < self.axis.width else self.axis.width / 2)

    def show_all(self) -> None:
        self.axis.show_all()
        self._on_moved()

    def scroll_to(self, first: float) -> None:
        self.axis.scroll_to(first)
        self._on_moved()

    def repaint_all(self) -> None:
        """Paint everything again at the next occasion."""
        self._back = None
        self.update()

    # -- Qt ------------------------------------------------------------------------------------------------------

    def sizeHint(self) -> QSize:
        return QSize(400, height_of(lanes_of(self.content)))

    def minimumSizeHint(self) -> QSize:
        return QSize(200, self.sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        self.axis.width = max(self.width() - GUTTER, 1)
        self.repaint_all()
        self.moved.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._back is None:
            ratio = self.devicePixelRatioF()
            self._back = QPixmap(self.size() * ratio)
            self._back.setDevicePixelRatio(ratio)
            back = QPainter(self._back)
            back.setFont(self.font())
            self._painter.paint(back, self.content, self.width(), self.height())
            back.end()
        theme = self._painter.theme
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._back)
        painter.setClipRect(QRectF(GUTTER, 0, self.axis.width, self.height()))
        for box in self._marked():
            painter.setPen(QPen(QColor(theme.text), 2))
            painter.drawRect(box)
        if self.axis.frames:
            x = GUTTER + self.axis.x(self.position + 0.5)
            painter.setPen(QPen(QColor(theme.accent), 2))
            painter.drawLine(int(x), 0, int(x), self.height())
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() != Qt.MouseButton.LeftButton or not self.axis.frames:
            return
        at = event.position().toPoint()
        self._from, edge = at, self._edge_at(at)
        segment, kind = self._segment_at(at)
        if edge is not None and self.editable:
            self._drag, (self._old, self._side) = "edge", edge
            self.selected.emit(self._old)
        elif segment is None and kind == "truth" and self.editable:
            self._drag = "add"
            self.selected.emit(None)
        else:
            self._drag = "seek"
            self.selected.emit(segment)
            self._seek(at)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = event.position().toPoint()
        if self._drag is None:
            self.setCursor(self._cursor_at(at))
        elif self._drag == "seek":
            self._seek(at)
        elif self._drag == "edge":
            self._preview_edge(at)
        elif abs(at.x() - self._from.x()) >= _LEAST_DRAG:
            self._range = (self._frame(self._from), self._frame(at))
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        at, drag = event.position().toPoint(), self._drag
        drawn, self._range, self._drag = self._range, None, None
        if drag == "edge" and self._old is not None:
            old, self._old = self._old, None
            self.edge_moved.emit(old, self._side, self._edge_frame(at))
        elif drag == "add" and drawn is not None:
            self.add_wanted.emit(min(drawn), max(drawn))
        elif drag == "add":
            self._seek(at)
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        segment, kind = self._segment_at(event.position().toPoint())
        if segment is not None and kind == "truth" and self.editable:
            self.rename_wanted.emit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        delta = event.angleDelta()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self._zoom(0.8 ** (delta.y() / 120), event.position().x() - GUTTER)
        else:
            self.scroll_to(self.axis.first - (delta.y() or delta.x()) / 120 * 0.1 * self.axis.span)
        event.accept()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        segment, _ = self._segment_at(event.pos())
        self.selected.emit(segment)
        self.menu_wanted.emit(event.globalPos())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        name = self._class_of(event)
        if name is None:
            super().keyPressEvent(event)
        else:
            self.class_pressed.emit(name)

    def event(self, event: QEvent) -> bool:
        override = event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent)
        if override and self._class_of(event) is not None:  # type: ignore[arg-type]  # before the window's shortcuts
            event.accept()
            return True
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            segment, _ = self._segment_at(event.pos())
            QToolTip.showText(event.globalPos(), "" if segment is None else self.said(segment), self)
            return True
        return super().event(event)

    def said(self, segment: Segment) -> str:
        """A segment in words."""
        fps = self.axis.fps
        share = "" if segment.score is None else f", {segment.score:.0%}"
        times = f"{clock_text(segment.start / fps)} to {clock_text((segment.end + 1) / fps)}"
        return f"{segment.name}{share}: {times}, frames {segment.start + 1} to {segment.end + 1}"

    def _class_of(self, event: QKeyEvent) -> str | None:
        """The class whose key this is."""
        plain = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier == Qt.KeyboardModifier.NoModifier
        return self.keys.get(event.text().upper()) if plain and self.editable else None

    # -- inside --------------------------------------------------------------------------------------------------

    def _marked(self) -> list[QRectF]:
        """Boxes around the selected segment and the one that is being drawn."""
        marked = []
        for kind in ("truth", "found") if self.content.selected is not None else ():
            for segment, box in boxes(self.content, self._lane(kind), self.axis):
                if segment is self.content.selected:
                    marked.append(box.translated(GUTTER, 0).adjusted(0, 1, -1, -2))
        if self._range is not None:
            first, last = sorted(self._range)
            left, right, top = self.axis.x(first), self.axis.x(last + 1), self._lane("truth").top
            marked.append(QRectF(GUTTER + left, top + 1, right - left, ROW - 2))
        return marked

    def _lane(self, kind: str) -> Lane:
        return next(lane for lane in lanes_of(self.content) if lane.kind == kind)

    def _frame(self, at: QPoint) -> int:
        return self.axis.frame(at.x() - GUTTER)

    def _seek(self, at: QPoint) -> None:
        self.seek_wanted.emit(self._frame(at))

    def _segment_at(self, at: QPoint) -> tuple[Segment | None, str]:
        """The segment under a point, and the kind of the lane there."""
        for lane in lanes_of(self.content):
            if not lane.top <= at.y() < lane.top + lane.height or at.x() < GUTTER:
                continue
            for segment, box in boxes(self.content, lane, self.axis):
                if box.contains(at.x() - GUTTER, at.y()):
                    return segment, lane.kind
            return None, lane.kind
        return None, ""

    def _edge_at(self, at: QPoint) -> tuple[Segment, Side] | None:
        """The edge of a true segment that is near a point; of two that touch, the one on whose side the point is."""
        lane, x = self._lane("truth"), at.x() - GUTTER
        found: list[tuple[float, Segment, Side]] = []
        for segment, box in boxes(self.content, lane, self.axis):
            if not box.top() <= at.y() < box.bottom():
                continue
            near = min(_NEAR, box.width() / 3)
            for edge, side, outside in ((box.left(), "start", x < box.left()), (box.right(), "end", x >= box.right())):
                if abs(x - edge) <= near:
                    found.append((abs(x - edge) + (0.5 if outside else 0), segment, side))  # type: ignore[arg-type]
        if not found:
            return None
        _, segment, side = min(found, key=lambda one: one[0])
        return segment, side

    def _edge_frame(self, at: QPoint) -> int:
        """Where a dragged edge is: the frame on whose side of its middle the pointer is."""
        exact = self.axis.first + (at.x() - GUTTER) / self.axis.width * self.axis.span
        return round(exact) if self._side == "start" else round(exact) - 1

    def _preview_edge(self, at: QPoint) -> None:
        """Show the edge where it would be, and the player there."""
        assert self._old is not None
        frame = self._edge_frame(at)
        current = self.content.selected if self.content.selected in self.content.truth else self._old
        others = tuple(s for s in self.content.truth if s is not current and s is not self._old)
        truth, new = move_edge([*others, self._old], self._old, self._side, frame, self.axis.frames)
        self.content = replace(self.content, truth=truth, selected=new)
        assert new is not None
        self.seek_wanted.emit(new.start if self._side == "start" else new.end)
        self.repaint_all()

    def _cursor_at(self, at: QPoint) -> Qt.CursorShape:
        if self.editable and self._edge_at(at) is not None:
            return Qt.CursorShape.SizeHorCursor
        return Qt.CursorShape.ArrowCursor

    def _zoom(self, factor: float, x: float) -> None:
        self.axis.zoom(factor, x)
        self._on_moved()

    def _on_moved(self) -> None:
        self.moved.emit()
        self.repaint_all()
