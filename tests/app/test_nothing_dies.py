"""What happens to a training from outside: memory and disk full, its folder removed, a bug, sleep. The window stays.

The worker is the real one, on a few synthetic recordings; some start with lines that bring the trouble about.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.controllers import training
from app.main_window import MainWindow
from app.workers.jobs import HeavyJob
from flora_engine.demo import synthesise
from flora_engine.readers import write_ntu
from flora_engine.runs.events import History
from flora_engine.runs.folder import RunFolder, list_runs

_WORK = "\nfrom flora_engine.worker import main\nmain()"
_LITTLE_MEMORY = """
import resource
import numpy, torch
from flora_engine.training.encoder import trainer
WARM
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 400 * 2**20, used + 400 * 2**20))
"""
_A_BUG = """
from flora_engine.training.encoder import trainer
def broken(*args, **kwargs):
    raise ZeroDivisionError("a bug")
trainer.train_encoder = broken
"""
_SLEEPY = """
from flora_engine.runs import folder
folder.SLEPT_SECONDS = 2.0
"""
_WINDOW = """
import json, sys
from pathlib import Path
from app.application import make_application
from app.main_window import MainWindow
given = json.loads(sys.argv[1])
application = make_application()
window = MainWindow(settings_file=Path(given["settings"]))
window.show()
job = window.training.start("Train", given["arguments"])
if given["background"]:
    def started(event):
        if event["kind"] == "metric" and not job.detached:
            job.detach()
            print("detached", flush=True)
    job.event_arrived.connect(started)
application.exec()
"""
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits and signals of Linux")


@pytest.fixture(scope="module")
def moves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("moves")
    for action in range(6):
        for subject in (1, 2, 3, 4):
            sequence = synthesise(action, subject=subject)
            write_ntu(sequence, folder / f"{sequence.name}.skeleton")
    return folder


def arguments(moves: Path, out: Path, **encoder: Any) -> dict[str, Any]:
    settings = {"epochs": 3, "base_channels": 8, "batch_size": 8, "milestones": [1], "held_out": 0.0}
    config = {
        "kind": "encoder",
        "data": {"dataset": "utd_mhad", "raw": str(moves), "frames": 16, "persons": 1},
        "split": {"name": "a", "unseen": [5], "train": {"by": "subject", "values": [1, 2, 3]}},
        "encoder": {**settings, **encoder},
    }
    return {"config": config, "out": str(out), "name": "one", "device": "cpu"}


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Begin each worker with some lines."""

    def with_lines(lines: str) -> None:
        worker = functools.partial(HeavyJob, command=(sys.executable, "-c", lines + _WORK))
        monkeypatch.setattr(training, "HeavyJob", worker)

    return with_lines


@pytest.fixture
def ended(window: MainWindow, qtbot: Any) -> Iterator[Callable[[HeavyJob], None]]:
    """Wait for the end of a job: no process is left, and the window answers."""

    def wait(job: HeavyJob) -> None:
        qtbot.waitUntil(lambda: not window.jobs.jobs)
        assert not psutil.pid_exists(job._supervisor.pid)
        assert window.isVisible() and window.notice.text()

    yield wait
    window.training.window.close()


def the_run(out: Path) -> RunFolder:
    (run,) = list_runs(out)
    return run


@linux
@pytest.mark.parametrize("first", ["", "numpy.linalg.svd(numpy.ones((300, 300)))"], ids=["a library ends it", "raised"])
def test_memory_that_is_not_enough(
    window: MainWindow,
    moves: Path,
    tmp_path: Path,
    begin: Callable[[str], None],
    ended: Callable[[HeavyJob], None],
    first: str,
) -> None:
    """Libraries that have no memory raise, or end the process: both are said alike."""
    begin(_LITTLE_MEMORY.replace("WARM", first))
    large = arguments(moves, tmp_path, base_channels=64, batch_size=18, epochs=1, milestones=[])
    large["config"]["data"] |= {"frames": 300, "persons": 2}
    ended(window.training.start("Train", large))
    assert "memory is not enough" in window.notice.text() and "smaller batch" in window.notice.text()
    begun = bool(list_runs(tmp_path))  # a library may end it while recordings are read
    assert window.notice.action().text() == ("Smaller batch…" if begun else "") and (begun or not first)


def test_a_smaller_batch_is_one_click_away(window: MainWindow, tmp_path: Path) -> None:
    config = {
        "kind": "pipeline",
        "data": [{"dataset": "utd_mhad", "raw": str(tmp_path)}],
        "splits": [{"name": "a", "unseen": [5], "train": {"by": "subject", "values": [1]}}],
        "encoder": {"batch_size": 32},
        "flora": {"batch_size": 64},
    }
    window.training.show_smaller(RunFolder.create(tmp_path, "large", config).path)
    wizard = window.training.show()
    assert wizard.draft.encoder["batch_size"] == 16 and wizard.draft.flora["batch_size"] == 32
    assert "half as large" in wizard.message.text()
    wizard.reject()
    window.training.show_smaller(RunFolder.create(tmp_path, "encoder", {"kind": "encoder"}).path)
    assert "flora train --config" in window.notice.text()


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    folder.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if not mounted or mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@linux
def test_a_full_disk_and_room_again(
    window: MainWindow, moves: Path, tmp_path: Path, qtbot: Any, ended: Callable[[HeavyJob], None]
) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk, "160k"):
        ended(window.training.start("Train", arguments(moves, disk, base_channels=16)))
        assert "disk is full" in window.notice.text() and window.notice.action().text() == "Resume"
        run = the_run(disk)
        assert run.status() in ("failed", "interrupted")
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        window.notice.action().click()
        qtbot.waitUntil(lambda: run.status() == "finished" and not window.jobs.jobs)
        assert "Trained" in window.notice.text()


