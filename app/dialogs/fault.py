"""What went wrong inside the program, as text that somebody who looks for the fault can use."""

from __future__ import annotations

import platform
import traceback
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from flora_engine import __version__

_PARTS = ("PySide6-Essentials", "pyqtgraph", "numpy", "onnxruntime", "torch")


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def fault_report(error: BaseException) -> str:
    """Versions and the traceback of `error`, with the home folder written as "~"."""
    lines = [f"Flora Studio {__version__}, Python {platform.python_version()} on {platform.platform()}"]
    lines += [f"{name} {_installed(name)}" for name in _PARTS]
    text = "\n".join(lines) + "\n\n" + "".join(traceback.format_exception(error))
    return text.replace(str(Path.home()), "~")


class FaultDialog(QDialog):
    """Shows a report and copies it; nothing is sent anywhere."""

    def __init__(self, report: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Internal error")
        self.resize(720, 420)
        explained = QLabel(
            "This is a fault of the program. You can continue. If you report the fault, add this text: it holds "
            "versions and places in the program, and can hold names of files. Nothing is sent anywhere.",
            wordWrap=True,
        )
        self.text = QPlainTextEdit(report, readOnly=True)
        self.text.setAccessibleName("Report of the error")
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.copy = QPushButton("Copy report")
        self.copy.setDefault(True)
        self.copy.clicked.connect(self._copy)
        buttons.addButton(self.copy, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(explained)
        column.addWidget(self.text, 1)
        column.addWidget(buttons)

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text.toPlainText())
        self.copy.setText("Copied")
