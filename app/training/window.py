"""The window of trainings: the table of runs, and a tab for each run or comparison that is open."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QTabBar, QTabWidget, QVBoxLayout, QWidget

from app.theme import Theme
from app.training.compare_page import ComparePage
from app.training.queue_view import QueueView
from app.training.run_page import RunPage
from app.training.runs_panel import RunsPanel
from flora_engine.runs.listing import RunRow
from flora_engine.runs.queue import Queue


class TrainingWindow(QWidget):
    """Stands beside the main window, so that recordings can be looked at while a run trains."""

    resume_wanted = Signal(Path)
    cancel_wanted = Signal(Path)
    encoder_wanted = Signal(Path)
    use_wanted = Signal(Path)
    report_wanted = Signal(Path)
    play_wanted = Signal(str, str)  # source and name of a recording

    def __init__(self, folder: Path, queue: Queue, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.setWindowTitle("Training – Flora Studio")
        self.resize(1180, 760)
        self.setMinimumSize(860, 520)
        self.runs = RunsPanel(folder)
        self.runs.open_wanted.connect(self.open_run)
        self.runs.compare_wanted.connect(self.compare)
        self.tabs = QTabWidget(tabsClosable=True, movable=True)
        self.tabs.setDocumentMode(True)
        self.tabs.tabCloseRequested.connect(self._close_tab)
        self.tabs.addTab(self.runs, "Runs")
        for side in (QTabBar.ButtonPosition.LeftSide, QTabBar.ButtonPosition.RightSide):
            self.tabs.tabBar().setTabButton(0, side, None)  # the table cannot be closed
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.addWidget(self.tabs, 1)
        self.queue = QueueView(queue)
        column.addWidget(self.queue)

    def set_theme(self, theme: Theme) -> None:
        for page in self._pages():
            page.set_theme(theme)

    def open_run(self, path: Path) -> RunPage:
        """The page of a run, made if it is not open yet, in front."""
        page = self.page_of(path)
        if page is None:
            page = RunPage(path)
            page.resume_wanted.connect(self.resume_wanted)
            page.cancel_wanted.connect(self.cancel_wanted)
            page.encoder_wanted.connect(self.encoder_wanted)
            page.use_wanted.connect(self.use_wanted)
            page.report_wanted.connect(self.report_wanted)
            page.play_wanted.connect(self.play_wanted)
            shown = page
            page.titled.connect(lambda text: self.tabs.setTabText(self.tabs.indexOf(shown), text))
            self.tabs.addTab(page, page.title)
        self.tabs.setCurrentWidget(page)
        return page

    def page_of(self, path: Path) -> RunPage | None:
        """The open page of a run, if there is one."""
        return next((page for page in self._pages() if isinstance(page, RunPage) and page.path == path), None)

    def compare(self, runs: Sequence[RunRow]) -> ComparePage:
        """Open a comparison."""
        page = ComparePage(runs)
        self.tabs.setCurrentIndex(self.tabs.addTab(page, page.title))
        return page

    def _pages(self) -> list[RunPage | ComparePage]:
        pages = (self.tabs.widget(place) for place in range(self.tabs.count()))
        return [page for page in pages if isinstance(page, RunPage | ComparePage)]

    def _close_tab(self, place: int) -> None:
        page = self.tabs.widget(place)
        if page is not None and page is not self.runs:
            self.tabs.removeTab(place)
            page.deleteLater()
