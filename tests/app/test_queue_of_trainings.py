"""A second training waits its turn: offered, seen, moved, removed, kept over a restart. The worker is a stand-in."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QMessageBox

from app.controllers import training
from app.main_window import MainWindow
from app.workers.jobs import HeavyJob
from flora_engine.runs.folder import RunFolder

_WORKER = """
import json, pathlib, sys
say = lambda **e: print(json.dumps(e), flush=True)
given = json.loads(input())["arguments"]
run = pathlib.Path(given["out"]) / given["name"]
run.mkdir(parents=True)
(run / "config.yaml").write_text("kind: encoder")
say(kind="state", state="started", run=str(run))
for line in sys.stdin:
    if line.strip() == "stop":
        say(kind="cancelled", forced=False)
        sys.exit(130)
    if line.strip() == "pause":  # here: finish
        break
say(kind="finished", result={"kind": "encoder", "run": str(run)})
"""


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "HeavyJob", functools.partial(HeavyJob, command=(sys.executable, "-c", _WORKER)))


def wanted(window: MainWindow, out: Path, name: str) -> None:
    window.training.queue.offer(f"Train {name}", {"config": {}, "out": str(out), "name": name})


def answer(window: MainWindow, text: str) -> None:
    box = window.training.queue.question
    assert isinstance(box, QMessageBox)
    next(button for button in box.buttons() if button.text() == text).click()


def titles(window: MainWindow) -> list[str]:
    view = window.training.window.queue
    return [view.list.item(row).text().partition("  ")[2] for row in range(view.list.count())]


def test_trainings_run_one_after_the_other(window: MainWindow, qtbot: Any, tmp_path: Path) -> None:
    wanted(window, tmp_path, "one")
    qtbot.waitUntil((tmp_path / "one" / "config.yaml").is_file)
    assert window.training.queue.question is None
    for name in ("two", "three", "four"):
        wanted(window, tmp_path, name)
        answer(window, "Put it into the queue")
    wanted(window, tmp_path, "never")
    answer(window, "Cancel")
    view = window.training.window.queue
    assert titles(window) == ["Train two", "Train three", "Train four"]
    view.list.setCurrentRow(2)
    view.up.click()
    assert titles(window) == ["Train two", "Train four", "Train three"] and view.list.currentRow() == 1
    view.remove.click()
    assert titles(window) == ["Train two", "Train three"]
    view.undo.click()
    assert titles(window) == ["Train two", "Train four", "Train three"]
    window.jobs.jobs[0].set_paused(True)
    qtbot.waitUntil((tmp_path / "two" / "config.yaml").is_file)
    assert titles(window) == ["Train four", "Train three"] and len(window.jobs.jobs) == 1
    window.jobs.jobs[0].stop()
    qtbot.waitUntil(lambda: not window.jobs.jobs and "until you start" in view.text.text())
    assert not (tmp_path / "four").exists(), "whoever stops a training may need the machine"
    view.next.click()
    qtbot.waitUntil((tmp_path / "four" / "config.yaml").is_file)
    wanted(window, tmp_path, "beside")
    answer(window, "Start it now")
    qtbot.waitUntil((tmp_path / "beside" / "config.yaml").is_file)
    assert titles(window) == ["Train three"] and len(window.jobs.jobs) == 2
    for job in list(window.jobs.jobs):
        job.shut_down()
    window.training.window.close()


def test_a_training_that_ends_while_it_is_asked(window: MainWindow, qtbot: Any, tmp_path: Path) -> None:
    wanted(window, tmp_path, "one")
    qtbot.waitUntil((tmp_path / "one" / "config.yaml").is_file)
    wanted(window, tmp_path, "two")
    window.jobs.jobs[0].set_paused(True)
    qtbot.waitUntil(lambda: not window.jobs.jobs)
    answer(window, "Put it into the queue")
    qtbot.waitUntil((tmp_path / "two" / "config.yaml").is_file)
    for job in list(window.jobs.jobs):
        job.shut_down()
    window.training.window.close()


def test_the_queue_outlives_the_window(make_window: Callable[[], MainWindow], qtbot: Any, tmp_path: Path) -> None:
    window = make_window()
    with RunFolder.create(tmp_path / "runs", "left", {"kind": "encoder"}).hold():
        window._settings.change(runs=str(tmp_path / "runs"))
        window.training.find_running()
        qtbot.waitUntil(lambda: "background" in window.notice.text())
        wanted(window, tmp_path, "later")
        answer(window, "Put it into the queue")
        assert not window.jobs.jobs
        window.close()
    again = make_window()
    again.training.find_running()
    qtbot.waitUntil(lambda: "1 training waits in the queue" in again.notice.text())
    assert not (tmp_path / "later").exists(), "nothing starts by itself with the window"
    again.notice.action().click()
    qtbot.waitUntil((tmp_path / "later" / "config.yaml").is_file)
    for job in list(again.jobs.jobs):
        job.shut_down()
    again.training.window.close()


def test_a_run_of_another_program_is_waited_for(window: MainWindow, qtbot: Any, tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "runs", "other", {"kind": "encoder"})
    with run.hold():
        window.training.queue.watch([run.path])
        wanted(window, tmp_path, "later")
        answer(window, "Put it into the queue")
    qtbot.waitUntil((tmp_path / "later" / "config.yaml").is_file)
    for job in list(window.jobs.jobs):
        job.shut_down()
    window.training.window.close()
