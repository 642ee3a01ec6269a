"""The results of a run as a table that stays readable in a narrow window: no word is broken, it scrolls instead."""

from __future__ import annotations

from PySide6.QtGui import QColor, QTextOption, QTextTable
from PySide6.QtWidgets import QTextBrowser

from flora_engine.runs.results import AnyResult, FloraResult
from flora_engine.runs.tables import result_table

_NOT_YET = "The results come when the run has finished. Curves show what is known so far."
_LINES = QColor("#808080")  # seen on light and on dark
_JOINED = {"± ": "±\u00a0", " seed": "\u00a0seed"}  # with spaces at which no line ends


class ResultsView(QTextBrowser):
    """Shows `result_table`. What a run lacks to label is said elsewhere in the window, beside a button."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Results")
        self.setWordWrapMode(QTextOption.WrapMode.WordWrap)

    def show_result(self, result: AnyResult | None) -> None:
        """Show a result, or that there is none yet."""
        if result is None:
            self.setPlainText(_NOT_YET)
            return
        if isinstance(result, FloraResult):
            result = result.model_copy(update={"to_label": ""})
        table = result_table(result)
        for plain, joined in _JOINED.items():
            table = table.replace(plain, joined)
        self.setMarkdown(table)
        for frame in self.document().rootFrame().childFrames():
            if isinstance(frame, QTextTable):
                form = frame.format()
                form.setBorderBrush(_LINES)
                frame.setFormat(form)
