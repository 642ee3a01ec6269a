"""The wizard's page about the split: the split editor itself, or its fields for a data set that is not a project."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.library.split_editor import SplitEditor
from app.library.split_fields import SplitFields
from app.library.split_form import fitting_presets
from app.session import Session
from app.training.draft import Draft
from app.training.pages.page import Page
from app.widgets import choice_box
from flora_engine.datasets.benchmarks import load_benchmark
from flora_engine.datasets.catalogue import dataset_names, load_dataset
from flora_engine.errors import FloraError
from flora_engine.project import Split


class SplitPage(Page):
    """Which classes the model must never see, and which recordings train."""

    title = "Which classes stay unseen?"
    explanation = (
        "The model never sees the checked classes while it learns, so that they tell how well it names actions that "
        "are new to it. Train on some persons and test on others."
    )

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.editor = SplitEditor(session)
        self.editor.setWindowFlags(Qt.WindowType.Widget)
        self.editor.setMinimumSize(0, 0)
        self.editor.close_button.hide()
        self.editor.splitter.setSizes([130, 520, 250])
        self.editor.judged.connect(self.changed)
        session.opened.connect(self.editor.reload)
        self.catalogue = CatalogueSplit()
        self.catalogue.fields.changed.connect(self.changed)
        self.catalogue.classes.itemChanged.connect(lambda _: self.changed.emit())
        self.fixed = QLabel(wordWrap=True, alignment=Qt.AlignmentFlag.AlignTop)
        self._stack = QStackedWidget()
        for widget in (self.editor, self.catalogue, self.fixed):
            self._stack.addWidget(widget)
        self.column.addWidget(self._stack, 1)
        self._source = "project"

    def show_draft(self, draft: Draft) -> None:
        self._source = draft.source
        if draft.source == "project":
            self._stack.setCurrentWidget(self.editor)
            self.editor.reload()
            if draft.split is not None and draft.split != _split_of(self.editor):
                self.editor.show_split(draft.split)
        elif draft.source == "folder":
            self._stack.setCurrentWidget(self.catalogue)
            self.catalogue.show_split(draft.dataset, draft.split)
        else:
            self._stack.setCurrentWidget(self.fixed)
            self.fixed.setText(_benchmark_text(draft.benchmark))

    def fill(self, draft: Draft) -> Draft:
        if draft.source != self._source:
            return draft
        if draft.source == "project":
            return replace(draft, split=_split_of(self.editor) or draft.split)
        if draft.source == "folder":
            return replace(draft, split=self.catalogue.split())
        return draft

    def trouble(self, draft: Draft) -> str:
        """The first error that the split editor finds, such as a leak."""
        if draft.source != "project" or self.editor.judgement is None:
            return ""
        errors = (finding.text for finding in self.editor.judgement.findings if finding.level == "error")
        return next(errors, "")


class CatalogueSplit(QWidget):
    """A split of a data set of the catalogue: its classes and benchmarks are known, its recordings are not read yet."""

    def __init__(self) -> None:
        super().__init__()
        self._dataset = ""
        self.presets = choice_box([])
        self.presets.setAccessibleName("Published splits")
        self.presets.activated.connect(self._on_preset)
        self.classes = QListWidget()
        self.classes.setAccessibleName("Classes; a checked one is unseen")
        self.fields = SplitFields()
        right = QVBoxLayout()
        right.addWidget(QLabel("Start from a published split"))
        right.addWidget(self.presets)
        right.addWidget(self.fields)
        right.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.classes, 1)
        row.addLayout(right, 1)

    def show_split(self, dataset: str, split: Split | None) -> None:
        """Show a split of this data set; None: its first published one."""
        if dataset not in dataset_names():
            return
        new, self._dataset = dataset != self._dataset, dataset
        names = load_dataset(dataset).class_names
        if new:
            self.presets.clear()
            for preset in fitting_presets(names):
                self.presets.addItem(preset.title, preset.split)
        fitting = split if split is not None and all(0 <= one < len(names) for one in split.unseen) else None
        if fitting is None or (new and split is None):
            fitting = self.presets.itemData(0) if self.presets.count() else Split(name="split", unseen=())
        self._show(fitting)

    def split(self) -> Split | None:
        """The split in the form, None if a number is wrong."""
        rows = range(self.classes.count())
        checked = [row for row in rows if self.classes.item(row).checkState() == Qt.CheckState.Checked]
        try:
            return self.fields.split(tuple(checked))
        except FloraError:
            return None

    def _show(self, split: Split) -> None:
        blockers = QSignalBlocker(self.classes), QSignalBlocker(self.fields)
        self.classes.clear()
        for number, name in enumerate(load_dataset(self._dataset).class_names):
            item = QListWidgetItem(name)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked if number in split.unseen else Qt.CheckState.Unchecked)
            self.classes.addItem(item)
        self.fields.show_split(split)
        del blockers

    def _on_preset(self, place: int) -> None:
        split = self.presets.itemData(place)
        if isinstance(split, Split):
            self._show(split)
            self.fields.changed.emit()


def _split_of(editor: SplitEditor) -> Split | None:
    try:
        return editor.split()
    except FloraError:
        return None


def _benchmark_text(name: str) -> str:
    try:
        one = load_benchmark(name)
    except FloraError as error:
        return str(error)
    names = load_dataset(one.dataset).class_names
    unseen = ", ".join(names[label] for label in one.unseen)
    return f"The benchmark {name} is the split: {len(one.seen)} seen classes. Unseen: {unseen}."
