"""Menus, shortcuts and the command palette, from the table of commands."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractButton, QComboBox, QMenu, QMenuBar

from app.commands import COMMANDS, MENUS, Command, State
from app.dialogs.palette import CommandPalette
from app.widgets import submenu

if TYPE_CHECKING:
    from app.main_window import MainWindow


class Menus(QObject):
    """One action per command of a window. bar: the menu bar. palette: made when it is first opened."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.bar = QMenuBar()
        self.palette: CommandPalette | None = None
        self._actions: dict[str, QAction] = {}
        menus = {name: submenu(self.bar, f"&{name}") for name in MENUS}
        groups: dict[str, QActionGroup] = {}
        for command in COMMANDS:
            self._actions[command.id] = action = self._make(command)
            if command.group:
                groups.setdefault(command.group, QActionGroup(self)).addAction(action)
            menus[command.menu].addAction(action)
            window.addAction(action)

    def action(self, id: str) -> QAction:
        """The action of a command."""
        return self._actions[id]

    def run(self, id: str) -> None:
        """Run a command if it is enabled."""
        if self._actions[id].isEnabled():
            self._actions[id].trigger()

    def refresh(self, state: State) -> None:
        """Enable the commands that can run in this state."""
        for command in COMMANDS:
            self._actions[command.id].setEnabled(command.enabled(state))
        for id, title, step in (("library.undo", "Undo", state.undo), ("library.redo", "Redo", state.redo)):
            self._actions[id].setText(f"{title}: {step}" if step else title)

    def context(self, *ids: str) -> QMenu:
        """A context menu of some commands."""
        menu = QMenu(self._window)
        menu.addActions([self._actions[id] for id in ids])
        return menu

    def show_palette(self) -> None:
        """Find a command by its name."""
        if self.palette is None:
            self.palette = CommandPalette(self._window)
            self.palette.run.connect(self.run, Qt.ConnectionType.QueuedConnection)
        self.palette.box.clear()
        self.palette.open()
        self.palette.box.setFocus()

    def _make(self, command: Command) -> QAction:
        action = QAction(command.title, self._window)
        action.setObjectName(command.id)
        action.setShortcuts([QKeySequence(key) for key in command.shortcuts])
        action.setStatusTip(command.hint)
        action.setCheckable(command.checkable)
        action.triggered.connect(partial(_run, command, self._window))
        return action


def _run(command: Command, window: MainWindow, checked: bool = False) -> None:
    """Run a command; Qt adds whether its action is checked."""
    command.run(window)


class KeyGuard(QObject):
    """An event filter for the application: buttons and boxes keep their own keys, though these are shortcuts here."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier)
            on_button = isinstance(watched, QAbstractButton) and event.key() == Qt.Key.Key_Space
            if plain and (on_button or isinstance(watched, QComboBox)):
                event.accept()
                return True
        return False  # as the inherited one would; asking it for every event of the program costs milliseconds
