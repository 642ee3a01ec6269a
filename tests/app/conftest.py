"""Fixtures of the window's tests: a window with its own settings and a labeller that is quick and known."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from app_fakes import FakeLabeller
from leaks import no_threads_and_processes_left
from patience import PATIENCE
from PySide6.QtCore import Qt, QThreadPool
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from window_leaks import let_windows_go, no_timers_and_windows_left

from app.application import make_application
from app.labelling.service import LabelService
from app.main_window import MainWindow
from app.workers.tasks import InTurn
from flora_engine.demo import synthesise
from flora_engine.readers import write_ntu


@pytest.fixture(scope="session")
def qapp() -> QApplication:
    """pytest-qt's application, made the way the program makes it."""
    return make_application()


@pytest.fixture(autouse=True)
def nothing_left_behind(qapp: QApplication) -> Iterator[None]:
    """Fails a test that leaves threads, processes, running timers or windows behind; first of all, so last to look."""
    with no_threads_and_processes_left(let_windows_go), no_timers_and_windows_left():
        yield


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small edits are over when their command returns, however loaded the machine is."""
    monkeypatch.setattr(InTurn, "patience", PATIENCE)


@pytest.fixture(autouse=True)
def no_key_stays_down(qapp: QApplication) -> Iterator[None]:
    """A key pressed with Shift leaves Shift down for all later tests of the process: then `selectRow` extends."""
    yield
    if qapp.keyboardModifiers():
        QTest.keyRelease(QWidget(), Qt.Key.Key_Shift)


@pytest.fixture
def qtbot(qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """pytest-qt's, whose waits end at the bound that all tests share instead of after 5 s."""
    monkeypatch.setattr(qtbot, "waitUntil", functools.partial(qtbot.waitUntil, timeout=round(1000 * PATIENCE)))
    return qtbot


@pytest.fixture
def labeller() -> FakeLabeller:
    return FakeLabeller()


@pytest.fixture
def make_window(
    qtbot: Any, tmp_path: Path, labeller: FakeLabeller, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], MainWindow]]:
    monkeypatch.setenv("FLORA_CACHE", str(tmp_path / "cache"))

    def make() -> MainWindow:
        window = MainWindow(service=LabelService(load=lambda _: labeller), settings_file=tmp_path / "settings.json")
        qtbot.addWidget(window)
        window.show()
        return window

    yield make
    QThreadPool.globalInstance().waitForDone(round(1000 * PATIENCE))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home for a story through `main`; the text encoder of the machine is used."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("FLORA_SETTINGS", str(folder / "settings.json"))
    monkeypatch.setattr("sys.excepthook", sys.excepthook)  # `main` puts its own there
    return folder


@pytest.fixture
def window(make_window: Callable[[], MainWindow]) -> MainWindow:
    return make_window()


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four synthetic recordings, the last of two persons, and a broken file."""
    folder = tmp_path_factory.mktemp("recordings")
    for action in (0, 1, 2, 20):
        sequence = synthesise(action)
        write_ntu(sequence, folder / f"{sequence.name}.skeleton")
    (folder / "broken.skeleton").write_text("3\n1\n")
    (folder / "notes.md").write_text("not a recording")
    return folder
