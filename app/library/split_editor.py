"""The editor of a project's splits: unseen classes and training recordings, with counts and leaks in view."""

from __future__ import annotations

import functools
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QSplitter,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.commands import key_text
from app.library.split_fields import SplitFields
from app.library.split_form import Judgement, fitting_presets, judge
from app.session import Session
from app.theme import current_theme
from app.widgets import button, buttons_row, sentence
from app.workers.tasks import Newest
from flora_engine.datasets.split_checks import Finding, Recordings, of_project
from flora_engine.errors import FloraError
from flora_engine.project.splits import Split, export_split, import_split

_DEBOUNCE = 150  # ms


class SplitEditor(QDialog):
    """Shows one split at a time. Saving and removing are edits of the session and can be undone."""

    judged = Signal()  # `judgement` is that of the split in the form

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Splits")
        self.resize(980, 600)
        self.setMinimumSize(820, 500)
        self._session = session
        self._splits: dict[str, Split] = {}  # the saved ones
        self._recordings: Recordings | None = None
        self._version = -1
        self._form_problem = ""
        self.judgement: Judgement | None = None  # of the split in the form
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
        session.changed.connect(self._on_changed)
        session.busy.connect(self.setDisabled)
        self.reload()

    # -- outside -------------------------------------------------------------------------------------------------

    def reload(self) -> None:
        """Show what the project holds now."""
        project = self._session.project
        if project is None:
            return
        self._fill_saved()
        if self._version != project.version:
            self._version = project.version
            self._loading.submit(lambda: of_project(project))

    @property
    def is_busy(self) -> bool:
        """Whether the split is being checked."""
        return self._judging.is_busy

    def show_split(self, split: Split) -> None:
        """Put a split into the form."""
        blocker = QSignalBlocker(self.classes)
        self.fields.show_split(split)
        for row, item in enumerate(self._items()):
            item.setCheckState(0, Qt.CheckState.Checked if row in split.unseen else Qt.CheckState.Unchecked)
        del blocker
        self.judge_now()

    def split(self) -> Split:
        """The split in the form; FloraError if a number is wrong."""
        checked = Qt.CheckState.Checked
        return self.fields.split(tuple(row for row, item in enumerate(self._items()) if item.checkState(0) == checked))

    def save(self) -> None:
        """Store the split under its name, unless it has errors."""
        try:
            split = self.split()
            if self._recordings is None:
                raise FloraError("the split is not saved: the recordings are still being counted")
            problems = [f.text for f in judge(split, self._recordings).findings if f.level == "error"]
            if problems:
                raise FloraError(f"the split is not saved: {problems[0]}", remedy="Fix it first.")
        except FloraError as error:
            self._say(str(error))
            return
        self._session.edit(lambda project: project.splits.save(split), lambda _: self._on_saved(split.name), self._say)

    def remove(self) -> None:
        """Remove the saved split that is selected."""
        item = self.stored.currentItem()
        if item is not None:
            name = item.text()
            done = f"Removed “{name}”. {key_text('library.undo')} restores it."
            self._session.edit(lambda project: project.splits.remove(name), lambda _: self._say(done), self._say)

    # -- building ------------------------------------------------------------------------------------------------

    def _make_parts(self) -> None:
        self.stored = QListWidget()
        self.stored.setAccessibleName("Splits of the project")
        self.stored.currentTextChanged.connect(self._on_stored)
        self.fields = SplitFields()
        self.search = QLineEdit(placeholderText="Find a class", clearButtonEnabled=True)
        self.search.textChanged.connect(self._on_find)
        self.classes = QTreeWidget()
        self.classes.setHeaderLabels(["Unseen class", "Train", "Test, unseen", "Test, all"])
        self.classes.setRootIsDecorated(False)
        self.classes.setUniformRowHeights(True)
        self.classes.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        header = self.classes.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.summary = QLabel(wordWrap=True)
        self.findings = QListWidget()
        self.findings.setWordWrap(True)
        self.findings.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.findings.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.message = QLabel(wordWrap=True)
        self.message.setProperty("role", "muted")
        for widget, name in (
            (self.search, "Find a class"),
            (self.classes, "Classes; a checked one is unseen"),
            (self.findings, "Problems of the split"),
        ):
            widget.setAccessibleName(name)
        self.fields.changed.connect(self._timer.start)
        self.classes.itemChanged.connect(lambda *_: self._timer.start())

    def _lay_out(self) -> None:
        self.splitter = splitter = QSplitter()
        for widget in (self._left_side(), self._middle(), self._right_side()):
            splitter.addWidget(widget)
        splitter.setSizes([180, 440, 360])
        splitter.setChildrenCollapsible(False)
        self.save_button = button("Save", self.save, primary=True)
        self.close_button = button("Close", self.close)
        row = buttons_row(self.message, self.save_button, self.close_button)
        column = QVBoxLayout(self)
        column.addWidget(splitter, 1)
        column.addLayout(row)

    def _left_side(self) -> QWidget:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 4, 0)
        column.addWidget(QLabel("Saved splits"))
        column.addWidget(self.stored, 1)
        presets = button("From a benchmark", lambda: None)
        menu = QMenu(presets)
        menu.aboutToShow.connect(lambda: self._fill_presets(menu))
        presets.setMenu(menu)
        column.addWidget(presets)
        for title, act in (
            ("New", lambda: self.show_split(Split(name="new split", unseen=()))),
            ("Import YAML…", self._import),
            ("Export YAML…", self._export),
            ("Remove", self.remove),
        ):
            column.addWidget(button(title, act))
        return holder

    def _middle(self) -> QWidget:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(4, 0, 4, 0)
        row = QHBoxLayout()
        row.addWidget(QLabel("Check the unseen classes"), 1)
        row.addWidget(self.search, 1)
        column.addLayout(row)
        column.addWidget(self.classes, 1)
        return holder

    def _right_side(self) -> QWidget:
        holder = QWidget()
        column = QVBoxLayout(holder)
        column.setContentsMargins(4, 0, 0, 0)
        column.addWidget(self.fields)
        column.addSpacing(8)
        column.addWidget(self.summary)
        column.addWidget(self.findings, 1)
        return holder

    # -- filling -------------------------------------------------------------------------------------------------

    def _fill_saved(self, current: str = "") -> None:
        project = self._session.project
        assert project is not None
        selected = self.stored.currentItem()
        current = current or (selected.text() if selected is not None else "")
        self._splits = project.splits.all()
        blocker = QSignalBlocker(self.stored)
        self.stored.clear()
        self.stored.addItems(list(self._splits))
        for item in self.stored.findItems(current, Qt.MatchFlag.MatchExactly) if current else []:
            self.stored.setCurrentItem(item)
        del blocker
        self._enable_save()
        if not project.writable:
            self._say(f"Nothing can be saved: {project.read_only_reason}.")

    def _enable_save(self) -> None:
        project, findings = self._session.project, self.judgement.findings if self.judgement is not None else ()
        writable = project is not None and project.writable
        self.save_button.setEnabled(writable and all(finding.level != "error" for finding in findings))

    def _fill_presets(self, menu: QMenu) -> None:
        menu.clear()
        presets = fitting_presets(self._class_names())
        for preset in presets:
            menu.addAction(preset.title, functools.partial(self.show_split, preset.split))
        if not presets:
            note = menu.addAction("No benchmark fits: it needs the classes of its data set, in the same order")
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
        items = (self.classes.topLevelItem(row) for row in range(self.classes.topLevelItemCount()))
        return [item for item in items if item is not None]

    def _class_names(self) -> tuple[str, ...]:
        project = self._session.project
        return project.classes.names() if project is not None else ()

    # -- judging -------------------------------------------------------------------------------------------------

    def judge_now(self) -> None:
        """Count and check the split in the form."""
        self._timer.stop()
        recordings = self._recordings
        if recordings is None:
            return
        try:
            split = self.split()
        except FloraError as error:
            self._judging.forget()
            self._form_problem = str(error)
            self._say(self._form_problem)
            self.summary.clear()
            return
        if self.message.text() == self._form_problem:
            self._say("")
        self._judging.submit(lambda: judge(split, recordings))

    def _on_judged(self, judgement: object) -> None:
        assert isinstance(judgement, Judgement)
        self.judgement = judgement
        self.summary.setText(judgement.summary)
        counts = judgement.counts
        blocker = QSignalBlocker(self.classes)
        for row, item in enumerate(self._items()):
            for column, part in enumerate((counts.train, counts.zsl, counts.gzsl), start=1):
                item.setText(column, f"{int(part[row]):,}" if row < len(part) and part[row] else "–")
        del blocker
        self.findings.clear()
        for finding in judgement.findings:
            self.findings.addItem(_finding_item(finding))
        if not judgement.findings:
            self.findings.addItem("✓  No leaks, no empty classes, no empty parts.")
        self._enable_save()
        self.judged.emit()

    # -- buttons -------------------------------------------------------------------------------------------------

    def _on_stored(self, name: str) -> None:
        if name in self._splits:
            self.show_split(self._splits[name])

    def _on_saved(self, name: str) -> None:
        self._fill_saved(name)
        self._say(f"Saved “{name}”. {key_text('library.undo')} undoes it.")

    def _on_changed(self) -> None:
        if self.isVisible():
            self.reload()

    def _on_find(self, text: str) -> None:
        for item in self._items():
            item.setHidden(text.casefold() not in item.text(0).casefold())

    def _export(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self, "Export the split", f"{self.fields.name.text()}.yaml", "YAML (*.yaml)"
        )
        if name:
            self.export_to(Path(name))

    def export_to(self, path: Path) -> None:
        """Write the split of the form as YAML."""
        try:
            export_split(self.split(), self._class_names(), path)
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
                self.show_split(import_split(Path(name), self._class_names()))
            except FloraError as error:
                self._say(str(error))

    def _say(self, text: str) -> None:
        self.message.setText(sentence(text))


def _finding_item(finding: Finding) -> QListWidgetItem:
    wrong = finding.level == "error"
    item = QListWidgetItem(f"{'✕' if wrong else '!'}  {sentence(finding.text)}")
    item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{finding.level}: {finding.text}")
    if wrong:
        theme = current_theme()
        item.setBackground(QColor(theme.warning))
        item.setForeground(QColor(theme.on_warning))
    return item