def test_a_folder_that_is_removed_beneath_it(
    window: MainWindow, moves: Path, tmp_path: Path, qtbot: Any, ended: Callable[[HeavyJob], None]
) -> None:
    """As if somebody removed the project, in which its runs lie."""
    job = window.training.start("Train", arguments(moves, tmp_path / "project" / "runs", epochs=100000))
    qtbot.waitUntil(lambda: bool(list_runs(tmp_path / "project" / "runs")))
    run = the_run(tmp_path / "project" / "runs")
    qtbot.waitUntil(lambda: any(event["kind"] == "metric" for event in run.events()))
    shutil.rmtree(tmp_path / "project", ignore_errors=True)
    ended(job)
    assert "was removed while it trained" in window.notice.text()
    assert window.notice.action().isHidden(), "there is nothing to resume"


def test_a_bug_opens_the_log(
    window: MainWindow, moves: Path, tmp_path: Path, begin: Callable[[str], None], ended: Callable[[HeavyJob], None]
) -> None:
    begin(_A_BUG)
    ended(window.training.start("Train", arguments(moves, tmp_path)))
    run = the_run(tmp_path)
    assert "ZeroDivisionError" in window.notice.text() and window.notice.action().text() == "Open the log"
    assert "Traceback" in (run.path / "log.txt").read_text("utf-8")
    window.notice.action().click()
    page = window.training.window.page_of(run.path)
    assert page is not None and page.tabs.tabText(page.tabs.currentIndex()) == "Log"


@linux
def test_a_computer_that_slept(
    window: MainWindow,
    moves: Path,
    tmp_path: Path,
    qtbot: Any,
    begin: Callable[[str], None],
    ended: Callable[[HeavyJob], None],
) -> None:
    """A process that is held sees what a computer that slept shows: the clock has jumped."""
    begin(_SLEEPY)
    job = window.training.start("Train", arguments(moves, tmp_path, epochs=100000))
    qtbot.waitUntil(lambda: bool(list_runs(tmp_path)))
    run = the_run(tmp_path)
    qtbot.waitUntil(lambda: any(event["kind"] == "metric" for event in run.events()))
    os.kill(job._supervisor.pid, signal.SIGSTOP)
    qtbot.wait(3500)
    os.kill(job._supervisor.pid, signal.SIGCONT)

    def slept() -> list[float]:
        return [event["slept"] for event in run.events() if "slept" in event]

    qtbot.waitUntil(lambda: any(seconds > 3 for seconds in slept()))
    count = len(run.events())
    qtbot.waitUntil(lambda: len(run.events()) > count + 5)
    job.stop()
    ended(job)
    history = History(run.path)
    history.refresh()
    assert history.seconds() <= history.clock.last - history.clock.first - sum(slept()) + 0.01
    assert any("slept" in line.text and line.level == "warning" for line in history.log)


@linux
@pytest.mark.parametrize("background", [False, True], ids=["beside the window", "in the background"])
def test_a_window_that_is_killed(
    make_window: Callable[[], MainWindow], moves: Path, tmp_path: Path, qtbot: Any, background: bool
) -> None:
    """Kill -9 of the window: its training stops with a checkpoint, or trains on; the next window finds it."""
    out = tmp_path / "runs"
    order = arguments(moves, out, epochs=100000 if background else 40)
    given = {"settings": str(tmp_path / "first.json"), "arguments": order, "background": background}
    command = [sys.executable, "-c", _WINDOW, json.dumps(given)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    qtbot.waitUntil(lambda: bool(list_runs(out)))
    run = the_run(out)
    qtbot.waitUntil(lambda: any(event["kind"] == "metric" for event in run.events()))
    if background:
        assert process.stdout is not None and process.stdout.readline() == "detached\n"
    worker = run.pid()
    assert worker is not None
    process.kill()
    process.communicate()
    window = make_window()
    window._settings.change(runs=str(out))
    if background:
        assert psutil.pid_exists(worker)
        window.training.find_running()
        qtbot.waitUntil(lambda: "in the background" in window.notice.text())
        window.notice.action().click()
    else:
        qtbot.waitUntil(lambda: not psutil.pid_exists(worker))
        window.training.watch(run.path)
    page = window.training.window.page_of(run.path)
    assert page is not None
    qtbot.waitUntil(lambda: page.state == ("running" if background else "stopped") and bool(page.curves.views))
    if background:
        page.stop_button.click()
        qtbot.waitUntil(lambda: page.state == "stopped" and not psutil.pid_exists(worker))
    else:
        page.resume_button.click()
        qtbot.waitUntil(lambda: page.state == "finished" and not window.jobs.jobs)
    window.training.window.close()
