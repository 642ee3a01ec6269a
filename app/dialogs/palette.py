"""The command palette: every command of the window by name, with its keys."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QDialog, QHeaderView, QLineEdit, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from app.commands import matching, native


class CommandPalette(QDialog):
    """Lists the commands that match the typed words; Return runs the selected one."""

    run = Signal(str)  # command id

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Find a command")
        self.resize(640, 440)
        self.box = QLineEdit(placeholderText="Type a command")
        self.box.setAccessibleName("Words of the command")
        self.list = QTreeWidget()
        self.list.setAccessibleName("Commands")
        self.list.setHeaderHidden(True)
        self.list.setRootIsDecorated(False)
        self.list.setColumnCount(2)
        self.list.setUniformRowHeights(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.header().setStretchLastSection(False)
        self.list.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.list.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.box.textChanged.connect(self._fill)
        self.box.returnPressed.connect(self._choose)
        self.box.installEventFilter(self)
        self.list.itemActivated.connect(lambda *_: self._choose())
        column = QVBoxLayout(self)
        column.addWidget(self.box)
        column.addWidget(self.list)
        self._fill("")

    def _fill(self, text: str) -> None:
        self.list.clear()
        for command in matching(text):
            keys = "   ".join(native(key) for key in command.shortcuts)
            title = f"{command.menu}: {command.title}" + (f" — {command.hint}" if command.hint else "")
            item = QTreeWidgetItem([title, keys])
            item.setData(0, Qt.ItemDataRole.UserRole, command.id)
            item.setToolTip(0, title)
            self.list.addTopLevelItem(item)
        self._mark(0)

    def _mark(self, row: int) -> None:
        item = self.list.topLevelItem(row)
        if item is not None:
            self.list.setCurrentItem(item)

    def _choose(self) -> None:
        item = self.list.currentItem()
        if item is not None:
            self.accept()
            self.run.emit(item.data(0, Qt.ItemDataRole.UserRole))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.box and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            moves = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}
            if (move := moves.get(Qt.Key(event.key()))) is not None:
                self._mark(self.list.currentIndex().row() + move)
                return True
        return super().eventFilter(watched, event)
