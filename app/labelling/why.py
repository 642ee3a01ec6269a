"""Why an action was ranked as it was: the measurements that spoke for and against it. A click shows the moment."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from flora_engine.labelling.ranking import Reason

_FOR, _AGAINST = "+", "−"


class WhyPanel(QWidget):
    """Hidden until there are reasons. Click, or Return, on one shows its moment."""

    chosen = Signal(object)  # Reason

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.reasons: tuple[Reason, ...] = ()
        self.title = QLabel()
        self.title.setToolTip("Measurements of the body that spoke most for this action (+) and against it (−)")
        self.view = QListWidget()
        self.view.setWordWrap(True)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setAccessibleName("What spoke for the action and against it")
        self.title.setBuddy(self.view)
        self.view.itemClicked.connect(self._choose)
        self.view.itemActivated.connect(self._choose)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 2, 0, 0)
        column.addWidget(self.title)
        column.addWidget(self.view, 1)
        self.hide()

    def show_reasons(self, name: str, reasons: Sequence[Reason]) -> None:
        """The reasons of the action called `name`; none hide the panel."""
        title = f"Why “{name}”"
        if reasons and (tuple(reasons), title) == (self.reasons, self.title.text()):
            return  # what the user has selected stays
        self.reasons = tuple(reasons)
        self.title.setText(title)
        self.view.clear()
        for reason in reasons:
            supports = reason.weight > 0
            item = QListWidgetItem(f"{_FOR if supports else _AGAINST}  {reason.text}")
            said = f"Speaks {'for' if supports else 'against'} “{name}”: {reason.text}"
            item.setData(Qt.ItemDataRole.AccessibleTextRole, said)
            item.setToolTip(f"{said}.\nClick to see the moment.")
            self.view.addItem(item)
        self.setVisible(bool(reasons))

    def _choose(self, item: QListWidgetItem) -> None:
        self.chosen.emit(self.reasons[self.view.row(item)])
