"""The run folder: append-only, readable while it is written, safe against crashes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flora_engine.cli import main
from flora_engine.errors import Cancelled, FloraError
from flora_engine.jobs import Job
from flora_engine.runs.folder import RunFolder, list_runs


def test_names_are_unique_and_listed_in_order(tmp_path: Path) -> None:
    runs = [RunFolder.create(tmp_path, "NTU 60/5", {"kind": "encoder", "i": i}) for i in range(3)]
    assert len({run.path for run in runs}) == 3
    assert all("NTU-60-5" in run.path.name for run in runs)
    assert sorted(run.config()["i"] for run in list_runs(tmp_path)) == [0, 1, 2]
    assert RunFolder.open(runs[1].path).config() == {"kind": "encoder", "i": 1}


def test_opening_something_else_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FloraError, match="not a run"):
        RunFolder.open(tmp_path)


def test_a_torn_line_costs_only_itself(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "a", {})
    run.append_event({"kind": "metric", "name": "loss", "step": 0, "value": 2.0})
    with (run.path / "events.jsonl").open("ab") as file:
        file.write('{"kind": "metric", "name": "lä'.encode()[:-1])
    assert run.curves() == {"loss": [(0, 2.0)]}
    RunFolder.open(run.path).append_event({"kind": "metric", "name": "loss", "step": 1, "value": 1.0})
    assert run.curves() == {"loss": [(0, 2.0), (1, 1.0)]}


def test_polling_sees_each_event_once_and_no_half_line(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "a", {})
    run.append_event({"kind": "log", "text": "one"})
    events, offset = run.read_events()
    assert [event["text"] for event in events] == ["one"]
    with (run.path / "events.jsonl").open("ab") as file:
        file.write(b'{"kind": "log", "te')
    assert run.read_events(offset) == ([], offset)
    with (run.path / "events.jsonl").open("ab") as file:
        file.write(b'xt": "two"}\n')
    events, offset = run.read_events(offset)
    assert [event["text"] for event in events] == ["two"]


def test_a_step_told_twice_counts_once(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "a", {})
    for step, value in ((0, 3.0), (1, 2.0), (1, 2.5), (2, 1.0)):
        run.metrics(Job(), step, {"loss": value})
    assert run.curves()["loss"] == [(0, 3.0), (1, 2.5), (2, 1.0)]


def test_status_follows_the_work(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "a", {})
    assert run.status() == "new"
    with run.recording(Job()):
        assert run.status() == "running"
        assert run.pid() is not None
        with pytest.raises(FloraError, match="is working on this run"), RunFolder.open(run.path).hold():
            pass
        with pytest.raises(FloraError, match="running run"):
            run.remove()
    assert run.status() == "finished"
    with pytest.raises(Cancelled), run.recording(Job()):
        raise Cancelled
    assert run.status() == "stopped"
    with pytest.raises(ValueError, match="x"), run.recording(Job()):
        raise ValueError("x")
    assert run.status() == "failed"
    assert "ValueError: x" in (run.path / "log.txt").read_text()
    run.write_result({"accuracy": 0.5})
    assert (run.status(), run.result()) == ("finished", {"accuracy": 0.5})


def test_a_killed_process_leaves_an_interrupted_run(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "a", {})
    program = (
        "import sys, time; from pathlib import Path; from flora_engine.jobs import Job\n"
        "from flora_engine.runs.folder import RunFolder\n"
        "run = RunFolder.open(Path(sys.argv[1]))\n"
        "with run.recording(Job()):\n    print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(run.path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    assert (run.status(), run.pid()) == ("running", process.pid)
    process.kill()
    process.wait()
    process.stdout.close()
    assert (run.status(), run.pid()) == ("interrupted", None)


def test_runs_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (RunFolder.create(tmp_path, name, {"kind": "encoder"}) for name in ("one", "two"))
    first.metrics(Job(), 4, {"joint/loss": 0.25})
    first.write_result({"streams": {"joint": {"epoch": 6, "accuracy": 0.5, "checkpoint": "c", "history": []}}})
    assert main(["runs", "--runs", str(tmp_path), "list"]) == 0
    listed = capsys.readouterr().out
    assert f"{first.path.name:<50} finished     encoder" in listed
    assert "new" in listed
    assert main(["runs", "--runs", str(tmp_path), "show", first.path.name]) == 0
    shown = capsys.readouterr().out
    assert "joint/loss: 0.25 at step 4" in shown
    assert "joint: epoch 7, held-out accuracy 50.0%, c" in shown
    assert main(["runs", "compare", str(first.path), str(second.path)]) == 0
    compared = capsys.readouterr().out.splitlines()
    assert [line.split() for line in compared[2:]] == [
        ["joint/loss", "0.25"],
        ["joint:", "held-out", "accuracy", "50.0%"],
    ]
    assert main(["runs", "--runs", str(tmp_path), "prune", "--older-than", "0"]) == 0
    assert second.path.exists()
    assert main(["runs", "--runs", str(tmp_path), "prune", "--older-than", "0", "--yes"]) == 0
    assert first.path.exists()
    assert not second.path.exists()
    assert main(["runs", "show", str(tmp_path / "nothing")]) == 1
