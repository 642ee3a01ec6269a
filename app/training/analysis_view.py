"""What a finished run decided about single recordings: confusion, classes, calibration, latents, the hardest ones.

At the right are the recordings of what was chosen at the left; one that is selected plays in the main window.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QSplitter,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from app.training.analysis_charts import MapChart, SeenUnseenChart
from app.training.exporting import ask_export, table_csv
from app.training.heat_map import HeatMap
from app.widgets import button, choice_box, sentence
from app.workers.jobs import HeavyJob
from app.workers.supervisor import End
from app.workers.tasks import Newest
from flora_engine.runs.analysis import Analysis, Latents, View, parts_of, read_analysis

_SETTINGS = {"gzsl": "all classes", "zsl": "unseen classes only"}
_NONE = (
    "This run kept nothing about single recordings. It has not evaluated a head yet, it trained an encoder alone, or "
    "an earlier version of this program trained it: then train it again to see what it decides."
)
_HINT = "Rows: the true class. Columns, in the same order: what it was taken for. Click a cell to list its recordings."
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class _Loaded:
    """One head in one setting; labels: of the latents' recordings."""

    view: View
    latents: Latents | None
    labels: Ints


class AnalysisView(QWidget):
    """Reads off the window's thread what the run's folder keeps."""

    play_wanted = Signal(str, str)  # source and name of a recording

    def __init__(self, path: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.path = path
        self.view: View | None = None
        self._loaded: _Loaded | None = None
        self._found: dict[str, Analysis] = {}
        self._rows: Ints = np.zeros(0, np.int64)
        self._umap: HeavyJob | None = None
        self._finding, self._loading = Newest(self), Newest(self)
        self._finding.done.connect(self._on_found)
        self._loading.done.connect(self._on_loaded)
        for task in (self._finding, self._loading):
            task.failed.connect(self._say)
        self._make_parts()
        self._lay_out()

    @property
    def is_busy(self) -> bool:
        return self._finding.is_busy or self._loading.is_busy

    def look(self) -> None:
        """Read what the run keeps by now."""
        path = self.path
        self._finding.submit(lambda: {part: read_analysis(path / part) for part in parts_of(path)})

    def set_theme(self) -> None:
        """Take the colours of the theme; the confusion does so by itself."""
        if self._loaded is not None:
            self._on_loaded(self._loaded)

    # -- building ------------------------------------------------------------------------------------------------

    def _make_parts(self) -> None:
        self.part, self.head, self.setting = choice_box([]), choice_box([]), choice_box([])
        for box, name, act in (
            (self.part, "Split", self._fill_heads),
            (self.head, "Head", self._fill_settings),
            (self.setting, "Classes to choose among", self._load),
        ):
            box.setAccessibleName(name)
            box.currentIndexChanged.connect(lambda _, act=act: act())
        self.confusion = HeatMap("Confusion", self._cell_words, _HINT)
        self.confusion.chosen.connect(self._on_cell)
        self.classes = _table("Accuracy per class", ["Class", "", "Recordings", "Right", "Mistaken for"])
        self.classes.setSortingEnabled(True)
        self.classes.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)  # like beside like
        self.classes.currentCellChanged.connect(self._on_class)
        self.balance, self.map = SeenUnseenChart(), MapChart()
        self.map.chosen.connect(self._on_point)
        entries = [("PCA", "pca")]
        if importlib.util.find_spec("umap") is not None:
            entries.append(("UMAP", "umap"))
        self.method = choice_box(entries)
        self.method.setAccessibleName("Kind of map")
        self.method.setToolTip("UMAP can be chosen too if the package umap-learn is installed")
        self.method.currentIndexChanged.connect(lambda _: self._show_map())
        self.list_title = QLabel(wordWrap=True)
        self.list_title.setProperty("role", "heading")
        self.list = _table("Recordings", ["Recording", "Class", "Taken for", "Lead"])
        self.list.setToolTip(
            "Lead: score of the true class minus that of the best other one, mean over seeds; below 0 it is wrong"
        )
        self.list.currentCellChanged.connect(lambda row, *_: self._play(row))
        self.list.cellActivated.connect(lambda row, _: self._play(row))
        self.message = QLabel(_NONE, wordWrap=True, alignment=Qt.AlignmentFlag.AlignCenter)
        self.message.setProperty("role", "muted")

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        for label, box in (("Split", self.part), ("Head", self.head), ("Among", self.setting)):
            row.addWidget(QLabel(label))
            row.addWidget(box)
        row.addStretch(1)
        row.addWidget(button("Hardest recordings", self.show_hardest))
        row.addWidget(button("Export…", self._ask_export))
        maps = QWidget()
        column = QVBoxLayout(maps)
        column.setContentsMargins(0, 4, 0, 0)
        column.addWidget(self.method, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.map, 1)
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        for widget, title in (
            (self.confusion, "Confusion"),
            (self.classes, "Classes"),
            (self.balance, "Seen and unseen"),
            (maps, "Map"),
        ):
            self.tabs.addTab(widget, title)
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(6, 0, 0, 0)
        column.addWidget(self.list_title)
        column.addWidget(self.list, 1)
        self.body = QSplitter()
        self.body.addWidget(self.tabs)
        self.body.addWidget(right)
        self.body.setSizes([460, 320])
        self.body.setChildrenCollapsible(False)
        self._controls = QWidget()
        self._controls.setLayout(row)
        row.setContentsMargins(0, 0, 0, 0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 6, 0, 0)
        column.addWidget(self._controls)
        column.addWidget(self.message, 1)
        column.addWidget(self.body, 1)
        self._show_body(False)

    def _show_body(self, shown: bool) -> None:
        self.message.setVisible(not shown)
        self._controls.setVisible(shown)
        self.body.setVisible(shown)

    # -- what is shown -------------------------------------------------------------------------------------------

    def _on_found(self, found: object) -> None:
        assert isinstance(found, dict)
        self._found = {part: one for part, one in found.items() if one.files}
        self._show_body(bool(self._found))
        self.message.setText(_NONE)
        _fill(self.part, [(part or "the whole run", part) for part in self._found])
        self._fill_heads()

    def _fill_heads(self) -> None:
        here = self._found.get(self.part.currentData())
        _fill(self.head, [(head, head) for head in here.heads] if here is not None else [])
        self._fill_settings()

    def _fill_settings(self) -> None:
        here, head = self._found.get(self.part.currentData()), self.head.currentData()
        found = [key for key in _SETTINGS if here is not None and (head, key) in here.files]
        _fill(self.setting, [(_SETTINGS[key], key) for key in found])
        self._load()

    def _load(self) -> None:
        here, head, setting = (
            self._found.get(self.part.currentData()),
            self.head.currentData(),
            self.setting.currentData(),
        )
        if here is None or setting is None:
            return

        def load() -> _Loaded:
            view, latents = here.view(head, setting), here.latents(head)
            _ = view.classes, view.confusion, view.lead
            return _Loaded(view, latents, _labels_of(here, head, latents))

        self._loading.submit(load)

    def _on_loaded(self, loaded: object) -> None:
        assert isinstance(loaded, _Loaded)
        self._loaded, self.view = loaded, loaded.view
        self._show_body(True)
        names = [self._name(int(label)) for label in self.view.classes]
        self.confusion.show_matrix(names, self.view.confusion, 0.0, 1.0)
        self._show_classes(self.view)
        self.balance.show_view(self.view)
        self._show_map()
        self.show_hardest()

    def show_hardest(self) -> None:
        """List the recordings that the true class wins least, or loses most."""
        if self.view is not None:
            self._list("Hardest recordings", self.view.hardest())

    def _show_classes(self, view: View) -> None:
        accuracies = view.accuracies()
        with QSignalBlocker(self.classes):
            self.classes.setSortingEnabled(False)
            self.classes.setRowCount(len(accuracies))
            for row, (label, (count, share)) in enumerate(accuracies.items()):
                kind = "unseen" if label in view.analysis.unseen else "seen"
                cells: tuple[str | int | float, ...] = (self._name(label), kind, count, share, self._often(view, label))
                for column, value in enumerate(cells):
                    self.classes.setItem(row, column, _Cell(value, label))
            self.classes.setSortingEnabled(True)

    def _often(self, view: View, label: int) -> str:
        """The class that a class is most often taken for, and how often."""
        row = int(np.flatnonzero(view.classes == label)[0])
        shares = view.confusion[row].copy()
        shares[row] = 0
        most = int(shares.argmax())
        return f"{self._name(int(view.classes[most]))} ({shares[most]:.0%})" if shares[most] > 0 else ""

    def _show_map(self, places: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None) -> None:
        loaded = self._loaded
        if loaded is None:
            return
        if loaded.latents is None:
            self.map.show_nothing(
                "This head has no space that texts and recordings share; choose Flora or the ensemble."
            )
            return
        here = loaded.view.analysis
        if places is None and self.method.currentData() == "umap":
            self._start_umap(here.folder)
            return
        self.map.show_points(loaded.latents, loaded.labels, here.names, here.unseen, places)

    def _start_umap(self, folder: Path) -> None:
        """Compute the map in a process of its own: it takes many seconds."""
        self.map.show_nothing("Computing the map…")
        if self._umap is not None:
            self._umap.cancel()
        arguments = {"folder": str(folder), "head": self.head.currentData()}
        self._umap = job = HeavyJob("Map", "map", arguments, self)
        job.ended.connect(lambda end: self._on_umap(job, end))

    def _on_umap(self, job: HeavyJob, end: End) -> None:
        if job is not self._umap:
            return
        self._umap = None
        if end.outcome == "finished":
            recordings, texts = (np.array(end.result[key], np.float32) for key in ("recordings", "texts"))
            self._show_map((recordings, texts))
        else:
            self.map.show_nothing(sentence(f"the map could not be computed: {end.text}"))

    # -- recordings ----------------------------------------------------------------------------------------------

    def _on_cell(self, row: int, column: int) -> None:
        assert self.view is not None
        true, taken = int(self.view.classes[row]), int(self.view.classes[column])
        title = (
            f"“{self._name(true)}” taken for “{self._name(taken)}”" if row != column else f"“{self._name(true)}”, right"
        )
        self._list(title, self.view.cell(true, taken))

    def _on_class(self, row: int, *_: int) -> None:
        item = self.classes.item(row, 0)
        if self.view is not None and isinstance(item, _Cell):
            self._list(f"“{self._name(item.label)}”, the hardest first", self.view.of_class(item.label))

    def _on_point(self, place: int) -> None:
        """A recording of the map, by its place in the test part of all classes."""
        assert self._loaded is not None
        here = self._loaded.view.analysis
        known = here.recordings.get("gzsl", ())
        if place < len(known):
            self.play_wanted.emit(known[place].source, known[place].name)
        if self.view is not None and self.view.setting == "gzsl":
            self._list("The chosen recording", np.flatnonzero(self.view.decisions[0].rows == place))

    def _list(self, title: str, rows: Ints) -> None:
        assert self.view is not None
        self._rows = rows
        self.list_title.setText(f"{title}: {len(rows)}")
        with QSignalBlocker(self.list):
            self.list.setRowCount(0)
            self.list.setRowCount(len(rows))
            for place, row in enumerate(rows.tolist()):
                cells = (
                    self.view.recording(row).name,
                    self._name(int(self.view.labels[row])),
                    self._name(self.view.said(row)),
                    f"{self.view.lead[row]:+.2f}",
                )
                for column, text in enumerate(cells):
                    item = QTableWidgetItem(text)
                    item.setToolTip(text)
                    self.list.setItem(place, column, item)
            self.list.setCurrentCell(-1, -1)

    def _play(self, place: int) -> None:
        if self.view is not None and 0 <= place < len(self._rows):
            recording = self.view.recording(int(self._rows[place]))
            self.play_wanted.emit(recording.source, recording.name)

    # -- words ---------------------------------------------------------------------------------------------------

    def _name(self, label: int) -> str:
        names = self.view.analysis.names if self.view is not None else ()
        return names[label] if 0 <= label < len(names) else f"class {label + 1}"

    def _cell_words(self, row: int, column: int) -> str:
        share = self.confusion.matrix[row, column]
        true, taken = self.confusion.names[row], self.confusion.names[column]
        return f"“{true}” {'is right' if row == column else f'is taken for “{taken}”'}: {share:.0%}"

    def _say(self, text: str) -> None:
        self._show_body(False)
        self.message.setText(sentence(text))

    def _ask_export(self) -> None:
        shown = self.tabs.currentWidget()
        name = self.tabs.tabText(self.tabs.currentIndex()).lower().replace(" ", "_")
        assert shown is not None
        problem = ask_export(self, f"{self.path.name}_{name}", shown, self.as_csv)
        self.list_title.setText(problem or self.list_title.text())

    def as_csv(self) -> str:
        """The tab on screen as CSV: the confusion, the classes, the curve or the map; else the list."""
        view, place = self.view, self.tabs.currentIndex()
        if view is None:
            return ""
        names = [self._name(int(label)) for label in view.classes]
        if place == 0:
            rows = [
                [name, *(f"{share:.4f}" for share in shares)]
                for name, shares in zip(names, view.confusion, strict=True)
            ]
            return table_csv(["class", *names], rows)
        if place == 1:
            return table_csv(
                ["class", "kind", "recordings", "right"],
                [
                    [self._name(label), "unseen" if label in view.analysis.unseen else "seen", count, f"{share:.4f}"]
                    for label, (count, share) in view.accuracies().items()
                ],
            )
        if place == 2:
            points = [
                [seed, *(f"{value:.5f}" for value in point)]
                for seed, one in zip(view.seeds, view.decisions, strict=True)
                for point in one.curve.T
            ]
            return table_csv(["seed", "bonus", "seen", "unseen"], points)
        rows = [
            [*(self.list.item(row, column).text() for column in range(self.list.columnCount()))]  # type: ignore[union-attr]
            for row in range(self.list.rowCount())
        ]
        return table_csv(["recording", "class", "taken for", "lead"], rows)

    def hideEvent(self, event: object) -> None:
        if self._umap is not None:
            self._umap.cancel()
            self._umap = None


