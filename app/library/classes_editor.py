"""The project's classes: their names, and the two texts by which a model knows them."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.session import Change, Session
from app.widgets import button
from flora_engine.semantics.class_texts import ClassText, with_known_texts

_NAME, _MOTION, _DEFINITION = range(3)


class ClassesEditor(QDialog):
    """Each change is one edit of the session and can be undone."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Classes and their texts")
        self.resize(900, 520)
        self._session = session
        self._names: tuple[str, ...] = ()  # what the table shows
        self._texts: dict[str, tuple[str, str]] = {}
        self.table = self._make_table()
        self.new_name = QLineEdit(placeholderText="New class")
        self.new_name.setAccessibleName("Name of a new class")
        self.new_name.returnPressed.connect(self.add)
        self.message = QLabel("Double-click a cell to edit it.", wordWrap=True)
        self.message.setProperty("role", "muted")
        row = QHBoxLayout()
        row.addWidget(self.new_name, 1)
        for title, act in (
            ("Add", self.add),
            ("Fill in built-in texts", self.fill_in),
            ("Remove", self.remove),
            ("Close", self.close),
        ):
            row.addWidget(button(title, act))
        column = QVBoxLayout(self)
        column.addWidget(self.table, 1)
        column.addWidget(self.message)
        column.addLayout(row)
        session.changed.connect(self._on_changed)
        session.busy.connect(self.setDisabled)
        self.reload()

    def reload(self) -> None:
        """Show what the project holds now."""
        project = self._session.project
        if project is None:
            return
        self._names, self._texts = project.classes.names(), project.classes.texts()
        blocker = QSignalBlocker(self.table)
        self.table.setRowCount(len(self._names))
        self.table.setVerticalHeaderLabels([str(number) for number in range(len(self._names))])
        for row, name in enumerate(self._names):
            for column, text in enumerate((name, *self._texts.get(name, ("", "")))):
                item = QTableWidgetItem(text)
                item.setToolTip(text)
                if not project.writable:
                    item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
                self.table.setItem(row, column, item)
        del blocker

    def add(self) -> None:
        """Add the class that was typed."""
        name = " ".join(self.new_name.text().split())
        if name:
            self._edit(lambda project: project.classes.add([name]), lambda _: self.new_name.clear())

    def remove(self) -> None:
        """Remove the class of the current row."""
        row = self.table.currentRow()
        if row >= 0:
            name = self._names[row]
            self._edit(lambda project: project.classes.remove(name))

    def fill_in(self) -> None:
        """Give classes without texts those of a known class of that name."""
        bare = [ClassText(name, name, name) for name in self._names if not any(self._texts.get(name, ()))]
        new = {
            text.name: (text.motion, text.definition)
            for text, before in zip(with_known_texts(bare), bare, strict=True)
            if text != before
        }
        if not new:
            self.message.setText("No built-in texts match these class names.")
            return
        count = f"{len(new)} classes" if len(new) != 1 else "1 class"
        self._edit(
            lambda project: project.classes.set_texts(new), lambda _: self.message.setText(f"Filled in {count}.")
        )

    def _make_table(self) -> QTableWidget:
        table = QTableWidget(0, 3)
        table.setAccessibleName("Classes")
        table.setHorizontalHeaderLabels(["Class", "How the body moves", "What the action is"])
        table.setWordWrap(True)
        table.verticalHeader().setDefaultSectionSize(40)  # two lines
        table.verticalHeader().setToolTip("The number of the class, from 0")
        header = table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.resizeSection(_NAME, 180)
        for column in (_MOTION, _DEFINITION):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        table.cellChanged.connect(self._on_cell)
        return table

    def _on_cell(self, row: int, column: int) -> None:
        item = self.table.item(row, column)
        if item is None:
            return
        name, text = self._names[row], " ".join(item.text().split())
        if column == _NAME:
            self._edit(lambda project: text != name and project.classes.rename(name, text))
            return
        motion, definition = self._texts.get(name, ("", ""))
        pair = (text, definition) if column == _MOTION else (motion, text)
        self._edit(lambda project: project.classes.set_texts({name: pair}))

    def _edit(self, change: Change, done: Callable[[object], object] | None = None) -> None:
        self.message.clear()
        self._session.edit(change, done, self.message.setText)

    def _on_changed(self) -> None:
        if self.isVisible():
            self.reload()
