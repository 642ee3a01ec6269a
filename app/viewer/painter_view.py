"""The scene drawn by QPainter, for machines and sessions without OpenGL."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app.viewer.drawing import StageColours, StageView
from app.viewer.scene import PERSON_COLOURS


class PainterView(StageView, QWidget):
    """Same scene, camera and mouse as the OpenGL view; far parts are drawn first."""

    def __init__(self, colours: StageColours, parent: QWidget | None = None) -> None:
        QWidget.__init__(self, parent)
        self.setup(colours)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.colours.background)
        if self.scene is not None:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._paint_grid(painter)
            self._paint_bodies(painter)
            self.paint_words(painter)
        painter.end()

    def _paint_grid(self, painter: QPainter) -> None:
        assert self.scene is not None
        pixels, depth = self.camera.to_pixels(self.scene.grid(), self.width(), self.height())
        painter.setPen(QPen(self.colours.grid, 1))
        for start in range(0, len(pixels), 2):
            if depth[start] > 0 and depth[start + 1] > 0:
                painter.drawLine(QPointF(*pixels[start]), QPointF(*pixels[start + 1]))

    def _paint_bodies(self, painter: QPainter) -> None:
        frame, radius = self.frame, self.joint_radius()
        pixels, depth = self.camera.to_pixels(frame.points, self.width(), self.height())
        colours, sizes = frame.point_colours(), frame.point_sizes()
        bone_depth = depth[frame.bones].mean(axis=1) if len(frame.bones) else np.zeros(0)
        parts = [(float(d), "bone", i) for i, d in enumerate(bone_depth)]
        parts += [(float(d), "joint", i) for i, d in enumerate(depth)]
        for distance, kind, row in sorted(parts, key=lambda part: -part[0]):
            if distance <= 0:
                continue
            if kind == "bone":
                child, parent = frame.bones[row]
                painter.setPen(_bone_pen(int(frame.persons[child]), radius))
                painter.drawLine(QPointF(*pixels[child]), QPointF(*pixels[parent]))
            else:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(QColor.fromRgbF(*colours[row].tolist()))
                painter.drawEllipse(QPointF(*pixels[row]), radius * sizes[row], radius * sizes[row])


def _colour(person: int, alpha: int) -> QColor:
    return QColor(*PERSON_COLOURS[person % len(PERSON_COLOURS)], alpha)


def _bone_pen(person: int, radius: float) -> QPen:
    return QPen(_colour(person, 216), max(radius * 0.7, 1.5), Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)
