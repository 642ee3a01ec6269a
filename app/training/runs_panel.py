"""The runs of a folder as a table: sorted, filtered, named, tagged, removed with a way back, compared."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from app.tables import ColumnsModel
from app.training.exporting import ask_export, table_csv
from app.training.stages import span
from app.widgets import button, buttons_row, rows_view, selected_places, sentence
from app.workers.tasks import Newest, attempt
from flora_engine.config import EncoderSettings, FloraSettings
from flora_engine.runs.folder import RunFolder
from flora_engine.runs.listing import Listing, Mean, Notes, RunRow, changed, move_to_trash, take_from_trash, write_notes

_LOOK = 3000  # ms between two looks at the folder
MOST_COMPARED = 8
_DEFAULTS = {"encoder": EncoderSettings(), "flora": FloraSettings()}


@dataclass(frozen=True)
class Column:
    """One column: how a run reads there, and what it is sorted by."""

    title: str
    text: Callable[[RunRow], str]
    key: Callable[[RunRow], Any]
    number: bool = False
    tip: str = ""
    width: int = 90


def changes_of(row: RunRow) -> str:
    """The settings of a run that are not the defaults, in a line."""
    found = changed(row.config, _DEFAULTS)
    return ", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in found.items() if not key.endswith("seeds"))


def _share(mean: Mean | None) -> str:
    if mean is None:
        return ""
    return f"{mean[0]:.1%}" + ("" if mean[1] is None else f" ± {mean[1]:.1%}")


def _day(row: RunRow) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(row.started)) if row.started else ""


def _seconds(row: RunRow) -> str:
    return "" if row.seconds is None else span(row.seconds)


COLUMNS = (
    Column("Name", lambda r: r.name, lambda r: r.name.casefold(), width=210),
    Column("State", lambda r: r.state, lambda r: r.state, width=95),
    Column("Data", lambda r: r.data, lambda r: r.data.casefold()),
    Column("Split", lambda r: r.split, lambda r: r.split.casefold()),
    Column("Heads", lambda r: ", ".join(r.heads), lambda r: r.heads, width=130),
    Column("Not default", changes_of, changes_of, tip="Settings that are not the defaults"),
    Column("Seeds", lambda r: ", ".join(map(str, r.seeds)), lambda r: len(r.seeds), True, width=60),
    Column("ZSL", lambda r: _share(r.zsl), lambda r: r.zsl or (-1.0, 0), True, "Accuracy among unseen classes", 120),
    Column(
        "Harmonic", lambda r: _share(r.harmonic), lambda r: r.harmonic or (-1.0, 0), True, "Of seen and unseen", 120
    ),
    Column("Time", _seconds, lambda r: r.seconds or 0.0, True, width=70),
    Column("Started", _day, lambda r: r.started, width=130),
    Column("Tags", lambda r: ", ".join(r.notes.tags), lambda r: r.notes.tags, width=90),
)


class RunsModel(ColumnsModel):
    """Filters and sorts a few thousand rows in the window's thread."""

    def __init__(self) -> None:
        super().__init__(COLUMNS)
        self.runs: list[RunRow] = []
        self._words: list[str] = []
        self._sorted = (-1, False)

    def set_runs(self, runs: list[RunRow]) -> None:
        self.runs = runs
        self._refill()

    def set_filter(self, text: str) -> None:
        self._words = text.casefold().split()
        self._refill()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self._sorted = column, order == Qt.SortOrder.DescendingOrder
        self._refill()

    def run_at(self, place: int) -> RunRow:
        return self.runs[int(self.rows[place])]

    def text(self, row: int, column: int) -> str:
        return COLUMNS[column].text(self.runs[row])

    def extra(self, row: int, column: int, role: int) -> Any:
        run = self.runs[row]
        if role == Qt.ItemDataRole.ToolTipRole and COLUMNS[column].title == "Not default":
            return COLUMNS[column].text(run).replace(", ", "\n")
        if role == Qt.ItemDataRole.ToolTipRole:
            return "\n".join(filter(None, (str(run.path), run.notes.text)))
        return None

    def _refill(self) -> None:
        rows = [row for row, run in enumerate(self.runs) if self._passes(run)]
        column, down = self._sorted
        if column >= 0:
            rows.sort(key=lambda row: COLUMNS[column].key(self.runs[row]), reverse=down)
        self.set_rows(np.array(rows, np.int64))

    def _passes(self, run: RunRow) -> bool:
        if not self._words:
            return True
        text = " ".join([*(column.text(run) for column in COLUMNS), run.notes.text, run.kind]).casefold()
        return all(word in text for word in self._words)


