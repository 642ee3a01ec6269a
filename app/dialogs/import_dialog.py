"""Import recordings into a project: every file is inspected before anything is written."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QItemSelection, QItemSelectionModel, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QProgressBar,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from app.dialogs.form import Field, Form
from app.dialogs.import_corrections import CorrectionsForm
from app.dialogs.import_form import (
    COLUMNS,
    WAITING,
    Listing,
    Looks,
    Rows,
    Scope,
    corrected,
    list_files,
    touched,
)
from app.dialogs.import_model import ImportModel
from app.dialogs.inspecting import Inspecting
from app.dialogs.reading_dialog import Answer, ReadingDialog
from app.theme import current_theme
from app.widgets import EndElided, button, buttons_row, choice_box, rows_view, runs, selected_places, sentence
from app.workers.jobs import left_text
from app.workers.tasks import Newest
from flora_engine.datasets.catalogue import dataset_names, load_dataset
from flora_engine.datasets.importing import ImportLabels, ImportOptions
from flora_engine.datasets.motion_archive import part_of
from flora_engine.errors import FloraError
from flora_engine.readers import Attempt, attempt_sequence
from flora_engine.readers.corrections import Correction

_TICK = 100  # ms between fetches of results
_AT_ONCE = 400  # results per tick: more would block the window
_ARRANGE = 1.0  # seconds between new orders of a table that is sorted or filtered by incoming results
_SAYS_ALL = "{}: its format says all of it. Correct it in the form, if it is wrong."
_WHOLE, _PART = "Import", "Import all now"


@dataclass(frozen=True)
class ImportRequest:
    """Files and options of an import."""

    paths: tuple[Path, ...]
    options: ImportOptions


class ImportDialog(QDialog):
    """Lists the files at once and inspects each of them in the background. A correction inspects its files again.

    The import can start before all files are inspected: then all files are imported, and the button says so.
    """

    wanted = Signal(object)  # ImportRequest

    def __init__(self, paths: Sequence[Path] = (), parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Import recordings")
        self.resize(1010, 620)
        self.setMinimumSize(780, 480)
        self.paths: list[Path] = []
        self.looks = Looks()
        self._import_labels: ImportLabels | None = None
        self._corrections = ImportOptions()  # only corrections of files
        self._run: Inspecting | None = None  # the pass whose results are shown
        self._running = False
        self._arranged = 0.0
        self._kept: Rows = np.zeros(0, np.int64)
        self._listing = Newest(self)
        self._listing.done.connect(self._on_listing)
        self._listing.failed.connect(self._on_problem)
        self._inspecting = Newest(self)
        self._inspecting.done.connect(lambda _: self._on_run_over(""))
        self._inspecting.failed.connect(self._on_run_over)
        self._asking = Newest(self)
        self._asking.done.connect(self._on_seen)
        self._asking.failed.connect(self._say)
        self.reading_dialog: ReadingDialog | None = None  # the newest one
        self._timer = QTimer(self, singleShot=True, interval=300)
        self._timer.timeout.connect(self.list_now)
        self._tick = QTimer(self, interval=_TICK)
        self._tick.timeout.connect(self._fetch)
        self._make_parts()
        self._lay_out()
        self._show_state()
        self.add_paths(paths)

    def add_paths(self, paths: Sequence[Path]) -> None:
        """More files or folders to import."""
        self.paths += [path for path in paths if path not in self.paths]
        home = f"{Path.home()}/"
        names = [f"~/{text.removeprefix(home)}" if text.startswith(home) else text for text in map(str, self.paths)]
        self._where.setText("\n".join(names[:4]) + (" …" if len(names) > 4 else ""))
        self.list_now()

    def options(self) -> ImportOptions:
        """The options in the form."""
        source = self.labels.currentData()
        return replace(
            self._corrections,
            labels=Path(self.table.text()) if source == "table" and self.table.text() else None,
            labels_from="names" if source == "table" else source,
            dataset=self.dataset.currentData(),
        )

    @property
    def is_inspecting(self) -> bool:
        return self._running

    @property
    def is_listing(self) -> bool:
        """Whether it is looking for files."""
        return self._listing.is_busy

    def list_now(self) -> None:
        """Find the files and their labels, then inspect those that have not been inspected."""
        self._timer.stop()
        if not self.paths:
            self._say("Choose files or a folder, or drop them here.")
            return
        options, paths, known = self.options(), list(self.paths), list(self.looks.seen)
        if not self.looks.files:
            self._say("Looking for files…")
        self._listing.submit(lambda: list_files(paths, options, known))

    def inspect_now(self, rows: Sequence[int] | None = None) -> None:
        """Inspect these files, or all that wait."""
        self.stop()
        looks = self.looks
        rows = looks.waiting().tolist() if rows is None else rows
        if self._import_labels is None or not len(rows):
            return
        run = self._run = Inspecting(rows, [looks.files[row] for row in rows], self.options(), self._import_labels)
        self._running = True
        self._inspecting.submit(run.run)
        self._tick.start()
        self._show_state()

    def stop(self) -> None:
        """Stop inspecting; what was found so far stays."""
        if self._run is not None:
            self._run.stop()
            self._inspecting.forget()
            self._put_all(self._run)
        self._run, self._running = None, False
        self._tick.stop()
        self._show_state()

    def correct(self, scope: Scope, before: Correction, after: Correction) -> None:
        """Change the correction of some files, and inspect again those whose correction changed."""
        old, corrections = self.options(), corrected(self._corrections, scope, before, after)
        if corrections == self._corrections:
            return
        was_running = self._run is not None
        self.stop()  # results from here on have the new correction
        self._corrections = corrections
        self.corrections.show_options(corrections)
        rows = touched(self.looks, old, self.options())
        self.looks.forget(rows)
        self._refresh(anyway=True)
        self.inspect_now(None if was_running else rows)
        if self._listing.is_busy:  # it would bring back results without the correction
            self.list_now()

    def go(self) -> None:
        """Ask for the import and close."""
        self.corrections.finish()
        try:
            self.corrections.correction()
        except FloraError as error:
            self._say(str(error))
            return
        request = ImportRequest(tuple(self.paths), self.options())
        self.accept()
        self.wanted.emit(request)

    def done(self, result: int) -> None:
        self._listing.forget()
        self._asking.forget()
        self.stop()
        super().done(result)

    # -- building ------------------------------------------------------------------------------------------------

    def _make_parts(self) -> None:
        self.setAcceptDrops(True)
        self._where = QLabel(wordWrap=True, textInteractionFlags=Qt.TextInteractionFlag.TextSelectableByMouse)
        self._where.setMinimumWidth(220)
        self.labels = choice_box(
            [
                ("file names or the files themselves", "names"),
                ("folder names", "folders"),
                ("a CSV (file,class)…", "table"),
                ("nothing", "none"),
            ]
        )
        self.table = QLineEdit(placeholderText="CSV with the columns file and class")
        self.dataset = choice_box([("as the files say", None)] + [(load_dataset(n).title, n) for n in dataset_names()])
        self.corrections = CorrectionsForm()
        self.corrections.edited.connect(self._on_corrected)
        self.corrections.scope_changed.connect(lambda: self.corrections.show_options(self._corrections))
        self.model = ImportModel(self.looks, current_theme(), self)
        self.view = self._make_view()
        self.shown = choice_box(
            [("All files", "all"), ("Files with warnings", "doubts"), ("Unreadable files", "unreadable")]
        )
        self.shown.setToolTip("Files with warnings or errors")
        self.shown.currentIndexChanged.connect(lambda _: self.model.set_shown(self.shown.currentData()))
        self.summary = QLabel(wordWrap=True)
        self.message = QLabel(wordWrap=True)
        self._bar = QProgressBar(textVisible=False)
        self._bar.setMaximumWidth(140)
        self.time_left = QLabel()
        self.time_left.setProperty("role", "muted")
        self.stop_button = button("Stop", self._on_stop)
        self.advice_button = button("", self._take_advice)
        self.advice_button.hide()
        self.ask_button = button("Read it differently…", self.ask_differently)
        self.ask_button.setToolTip("Say how the selected file, and others like it, are to be read")
        self.ask_button.hide()
        for widget, name in (
            (self.view, "Files"),
            (self.shown, "Files to show"),
            (self._bar, "Files inspected"),
        ):
            widget.setAccessibleName(name)
        for box in (self.labels, self.dataset):
            box.currentIndexChanged.connect(lambda _: self._timer.start())
        self.table.textChanged.connect(lambda _: self._timer.start())
        self.labels.currentIndexChanged.connect(self._on_labels)

    def _make_view(self) -> QTableView:
        view = rows_view(self.model)
        header = view.horizontalHeader()
        for place, column in enumerate(COLUMNS):
            view.setColumnWidth(place, column.width)
        header.setMinimumSectionSize(34)
        header.setSectionResizeMode(len(COLUMNS) - 1, QHeaderView.ResizeMode.Stretch)
        for place in (2, len(COLUMNS) - 1):
            view.setItemDelegateForColumn(place, EndElided(view))
        view.selectionModel().selectionChanged.connect(lambda *_: self._on_selected())
        self.model.modelAboutToBeReset.connect(self._keep_selection)
        self.model.modelReset.connect(self._restore_selection)
        return view

    def _lay_out(self) -> None:
        pick = QHBoxLayout()
        pick.addWidget(self._where, 1)
        for title, act in (("Files…", self._pick_files), ("Folder…", self._pick_folder)):
            pick.addWidget(button(title, act))
        self._form = Form(
            (
                Field("Labels from", self.labels, "Labels come from"),
                Field("CSV", self.table, "CSV file of labels"),
                Field("Action numbers", self.dataset, "Data set that gives the action numbers their meaning"),
            )
        )
        self._form.show_row(self.table, False)
        forms = QHBoxLayout()
        forms.addLayout(self._form, 2)
        forms.addSpacing(16)
        forms.addWidget(self.corrections, 3)
        over = QHBoxLayout()
        over.addWidget(self.summary, 1)
        for widget in (self._bar, self.time_left, self.stop_button, self.shown):
            over.addWidget(widget)
        self.go_button = button(_PART, self.go, primary=True)
        self.go_button.setMinimumWidth(self.go_button.sizeHint().width())  # constant, though the text changes
        foot = buttons_row(
            self.message, self.advice_button, self.ask_button, self.go_button, button("Cancel", self.reject)
        )
        column = QVBoxLayout(self)
        column.addLayout(pick)
        column.addLayout(forms)
        column.addLayout(over)
        column.addWidget(self.view, 1)
        column.addLayout(foot)

    # -- listing and inspecting ----------------------------------------------------------------------------------

    def _on_listing(self, listing: object) -> None:
        assert isinstance(listing, Listing)
        self.stop()
        self.looks, self._import_labels = listing.looks, listing.import_labels
        self._kept = np.zeros(0, np.int64)  # the rows are other files now
        self.view.clearSelection()
        self.model.looks = listing.looks
        self.model.arrange(anew=True)
        self._say("")
        self.inspect_now()

    def _on_problem(self, problem: str) -> None:
        self._import_labels = None  # nothing can be imported; what is known of the files stays
        self.stop()
        self._say(problem)

    def _fetch(self) -> None:
        """Show some of the new results."""
        run = self._run
        if run is None:
            return
        found = run.fetch(_AT_ONCE)
        for row, one, name in found:
            self.looks.put(row, one, name)
        over = not self._running and run.is_fetched
        if found or over:
            self._refresh(anyway=over)
        if over:
            self._run = None
            self._tick.stop()
        self._show_state()

    def _put_all(self, run: Inspecting) -> None:
        while found := run.fetch(_AT_ONCE):
            for row, one, name in found:
                self.looks.put(row, one, name)

    def _on_run_over(self, problem: str) -> None:
        self._running = False
        self._say(problem)
        self._fetch()

    def _refresh(self, anyway: bool = False) -> None:
        late = time.monotonic() - self._arranged > _ARRANGE
        if self.model.follows_results and (late or anyway):
            self._arranged = time.monotonic()
            self.model.arrange()
        self.model.refresh()
        self.corrections.set_layouts(self.looks.layouts)

    def _show_state(self) -> None:
        waiting = self.looks.count(WAITING)
        self.summary.setText(self.looks.summary if self.looks.files else "")
        run = self._run
        busy = run is not None
        self._bar.setVisible(busy)
        self.time_left.setVisible(busy)
        if run is not None:
            self._bar.setRange(0, run.total)
            self._bar.setValue(run.done)
            self.time_left.setText(f"{run.done:,} of {run.total:,}{left_text(run.seconds_left)}")
        self.stop_button.setVisible(busy or (bool(waiting) and self._import_labels is not None))
        self.stop_button.setText("Stop" if busy else "Inspect the rest")
        self.go_button.setText(_PART if waiting else _WHOLE)
        self.go_button.setEnabled(self._import_labels is not None and (bool(waiting) or self.looks.readable > 0))
        self.go_button.setToolTip("Imports every file, including those not yet inspected" if waiting else "")
        advice = self.looks.advice()
        self.advice_button.setVisible(advice is not None)
        self.advice_button.setText(advice.text if advice is not None else "")

    # -- selection: kept per file while the order changes -----------------------------------------------------------

    def selected_rows(self) -> Rows:
        return self.model.rows[selected_places(self.view)]

    def _keep_selection(self) -> None:
        if len(rows := self.selected_rows()):
            self._kept = rows

    def _restore_selection(self) -> None:
        rows, self._kept = self._kept, np.zeros(0, np.int64)
        places = np.flatnonzero(np.isin(self.model.rows, rows))
        selection = QItemSelection()
        for first, last in runs(places):
            selection.select(self.model.index(first, 0), self.model.index(last, len(COLUMNS) - 1))
        self.view.selectionModel().select(selection, QItemSelectionModel.SelectionFlag.ClearAndSelect)

    def _on_selected(self) -> None:
        files = [self.looks.files[row] for row in self.selected_rows().tolist()]
        self.corrections.set_selected(files)
        self.ask_button.setVisible(len(files) == 1)

    # -- user actions --------------------------------------------------------------------------------------------

    def _on_corrected(self) -> None:
        try:
            after = self.corrections.correction()
        except FloraError as error:
            self._say(str(error))
            return
        self._say("")
        self.correct(self.corrections.scope(), self.corrections.before, after)

    def _take_advice(self) -> None:
        advice = self.looks.advice()
        if advice is None:
            return
        self.corrections.show_scope(advice.layout)
        before, after = self.corrections.before, advice.correction
        scale = self.options().correction(Path(), advice.layout).scale
        if after.scale is not None and scale is not None:  # the finding is relative to that scale
            after = replace(after, scale=after.scale * scale)
        self.correct(self.corrections.scope(), before, after.over(before))

    def ask_differently(self) -> None:
        """Ask how the selected file is to be read; the answer is kept for all files like it, which are read again."""
        rows = self.selected_rows().tolist()
        if len(rows) == 1:
            path = self.looks.files[rows[0]]
            if part_of(path) is not None:
                self._say(_SAYS_ALL.format(path.name))
                return
            self._asking.submit(lambda: attempt_sequence(path))

    def _on_seen(self, found: object) -> None:
        assert isinstance(found, Attempt)
        if not found.names:
            self._say(found.problem or _SAYS_ALL.format(found.path.name))
            return
        self._say("")
        self.reading_dialog = dialog = ReadingDialog(found, self, keep=True)
        dialog.answered.connect(self._on_answered)
        dialog.open()

    def _on_answered(self, answer: object) -> None:
        """A recipe is there for some of the files: inspect again all with that ending."""
        assert isinstance(answer, Answer)
        suffix = answer.path.suffix.lower()
        rows = [row for row, path in enumerate(self.looks.files) if path.suffix.lower() == suffix]
        was_running = self._run is not None
        self.stop()
        self.looks.forget(rows)
        self._refresh(anyway=True)
        self.inspect_now(None if was_running else rows)

    def _on_stop(self) -> None:
        if self._run is not None:
            self.stop()
        else:
            self.inspect_now()

    def _on_labels(self) -> None:
        table = self.labels.currentData() == "table"
        self._form.show_row(self.table, table)
        if table and not self.table.text():
            name, _ = QFileDialog.getOpenFileName(self, "Labels", "", "CSV (*.csv)")
            self.table.setText(name)

    def _pick_files(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, "Recordings to import")
        self.add_paths([Path(name) for name in names])

    def _pick_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self, "Folder to import")
        self.add_paths([Path(name)] if name else [])

    def dragEnterEvent(self, event: Any) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        event.acceptProposedAction()
        self.add_paths([Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()])

    def _say(self, text: str) -> None:
        self.message.setText(sentence(text))
