"""Who trains and what stays unseen: the editor of a project's splits, with its counts and its leaks in view."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QPushButton,
    QSpinBox,
    QSplitter,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.library.split_form import Judgement, Preset, fitting_presets, judge, numbers_text, parse_numbers
from app.theme import LIGHT, Theme
from app.workers.tasks import Newest
from flora_engine.datasets.split_checks import Recordings, of_project
from flora_engine.errors import FloraError
from flora_engine.project.project import Project
from flora_engine.project.splits import Split, TrainRule, export_split, import_split

_RULES = (("subject", "subject"), ("camera", "camera"), ("setup", "set-up"), ("fraction", "fraction of each class"))
_DEBOUNCE = 150  # ms


class SplitEditor(QDialog):
    """Edits one split at a time; saving is an edit of the project and can be undone there."""

    saved = Signal(str)

    def __init__(self, project: Project, theme: Theme = LIGHT, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Splits")
        self.resize(980, 600)
        self.setMinimumSize(820, 500)
        self.project = project
        self._theme = theme
        self._recordings: Recordings | None = None
        self._version = -1
        self._judgement: Judgement | None = None
        self._loading = Newest(self)
        self._loading.done.connect(self._on_recordings)
        self._loading.failed.connect(self._say)
        self._judging = Newest(self)
        self._judging.done.connect(self._on_judged)
        self._judging.failed.connect(self._say)
        self._timer = QTimer(self, singleShot=True, interval=_DEBOUNCE)
        self._timer.timeout.connect(self.judge_now)
        self._make_parts()
        self._lay_out()
        self.reload()

    # -- outside -------------------------------------------------------------------------------------------------

    def reload(self) -> None:
        """Take what the project holds now, as after an undo."""
        self._fill_saved()
        if self._version != self.project.version:
            self._version = self.project.version
            project = self.project
            self._loading.submit(lambda: of_project(project))

    def show_split(self, split: Split) -> None:
        """Put a split into the form."""
        widgets = (self.name, self.rule, self.values, self.fraction, self.seed, self.low_shot, self.share, self.classes)
        blockers = [QSignalBlocker(widget) for widget in widgets]
        self.name.setText(split.name)
        self.rule.setCurrentIndex([by for by, _ in _RULES].index(split.train.by))
        self.values.setText(numbers_text(split.train.values))
        self.fraction.setValue(split.train.fraction)
        self.seed.setValue(split.train.seed if split.train.by == "fraction" else split.seed)
        self.low_shot.setChecked(split.low_shot is not None)
        self.share.setValue(100 * (split.low_shot or 0.1))
        for row in range(self.classes.topLevelItemCount()):
            state = Qt.CheckState.Checked if row in split.unseen else Qt.CheckState.Unchecked
            self.classes.topLevelItem(row).setCheckState(0, state)
        del blockers
        self._refresh_rule()
        self.judge_now()

    def split(self) -> Split:
        """What the form says; FloraError where its numbers are none."""
        rows = range(self.classes.topLevelItemCount())
        checked = Qt.CheckState.Checked
        seed = self.seed.value()
        train = TrainRule(
            by=_RULES[self.rule.currentIndex()][0],
            values=parse_numbers(self.values.text()) if self.rule.currentIndex() < 3 else (),
            fraction=self.fraction.value(),
            seed=seed,
        )
        return Split(
            name=" ".join(self.name.text().split()) or "split",
            unseen=tuple(row for row in rows if self.classes.topLevelItem(row).checkState(0) == checked),
            train=train,
            low_shot=self.share.value() / 100 if self.low_shot.isChecked() else None,
            seed=seed,
        )

    def save(self) -> None:
        """Store the split under its name, unless it is wrong."""
        try:
            split = self.split()
            problems = [f.text for f in judge(split, self._recordings).findings if f.level == "error"]
            if problems:
                raise FloraError(f"the split is not saved: {problems[0]}", remedy="Mend it first.")
            self.project.save_split(split)
        except FloraError as error:
            self._say(str(error))
            return
        self._fill_saved(split.name)
        self._say(f"Saved “{split.name}”. Undo takes it back.")
        self.saved.emit(split.name)

    # -- building ------------------------------------------------------------------------------------------------

    def _make_parts(self) -> None:
        self.stored = QListWidget()
        self.stored.setAccessibleName("Splits of the project")
        self.stored.currentTextChanged.connect(self._on_stored)
        self.name = QLineEdit("split")
        self.rule = QComboBox()
        for _, title in _RULES:
            self.rule.addItem(title)
        self.rule.currentIndexChanged.connect(self._refresh_rule)
        self.values = QLineEdit(placeholderText="for example 1-4, 7")
        self.fraction = QDoubleSpinBox(minimum=0.01, maximum=0.99, singleStep=0.05, value=0.5)
        self.seed = QSpinBox(maximum=1_000_000)
        self.low_shot = QCheckBox("Keep only")
        self.share = QDoubleSpinBox(minimum=0.1, maximum=100, value=10, decimals=1, suffix=" %")
        self.find = QLineEdit(placeholderText="Find a class", clearButtonEnabled=True)
        self.find.textChanged.connect(self._on_find)
        self.classes = QTreeWidget()
        self.classes.setHeaderLabels(["Unseen class", "Train", "Test, unseen", "Test, all"])
        self.classes.setRootIsDecorated(False)
        self.classes.setUniformRowHeights(True)
        self.classes.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        header = self.classes.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.summary = QLabel(wordWrap=True)
        self.findings = QListWidget(wordWrap=True)
        self.findings.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.findings.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.message = QLabel(wordWrap=True)
        self.message.setProperty("role", "muted")
        for widget, name in (
            (self.name, "Name of the split"),
            (self.rule, "Training recordings are chosen by"),
            (self.values, "Numbers that train"),
            (self.fraction, "Fraction that trains"),
            (self.seed, "Seed"),
            (self.low_shot, "Low-shot: keep only a share of the training recordings"),
            (self.share, "Share of the training recordings kept"),
            (self.find, "Find a class"),
            (self.classes, "Classes; a checked one is unseen"),
            (self.findings, "What is wrong with the split"),
        ):
            widget.setAccessibleName(name)
        for signal in (
            self.name.textChanged,
            self.rule.currentIndexChanged,
            self.values.textChanged,
            self.fraction.valueChanged,
            self.seed.valueChanged,
            self.low_shot.toggled,
            self.share.valueChanged,
            self.classes.itemChanged,
        ):
            signal.connect(lambda *_: self._timer.start())

    def _lay_out(self) -> None:
        splitter = QSplitter()
        for widget in (self._left_side(), self._middle(), self._right_side()):
            splitter.addWidget(widget)
        splitter.setSizes([180, 440, 360])
        splitter.setChildrenCollapsible(False)
        row = QHBoxLayout()
        row.addWidget(self.message, 1)
        self._save = QPushButton("Save")
        self._save.setProperty("primary", True)
        self._save.clicked.connect(self.save)
        close = QPushButton("Close")
        close.setAutoDefault(False)
        close.clicked.connect(self.close)
        row.addWidget(self._save)
        row.addWidget(close)
        column = QVBoxLayout(self)
        column.addWidget(splitter, 1)
        column.addLayout(row)

    def _left_side(self) -> QWidget:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 4, 0)
        column.addWidget(QLabel("Saved splits"))
        column.addWidget(self.stored, 1)
        presets = QPushButton("From a benchmark")
        menu = QMenu(presets)
        menu.aboutToShow.connect(lambda: self._fill_presets(menu))
        presets.setMenu(menu)
        column.addWidget(presets)
        for title, act in (
            ("New", lambda: self.show_split(Split(name="new split", unseen=()))),
            ("Import YAML…", self._import),
            ("Export YAML…", self._export),
            ("Remove", self._remove),
        ):
            button = QPushButton(title)
            button.setAutoDefault(False)
            button.clicked.connect(act)
            column.addWidget(button)
        return holder

    def _middle(self) -> QWidget:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(4, 0, 4, 0)
        row = QHBoxLayout()
        row.addWidget(QLabel("Check the unseen classes"), 1)
        row.addWidget(self.find, 1)
        column.addLayout(row)
        column.addWidget(self.classes, 1)
        return holder

    def _right_side(self) -> QWidget:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(4, 0, 0, 0)
        self._form = QFormLayout()
        self._form.addRow("Name", self.name)
        self._form.addRow("Train by", self.rule)
        self._form.addRow("These train", self.values)
        self._form.addRow("Share", self.fraction)
        low = QHBoxLayout()
        low.addWidget(self.low_shot)
        low.addWidget(self.share)
        low.addStretch(1)
        self._form.addRow("Low-shot", low)
        self._form.addRow("Seed", self.seed)
        column.addLayout(self._form)
        column.addSpacing(8)
        column.addWidget(self.summary)
        column.addWidget(self.findings, 1)
        return holder

    # -- filling -------------------------------------------------------------------------------------------------

    def _fill_saved(self, current: str = "") -> None:
        blocker = QSignalBlocker(self.stored)
        self.stored.clear()
        self.stored.addItems(list(self.project.splits()))
        for item in self.stored.findItems(current, Qt.MatchFlag.MatchExactly) if current else []:
            self.stored.setCurrentItem(item)
        del blocker
        self._save.setEnabled(self.project.writable)
        if not self.project.writable:
            self._say(f"Nothing can be saved: {self.project.read_only_reason}.")

    def _fill_presets(self, menu: QMenu) -> None:
        menu.clear()
        presets: list[Preset] = fitting_presets(self.project.class_names())
        for preset in presets:
            menu.addAction(preset.title, lambda split=preset.split: self.show_split(split))
        if not presets:
            note = menu.addAction("None fits: a benchmark needs the classes of its data set, in their order")
            note.setEnabled(False)

    def _on_recordings(self, recordings: object) -> None:
        assert isinstance(recordings, Recordings)
        self._recordings = recordings
        unseen = {item.text(0) for item in self._items() if item.checkState(0) == Qt.CheckState.Checked}
        blocker = QSignalBlocker(self.classes)
        self.classes.clear()
        for name in recordings.class_names:
            item = QTreeWidgetItem([name, "", "", ""])
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(0, Qt.CheckState.Checked if name in unseen else Qt.CheckState.Unchecked)
            for column in (1, 2, 3):
                item.setTextAlignment(column, Qt.AlignmentFlag.AlignRight)
            self.classes.addTopLevelItem(item)
        del blocker
        for column in (1, 2, 3):
            self.classes.resizeColumnToContents(column)
        if self.stored.count() and not unseen and self.stored.currentRow() < 0:
            self.stored.setCurrentRow(0)
        self.judge_now()

    def _items(self) -> list[QTreeWidgetItem]:
        return [self.classes.topLevelItem(row) for row in range(self.classes.topLevelItemCount())]

    # -- judging -------------------------------------------------------------------------------------------------

    def judge_now(self) -> None:
        """Count and check what the form says."""
        self._timer.stop()
        recordings = self._recordings
        if recordings is None:
            return
        try:
            split = self.split()
        except FloraError as error:
            self._judging.forget()
            self._say(str(error))
            self.summary.clear()
            return
        self._say("")
        self._judging.submit(lambda: judge(split, recordings))

    def _on_judged(self, judgement: object) -> None:
        assert isinstance(judgement, Judgement)
        self._judgement = judgement
        self.summary.setText(judgement.summary)
        counts = judgement.counts
        blocker = QSignalBlocker(self.classes)
        for row, item in enumerate(self._items()):
            for column, part in enumerate((counts.train, counts.zsl, counts.gzsl), start=1):
                item.setText(column, f"{int(part[row]):,}" if row < len(part) and part[row] else "–")
        del blocker
        self.findings.clear()
        for finding in judgement.findings:
            mark = "✕" if finding.level == "error" else "!"
            item = QListWidgetItem(f"{mark}  {finding.text}")
            item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{finding.level}: {finding.text}")
            self.findings.addItem(item)
            if finding.level == "error":
                item.setBackground(QColor(self._theme.warning))
                item.setForeground(QColor(self._theme.on_warning))
        if not judgement.findings:
            self.findings.addItem("✓  No leak, no empty class, no empty part.")
        self._save.setEnabled(self.project.writable and all(f.level != "error" for f in judgement.findings))

    def _refresh_rule(self) -> None:
        fraction = self.rule.currentIndex() == 3
        self._form.setRowVisible(self.values, not fraction)
        self._form.setRowVisible(self.fraction, fraction)

    # -- buttons -------------------------------------------------------------------------------------------------

    def _on_stored(self, name: str) -> None:
        split = self.project.splits().get(name)
        if split is not None:
            self.show_split(split)

    def _on_find(self, text: str) -> None:
        for item in self._items():
            item.setHidden(text.casefold() not in item.text(0).casefold())

    def _remove(self) -> None:
        item = self.stored.currentItem()
        if item is None:
            return
        try:
            self.project.remove_split(item.text())
        except FloraError as error:
            self._say(str(error))
            return
        name = item.text()
        self._fill_saved()
        self._say(f"Removed “{name}”. Undo brings it back.")
        self.saved.emit(name)

    def _export(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self, "Export the split", f"{self.name.text()}.yaml", "YAML (*.yaml)")
        if name:
            self.export_to(Path(name))

    def export_to(self, path: Path) -> None:
        """Write the split of the form as YAML."""
        try:
            export_split(self.split(), self.project.class_names(), path)
        except FloraError as error:
            self._say(str(error))
        except OSError as error:
            self._say(f"{path}: cannot be written ({error.strerror}). Choose another folder.")
        else:
            self._say(f"Wrote {path}")

    def _import(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Import a split", "", "YAML (*.yaml *.yml)")
        if name:
            try:
                self.show_split(import_split(Path(name), self.project.class_names()))
            except FloraError as error:
                self._say(str(error))

    def _say(self, text: str) -> None:
        self.message.setText(text)