class RunsPanel(QWidget):
    """Looks again every few seconds while it is on screen."""

    open_wanted = Signal(Path)
    compare_wanted = Signal(list)  # of RunRow
    folder_changed = Signal(Path)

    def __init__(self, folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._listing = Listing(folder)
        self._removed: list[tuple[Path, Path]] = []  # (where it lies now, where it was)
        self._task = Newest(self)
        self._task.done.connect(self._on_rows)
        self._task.failed.connect(self._say)
        self._timer = QTimer(self, interval=_LOOK)
        self._timer.timeout.connect(self.look)
        self.folder = QLineEdit(str(folder), readOnly=True)
        self.folder.setAccessibleName("Folder of runs")
        self.filter = QLineEdit(placeholderText="Filter by any word", clearButtonEnabled=True)
        self.filter.setAccessibleName("Filter the runs")
        self.model = RunsModel()
        self.filter.textChanged.connect(self.model.set_filter)
        self.view = rows_view(self.model)
        self.view.setAccessibleName("Runs")
        self.view.doubleClicked.connect(lambda index: self.open_wanted.emit(self.model.run_at(index.row()).path))
        self.view.selectionModel().selectionChanged.connect(lambda *_: self._enable())
        self.model.modelReset.connect(self._enable)
        for place, column in enumerate(COLUMNS):
            self.view.horizontalHeader().resizeSection(place, column.width)
        self.message = QLabel(wordWrap=True)
        self.open_button = button("Open", self.open_selected, primary=True)
        self.compare_button = button("Compare", lambda: self.compare_wanted.emit(self.selected()))
        self.notes_button = button("Notes…", self.ask_notes)
        self.remove_button = button("Remove", self.remove_selected)
        self.undo_button = button("Undo remove", self.undo)
        self._lay_out()
        self._enable()

    # -- outside -------------------------------------------------------------------------------------------------

    def set_folder(self, folder: Path) -> None:
        """Show the runs of another folder."""
        self._listing = Listing(folder)
        self.folder.setText(str(folder))
        self.model.set_runs([])
        self.folder_changed.emit(folder)
        self.look()

    def look(self) -> None:
        """Read what has changed, off the window's thread."""
        if not self._task.is_busy:
            self._task.submit(self._listing.rows)

    def selected(self) -> list[RunRow]:
        """The selected runs, from the top."""
        return [self.model.run_at(int(place)) for place in selected_places(self.view)]

    def open_selected(self) -> None:
        for run in self.selected()[:MOST_COMPARED]:
            self.open_wanted.emit(run.path)

    def remove_selected(self) -> None:
        """Move the selected runs to the trash folder beside them."""
        removed, problems = 0, []
        for run in self.selected():
            place, problem = attempt(functools.partial(move_to_trash, RunFolder(run.path)))
            if problem:
                problems.append(problem)
            else:
                self._removed.append((place, run.path))
                removed += 1
        done = f"Removed {removed} run{'s' if removed != 1 else ''}; “Undo remove” brings the last one back."
        self._say(" ".join([*([done] if removed else []), *problems]))
        self.look()

    def undo(self) -> None:
        """Bring the run back that was removed last."""
        if self._removed:
            place, path = self._removed.pop()
            _, problem = attempt(lambda: take_from_trash(place, path))
            self._say(problem or f"{path.name} is back.")
            self.look()

    def ask_notes(self) -> None:
        """Title, tags and notes of the selected run."""
        runs = self.selected()
        if len(runs) == 1:
            dialog = NotesDialog(runs[0], self)
            dialog.accepted.connect(lambda: self.set_notes(runs[0].path, dialog.notes()))
            dialog.open()

    def set_notes(self, path: Path, notes: Notes) -> None:
        """Keep notes beside a run."""
        _, problem = attempt(lambda: write_notes(path, notes))
        self._say(problem)
        self.look()

    # -- inside --------------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.addWidget(QLabel("Runs in"))
        row.addWidget(self.folder, 2)
        row.addWidget(button("Folder…", self._choose_folder))
        row.addWidget(self.filter, 2)
        column = QVBoxLayout(self)
        column.addLayout(row)
        column.addWidget(self.view, 1)
        column.addLayout(
            buttons_row(
                self.message,
                self.open_button,
                button("Open a run…", self._choose_run),
                self.compare_button,
                self.notes_button,
                button("Export…", self._ask_export),
                self.remove_button,
                self.undo_button,
            )
        )

    def _enable(self) -> None:
        count = len(selected_places(self.view))
        self.open_button.setEnabled(count >= 1)
        self.compare_button.setEnabled(2 <= count <= MOST_COMPARED)
        self.compare_button.setToolTip(f"Select 2 to {MOST_COMPARED} runs")
        self.notes_button.setEnabled(count == 1)
        self.remove_button.setEnabled(count >= 1)
        self.undo_button.setVisible(bool(self._removed))

    def _on_rows(self, rows: object) -> None:
        assert isinstance(rows, list)
        if rows != self.model.runs:
            kept = {run.path for run in self.selected()}
            self.model.set_runs(rows)
            self._select(kept)
        if not rows:
            self._say(f"There are no runs in {self._listing.parent}.")
        self._enable()

    def _select(self, paths: set[Path]) -> None:
        for place in range(self.model.rowCount()):
            if self.model.run_at(place).path in paths:
                flags = self.view.selectionModel().SelectionFlag
                self.view.selectionModel().select(self.model.index(place, 0), flags.Select | flags.Rows)

    def as_csv(self) -> str:
        """The table as it stands: filtered and sorted."""
        rows = [[column.text(self.model.run_at(place)) for column in COLUMNS] for place in range(self.model.rowCount())]
        return table_csv([column.title for column in COLUMNS], rows)

    def _ask_export(self) -> None:
        self._say(ask_export(self, "runs", self.view, self.as_csv))

    def _choose_folder(self) -> None:
        if name := QFileDialog.getExistingDirectory(self, "Folder of runs", self.folder.text()):
            self.set_folder(Path(name))

    def _choose_run(self) -> None:
        if name := QFileDialog.getExistingDirectory(self, "Folder of a run", self.folder.text()):
            _, problem = attempt(lambda: RunFolder.open(Path(name)))
            self._say(problem)
            if not problem:
                self.open_wanted.emit(Path(name))

    def _say(self, text: str) -> None:
        self.message.setText(sentence(text))

    def showEvent(self, event: object) -> None:
        self.look()
        self._timer.start()

    def hideEvent(self, event: object) -> None:
        self._timer.stop()


class NotesDialog(QDialog):
    """What people write about a run."""

    def __init__(self, run: RunRow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Notes")
        self.resize(460, 300)
        self.title = QLineEdit(run.notes.title, placeholderText=run.path.name)
        self.tags = QLineEdit(", ".join(run.notes.tags), placeholderText="paper, baseline")
        self.text = QPlainTextEdit(run.notes.text)
        form = QFormLayout()
        for label, widget in (("Name", self.title), ("Tags", self.tags), ("Notes", self.text)):
            widget.setAccessibleName(label)
            form.addRow(label, widget)
        column = QVBoxLayout(self)
        column.addLayout(form, 1)
        column.addLayout(
            buttons_row(QLabel(), button("Save", self.accept, primary=True), button("Cancel", self.reject))
        )

    def notes(self) -> Notes:
        tags = tuple(tag for part in self.tags.text().split(",") if (tag := " ".join(part.split())))
        return Notes(title=" ".join(self.title.text().split()), tags=tags, text=self.text.toPlainText().strip())


def names_of(runs: Sequence[RunRow]) -> list[str]:
    """Short names that tell runs apart: without the date in front if that is possible."""
    short = [run.notes.title or run.path.name[16:] or run.path.name for run in runs]
    return short if len(set(short)) == len(short) else [run.name for run in runs]
