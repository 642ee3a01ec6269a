"""The panels of the window: their places, their widths, and how both are kept between starts."""

from __future__ import annotations

import base64

from PySide6.QtCore import QByteArray, Qt
from PySide6.QtWidgets import QDockWidget, QMainWindow, QStackedWidget, QWidget


class Docks:
    """Two lists share the left side: opened files, and the library of a project. Statistics stand below them.
    The timeline stands below the 3D view, the review queue below the library.
    """

    def __init__(
        self,
        window: QMainWindow,
        *,
        files: QWidget,
        library: QWidget,
        stage: QWidget,
        labels: QWidget,
        charts: QWidget,
        timeline: QWidget,
        review: QWidget,
    ) -> None:
        self._window = window
        window.setDockNestingEnabled(True)
        self._files, self._library = files, library
        self._lists = QStackedWidget()
        self._lists.addWidget(files)
        self._lists.addWidget(library)
        self._left = self._dock("recordings", "Recordings", self._lists)
        self.stage = self._dock("stage", "3D view", stage)
        self._right = self._dock("actions", "Actions", labels)
        self.charts = self._dock("statistics", "Statistics", charts)
        self.timeline = self._dock("timeline", "Timeline", timeline)
        self.review = self._dock("review", "Review", review)
        window.splitDockWidget(self._left, self.stage, Qt.Orientation.Horizontal)
        window.splitDockWidget(self.stage, self._right, Qt.Orientation.Horizontal)
        window.splitDockWidget(self._left, self.charts, Qt.Orientation.Vertical)
        window.splitDockWidget(self.stage, self.timeline, Qt.Orientation.Vertical)
        window.splitDockWidget(self._left, self.review, Qt.Orientation.Vertical)
        features = QDockWidget.DockWidgetFeature
        self.review.setFeatures(self.review.features() | features.DockWidgetClosable)
        for dock in (self.charts, self.timeline, self.review):
            dock.hide()
        self._first: QByteArray | None = None

    def show_files(self) -> None:
        """Opened files at the left."""
        self._lists.setCurrentWidget(self._files)
        self._left.setWindowTitle("Recordings")
        self.charts.hide()
        self.review.hide()
        self._share_width()

    def show_library(self, project: str) -> None:
        """The library of the project of that name at the left."""
        self._lists.setCurrentWidget(self._library)
        self._left.setWindowTitle(f"Project: {project}")
        self._share_width()

    def toggle_float(self) -> None:
        """The 3D view in a window of its own, or back."""
        self.stage.setFloating(not self.stage.isFloating())

    def toggle_charts(self) -> None:
        self.charts.setVisible(self.charts.isHidden())

    def toggle_timeline(self) -> None:
        self.timeline.setHidden(not self.timeline.isHidden())
        self._share_height()

    def show_review(self) -> None:
        """The review queue below the library."""
        if self.review.isHidden():
            self.review.show()
            half = self._window.height() // 2
            docks = [self._left, self.review]
            self._window.resizeDocks(docks, [half, half], Qt.Orientation.Vertical)

    def show_timeline(self) -> None:
        """The timeline below the 3D view."""
        if self.timeline.isHidden():
            self.toggle_timeline()

    def remember_first(self) -> None:
        """The panels are where `reset` puts them."""
        self._first = self._window.saveState()

    def reset(self) -> None:
        """Put all panels back to their first places."""
        if self._first is not None:
            self._window.restoreState(self._first)
        self._share_width()

    def restore(self, geometry: str, layout: str) -> None:
        """Size and places as `state` and `geometry` gave them; the first ones if they are empty or damaged."""
        if geometry:
            self._window.restoreGeometry(_from_base64(geometry))
        if not layout or not self._window.restoreState(_from_base64(layout)):
            self.reset()

    def geometry(self) -> str:
        return _to_base64(self._window.saveGeometry())

    def layout(self) -> str:
        return _to_base64(self._window.saveState())

    def _dock(self, name: str, title: str, widget: QWidget) -> QDockWidget:
        dock = QDockWidget(title, self._window)
        dock.setObjectName(name)
        dock.setWidget(widget)
        features = QDockWidget.DockWidgetFeature
        dock.setFeatures(features.DockWidgetMovable | features.DockWidgetFloatable)
        self._window.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock)
        return dock

    def _share_height(self) -> None:
        """The timeline as high as its lanes, the rest for the 3D view."""
        wanted = self.timeline.widget().sizeHint().height() + 30
        low = min(wanted, self._window.height() * 2 // 5)
        docks, sizes = [self.stage, self.timeline], [self._window.height() - low, low]
        self._window.resizeDocks(docks, sizes, Qt.Orientation.Vertical)

    def _share_width(self) -> None:
        """Sides as wide as they need, the rest for the 3D view; a table needs more room than a list of names."""
        width = self._window.width()
        table = self._lists.currentWidget() is self._library
        left = min(475, width * 3 // 10) if table else max(200, min(300, width // 5))
        right = max(230, min(360, width * 23 // 100))
        sizes = [left, width - left - right, right]
        self._window.resizeDocks([self._left, self.stage, self._right], sizes, Qt.Orientation.Horizontal)


def _to_base64(data: QByteArray) -> str:
    return base64.b64encode(data.data()).decode("ascii")


def _from_base64(text: str) -> QByteArray:
    try:
        return QByteArray(base64.b64decode(text, validate=True))
    except ValueError:
        return QByteArray()
