"""A form generated from a typed section of the configuration: a row per field with its meaning, range and default."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QGridLayout, QLabel, QLineEdit, QScrollArea, QWidget

from app.widgets import choice_box

_MISSING = object()


class ConfigForm(QScrollArea):
    """Edits what differs from the defaults of a section. A value that is not valid stays, and is marked."""

    changed = Signal()

    def __init__(self, section: type[BaseModel], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self._section = section
        self._schema = section.model_json_schema()["properties"]
        self.editors: dict[str, QWidget] = {}
        self._notes: dict[str, QLabel] = {}
        holder = QWidget()
        self._grid = QGridLayout(holder)
        self._grid.setColumnStretch(2, 1)
        for row, (name, field) in enumerate(section.model_fields.items()):
            self._add(row, name, field)
        self._grid.setRowStretch(len(section.model_fields), 1)
        self.setWidget(holder)

    def values(self) -> dict[str, Any]:
        """The fields that differ from their defaults, as plain values."""
        found = {}
        for name, field in self._section.model_fields.items():
            value = self._value(name)
            if value is not _MISSING and value != plain(field.get_default(call_default_factory=True)):
                found[name] = value
        return found

    def set_values(self, values: Mapping[str, Any]) -> None:
        """Show these values, and the defaults for all others."""
        for name, field in self._section.model_fields.items():
            value = values.get(name, plain(field.get_default(call_default_factory=True)))
            editor = self.editors[name]
            with QSignalBlocker(editor):
                _show(editor, value)
        self._check()

    def problems(self) -> dict[str, str]:
        """Field → what is wrong with it."""
        try:
            self._section.model_validate(self.values())
        except ValidationError as error:
            return {
                str(detail["loc"][0]) if detail["loc"] else "": _words(detail)
                for detail in error.errors(include_url=False)
            }
        return {}

    def _add(self, row: int, name: str, field: FieldInfo) -> None:
        editor = self._editor(name)
        editor.setAccessibleName(name.replace("_", " "))
        label = QLabel(name.replace("_", " "))
        label.setBuddy(editor)
        note = QLabel(self._note(name, field), wordWrap=True)
        note.setProperty("role", "muted")
        self.editors[name], self._notes[name] = editor, note
        for column, widget in enumerate((label, editor, note)):
            self._grid.addWidget(widget, row, column, Qt.AlignmentFlag.AlignVCenter)

    def _editor(self, name: str) -> QWidget:
        schema = self._schema[name]
        if schema.get("type") == "boolean":
            box = QCheckBox()
            box.toggled.connect(self._on_changed)
            return box
        if "enum" in schema:
            choices = choice_box([(str(value), value) for value in schema["enum"]])
            choices.currentIndexChanged.connect(self._on_changed)
            return choices
        line = QLineEdit()
        line.setMinimumWidth(170)
        line.textChanged.connect(self._on_changed)
        return line

    def _note(self, name: str, field: FieldInfo) -> str:
        """Meaning, range or choices, and default."""
        parts = [field.description or ""]
        bounds = _bounds(field)
        choices = self._schema[name].get("items", {}).get("enum")
        if choices:
            parts.append(f"of {', '.join(map(str, choices))}")
        if bounds:
            parts.append(bounds)
        default = _text(plain(field.get_default(call_default_factory=True)))
        return "; ".join(filter(None, parts)) + f" (default: {default or 'none'})"

    def _value(self, name: str) -> Any:
        editor = self.editors[name]
        if isinstance(editor, QCheckBox):
            return editor.isChecked()
        if isinstance(editor, QComboBox):
            return editor.currentData()
        assert isinstance(editor, QLineEdit)
        return _parsed(editor.text(), self._section.model_fields[name])

    def _on_changed(self) -> None:
        self._check()
        self.changed.emit()

    def _check(self) -> None:
        problems = self.problems()
        for name, note in self._notes.items():
            plain_note = self._note(name, self._section.model_fields[name])
            problem = problems.get(name)
            note.setText(f"✕ {problem}" if problem else plain_note)
            note.setProperty("role", "" if problem else "muted")
            note.style().unpolish(note)
            note.style().polish(note)


def plain(value: Any) -> Any:
    """Tuples as lists, as they stand in a file."""
    return [plain(one) for one in value] if isinstance(value, tuple | list) else value


def _show(editor: QWidget, value: Any) -> None:
    if isinstance(editor, QCheckBox):
        editor.setChecked(bool(value))
    elif isinstance(editor, QComboBox):
        editor.setCurrentIndex(editor.findData(value))
    elif isinstance(editor, QLineEdit):
        editor.setText(_text(value))


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_text(one) if not isinstance(one, list) else json.dumps(one) for one in value)
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else str(value)


def _parsed(text: str, field: FieldInfo) -> Any:
    """What was typed as a plain value; text that is no number stays text, and validation says so."""
    text = text.strip()
    if get_origin(field.annotation) is tuple:
        try:
            return json.loads(f"[{text}]")
        except ValueError:
            return [part.strip() for part in text.split(",") if part.strip()]
    if field.annotation in (int, float):
        try:
            return int(text) if field.annotation is int else float(text)
        except ValueError:
            return text
    if not text and type(None) in get_args(field.annotation):
        return None
    return text


def _bounds(field: FieldInfo) -> str:
    kinds = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    return ", ".join(
        f"{kinds[kind]} {getattr(one, kind)}" for one in field.metadata for kind in kinds if hasattr(one, kind)
    )


def _words(detail: Any) -> str:
    return str(detail["ctx"]["error"]) if detail["type"] == "value_error" else str(detail["msg"])
