"""One run, live or long finished: its stages, curves, results, log and settings, and what can be done with it.

Everything is read from the run's folder, so a run that a terminal or another computer trains looks the same.
"""

from __future__ import annotations

import time
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from app.theme import Theme
from app.training.analysis_view import AnalysisView
from app.training.curves import CurvesView
from app.training.log_view import LogView
from app.training.metrics import drawn
from app.training.results_view import ResultsView
from app.training.stages import StagesTree, span
from app.widgets import button, sentence
from app.workers.tasks import Newest
from flora_engine.errors import FloraError
from flora_engine.labelling.bundle import MANIFEST, find_bundle
from flora_engine.recipes.bundle import lacks_encoder
from flora_engine.runs.events import History
from flora_engine.runs.folder import CONFIG, RunFolder
from flora_engine.runs.listing import read_config, read_notes
from flora_engine.runs.remaining import left
from flora_engine.runs.results import FloraResult, read_result

_LOOK = 500  # ms between two looks at the run's folder
_STATES = {
    "new": "not started",
    "interrupted": "ended without a word; the run resumes from its last checkpoint",
    "stopped": "stopped; the run resumes from its checkpoint",
}
ALIVE = ("running", "paused")
_LACKS_ENCODER = "To label recordings, this run lacks the encoder that made its features: click “Add encoder…”."


