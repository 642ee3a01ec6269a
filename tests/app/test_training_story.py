"""The story of a first training through `flora gui`: wizard, pause, resume, a killed worker, and the model at the end.

The settings are tiny and the recordings synthetic: what comes out says nothing about any model.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from app_fakes import Driver, run_story
from patience import PATIENCE
from PySide6.QtCore import QDeadlineTimer
from PySide6.QtWidgets import QApplication

from app.main_window import MainWindow
from app.training.run_page import RunPage
from flora_engine.datasets.importing import ImportOptions, import_folder
from flora_engine.demo import write_demo
from flora_engine.jobs import Job
from flora_engine.project import Project, Split, TrainRule
from flora_engine.runs.folder import RunFolder, list_runs
from flora_engine.runs.results import PipelineResult, read_result

_ENCODER = {"epochs": "4", "base_channels": "8", "batch_size": "8", "warmup_epochs": "0"}
_FLORA = {"hidden": "24", "align_iterations": "20", "total_iterations": "40", "evaluations": "1", "folds": "1"}
_FLORA |= {"attunements": "[0, 0.0]", "validation_classes": "2", "batch_size": "8"}


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of the demo recordings in an empty home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FLORA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FLORA_SETTINGS", str(tmp_path / "settings.json"))
    monkeypatch.setattr("sys.excepthook", sys.excepthook)  # `main` puts its own there
    write_demo(Job(), tmp_path / "raw")
    with Project.create(tmp_path / "study") as project:
        import_folder(Job(), project, [tmp_path / "raw"], ImportOptions(processes=1))
    return tmp_path / "study"


def page_of(window: MainWindow) -> RunPage | None:
    pages = window.training.window.findChildren(RunPage)
    return pages[0] if pages else None


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="ends the worker with SIGKILL")
@pytest.mark.timeout(8 * PATIENCE)
def test_wizard_pause_kill_resume_and_use(qapp: QApplication, study: Path) -> None:
    seen: dict[str, object] = {}

    def opened(window: MainWindow) -> bool:
        window.labels.set_text("")  # ranking is no part of this story
        return window.session.project is not None and not window.opening.is_busy

    def choose_the_split(window: MainWindow) -> bool:
        wizard = window.training.show()
        editor = wizard.split.editor
        if wizard.list.currentRow() == 0:
            wizard.next()
        if editor.classes.topLevelItemCount() < 23:
            return False
        if editor.judgement is None or editor.judgement.split.name != "mine":
            editor.show_split(Split(name="mine", unseen=(0, 5, 9), train=TrainRule(by="subject", values=(1,))))
            return False
        return True

    def choose_the_settings(window: MainWindow) -> bool:
        wizard = window.training.show()
        for _ in range(3):
            wizard.next()
        for name, values in (("encoder", _ENCODER), ("flora", _FLORA)):
            for key, value in values.items():
                wizard.method.forms[name].editors[key].setText(value)  # type: ignore[attr-defined]
        wizard.method.heads["nearest_mean"].setChecked(False)
        wizard.next()
        assert wizard.start_button.isEnabled(), wizard.check._found
        return True

    def measured(window: MainWindow) -> bool:
        return "Train the encoder:" in window.training.show().check.needs.text()

    def start(window: MainWindow) -> bool:
        window.training.show().start()
        return True

    def pause(window: MainWindow) -> bool:
        page = page_of(window)
        if page is None or page.state != "running" or "Encoder: loss" not in page.curves.views:
            return False
        page.pause_button.click()
        return True

    def paused(window: MainWindow) -> bool:
        page = page_of(window)
        if page is None or page.state != "paused":
            return False
        page.pause_button.click()
        return True

    def kill(window: MainWindow) -> bool:
        page = page_of(window)
        run = RunFolder(page.path) if page is not None else None
        if page is None or run is None or page.state != "running":
            return False
        pid = run.pid()
        if pid is None:
            return False
        os.kill(pid, signal.SIGKILL)
        seen["killed"] = page.path
        return True

    def told(window: MainWindow) -> bool:
        if window.jobs.jobs or "ended unexpectedly" not in window.notice.text():
            return False
        seen["told"] = window.notice.text()
        window.notice.action().click()
        return True

    def use(window: MainWindow) -> bool:
        page = page_of(window)
        if page is None or page.state != "finished" or not page.use_button.isVisible():
            return False
        seen["curves"] = set(page.curves.views)
        page.use_button.click()
        return True

    def used(window: MainWindow) -> bool:
        return "mine" in window.settings.bundle

    steps: list[Callable[[MainWindow], bool]] = [opened, choose_the_split, choose_the_settings, measured, start]
    steps += [pause, paused, kill, told, use, used]
    driver = Driver(*steps)
    driver._deadline = QDeadlineTimer(round(6000 * PATIENCE))
    run_story(driver, str(study))
    (run,) = list_runs(study / "runs")
    assert run.path == seen["killed"] and run.status() == "finished"
    result = read_result(run.result() or {})
    assert isinstance(result, PipelineResult) and set(result.splits) == {"mine"}
    states = [event["state"] for event in run.events() if event["kind"] == "state"]
    assert states[:3] == ["started", "paused", "resumed"] and states[-2:] == ["started", "finished"]
    assert {"Encoder: loss", "Alignment: loss", "Flow: loss", "Held-out classes", "Test part"} <= set(
        seen["curves"]  # type: ignore[call-overload]
    )
