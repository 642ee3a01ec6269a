"""Training from a configuration: the dialog checks it, the job runs beside everything else, its model can rank.

The worker is a stand-in that writes a run folder; what the real one does with these arguments is tested with it.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import pytest

from app.controllers import training
from app.main_window import MainWindow
from app.training.dialog import TrainRequest
from app.workers.jobs import HeavyJob
from flora_engine.recipes.training import Request

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "demo" / "utd_mhad.yaml"
_WORKER = """
import json, pathlib, sys, time
say = lambda **e: print(json.dumps(e), flush=True)
given = json.loads(input())["arguments"]
run = pathlib.Path(given.get("resume") or pathlib.Path(given["out"]) / "20260101-000000-demo")
run.mkdir(parents=True, exist_ok=True)
(run / "config.yaml").write_text("kind: pipeline")
say(kind="progress", stage="training", done=1, total=2, seconds_left=60)
if "resume" not in given:
    for line in sys.stdin:
        if line.strip() == "stop":
            say(kind="cancelled", forced=False)
            sys.exit(130)
(run / "final" / "bundle").mkdir(parents=True)
(run / "final" / "bundle" / "manifest.json").write_text("{}")
say(kind="finished", result={"kind": "pipeline", "run": str(run), "bundle": "final/bundle"})
"""


def test_train_stop_go_on_and_use_the_model(
    window: MainWindow, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = (sys.executable, "-c", _WORKER)
    monkeypatch.setattr(training, "HeavyJob", functools.partial(HeavyJob, command=command))
    dialog = window.training.show()
    (tmp_path / "bad.yaml").write_text("kind: nothing")
    dialog.config.setText(str(tmp_path / "bad.yaml"))
    qtbot.waitUntil(lambda: "bad.yaml" in dialog.message.text())
    assert not dialog.go_button.isEnabled()
    dialog.config.setText(str(CONFIG))
    qtbot.waitUntil(dialog.go_button.isEnabled)
    assert "3 splits" in dialog.message.text()
    dialog.out.setText(str(tmp_path / "runs"))
    qtbot.waitUntil(dialog.go_button.isEnabled)
    dialog.go()
    run = tmp_path / "runs" / "20260101-000000-demo"
    qtbot.waitUntil(lambda: (run / "config.yaml").is_file() and bool(window.jobs.jobs))
    window.run_command("file.clear")
    assert window.jobs.jobs, "closing the project leaves a training alone"
    window.jobs.jobs[0].stop()
    qtbot.waitUntil(lambda: not window.jobs.jobs)
    assert str(run) in window.notice.text() and window.notice.action().text() == "Resume"
    window.notice.action().click()
    qtbot.waitUntil(lambda: window.notice.action().text() == "Use this model")
    window.notice.action().click()
    qtbot.waitUntil(lambda: window.settings.bundle == str(run / "final" / "bundle"))
    assert window.labels.model_name.text() == run.name


def test_the_worker_takes_these_arguments(tmp_path: Path) -> None:
    fresh = TrainRequest(CONFIG, tmp_path, tmp_path / "runs")
    resumed = TrainRequest(CONFIG, None, tmp_path / "runs", tmp_path / "runs" / "one")
    for request in (fresh, resumed):
        Request.of(**request.arguments())
    assert "resume" not in fresh.arguments() and "config" not in resumed.arguments()
