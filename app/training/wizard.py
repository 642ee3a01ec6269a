"""The wizard: from recordings to a training, page by page, back and forth without loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.session import Session
from app.training.draft import PAGES, Draft, asks_nothing, load_draft, save_draft, to_data
from app.training.pages.check import CheckPage
from app.training.pages.data import DataPage, FeaturesPage
from app.training.pages.method import MethodPage
from app.training.pages.page import Page
from app.training.pages.split import SplitPage
from app.training.pages.texts import TextsPage
from app.widgets import button, buttons_row, sentence
from app.workers.jobs import HeavyJob
from app.workers.supervisor import End
from app.workers.tasks import attempt

_DEBOUNCE = 200  # ms
_UNUSED = Qt.ItemFlag.NoItemFlags
_USED = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
_NOTHING_ASKED = "Measurements alone ask nothing here"


@dataclass(frozen=True)
class TrainRequest:
    """A configuration as plain data, where its run goes, and what it is called."""

    config: dict[str, Any]
    out: Path
    title: str

    def arguments(self) -> dict[str, Any]:
        """JSON-ready arguments of the worker's actions `train` and `estimate`."""
        return {"config": self.config, "out": str(self.out), "name": self.title}


class Wizard(QDialog):
    """Keeps one draft, which every page shows and fills in its turn."""

    wanted = Signal(object)  # TrainRequest

    def __init__(
        self, session: Session, out: Path, open_project: Callable[[], object], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Train a model")
        self.resize(1000, 640)
        self.setMinimumSize(860, 540)
        self._session, self._at = session, 0
        self.draft = Draft()
        self.data = DataPage(session, open_project)
        self.split, self.features, self.texts = SplitPage(session), FeaturesPage(), TextsPage(session)
        self.method, self.check = MethodPage(), CheckPage()
        self.check.out.setText(str(out))
        self.pages: tuple[Page, ...] = (self.data, self.split, self.features, self.texts, self.method, self.check)
        self.probe: HeavyJob | None = None
        self._measured: dict[str, Any] | None = None  # the configuration that was measured
        self._timer = QTimer(self, singleShot=True, interval=_DEBOUNCE)
        self._timer.timeout.connect(self._collect)
        self._lay_out()
        for page in self.pages:
            page.changed.connect(self._timer.start)
        self.check.jump_wanted.connect(lambda name: self.go_to(PAGES.index(name)))
        self.check.measure_wanted.connect(lambda: self._measure(again=True))
        session.opened.connect(self._on_project)
        session.closed.connect(self._on_project)
        self._show_page(0)

    # -- outside -------------------------------------------------------------------------------------------------

    def go_to(self, place: int) -> None:
        """Show a page; what was entered on the one before is kept."""
        self._collect()
        self._show_page(place)

    def next(self) -> None:
        """The next page that asks something."""
        self._step(range(self._at + 1, len(self.pages)))

    def back(self) -> None:
        self._step(range(self._at - 1, -1, -1))

    def start(self) -> None:
        """Ask for the training and close, if nothing is wrong."""
        self.go_to(len(self.pages) - 1)
        if self.start_button.isEnabled():
            request = self.request()
            self.accept()
            self.wanted.emit(request)

    def request(self) -> TrainRequest:
        """What the wizard would start now."""
        title = " ".join(self.check.name.text().split()) or self.draft.title
        return TrainRequest(to_data(self.draft), Path(self.check.out.text().strip() or "runs"), title)

    def open_file(self, path: Path) -> None:
        """Show the configuration of a file in place of the draft."""
        draft, problem = attempt(lambda: load_draft(path))
        self.message.setText(sentence(problem))
        if draft is not None:
            self.show_draft(draft)
            self.check.save_path = path

    def show_draft(self, draft: Draft) -> None:
        """Show a draft from its first page on."""
        self.draft = draft
        for page in self.pages:
            page.show_draft(draft)
        self.data.show_draft(draft)
        self._show_page(0)

    def save_file(self, path: Path) -> None:
        """Write the draft as a configuration, finished or not."""
        self._collect()
        _, problem = attempt(lambda: save_draft(self.draft, path))
        self.message.setText(sentence(problem) if problem else f"Saved {path}")
        if not problem:
            self.check.save_path = path
            self._show_problems()

    # -- inside --------------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self.list = QListWidget()
        self.list.setAccessibleName("Pages")
        self.list.setFixedWidth(120)
        self.list.addItems([name.capitalize() for name in PAGES])
        self.list.currentRowChanged.connect(self._on_list)
        self._stack = QStackedWidget()
        for page in self.pages:
            self._stack.addWidget(page)
        self.message = QLabel(wordWrap=True)
        self.message.setAlignment(Qt.AlignmentFlag.AlignVCenter)
        self.back_button = button("Back", self.back)
        self.next_button = button("Next", self.next, primary=True)
        self.start_button = button("Start training", self.start)
        self.start_button.setProperty("primary", True)
        row = buttons_row(
            self.message,
            button("Open YAML…", self._ask_open),
            button("Save YAML…", self._ask_save),
            self.back_button,
            self.next_button,
            self.start_button,
            button("Close", self.reject),
        )
        middle = QHBoxLayout()
        middle.addWidget(self.list)
        middle.addWidget(self._stack, 1)
        column = QVBoxLayout(self)
        column.addLayout(middle, 1)
        column.addLayout(row)

    def _step(self, places: Iterable[int]) -> None:
        self._collect()
        place = next((place for place in places if not asks_nothing(self.draft, PAGES[place])), self._at)
        self._show_page(place)

    def _collect(self) -> None:
        """Take what the page on screen says into the draft."""
        self._timer.stop()
        self.draft = self.pages[self._at].fill(self.draft)
        if self.draft.source == "project" and self.draft.split is not None:
            unseen = tuple(label for label in self.draft.split.unseen if label < (self.draft.classes or label + 1))
            self.draft = replace(self.draft, split=self.draft.split.model_copy(update={"unseen": unseen}))
        self._show_problems()

    def _show_page(self, place: int) -> None:
        self._at = place
        page = self.pages[place]
        page.show_draft(self.draft)
        self.draft = page.fill(self.draft)
        self._stack.setCurrentIndex(place)
        self.list.blockSignals(True)
        self.list.setCurrentRow(place)
        self.list.blockSignals(False)
        last = place == len(self.pages) - 1
        self.back_button.setEnabled(place > 0)
        self.next_button.setVisible(not last)
        self.start_button.setVisible(last)
        self._show_problems()
        if last:
            self.check.name.setPlaceholderText(self.draft.title)
            self._measure()

    def _show_problems(self) -> None:
        pages = [one for one in zip(PAGES, self.pages, strict=True) if not asks_nothing(self.draft, one[0])]
        found = [(name, page.trouble(self.draft)) for name, page in pages]
        good = self.check.show_problems(self.draft, [one for one in found if one[1]])
        self.start_button.setEnabled(good)
        wrong = {page for page, _ in self.check._found}
        for row, name in enumerate(PAGES):
            item = self.list.item(row)
            item.setText(f"{name.capitalize()}{'  ✕' if name in wrong else ''}")
            unused = asks_nothing(self.draft, name)
            item.setFlags(_UNUSED if unused else _USED)
            item.setToolTip(_NOTHING_ASKED if unused else "")

    def _measure(self, again: bool = False) -> None:
        """Measure a short step of the training in a process of its own, once for each configuration."""
        if not self.start_button.isEnabled():
            self._stop_probe()
            self.check.show_estimate(None, "Put right what is wrong above; then a short step is measured.")
            return
        request = self.request()
        if request.config == self._measured and not again:
            return
        self._stop_probe()
        self._measured = request.config
        self.check.show_estimate(None, "Measuring a short step on this machine…")
        self.probe = probe = HeavyJob("Measure", "estimate", request.arguments(), self)
        probe.ended.connect(lambda end: self._on_measured(probe, end))

    def _on_measured(self, probe: HeavyJob, end: End) -> None:
        if probe is not self.probe:
            return
        self.probe = None
        if end.outcome == "finished":
            self.check.show_estimate(end.result)
        elif end.outcome == "failed":
            self._measured = None
            self.check.show_estimate(None, f"This cannot be measured: {end.text}")

    def _stop_probe(self) -> None:
        if self.probe is not None:
            probe, self.probe, self._measured = self.probe, None, None
            probe.cancel()

    def _on_list(self, place: int) -> None:
        if place >= 0 and place != self._at:
            self.go_to(place)

    def _on_project(self) -> None:
        if self._at == 0:
            self.data.show_project()
            self.data.changed.emit()

    def _ask_open(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open a configuration", "", _YAML)
        if name:
            self.open_file(Path(name))

    def _ask_save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Save the configuration", "training.yaml", _YAML)
        if name:
            self.save_file(Path(name))

    def done(self, result: int) -> None:
        self._stop_probe()
        super().done(result)


_YAML = "YAML (*.yaml *.yml)"
