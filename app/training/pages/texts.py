"""The wizard's page about class texts: a table to edit, what is wrong with it, and which classes are alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSignalBlocker, Qt, QTimer
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QListWidget,
    QSplitter,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from app.session import Session
from app.training.draft import Draft
from app.training.heat_map import HeatMap
from app.training.pages.page import Page
from app.widgets import button, sentence
from app.workers.tasks import Newest, attempt
from flora_engine.datasets.benchmarks import load_benchmark
from flora_engine.datasets.catalogue import ClassText, dataset_names
from flora_engine.errors import FloraError
from flora_engine.semantics.class_texts import (
    class_vectors,
    load_class_texts,
    read_texts,
    several_states,
    texts_of_names,
    typed_definitions,
    typed_motions,
    with_definitions,
    with_known_texts,
    with_motions,
    write_texts,
)
from flora_engine.semantics.lexicon import users_lexicon, with_lexicon_texts
from flora_engine.semantics.text_checks import check_texts
from flora_engine.semantics.text_encoder import load_text_encoder

NEAR = 0.95  # cosine from which two classes can hardly be told apart by their texts
_DEBOUNCE = 400  # ms
_TOKENS = 32
Matrix = NDArray[np.float32]


class TextsPage(Page):
    """Texts of all classes, in the order of the data. They go into the configuration as they stand here."""

    title = "What are the classes?"
    explanation = (
        "A model knows a class by two texts: how the body moves, and what the action is. Say what tells a class from "
        "the classes that are like it. Several texts of one class have | between them."
    )

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._texts: list[ClassText] = []
        self._unread = ""  # why the file of texts that a configuration names cannot be read
        self.table = _table()
        self.table.cellChanged.connect(self._on_cell)
        self.table.currentCellChanged.connect(lambda *_: self._show_neighbours())
        self.warnings = QListWidget()
        self.warnings.setWordWrap(True)
        self.warnings.setAccessibleName("Problems of the texts")
        self.map = HeatMap("Similarity of classes", self._pair)
        self.map.chosen.connect(lambda row, _: self.table.setCurrentCell(row, 0))
        self.neighbours = QLabel(wordWrap=True)
        self.neighbours.setProperty("role", "muted")
        self.message = QLabel(wordWrap=True)
        self.similarity: Matrix | None = None
        self._task = Newest(self)
        self._task.done.connect(self._on_similar)
        self._task.failed.connect(lambda text: self.message.setText(sentence(text)))
        self._filling = Newest(self)
        self._filling.done.connect(self._on_filled)
        self._filling.failed.connect(lambda text: self.message.setText(sentence(text)))
        self._timer = QTimer(self, singleShot=True, interval=_DEBOUNCE)
        self._timer.timeout.connect(self._compare)
        self._lay_out()

    @property
    def is_busy(self) -> bool:
        return self._timer.isActive() or self._task.is_busy or self._filling.is_busy

    def show_draft(self, draft: Draft) -> None:
        usual, self._unread = attempt(lambda: usual_texts(draft, self._session))
        self.message.setText(sentence(self._unread))
        given = {text.name.casefold(): text for text in draft.texts or ()}
        self._set([given.get(text.name.casefold(), text) for text in usual or ()])

    def fill(self, draft: Draft) -> Draft:
        return replace(draft, texts=tuple(self._texts)) if self._texts else draft

    def trouble(self, draft: Draft) -> str:
        return self._unread

    def set_text(self, row: int, column: int, text: str) -> None:
        """Edit a cell as the user does."""
        item = self.table.item(row, column)
        assert item is not None
        item.setText(text)

    def fill_in(self) -> None:
        """Give classes whose texts are only their names ours, or those of the lexicon; it is read off this thread."""
        texts = list(self._texts)
        self._filling.submit(lambda: (texts, filled(texts)))

    def take(self, path: Path) -> None:
        """Take the texts of a file for the classes that it names."""
        try:
            given = {text.name.casefold(): text for text in read_texts(path)}
        except FloraError as error:
            self.message.setText(str(error))
            return
        found = [replace(given.get(text.name.casefold(), text), name=text.name) for text in self._texts]
        taken = sum(text.name.casefold() in given for text in self._texts)
        self._set(found)
        self.message.setText(f"Took the texts of {taken} of {len(found)} classes from {path.name}.")
        self.changed.emit()

    # -- inside --------------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        right = QTabWidget()
        right.setDocumentMode(True)
        similar = QWidget()
        column = QVBoxLayout(similar)
        column.setContentsMargins(0, 4, 0, 0)
        column.addWidget(self.map, 1)
        column.addWidget(self.neighbours)
        right.addTab(similar, "Similarity")
        right.addTab(self.warnings, "Problems")
        self._tabs = right
        splitter = QSplitter()
        splitter.addWidget(self.table)
        splitter.addWidget(right)
        splitter.setSizes([520, 300])
        splitter.setChildrenCollapsible(False)
        row = QHBoxLayout()
        for title, act in (
            ("Fill in known texts", self.fill_in),
            ("Import…", self._ask_import),
            ("Export…", self._ask_export),
        ):
            row.addWidget(button(title, act))
        row.addWidget(self.message, 1)
        self.column.addWidget(splitter, 1)
        self.column.addLayout(row)

    def _set(self, texts: Sequence[ClassText]) -> None:
        self._texts = list(texts)
        with QSignalBlocker(self.table):
            self.table.setRowCount(len(self._texts))
            for row, text in enumerate(self._texts):
                self._show_row(row, text)
        self._check()

    def _show_row(self, row: int, text: ClassText) -> None:
        """Show a class; the number of its texts stands behind its name if there are several."""
        count = len(text.versions)
        name = f"{text.name} ({count} texts)" if count > 1 else text.name
        for column, value in enumerate((name, typed_motions(text), typed_definitions(text))):
            item = self.table.item(row, column)
            if item is None:
                item = QTableWidgetItem()
                self.table.setItem(row, column, item)
            if column == 0:
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
            item.setText(value)
            item.setToolTip(value)

    def _on_cell(self, row: int, column: int) -> None:
        item = self.table.item(row, column)
        if item is None or column == 0:
            return
        before, typed = self._texts[row], item.text()
        take = with_motions if column == 1 else with_definitions
        text, problem = attempt(lambda: take(before, typed))
        self.message.setText(sentence(problem))
        self._texts[row] = text or before
        with QSignalBlocker(self.table):
            self._show_row(row, self._texts[row])
        if self._texts[row] != before:
            self._check()
            self.changed.emit()

    def _check(self) -> None:
        self._show_warnings([])
        self._timer.start()

    def _on_filled(self, answer: object) -> None:
        assert isinstance(answer, tuple)
        before, found = answer
        if before != self._texts:  # edited meanwhile
            return
        ours, lexicon = (sum(origin == kind for _, origin in found) for kind in ("ours", "lexicon"))
        self._set([text for text, _ in found])
        said = f"Filled in {ours} from our own texts and {lexicon} from the lexicon."
        self.message.setText(said if ours or lexicon else "No known text fits a class that has none.")
        self.changed.emit()

    def _show_warnings(self, similar: list[str]) -> None:
        problems = [*check_texts(self._texts), *similar]
        self.warnings.clear()
        self.warnings.addItems([f"!  {sentence(problem)}" for problem in problems] or ["✓  Nothing stands out."])
        self._tabs.setTabText(1, f"Problems ({len(problems)})" if problems else "Problems")

    def _compare(self) -> None:
        texts = [
            replace(one, motion=one.motion or one.name, definition=one.definition or one.name) for one in self._texts
        ]
        if texts:
            self._task.submit(lambda: similarity_of(texts))

    def _on_similar(self, found: object) -> None:
        assert isinstance(found, np.ndarray)
        self.similarity = found
        names = [text.name for text in self._texts]
        if len(found) == len(names):
            self._show_warnings(near_pairs(names, found))
            self.map.show_matrix(names, found, float(found.min()), 1.0)
            self._show_neighbours()

    def _pair(self, row: int, column: int) -> str:
        return f"{self.map.names[row]}, {self.map.names[column]}: {self.map.matrix[row, column]:.2f}"

    def _show_neighbours(self) -> None:
        row = max(0, self.table.currentRow())
        if self.similarity is None or row >= len(self.similarity) or len(self.similarity) != len(self._texts):
            return
        order = [int(one) for one in np.argsort(-self.similarity[row]) if one != row][:4]
        near = ", ".join(f"{self._texts[one].name} ({self.similarity[row, one]:.2f})" for one in order)
        self.neighbours.setText(f"“{self._texts[row].name}” is most like: {near}")

    def _ask_import(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Class texts", "", "YAML (*.yaml *.yml)")
        if name:
            self.take(Path(name))

    def _ask_export(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Class texts", "texts.yaml", "YAML (*.yaml)")
        if name:
            try:
                write_texts(Path(name), self._texts)
            except OSError as error:
                self.message.setText(f"{name} cannot be written: {error.strerror}.")


def usual_texts(draft: Draft, session: Session) -> list[ClassText]:
    """The texts that the data would have without any others; empty if the classes are not known. FloraError if they are
    in a file that cannot be read.
    """
    if draft.source == "project":
        if session.project is None:
            return []
        known = session.project.classes.texts()
        names = session.project.classes.names()
        return texts_of_names(names, known)
    try:
        dataset = load_benchmark(draft.benchmark).dataset if draft.source == "published" else draft.dataset
    except FloraError:
        return []
    place = draft.wording.get("texts")
    return load_class_texts(dataset, Path(place) if place else None) if dataset in dataset_names() else []


def filled(texts: Sequence[ClassText]) -> list[tuple[ClassText, str]]:
    """Each text, filled in if it is only a name, and where that is from: "ours", "lexicon", "" if it stays."""
    bare = [replace(t, motion=t.name, definition=t.name) if t.motion in ("", t.name) else t for t in texts]
    ours = with_known_texts(bare)
    known = with_lexicon_texts(ours, users_lexicon())
    origins = [
        "ours" if own != before else "lexicon" if found != own else ""
        for before, own, found in zip(bare, ours, known, strict=True)
    ]
    return list(zip(known, origins, strict=True))


def similarity_of(texts: list[ClassText]) -> Matrix:
    """Cosines (K, K) between the classes' pooled text vectors, each the mean of its texts."""
    vectors = class_vectors(several_states(load_text_encoder("minilm"), texts, _TOKENS))
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    matrix: Matrix = (vectors @ vectors.T).astype(np.float32)
    return matrix


def near_pairs(names: Sequence[str], similarity: Matrix) -> list[str]:
    """The pairs of classes whose texts are nearly the same, the nearest first."""
    rows, columns = np.triu_indices(len(names), 1)
    near = similarity[rows, columns]
    order = [int(one) for one in np.argsort(-near) if near[one] >= NEAR]
    return [f"“{names[rows[i]]}” and “{names[columns[i]]}” are nearly the same ({near[i]:.2f})" for i in order]


def _table() -> QTableWidget:
    table = QTableWidget(0, 3)
    table.setAccessibleName("Class texts")
    table.setHorizontalHeaderLabels(["Class", "How the body moves", "What the action is"])
    table.verticalHeader().setDefaultSectionSize(24)
    header = table.horizontalHeader()
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    header.resizeSection(0, 130)
    for column in (1, 2):
        header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
    return table
