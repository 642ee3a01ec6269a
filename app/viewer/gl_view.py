"""The scene drawn by OpenGL: one item for all joints, one for all bones, one for the ground."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyqtgraph.opengl as gl
from PySide6.QtCore import Signal
from PySide6.QtGui import (
    QGuiApplication,
    QImage,
    QMatrix4x4,
    QOffscreenSurface,
    QOpenGLContext,
    QPainter,
)
from PySide6.QtWidgets import QWidget

from app.viewer.drawing import StageColours, StageView

_NO_OPENGL = {"offscreen", "minimal", "vnc", "linuxfb"}  # Qt platforms that cannot show an OpenGL widget


_GL_RENDERER = 0x1F01
_SOFTWARE = ("llvmpipe", "softpipe", "swrast", "software rasterizer", "gdi generic")


@cache
def opengl_works() -> bool:
    """Whether OpenGL works here and is faster than the painter (tested once).

    OpenGL in software is several times slower than the painter view and redraws the whole window with every change
    (benchmarks/window.py). It is used only if FLORA_OPENGL is set. FLORA_NO_OPENGL turns OpenGL off.
    """
    if os.environ.get("FLORA_NO_OPENGL") or QGuiApplication.platformName() in _NO_OPENGL:
        return False
    forced = bool(os.environ.get("FLORA_OPENGL"))
    if not forced and not _has_graphics_device():
        return False  # without asking, which would load 100 MB of software OpenGL
    context, surface = QOpenGLContext(), QOffscreenSurface()
    surface.create()
    if not context.create() or not surface.isValid() or not context.makeCurrent(surface):
        return False
    works = context.format().version() >= (2, 1)
    renderer = str(context.functions().glGetString(_GL_RENDERER) or "").lower()
    context.doneCurrent()
    return works and (forced or not any(name in renderer for name in _SOFTWARE))


def _has_graphics_device() -> bool:
    """Whether a graphics device draws; True if that is unknown."""
    if not sys.platform.startswith("linux"):
        return True
    return any(any(Path("/dev").glob(name)) for name in ("dri/card*", "dri/renderD*", "nvidia[0-9]*", "dxg"))


class GLView(StageView, gl.GLViewWidget):  # type: ignore[misc]
    """Mouse and camera come from StageView; pyqtgraph draws with the matrices of our camera."""

    failed = Signal(str)  # drawing did not work; the owner shows the painter view instead

    def __init__(self, colours: StageColours, parent: QWidget | None = None) -> None:
        gl.GLViewWidget.__init__(self, parent)
        self._grabbing = False
        self._grid = gl.GLLinePlotItem(pos=np.zeros((0, 3)), mode="lines", width=1.0, glOptions="translucent")
        self._bones = gl.GLLinePlotItem(
            pos=np.zeros((0, 3)), mode="lines", width=3.0, antialias=True, glOptions="translucent"
        )
        self._joints = gl.GLScatterPlotItem(pos=np.zeros((0, 3)), size=8.0, glOptions="translucent")
        for depth, item in enumerate((self._grid, self._bones, self._joints)):
            item.setDepthValue(depth)
            self.addItem(item)
        self.setup(colours)
        self.scene_changed()

    def scene_changed(self) -> None:
        self.setBackgroundColor(self.colours.background)
        grid = self.scene.grid() if self.scene is not None else np.zeros((0, 3), np.float32)
        self._grid.setData(pos=grid, color=self.colours.grid.getRgbF())
        self.frame_changed()

    def frame_changed(self) -> None:
        frame, scale = self.frame, self.devicePixelRatioF()
        self._bones.setData(
            pos=frame.bone_points(), color=frame.bone_colours(), width=max(self.joint_radius() * 0.7, 1.5) * scale
        )
        # A hundredth nearer to the eye, at the same pixel: else the bones that end in a joint fight with it for depth.
        eye = (self.camera.centre + self.camera.axes()[2] * self.camera.distance).astype(np.float32)
        nearer = eye + (frame.points - eye) * np.float32(0.99)
        self._joints.setData(
            pos=nearer,
            color=frame.point_colours(),
            size=frame.point_sizes() * np.float32(2 * self.joint_radius() * scale),
        )

    def camera_changed(self) -> None:
        self.frame_changed()  # joints grow when the eye comes nearer
        self.update()

    def viewMatrix(self) -> QMatrix4x4:
        return QMatrix4x4(self.camera.view_matrix().ravel().tolist())

    def projectionMatrix(self, region: Any, viewport: Any) -> QMatrix4x4:
        return QMatrix4x4(self.camera.projection_matrix(self.width(), self.height()).ravel().tolist())

    def initializeGL(self) -> None:
        try:
            super().initializeGL()
        except Exception as error:
            self.failed.emit(f"{error}")

    def paintGL(self) -> None:
        try:
            super().paintGL()
            if (self.names or self.hovered is not None) and not self._grabbing:
                painter = QPainter(self)
                self.paint_words(painter)
                painter.end()
        except Exception as error:  # an exception here would be printed and forgotten, with a black picture left
            self.failed.emit(f"{error}")

    def picture(self) -> QImage:
        """What OpenGL draws, with the names painted on it afterwards, because a grab leaves them out."""
        self._grabbing = True
        image: QImage = self.grabFramebuffer()
        self._grabbing = False
        image.setDevicePixelRatio(self.devicePixelRatioF())
        painter = QPainter(image)
        self.paint_words(painter)
        painter.end()
        return image
