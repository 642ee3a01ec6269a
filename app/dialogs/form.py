"""One form for all dialogs that ask for a job: fields as a table, a check before anything starts, one button."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from app.widgets import button, buttons_row, sentence
from app.workers.tasks import Newest

_DEBOUNCE = 300  # ms after the last change before a check
Choice = tuple[str, Callable[[], object]]  # title of a button, what it does
D = TypeVar("D", bound=QDialog)


@dataclass(frozen=True)
class Field:
    """One row of a form. name: for screen readers, if the title alone says too little. choices: buttons beside it."""

    title: str
    widget: QWidget
    name: str = ""
    choices: tuple[Choice, ...] = ()
    compact: bool = False  # only as wide as needed


class Form(QFormLayout):
    """Fields in rows; a row can be hidden by its widget."""

    def __init__(self, fields: Sequence[Field]) -> None:
        super().__init__()
        self.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._rows: dict[QWidget, QWidget] = {}
        for field in fields:
            if not isinstance(field.widget, QLabel):
                field.widget.setAccessibleName(field.name or field.title)
            self._rows[field.widget] = row = _row(field)
            self.addRow(_title(field), row)

    def show_row(self, widget: QWidget, shown: bool) -> None:
        """Show or hide the row of this widget."""
        self.setRowVisible(self._rows[widget], shown)


class FormDialog(QDialog):
    """Asks for one request. After each change of a field it checks the request off the window's thread.

    A subclass makes its fields, calls `build` and answers `request`, `missing` and `check`.
    """

    wanted = Signal(object)  # request()

    def __init__(self, title: str, go: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.found = ""  # what the last check found, "" until a check succeeded
        self.message = QLabel(wordWrap=True)
        self.go_button = button(go, self.go, primary=True)
        self.go_button.setEnabled(False)
        self._task = Newest(self)
        self._task.done.connect(self._on_checked)
        self._task.failed.connect(lambda problem: self.message.setText(sentence(problem)))
        self._timer = QTimer(self, singleShot=True, interval=_DEBOUNCE)
        self._timer.timeout.connect(self._check)

    def build(self, fields: Sequence[Field], size: tuple[int, int], explanation: str = "") -> None:
        """Lay out the fields under an explanation; the dialog has this size at first."""
        self.form = Form(fields)
        column = QVBoxLayout(self)
        column.setSpacing(12)
        if explanation:
            text = QLabel(explanation, wordWrap=True)
            text.setProperty("role", "muted")
            column.addWidget(text)
        column.addLayout(self.form)
        column.addStretch(1)
        column.addLayout(buttons_row(self.message, self.go_button, button("Cancel", self.reject)))
        self.setMinimumSize(560, size[1] - 20)
        self.resize(*size)
        for field in fields:
            if (signal := _change_signal(field.widget)) is not None:
                signal.connect(self.changed)
        self.changed()

    def request(self) -> Any:
        """What the fields ask for, as plain data."""
        raise NotImplementedError

    def missing(self) -> str:
        """What the user has to fill in before the request can be checked, "" if nothing."""
        return ""

    def still_missing(self) -> str:
        """What the user has to fill in before the request can be made, though it can be checked; "" if nothing."""
        return ""

    def check(self, request: Any) -> str:
        """One line on what the request would do. Runs off the window's thread; raises FloraError."""
        return ""

    def go(self) -> None:
        """Ask for the request and close."""
        if self.go_button.isEnabled():
            request = self.request()
            self.accept()
            self.wanted.emit(request)

    def changed(self) -> None:
        """A field has changed: check again soon."""
        self.found = ""
        self.go_button.setEnabled(False)
        self._task.forget()
        self._timer.start()

    def _check(self) -> None:
        if missing := self.missing():
            self.message.setText(missing)
            return
        request = self.request()
        self._task.submit(lambda: self.check(request))

    def _on_checked(self, found: object) -> None:
        self.found = str(found)
        missing = self.still_missing()
        self.message.setText(f"{self.found} {missing}".strip())
        self.go_button.setEnabled(not missing)


def show_form(dialog: D, start: Callable[[Any], object]) -> D:
    """Open a dialog that goes away when it is closed; `start` gets the request."""
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.wanted.connect(start)  # type: ignore[attr-defined]
    dialog.open()
    return dialog


def folder_choice(line: QLineEdit, title: str, text: str = "Folder…") -> Choice:
    """A button that chooses a folder for `line`."""

    def choose() -> None:
        if name := QFileDialog.getExistingDirectory(line.window(), title, line.text()):
            line.setText(name)

    return text, choose


def file_choice(line: QLineEdit, title: str, filter: str, text: str = "File…") -> Choice:
    """A button that chooses an existing file for `line`."""

    def choose() -> None:
        name, _ = QFileDialog.getOpenFileName(line.window(), title, line.text(), filter)
        if name:
            line.setText(name)

    return text, choose


def _title(field: Field) -> QLabel:
    """The title of a row, as high as its field: Qt puts lower ones above the middle."""
    title = QLabel(field.title)
    title.setBuddy(field.widget)
    title.setMinimumHeight(round(1.5 * title.fontMetrics().height()))
    return title


def _row(field: Field) -> QWidget:
    if not field.choices and not field.compact:
        return field.widget
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    row.addWidget(field.widget, 0 if field.compact else 1)
    for title, act in field.choices:
        row.addWidget(button(title, act))
    if field.compact:
        row.addStretch(1)
    return holder


def _change_signal(widget: QWidget) -> Any:
    if isinstance(widget, QLineEdit):
        return widget.textChanged
    if isinstance(widget, QComboBox):
        return widget.currentIndexChanged
    if isinstance(widget, QCheckBox):
        return widget.toggled
    return getattr(widget, "valueChanged", None) if isinstance(widget, QAbstractSpinBox) else None
