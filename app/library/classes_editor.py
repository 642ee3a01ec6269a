"""The project's classes: their names and the two texts by which a model knows them."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from flora_engine.datasets.catalogue import dataset_names, load_dataset
from flora_engine.errors import FloraError
from flora_engine.project.project import Project

_NAME, _MOTION, _DEFINITION = range(3)


class ClassesEditor(QDialog):
    """Every change is an edit of the project at once and can be undone there."""

    changed = Signal()

    def __init__(self, project: Project, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Classes and their texts")
        self.resize(900, 520)
        self.project = project
        self.table = QTableWidget(0, 3)
        self.table.setAccessibleName("Classes")
        self.table.setHorizontalHeaderLabels(["Class", "How the body moves", "What the action is"])
        self.table.setWordWrap(True)
        self.table.verticalHeader().setToolTip("The class's number, from 0")
        header = self.table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.resizeSection(_NAME, 180)
        for column in (_MOTION, _DEFINITION):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        self.table.cellChanged.connect(self._on_cell)
        self.new_name = QLineEdit(placeholderText="New class")
        self.new_name.setAccessibleName("Name of a new class")
        self.new_name.returnPressed.connect(self._add)
        self.message = QLabel("Double-click a cell to change it.", wordWrap=True)
        self.message.setProperty("role", "muted")
        row = QHBoxLayout()
        row.addWidget(self.new_name, 1)
        for title, act in (
            ("Add", self._add),
            ("Fill in our own texts", self._fill_in),
            ("Remove", self._remove),
            ("Close", self.close),
        ):
            button = QPushButton(title)
            button.setAutoDefault(False)
            button.clicked.connect(act)
            row.addWidget(button)
        column_layout = QVBoxLayout(self)
        column_layout.addWidget(self.table, 1)
        column_layout.addWidget(self.message)
        column_layout.addLayout(row)
        self.reload()

    def reload(self) -> None:
        """Show what the project holds now."""
        blocker = QSignalBlocker(self.table)
        names, texts = self.project.class_names(), self.project.texts()
        self.table.setRowCount(len(names))
        self.table.setVerticalHeaderLabels([str(number) for number in range(len(names))])
        for row, name in enumerate(names):
            for column, text in enumerate((name, *texts.get(name, ("", "")))):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                if not self.project.writable:
                    item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
                self.table.setItem(row, column, item)
        del blocker

    def _on_cell(self, row: int, column: int) -> None:
        name = self.project.class_names()[row]
        text = " ".join(self.table.item(row, column).text().split())
        if column == _NAME:
            self._edit(lambda: text != name and self.project.rename_class(name, text))
            return
        motion, definition = self.project.texts().get(name, ("", ""))
        pair = (text, definition) if column == _MOTION else (motion, text)
        self._edit(lambda: self.project.set_texts({name: pair}))

    def _add(self) -> None:
        name = " ".join(self.new_name.text().split())
        if name and self._edit(lambda: self.project.add_classes([name])):
            self.new_name.clear()

    def _remove(self) -> None:
        row = self.table.currentRow()
        if row >= 0:
            name = self.project.class_names()[row]
            self._edit(lambda: self.project.remove_class(name))

    def _fill_in(self) -> None:
        """Texts for the classes that have none and that a known data set describes."""
        known = {text.name: text for name in dataset_names() for text in load_dataset(name).classes}
        have = self.project.texts()
        new = {
            name: (known[name].motion, known[name].definition)
            for name in self.project.class_names()
            if name in known and not any(have.get(name, ()))
        }
        if not new:
            self.message.setText("No class without texts has the name of a class we have texts for.")
            return
        if self._edit(lambda: self.project.set_texts(new)):
            self.message.setText(f"Filled in {len(new)} classes.")

    def _edit(self, change: Callable[[], object]) -> bool:
        try:
            done = bool(change())
        except FloraError as error:
            self.message.setText(str(error))
            self.reload()
            return False
        self.message.clear()
        self.reload()
        if done:
            self.changed.emit()
        return done
