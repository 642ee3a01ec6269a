"""The fields of one split: its name and its training recordings. The unseen classes are in the editor's list."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QCheckBox, QDoubleSpinBox, QHBoxLayout, QLineEdit, QSpinBox, QWidget

from app.dialogs.form import Field, Form
from app.library.split_form import numbers_text, parse_numbers
from app.widgets import choice_box
from flora_engine.project import Split, TrainRule

_RULES = (("subject", "subject"), ("camera", "camera"), ("set-up", "setup"), ("fraction of each class", "fraction"))


class SplitFields(QWidget):
    """Shows only the fields that the rule needs."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name = QLineEdit("split")
        self.rule = choice_box(_RULES)
        self.values = QLineEdit(placeholderText="for example 1-4, 7")
        self.fraction = QDoubleSpinBox(minimum=0.01, maximum=0.99, singleStep=0.05, value=0.5)
        self.seed = QSpinBox(maximum=1_000_000)
        self.low_shot = QCheckBox("Keep only")
        self.low_shot.setAccessibleName("Low-shot: keep only a share of the training recordings")
        self.share = QDoubleSpinBox(minimum=0.1, maximum=100, value=10, decimals=1, suffix=" %")
        self.share.setAccessibleName("Share of the training recordings to keep")
        low = QWidget()
        row = QHBoxLayout(low)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.low_shot)
        row.addWidget(self.share)
        row.addStretch(1)
        self._form = Form(
            (
                Field("Name", self.name, "Name of the split"),
                Field("Train by", self.rule, "How training recordings are chosen"),
                Field("Train on", self.values, "Numbers in the training part"),
                Field("Share", self.fraction, "Fraction in the training part"),
                Field("Low-shot", low),
                Field("Seed", self.seed),
            )
        )
        self._form.setContentsMargins(0, 0, 0, 0)
        self.setLayout(self._form)
        self.rule.currentIndexChanged.connect(self._on_rule)
        for signal in (
            self.name.textChanged,
            self.rule.currentIndexChanged,
            self.values.textChanged,
            self.fraction.valueChanged,
            self.seed.valueChanged,
            self.low_shot.toggled,
            self.share.valueChanged,
        ):
            signal.connect(lambda *_: self.changed.emit())
        self._on_rule()

    def show_split(self, split: Split) -> None:
        """Show this split, without saying that something has changed."""
        blocker = QSignalBlocker(self)
        self.name.setText(split.name)
        self.rule.setCurrentIndex(self.rule.findData(split.train.by))
        self.values.setText(numbers_text(split.train.values))
        self.fraction.setValue(split.train.fraction)
        self.seed.setValue(split.train.seed if split.train.by == "fraction" else split.seed)
        self.low_shot.setChecked(split.low_shot is not None)
        self.share.setValue(100 * (split.low_shot or 0.1))
        del blocker

    def split(self, unseen: tuple[int, ...]) -> Split:
        """The split with these unseen classes; FloraError if a number is wrong."""
        by, seed = self.rule.currentData(), self.seed.value()
        values = parse_numbers(self.values.text()) if by != "fraction" else ()
        return Split(
            name=" ".join(self.name.text().split()) or "split",
            unseen=unseen,
            train=TrainRule(by=by, values=values, fraction=self.fraction.value(), seed=seed),
            low_shot=self.share.value() / 100 if self.low_shot.isChecked() else None,
            seed=seed,
        )

    def _on_rule(self) -> None:
        fraction = self.rule.currentData() == "fraction"
        self._form.show_row(self.values, not fraction)
        self._form.show_row(self.fraction, fraction)
