"""What both views share: colours, mouse control, and joint names over the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QMouseEvent, QPainter, QPainterPath, QPen, QWheelEvent
from PySide6.QtWidgets import QWidget

from app.viewer.camera import Camera
from app.viewer.scene import EMPTY, Frame, Scene, nearest

if TYPE_CHECKING:
    _Widget = QWidget
else:
    _Widget = object  # the subclasses bring a QWidget of their own

_REACH = 12.0  # pixels within which the mouse finds a joint


@dataclass(frozen=True)
class StageColours:
    """Background, ground lines, and text with the box behind it."""

    background: QColor
    grid: QColor
    text: QColor
    box: QColor


class StageView(_Widget):
    """The common part of the OpenGL view and the painter view, which differ only in how they draw.

    Drag turns, drag with the right or middle button (or Shift) moves, the wheel zooms, double click fits.
    """

    def setup(self, colours: StageColours) -> None:
        """Called once by the subclass after it has made its widget."""
        self.camera = Camera()
        self.scene: Scene | None = None
        self.frame: Frame = EMPTY
        self.colours = colours
        self.names = False
        self.hovered: tuple[int, int] | None = None  # person and joint, so that its name follows it while playing
        self._mouse: QPointF | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("3D view of the recording")
        self.setAccessibleDescription("Drag to turn, drag with the right button to move, use the wheel to zoom")

    def show_scene(self, scene: Scene | None) -> None:
        """Show another recording, all of it in view."""
        self.scene, self.hovered = scene, None
        self.frame = scene.frame(0) if scene else EMPTY
        self.scene_changed()
        self.fit()

    def show_frame(self, index: int) -> None:
        if self.scene is not None:
            self.frame = self.scene.frame(index)
            self.frame_changed()
            self.update()

    def light(self, names: Sequence[str], frame: int) -> None:
        """Let joints (of Kinect v2) stand out, and show a frame."""
        if self.scene is not None:
            self.scene.light(names)
            self.show_frame(frame)

    def set_colours(self, colours: StageColours) -> None:
        self.colours = colours
        self.scene_changed()
        self.update()

    def set_names(self, names: bool) -> None:
        self.names = names
        self.update()

    def fit(self) -> None:
        if self.scene is not None:
            self.camera.fit(self.scene.low, self.scene.high, self.width(), self.height())
        self.camera_changed()

    def camera_changed(self) -> None:
        self.update()

    def scene_changed(self) -> None:
        """Hook: the colours or the scene have changed."""

    def frame_changed(self) -> None:
        """Hook: the frame has changed."""

    def picture(self) -> QImage:
        """The view as it is, in device pixels."""
        return self.grab().toImage()

    def joint_radius(self) -> float:
        """Radius in pixels of a ball of 2.4 cm at the centre, within limits at which it can be seen and pointed at."""
        return min(max(0.024 * self.height() / self.camera.distance, 2.5), 9.0)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._mouse = event.position()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._mouse = None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        position = event.position()
        if event.buttons() == Qt.MouseButton.NoButton or self._mouse is None:
            self.hover(position)
            return
        moved, self._mouse = position - self._mouse, position
        shifted = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
        if event.buttons() == Qt.MouseButton.LeftButton and not shifted:
            self.camera.orbit(moved.x() * 0.4, moved.y() * 0.4)
        else:
            self.camera.pan(moved.x(), -moved.y(), self.height())
        self.camera_changed()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.fit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.camera.zoom(0.999 ** event.angleDelta().y())
        self.camera_changed()
        event.accept()

    def leaveEvent(self, event: object) -> None:
        self.hovered = None
        self.update()

    def hover(self, position: QPointF) -> None:
        pixels, depth = self.camera.to_pixels(self.frame.points, self.width(), self.height())
        row = nearest(pixels, depth, position.x(), position.y(), _REACH)
        joint = None if row is None else (int(self.frame.persons[row]), int(self.frame.joints[row]))
        if joint != self.hovered:
            self.hovered = joint
            self.update()

    def paint_words(self, painter: QPainter) -> None:
        """Joint names (all, or the one under the mouse) over the picture."""
        rows = self._named_rows()
        if not rows or self.scene is None:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = QFont(self.font())
        font.setPointSizeF(font.pointSizeF() * (0.85 if self.hovered is None else 1.0))
        painter.setFont(font)
        metrics = QFontMetricsF(font)
        pixels, depth = self.camera.to_pixels(self.frame.points, self.width(), self.height())
        taken: list[QRectF] = []
        for row in sorted((row for row in rows if depth[row] > 0), key=lambda row: float(depth[row])):
            text = self.scene.name(self.frame, row, whose=len(rows) == 1)
            box = self._word_box(metrics, QPointF(*pixels[row]), text)
            if not any(box.intersects(other) for other in taken):  # overlapping names cannot be read
                taken.append(box)
                self._paint_word(painter, box, text)

    def _named_rows(self) -> list[int]:
        if self.hovered is not None:
            person, joint = self.hovered
            here = (self.frame.persons == person) & (self.frame.joints == joint)
            return [int(row) for row in here.nonzero()[0]]
        return list(range(len(self.frame.points))) if self.names else []

    def _word_box(self, metrics: QFontMetricsF, at: QPointF, text: str) -> QRectF:
        """The box of a name, on the side of its joint that has room."""
        box = QRectF(0, 0, metrics.horizontalAdvance(text) + 8, metrics.height() + 2)
        left = at.x() + 9 if at.x() + 9 + box.width() < self.width() else at.x() - 9 - box.width()
        box.moveTo(left, at.y() - box.height() / 2)
        return box

    def _paint_word(self, painter: QPainter, box: QRectF, text: str) -> None:
        path = QPainterPath()
        path.addRoundedRect(box, 3, 3)
        painter.fillPath(path, self.colours.box)
        painter.setPen(QPen(self.colours.text))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
