"""The fields of the dialog that asks how a file is to be read, and the recipe that they say."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QSpinBox,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.dialogs.import_form import number
from app.widgets import choice_box
from flora_engine.readers import Attempt
from flora_engine.readers.corrections import TURNS
from flora_engine.readers.reading_recipes import ReadingRecipe, columns_in_order
from flora_engine.skeleton import LAYOUTS
from flora_engine.skeleton.names import find, index_of
from flora_engine.skeleton.orientation import UNITS

_GUESS = "guess it"
_DEBOUNCE = 300  # ms after the last change


class ReadingForm(QWidget):
    """Says how one file is to be read. found: what came of reading it as it is."""

    edited = Signal()  # a moment after the last of several changes

    def __init__(self, found: Attempt, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._found = found
        self.by_column = found.kind == "columns" and not found.joints
        self.layout_box = choice_box([(_GUESS, None)] + [(layout.title, name) for name, layout in LAYOUTS.items()])
        self.array = choice_box([(_GUESS, None)] + [(name, name.rsplit(":", 1)[0]) for name in found.names])
        self.up = choice_box([(_GUESS, None)] + [(axis, axis) for axis in TURNS])
        self.hands = choice_box([(_GUESS, None), ("right-handed", False), ("left-handed (mirrored)", True)])
        self.unit = choice_box([(_GUESS, None)] + [(unit, unit) for unit in UNITS])
        self.fps = QLineEdit(placeholderText=_GUESS)
        self.first = QSpinBox(minimum=1, maximum=max(2, len(self.names())))
        self.step = QSpinBox(minimum=3, maximum=12)
        self.joints = JointsTable(self.names(), 3 if self.by_column else 1)
        self._lay_out()
        self._timer = QTimer(self, singleShot=True, interval=_DEBOUNCE)
        self._timer.timeout.connect(self.edited)
        self.show_recipe(found.recipe or ReadingRecipe())
        for box in (self.array, self.up, self.hands, self.unit):
            box.currentIndexChanged.connect(self._timer.start)
        self.layout_box.currentIndexChanged.connect(self._on_layout)
        self.fps.textChanged.connect(self._timer.start)
        self.joints.edited.connect(self._timer.start)
        for spin in (self.first, self.step):
            spin.valueChanged.connect(self._fill_columns)

    def names(self) -> tuple[str, ...]:
        """What a joint, or a column, may be called in the file."""
        if not self.by_column:
            return self._found.joints
        counted = self._found.names[0].removesuffix(" columns")
        bare = len(self._found.names) == 1 and counted.isdecimal()
        return tuple(str(i) for i in range(1, int(counted) + 1)) if bare else self._found.names

    def recipe(self) -> ReadingRecipe:
        """What the fields say; FloraError if a number is wrong."""
        layout = self.layout_box.currentData()
        told = self.joints.told() if layout is not None else {}
        by_column = {joint: three for joint, cells in told.items() if len(three := _columns(cells, self.names())) == 3}
        return ReadingRecipe(
            about=self._about,
            for_files=self._found.looks,
            layout=layout,
            array=self.array.currentData() if self._found.kind == "arrays" else None,
            joints={} if self.by_column else {joint: cells[0] for joint, cells in told.items() if cells[0]},
            columns=by_column if self.by_column else {},
            up=self.up.currentData(),
            mirrored=self.hands.currentData(),
            unit=self.unit.currentData(),
            fps=number(self.fps.text(), "frame rate"),
        )

    def show_recipe(self, recipe: ReadingRecipe) -> None:
        """Fill the fields with what a recipe says."""
        self._about = recipe.about
        if isinstance(recipe.unit, float):
            self.unit.addItem(f"{recipe.unit:g} metres", recipe.unit)
        for box, value in (
            *((self.layout_box, recipe.layout), (self.array, recipe.array), (self.up, recipe.up)),
            *((self.hands, recipe.mirrored), (self.unit, recipe.unit)),
        ):
            box.setCurrentIndex(max(0, box.findData(value)))
        self.fps.setText("" if recipe.fps is None else f"{recipe.fps:g}")
        self._show_joints()
        cells = {joint: [name] for joint, name in recipe.joints.items()}
        cells |= {joint: [_cell(one, self.names()) for one in three] for joint, three in recipe.columns.items()}
        self.joints.tell(cells)

    def _lay_out(self) -> None:
        form = QFormLayout()
        self._form = form
        rows: list[tuple[str, QWidget, str]] = [
            ("Array", self.array, "Which array of the file"),
            ("Layout", self.layout_box, "Layout of the joints"),
            ("Up axis", self.up, "The axis of the file that points up"),
            ("Axes", self.hands, "Handedness of the axes"),
            ("Unit", self.unit, "Unit of length"),
            ("Frames/s", self.fps, "Frame rate"),
        ]
        for title, widget, name in rows:
            widget.setAccessibleName(name)
            form.addRow(title, widget)
        form.setRowVisible(self.array, self._found.kind == "arrays")
        self.first.setAccessibleName("Column of the first joint")
        self.step.setAccessibleName("Columns per joint")
        self._order = QWidget()
        row = QHBoxLayout(self._order)
        row.setContentsMargins(0, 0, 0, 0)
        for widget in (QLabel("First joint at column"), self.first, QLabel("columns per joint"), self.step):
            row.addWidget(widget)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(form)
        column.addWidget(self._order)
        column.addWidget(self.joints, 1)

    def _on_layout(self) -> None:
        self._show_joints()
        if self.by_column and self.layout_box.currentData() is not None:
            self._guess_order()
        self._timer.start()

    def _show_joints(self) -> None:
        """List the joints of the chosen layout, with the names of the file that are the same."""
        name = self.layout_box.currentData()
        shown = name is not None and bool(self.names())
        self.joints.setVisible(shown)
        self._order.setVisible(shown and self.by_column)
        if not shown:
            self.joints.show_joints((), ())
            return
        layout, names = LAYOUTS[name], self.names()
        places = find(layout, index_of(names)) if not self.by_column else [None] * len(layout.joints)
        same_order = all(place is None for place in places) and len(names) == len(layout.joints)
        hints = ["" if place is None else names[place] for place in places]
        self.joints.show_joints(layout.joints, list(names) if same_order else hints)

    def _guess_order(self) -> None:
        """Columns in the order of the layout, at the end of the table: what comes before are frames and times."""
        joints, columns = len(LAYOUTS[self.layout_box.currentData()].joints), len(self.names())
        step = 4 if columns >= 4 * joints else 3
        for spin, value in ((self.step, step), (self.first, max(1, columns - step * joints + 1))):
            spin.blockSignals(True)
            spin.setValue(value)
            spin.blockSignals(False)
        self._fill_columns()

    def _fill_columns(self) -> None:
        layout, names = self.layout_box.currentData(), self.names()
        if layout is None:
            return
        order = columns_in_order(layout, self.first.value(), self.step.value())
        self.joints.tell({joint: [_cell(one, names) for one in three] for joint, three in order.items()})
        self._timer.start()


def _cell(column: int | str, names: Sequence[str]) -> str:
    """A column as the table shows it: by its name."""
    if isinstance(column, str):
        return column
    return names[column - 1] if column <= len(names) else ""


def _columns(cells: Sequence[str], names: Sequence[str]) -> tuple[int | str, ...]:
    """Shown columns as a recipe has them: by name, or by number if the names are numbers or not unique."""
    known = [cell for cell in cells if cell in names]
    unique = len(set(names)) == len(names) and not all(name.isdecimal() for name in names)
    return tuple(cell if unique else names.index(cell) + 1 for cell in known)


class JointsTable(QTableWidget):
    """A row per joint of a layout, with what the file calls it (one column) or its columns x, y and z."""

    edited = Signal()

    def __init__(self, names: Sequence[str], columns: int) -> None:
        super().__init__(0, columns)
        self.setAccessibleName("What the file calls each joint" if columns == 1 else "Columns of each joint")
        self.setHorizontalHeaderLabels(["In the file"] if columns == 1 else ["x", "y", "z"])
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.verticalHeader().setDefaultSectionSize(24)
        self.setItemDelegate(_Choosing(names, self))
        self.itemChanged.connect(lambda _: self.edited.emit())
        self._joints: tuple[str, ...] = ()
        self._hints: dict[str, str] = {}

    def show_joints(self, joints: Sequence[str], hints: Sequence[str]) -> None:
        """List these joints. hints: what the file seems to call each, for tables of one column."""
        self._joints, self._hints = tuple(joints), dict(zip(joints, hints, strict=True))
        self.blockSignals(True)
        self.setRowCount(len(joints))
        self.setVerticalHeaderLabels(list(joints))
        for row, hint in enumerate(hints):
            for column in range(self.columnCount()):
                self.setItem(row, column, QTableWidgetItem(hint if self.columnCount() == 1 else ""))
        self.blockSignals(False)

    def tell(self, cells: dict[str, list[str]]) -> None:
        """Fill in these rows."""
        self.blockSignals(True)
        for row, joint in enumerate(self._joints):
            for column, text in enumerate(cells.get(joint, ())):
                self._cell(row, column).setText(text)
        self.blockSignals(False)

    def _cell(self, row: int, column: int) -> QTableWidgetItem:
        item = self.item(row, column)
        assert item is not None
        return item

    def told(self) -> dict[str, list[str]]:
        """Joint → its cells, for the rows that say something else than the file itself."""
        found = {}
        for row, joint in enumerate(self._joints):
            cells = [self._cell(row, column).text() for column in range(self.columnCount())]
            if any(cells) and cells != [self._hints[joint]]:
                found[joint] = cells
        return found


class _Choosing(QStyledItemDelegate):
    """Cells are chosen from the names of the file."""

    def __init__(self, names: Sequence[str], parent: QTableWidget) -> None:
        super().__init__(parent)
        self._names = ["", *names]

    def createEditor(
        self, parent: QWidget, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QWidget:
        box = QComboBox(parent)
        box.addItems(self._names)
        return box

    def setEditorData(self, editor: QWidget, index: QModelIndex | QPersistentModelIndex) -> None:
        assert isinstance(editor, QComboBox)
        editor.setCurrentText(str(index.data(Qt.ItemDataRole.EditRole)))

    def setModelData(self, editor: QWidget, model: object, index: QModelIndex | QPersistentModelIndex) -> None:
        assert isinstance(editor, QComboBox)
        model.setData(index, editor.currentText())  # type: ignore[attr-defined]
