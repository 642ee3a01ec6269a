"""The table of actions: names, descriptions, colours and keys; sets by name, lists from elsewhere, hints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QGuiApplication
from PySide6.QtWidgets import (
    QColorDialog,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QInputDialog,
    QLabel,
    QMenu,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.session import Session
from app.widgets import button, submenu
from app.workers.tasks import Newest, attempt
from flora_engine.semantics.action_lists import (
    Action,
    completed,
    find_in_lexicon,
    from_json,
    from_typed,
    hints,
    merged,
    problems,
    read_csv,
    to_json,
    to_typed,
)
from flora_engine.semantics.class_texts import parse_typed, with_known_texts
from flora_engine.semantics.lexicon import load_lexicon
from flora_engine.semantics.text_encoder import load_text_encoder

_NAME, _TEXT, _COLOUR, _KEY = range(4)
_PAUSE = 400  # ms after the last change before hints are looked for
Presets = Callable[[], list[tuple[str, str]]]


class ActionsEditor(QDialog):
    """Every valid change is taken at once (`changed`); sets are kept in the project through the session."""

    changed = Signal(object)  # list of Action

    def __init__(self, session: Session, presets: Presets, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Actions")
        self.resize(860, 520)
        self._session, self._presets = session, presets
        self.listed: list[Action] = []
        self.table = self._make_table()
        self.message = QLabel(wordWrap=True)
        self.message.setProperty("role", "muted")
        self.hints = QLabel(wordWrap=True)
        self.hints.setAccessibleName("Which actions may be confused")
        self._looking = Newest(self)
        self._looking.done.connect(lambda found: self.hints.setText("\n".join(found)))
        self._looking.failed.connect(self.message.setText)
        self._timer = QTimer(self, singleShot=True, interval=_PAUSE)
        self._timer.timeout.connect(self._look_for_hints)
        column = QVBoxLayout(self)
        column.addWidget(self.table, 1)
        column.addWidget(self.message)
        column.addWidget(self.hints)
        column.addLayout(self._make_buttons())

    # -- outside -------------------------------------------------------------------------------------------------

    def show_actions(self, actions: Sequence[Action]) -> None:
        """Show these rows."""
        self.listed = list(actions)
        self._fill()

    def paste(self, text: str) -> None:
        """Add the lines of a list: names, or names and descriptions after a colon or a tab."""
        self.take(merged(self.listed, from_typed(text)))

    def import_csv(self, path: Path) -> None:
        """Add the rows of a CSV file; a file with problems is not taken."""
        found, problem = attempt(lambda: read_csv(path))
        if problem:
            self.message.setText(problem)
        else:
            self.take(merged(self.listed, found))

    def add_from_lexicon(self, words: str) -> int:
        """Add the entries of the lexicon whose names hold these words; how many."""
        found = find_in_lexicon(load_lexicon(), words) if words.strip() else []
        self.take(merged(self.listed, found))
        self.message.setText(f"{len(found)} entries of the lexicon hold “{words}”.")
        return len(found)

    def save_set(self, name: str) -> None:
        """Keep the rows in the project under a name."""
        content = to_json(self.listed)
        done = partial(self.message.setText, f"Saved “{name}”.")
        self._session.edit(
            lambda project: project.class_sets.save(name, content), lambda _: done(), self.message.setText
        )

    def open_set(self, name: str) -> None:
        """Show a set of the project."""
        project = self._session.project
        if project is not None:
            self.take(from_json(project.class_sets.all()[name]))

    def remove_set(self, name: str) -> None:
        self._session.edit(lambda project: project.class_sets.remove(name), failed=self.message.setText)

    def take(self, actions: list[Action]) -> None:
        """Show these rows, and report whether they are sound."""
        self.listed = actions
        self._fill()
        wrong = problems(actions)
        self.message.setText(" ".join(wrong))
        if not wrong:
            self.changed.emit(actions)

    # -- inside --------------------------------------------------------------------------------------------------

    def _make_table(self) -> QTableWidget:
        table = QTableWidget(0, 4)
        table.setAccessibleName("Actions")
        table.setHorizontalHeaderLabels(["Action", "How the body moves", "Colour", "Key"])
        table.verticalHeader().setDefaultSectionSize(28)
        header = table.horizontalHeader()
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.resizeSection(_NAME, 190)
        header.setSectionResizeMode(_TEXT, QHeaderView.ResizeMode.Stretch)
        table.cellChanged.connect(self._on_cell)
        table.cellDoubleClicked.connect(self._on_double_click)
        return table

    def _make_buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(button("Add", self._add))
        row.addWidget(button("Remove", self._remove))
        row.addWidget(button("Paste", lambda: self.paste(QGuiApplication.clipboard().text())))
        row.addWidget(self._menu("Import ▾", self._fill_import))
        row.addWidget(self._menu("Sets ▾", self._fill_sets))
        self.known = button("Refuse the known text", self._switch_known)
        self.known.setToolTip("Use the bare name of the selected action, or its known text again")
        row.addWidget(self.known)
        row.addStretch(1)
        row.addWidget(button("Close", self.close))
        return row

    def _menu(self, title: str, fill: Callable[[QMenu], None]) -> QToolButton:
        made = QToolButton()
        made.setText(title)
        made.setAccessibleName(title.removesuffix(" ▾"))
        made.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(made)
        menu.aboutToShow.connect(menu.clear)
        menu.aboutToShow.connect(lambda: fill(menu))
        made.setMenu(menu)
        return made

    def _fill_import(self, menu: QMenu) -> None:
        lists = submenu(menu, "Classes of a benchmark")
        for title, text in self._presets():
            lists.addAction(title, partial(self.paste, text))
        menu.addAction("CSV file…", self._ask_csv)
        menu.addAction("Lexicon…", lambda: self._ask("Words in the lexicon", self.add_from_lexicon))

    def _fill_sets(self, menu: QMenu) -> None:
        project = self._session.project
        sets = list(project.class_sets.all()) if project is not None else []
        for name in sets:
            menu.addAction(name, partial(self.open_set, name))
        if sets:
            menu.addSeparator()
            removing = submenu(menu, "Remove")
            for name in sets:
                removing.addAction(name, partial(self.remove_set, name))
        menu.addAction("Save as…", lambda: self._ask("Name of the set", self.save_set)).setEnabled(
            self._session.can_edit
        )

    def _ask(self, title: str, then: Callable[[str], object]) -> None:
        dialog = QInputDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle(title)
        dialog.setLabelText(title)
        dialog.textValueSelected.connect(then)
        dialog.open()

    def _ask_csv(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Actions from a CSV file", "", "CSV (*.csv)")
        if name:
            self.import_csv(Path(name))

    def _add(self) -> None:
        names = {one.name for one in self.listed}
        number = next(n for n in range(1, len(names) + 2) if f"action {n}" not in names)
        self.take([*self.listed, Action(f"action {number}")])
        self.table.setCurrentCell(len(self.listed) - 1, _NAME)
        item = self.table.item(len(self.listed) - 1, _NAME)
        if item is not None:
            self.table.editItem(item)

    def _remove(self) -> None:
        row = self.table.currentRow()
        if 0 <= row < len(self.listed):
            self.take([one for place, one in enumerate(self.listed) if place != row])

    def _switch_known(self) -> None:
        row = self.table.currentRow()
        if 0 <= row < len(self.listed) and completed(self.listed[row]):
            self._change(row, known=not self.listed[row].known)

    def _fill(self) -> None:
        blocker = QSignalBlocker(self.table)
        row = self.table.currentRow()
        self.table.setRowCount(len(self.listed))
        for place, one in enumerate(self.listed):
            known = completed(one)
            text = one.description or (known if one.known else "")
            for column, value in enumerate((one.name, text, one.colour, one.key)):
                item = QTableWidgetItem(value)
                if column == _TEXT and not one.description:
                    font = item.font()
                    font.setItalic(True)
                    item.setFont(font)
                    item.setToolTip(_TIP.get((bool(known), one.known), ""))
                if column == _COLOUR and QColor(value).isValid():
                    item.setBackground(QColor(value))
                self.table.setItem(place, column, item)
        if self.listed:
            self.table.setCurrentCell(min(max(row, 0), len(self.listed) - 1), max(self.table.currentColumn(), 0))
        del blocker
        self._timer.start()

    def _on_cell(self, row: int, column: int) -> None:
        item = self.table.item(row, column)
        if item is None or row >= len(self.listed):
            return
        text, one = " ".join(item.text().split()), self.listed[row]
        if column == _TEXT:
            self._change(row, description="" if text == completed(one) else text)
        else:
            self._change(row, **{{_NAME: "name", _COLOUR: "colour", _KEY: "key"}[column]: text})

    def _on_double_click(self, row: int, column: int) -> None:
        if column == _COLOUR and row < len(self.listed):
            colour = QColorDialog.getColor(QColor(self.listed[row].colour or "#0072b2"), self, "Colour")
            if colour.isValid():
                self._change(row, colour=colour.name())

    def _change(self, row: int, **values: Any) -> None:
        rows = list(self.listed)
        rows[row] = replace(rows[row], **values)
        self.take(rows)

    def _look_for_hints(self) -> None:
        actions, project = list(self.listed), self._session.project

        def look() -> list[str]:
            texts = with_known_texts(parse_typed(to_typed(actions)))
            confused = project.class_sets.confused([one.name for one in actions]) if project is not None else []
            return hints(texts, load_text_encoder(), confused)

        if self.isVisible():
            self._looking.submit(look)


_TIP = {
    (True, True): "A known text. Edit it, or refuse it with the button below.",
    (True, False): "The known text is refused: the bare name counts.",
    (False, True): "No known text has this name. Describe how the body moves.",
}