class RunPage(QWidget):
    """Looks at its run twice a second while it is on screen and the run is alive."""

    resume_wanted = Signal(Path)
    cancel_wanted = Signal(Path)
    encoder_wanted = Signal(Path)
    use_wanted = Signal(Path)  # a bundle
    report_wanted = Signal(Path)
    play_wanted = Signal(str, str)  # source and name of a recording
    titled = Signal(str)

    def __init__(self, path: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.path = path
        self.history = History(path)
        self.state = ""
        self._config = read_config(path)
        self._drawn = -1  # events at the last drawing
        self._again = False  # whether to look once more
        self._model = False  # whether there was a bundle at the last look
        self._task = Newest(self)
        self._task.done.connect(self._on_read)
        self._task.failed.connect(self.say)
        self._timer = QTimer(self, interval=_LOOK)
        self._timer.timeout.connect(self.look)
        self._analysis: AnalysisView | None = None  # made when it is first looked at: its charts take a moment
        self._analysis_place = QWidget()
        QVBoxLayout(self._analysis_place).setContentsMargins(0, 0, 0, 0)
        self._make_parts()
        self._lay_out()

    # -- outside -------------------------------------------------------------------------------------------------

    @property
    def title(self) -> str:
        return read_notes(self.path).title or self.path.name

    @property
    def analysis(self) -> AnalysisView:
        """What the run decided about single recordings."""
        if self._analysis is None:
            self._analysis = AnalysisView(self.path)
            self._analysis.play_wanted.connect(self.play_wanted)
            layout = self._analysis_place.layout()
            assert layout is not None
            layout.addWidget(self._analysis)
            self._analysis.look()
        return self._analysis

    def look(self) -> None:
        """Read what is new, off the window's thread."""
        if not self._task.is_busy:
            history, path = self.history, self.path
            self._task.submit(lambda: (history.refresh(), history.status(), _bundle_of(path) is not None))

    def renew(self) -> None:
        """Look, and once more if a look is under way, which may have come too early."""
        self._again = self._task.is_busy
        self.look()

    def set_theme(self, theme: Theme) -> None:
        self.curves.set_theme(theme)
        if self._analysis is not None:
            self._analysis.set_theme()

    def show_tab(self, name: str) -> None:
        """Show the tab of that title."""
        for place in range(self.tabs.count()):
            if self.tabs.tabText(place) == name:
                self.tabs.setCurrentIndex(place)

    # -- building ------------------------------------------------------------------------------------------------

    def _make_parts(self) -> None:
        self.heading = QLabel(self.title)
        self.heading.setProperty("role", "heading")
        self.heading.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.facts = QLabel(wordWrap=True)
        self.facts.setProperty("role", "muted")
        self.lacks = QLabel(wordWrap=True)  # what is missing to label
        self.lacks.hide()
        self.message = QLabel(wordWrap=True)
        self.message.hide()
        self.pause_button = button("Pause", self._on_pause)
        self.stop_button = button("Stop", lambda: self._ask("stop"))
        self.stop_button.setToolTip("Ends after this step and keeps a checkpoint")
        self.cancel_button = button("Cancel", lambda: self.cancel_wanted.emit(self.path))
        self.cancel_button.setToolTip("Ends at once; the last checkpoint is kept")
        self.resume_button = button("Resume", lambda: self.resume_wanted.emit(self.path))
        self.encoder_button = button("Add encoder…", self._add_encoder)
        self.encoder_button.setToolTip("Gives this run a model that labels recordings")
        self.use_button = button("Use this model", self._use)
        self.report_button = button("Report…", lambda: self.report_wanted.emit(self.path))
        self.report_button.setToolTip("One HTML file with results, curves and settings")
        self.folder_button = button("Open the folder", self._open_folder)
        self.stages = StagesTree()
        self.stages.chosen.connect(lambda _: self._draw())
        self.curves = CurvesView()
        self.curves.trouble.connect(self.say)
        self.results = ResultsView()
        self.log = LogView()
        self.settings = QPlainTextEdit(readOnly=True)
        self.settings.setAccessibleName("Settings of the run")
        self.settings.setPlainText(_text_of(self.path / CONFIG))

    def _lay_out(self) -> None:
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        for widget, title in (
            (self.curves, "Curves"),
            (self.results, "Results"),
            (self._analysis_place, "Analysis"),
            (self.log, "Log"),
            (self.settings, "Settings"),
        ):
            self.tabs.addTab(widget, title)
        self.tabs.currentChanged.connect(self._on_tab)
        row = QHBoxLayout()
        row.addWidget(self.heading, 1)
        for each in (
            self.pause_button,
            self.stop_button,
            self.cancel_button,
            self.resume_button,
            self.encoder_button,
            self.use_button,
            self.report_button,
            self.folder_button,
        ):
            row.addWidget(each)
        splitter = QSplitter()
        splitter.addWidget(self.stages)
        splitter.addWidget(self.tabs)
        splitter.setSizes([290, 720])
        splitter.setStretchFactor(1, 1)
        splitter.setChildrenCollapsible(False)
        column = QVBoxLayout(self)
        column.addLayout(row)
        column.addWidget(self.facts)
        column.addWidget(self.lacks)
        column.addWidget(self.message)
        column.addWidget(splitter, 1)
        self._show_buttons()

    # -- showing -------------------------------------------------------------------------------------------------

    def _on_read(self, answer: object) -> None:
        assert isinstance(answer, tuple)
        if self._again:
            self._again = False
            QTimer.singleShot(0, self, self.look)
        new, state, model = answer
        changed = (state, model) != (self.state, self._model)
        self.state, self._model = state, model
        if changed:
            self._show_buttons()
            self._show_results()
            if self._analysis is not None:
                self._analysis.look()
        if new or changed:
            self.log.show_lines(self.history.log)
            self._draw()
        alive = state in ALIVE
        self.facts.setText(self._facts(alive))
        self.stages.show_history(self.history, span(self.history.seconds(time.time() if alive else None)))
        if alive != self._timer.isActive() and self.isVisible():
            (self._timer.start if alive else self._timer.stop)()
        if changed:
            self.titled.emit(f"{self.title} ({state})" if alive else self.title)

    def _draw(self) -> None:
        self.curves.show_plots(drawn(self.history, self.stages.path))

    def _facts(self, alive: bool) -> str:
        history, clock = self.history, self.history.clock
        state = _STATES.get(self.state, self.state)
        if self.state == "failed" and clock.text:
            state = f"failed: {clock.text.partition(': ')[2] or clock.text}"
        parts = [sentence(state)]
        current = history.current() if alive else None
        if current is not None:
            parts.append(f"{current.path}: {current.stage}" if current.stage else current.path)
        whole = left(history, self._config) if alive else None
        if whole is not None:
            parts.append(f"{'' if whole.complete else 'at least '}{span(whole.seconds)} left for the whole run")
        speeds = [series for name, series in list(history.series.items()) if name.metric.endswith("samples_per_second")]
        if alive and speeds:
            parts.append(f"{speeds[-1].points()[1][-1]:,.0f} samples/s")
        if alive and clock.memory:
            parts.append(f"{clock.memory / 2**30:.1f} GB of memory")
        return " · ".join(parts)

    def _show_buttons(self) -> None:
        alive, paused = self.state in ALIVE, self.state == "paused"
        self.pause_button.setText("Continue" if paused else "Pause")
        for each in (self.pause_button, self.stop_button, self.cancel_button):
            each.setVisible(alive)
            each.setEnabled(True)
        self.resume_button.setVisible(self.state in ("stopped", "failed", "interrupted", "new"))
        self.use_button.setVisible(self.state == "finished" and self._model)
        self.encoder_button.hide()
        self.encoder_button.setEnabled(True)
        self.lacks.hide()

    def _show_results(self) -> None:
        try:
            content = RunFolder(self.path).result()
        except FloraError as error:
            self.results.setPlainText(str(error))
            return
        result = read_result(content or {})
        if self.state == "finished" and isinstance(result, FloraResult) and not self._model:
            lacks = lacks_encoder(result)
            self.encoder_button.setVisible(lacks)
            self.lacks.setText(_LACKS_ENCODER if lacks else result.to_label)
            self.lacks.setVisible(bool(self.lacks.text()))
        self.results.show_result(result)

    def _on_tab(self, place: int) -> None:
        if self.tabs.widget(place) is self._analysis_place:
            self.analysis.show()

    def say(self, text: str) -> None:
        """Show a sentence above the stages, "" for none."""
        self.message.setText(sentence(text))
        self.message.setVisible(bool(text))

    # -- acting --------------------------------------------------------------------------------------------------

    def _on_pause(self) -> None:
        self._ask("resume" if self.state == "paused" else "pause")

    def _ask(self, word: str) -> None:
        try:
            RunFolder(self.path).ask(word)
        except (FloraError, OSError) as error:
            self.say(str(error))
            return
        self.say("")
        if word == "stop":
            self.stop_button.setEnabled(False)
            self.pause_button.setEnabled(False)
            self.facts.setText("Stopping after this step…")

    def _add_encoder(self) -> None:
        self.encoder_wanted.emit(self.path)

    def _use(self) -> None:
        bundle = _bundle_of(self.path)
        if bundle is not None:
            self.use_wanted.emit(bundle)

    def _open_folder(self) -> None:
        if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(self.path))):
            self.say(f"The folder is {self.path}")

    def showEvent(self, event: object) -> None:
        self.look()

    def hideEvent(self, event: object) -> None:
        self._timer.stop()


def _bundle_of(run: Path) -> Path | None:
    bundle = find_bundle(run)
    return bundle if (bundle / MANIFEST).is_file() else None


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return f"{path}: {error.strerror}"
