"""Starting the window as users do; torch stays away."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from patience import PATIENCE
from PySide6.QtGui import QGuiApplication

from app.application import report_bugs, start_log, stop_log
from app.dialogs.fault import FaultDialog, fault_report
from app.main_window import MainWindow
from flora_engine import __version__
from flora_engine.resources import log_path

ROOT = Path(__file__).resolve().parents[2]

_BLOCKED = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "transformers", "onnxscript"):
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Block())
from PySide6.QtCore import QTimer
from app.application import make_application
application = make_application()
from app.labelling.panel import class_presets
from app.main_window import MainWindow
from flora_engine import __version__
from flora_engine.resources import log_path
window = MainWindow()
window.show()
window.opening.open_paths([__import__("pathlib").Path(sys.argv[1])])
def check():
    if window.player.sequence is not None and not window.labels.is_busy:
        print("shown", window.player.sequence.name)
        window.close()
        application.quit()
timer = QTimer(interval=50)
timer.timeout.connect(check)
timer.start()
QTimer.singleShot(60_000, lambda: application.exit(3))
class_presets()
status = application.exec()
assert "torch" not in sys.modules
sys.exit(status)
"""


def _environment(tmp_path: Path, **more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
    return {**kept, "FLORA_SETTINGS": str(tmp_path / "settings.json"), **more}


def test_the_window_works_without_torch(tmp_path: Path, recordings: Path) -> None:
    path = sorted(recordings.glob("S001*"))[0]
    run = subprocess.run(
        [sys.executable, "-c", _BLOCKED, str(path)],
        env=_environment(tmp_path, QT_QPA_PLATFORM="offscreen"),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        cwd=ROOT,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"shown {path.stem}" in run.stdout


def test_no_display_is_one_line_that_names_flora_label(tmp_path: Path) -> None:
    for command in (["-m", "app"], ["-m", "flora_engine.cli", "gui", "x.skeleton"]):
        run = subprocess.run(
            [sys.executable, *command],
            env=_environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            cwd=ROOT,
        )
        assert run.returncode == 1
        assert len(run.stderr.strip().splitlines()) == 1 and "flora label" in run.stderr, run.stderr


def test_errors_that_nothing_handles_are_logged_and_shown(
    window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLORA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.excepthook", sys.excepthook)
    monkeypatch.setattr("threading.excepthook", threading.excepthook)
    before = list(logging.getLogger().handlers)
    handlers = start_log()
    try:
        report_bugs(window)
        assert not log_path().exists(), "no file without an error"
        try:
            raise ZeroDivisionError("of the window")
        except ZeroDivisionError as error:
            sys.excepthook(type(error), error, error.__traceback__)
        thread = threading.Thread(target=lambda: {}["missing"], name="faulty")
        thread.start()
        thread.join()
    finally:
        stop_log(handlers)
    text = log_path().read_text(encoding="utf-8")
    assert "ZeroDivisionError: of the window" in text and "Traceback" in text and "KeyError" in text
    assert "ZeroDivisionError" in window.notice.text() and str(log_path()) in window.notice.text()
    assert logging.getLogger().handlers == before
    window.notice.action().click()
    dialog = window.findChild(FaultDialog)
    assert dialog is not None and dialog.isVisible()
    dialog.copy.click()
    copied = QGuiApplication.clipboard().text()
    assert copied.startswith(f"Flora Studio {__version__}") and "ZeroDivisionError: of the window" in copied
    assert "Traceback" in copied and "numpy " in copied
    dialog.reject()


def test_a_report_of_a_fault_names_the_home_folder_by_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("USERPROFILE", "/home/somebody")
    assert fault_report(OSError("/home/somebody/secret.csv")).endswith("OSError: ~/secret.csv\n")


def test_a_log_that_cannot_be_written_does_not_stop_the_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cache").write_text("a file in the place of the folder")
    monkeypatch.setenv("FLORA_CACHE", str(tmp_path / "cache"))
    stop_log(start_log())
    assert "there is no log" in capsys.readouterr().err