class _Cell(QTableWidgetItem):
    """A cell of a class that sorts by its value."""

    def __init__(self, value: str | int | float, label: int) -> None:
        super().__init__(f"{value:.1%}" if isinstance(value, float) else str(value))
        self.value, self.label = value, label

    def __lt__(self, other: QTableWidgetItem) -> bool:
        return self.value < other.value if isinstance(other, _Cell) else False  # type: ignore[operator]


def _labels_of(here: Analysis, head: str, latents: Latents | None) -> Ints:
    """The labels of the latents' recordings, -1 if nobody knows them."""
    if latents is None or (head, "gzsl") not in here.files:
        return np.full(0 if latents is None else len(latents.rows), -1, np.int64)
    one = here.view(head, "gzsl").decisions[0]
    labels = np.full(max(int(one.rows.max(initial=-1)), int(latents.rows.max(initial=-1))) + 1, -1, np.int64)
    labels[one.rows] = one.labels
    return labels[latents.rows]


def _fill(box: QComboBox, entries: list[tuple[str, str]]) -> None:
    """Put entries into a box; the one that was chosen stays chosen if it is still there."""
    before = box.currentData()
    with QSignalBlocker(box):
        box.clear()
        for title, value in entries:
            box.addItem(title, value)
        box.setCurrentIndex(max(0, box.findData(before)))


def _table(name: str, titles: list[str]) -> QTableWidget:
    table = QTableWidget(0, len(titles))
    table.setAccessibleName(name)
    table.setHorizontalHeaderLabels(titles)
    table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
    table.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
    table.setTabKeyNavigation(False)
    table.setShowGrid(False)
    table.verticalHeader().hide()
    table.verticalHeader().setDefaultSectionSize(24)
    header = table.horizontalHeader()
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    return table
