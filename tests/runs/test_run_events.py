"""A run is read from its events as they come, whoever trains it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from patience import PATIENCE

from flora_engine.errors import Cancelled, FloraError
from flora_engine.jobs import Job
from flora_engine.runs import events as module
from flora_engine.runs.events import History, smoothed
from flora_engine.runs.folder import EVENTS, RunFolder, last_state
from flora_engine.runs.history_file import Name


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path, "a", {"kind": "flora"})


def add(run: RunFolder, content: bytes) -> None:
    with (run.path / EVENTS).open("ab") as file:
        file.write(content)


def test_a_torn_end_is_read_when_it_is_whole(run: RunFolder) -> None:
    history = History(run.path)
    assert not history.refresh() and history.status() == "new"
    add(run, b'{"kind":"metric","name":"loss","step":1,"value":2.5}\n{"kind":"metric","na')
    assert history.refresh() and history.count == 1
    assert not history.refresh()
    add(run, b'me":"loss","step":2,"value":1.5}\n')
    assert history.refresh()
    assert [part.tolist() for part in history.series[Name("", "loss")].points()] == [[1, 2], [2.5, 1.5]]


def test_lines_that_are_no_events_are_passed_over(run: RunFolder) -> None:
    add(run, b'{"kind":"metric","name":"a","step":1,"value":NaN}\n{"half\n\xff\xfe\n[1, 2]\n3, 4\n')
    add(run, b'{"kind":"metric","name":"a","step":"x","value":1}\n{"kind":"metric"}\n\n{"kind":"metric","step":1,')
    add(run, b'"name":"b","value":2}\n')
    history = History(run.path)
    history.refresh()
    assert set(history.series) == {Name("", "a"), Name("", "b")}
    assert np.isnan(history.series[Name("", "a")].points()[1]).all()


def test_any_cut_into_pieces_gives_the_same(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in range(500):
        run.append_event({"kind": "metric", "name": "loss", "step": step, "value": step / 7, "part": "é"})
    whole = History(run.path)
    whole.refresh()
    for size in (1, 7, 1000):
        monkeypatch.setattr(module, "_PIECE", size)
        other = History(run.path)
        other.refresh()
        for a, b in zip(*(one.series[Name("é", "loss")].points() for one in (whole, other)), strict=True):
            np.testing.assert_array_equal(a, b)


def test_of_a_step_told_twice_the_last_counts(run: RunFolder) -> None:
    for step, value in ((1, 5.0), (2, 4.0), (3, 3.0), (2, 2.0), (3, 1.0)):
        run.metrics(Job(), step, {"loss": value})
    history = History(run.path)
    history.refresh()
    assert [part.tolist() for part in history.series[Name("", "loss")].points()] == [[1, 2, 3], [5, 2, 1]]


def test_a_file_that_was_replaced_is_read_anew(run: RunFolder) -> None:
    add(run, b'{"kind":"log","text":"one"}\n' * 10)
    history = History(run.path)
    history.refresh()
    (run.path / EVENTS).write_bytes(b'{"kind":"log","text":"two"}\n')
    history.refresh()
    assert [line.text for line in history.log] == ["two"]


def test_recording_keeps_what_the_job_tells_with_its_parts(run: RunFolder) -> None:
    job = Job()
    with run.recording(job):
        with job.part("split/1"), job.part("flora"):
            job.emit("metric", name="loss", step=1, value=0.5)
            for done in range(100):
                job.progress("learning", done, 100)
            job.progress("learning", 100, 100)
        run.tell(job, "warning", text="careful")
        assert History(run.path).status() == "running"
    events = run.events()
    assert sum(event["kind"] == "progress" for event in events) < 20, "a line a second is enough"
    assert sum(event["kind"] == "warning" for event in events) == 1, "what the job hears is kept once"
    assert "careful" in (run.path / "log.txt").read_text()
    history = History(run.path)
    history.refresh()
    assert list(history.parts) == ["split-1", "split-1/flora"]
    part = history.parts["split-1/flora"]
    assert (part.state, part.stage, part.done, part.total, part.depth) == ("finished", "learning", 100, 100, 1)
    assert Name("split-1/flora", "loss") in history.series and history.clock.memory
    assert [line.level for line in history.log] == ["info", "warning", "info"]
    assert run.curves() == {"split-1/flora: loss": [(1, 0.5)]}


def test_a_second_start_adds_to_the_time_and_stops_what_was_left_open(run: RunFolder) -> None:
    for time, event in (
        (100, {"kind": "state", "state": "started"}),
        (101, {"kind": "part", "part": "a", "state": "started"}),
        (110, {"kind": "log", "text": "last words before the crash"}),
        (500, {"kind": "state", "state": "started"}),
        (501, {"kind": "part", "part": "b", "state": "started"}),
        (505, {"kind": "part", "part": "b", "state": "finished"}),
        (520, {"kind": "state", "state": "failed", "text": "MemoryError: no"}),
    ):
        run.append_event({**event, "time": time})
    history = History(run.path)
    history.refresh()
    assert history.seconds() == pytest.approx(30)
    assert (history.parts["a"].state, history.parts["b"].state, history.parts["b"].seconds) == (
        "stopped",
        "finished",
        4,
    )
    assert history.status() == "failed" and "MemoryError" in history.clock.text
    assert history.current() is None and history.log[-1].level == "error"


def test_another_process_obeys_the_run_folder(run: RunFolder) -> None:
    code = (
        "import sys, time; from pathlib import Path; from flora_engine.jobs import Job; "
        "from flora_engine.runs.folder import RunFolder\n"
        "run, job = RunFolder.open(Path(sys.argv[1])), Job()\n"
        "with run.recording(job):\n"
        "    while True: job.check(); time.sleep(0.01)"
    )
    with pytest.raises(FloraError, match="no process"):
        run.ask("pause")
    (run.path / "control").write_text("stop")  # of an earlier process: no word for the next one
    process = subprocess.Popen([sys.executable, "-c", code, str(run.path)], stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: run.status() == "running")
        run.ask("pause")
        wait_for(lambda: run.status() == "paused")
        run.ask("resume")
        wait_for(lambda: last_state(run.path / EVENTS) == "resumed")
        run.ask("stop")
        assert process.wait(PATIENCE) != 0
        assert run.status() == "stopped" and not (run.path / "control").exists()
    finally:
        process.kill()
        process.wait()
    with pytest.raises(ValueError):
        run.ask("dance")


def test_a_run_is_ended_from_outside(run: RunFolder) -> None:
    code = (
        "import sys, time; from pathlib import Path; from flora_engine.jobs import Job; "
        "from flora_engine.runs.folder import RunFolder\n"
        "with RunFolder.open(Path(sys.argv[1])).recording(Job()): time.sleep(600)"
    )
    with pytest.raises(FloraError, match="no process"):
        run.kill()
    process = subprocess.Popen([sys.executable, "-c", code, str(run.path)])
    try:
        wait_for(lambda: last_state(run.path / EVENTS) == "started")
        run.kill()
        assert process.wait(PATIENCE) != 0
        wait_for(lambda: run.status() == "interrupted")
    finally:
        process.kill()
        process.wait()


def test_paused_in_this_process(run: RunFolder) -> None:
    job = Job()
    with pytest.raises(Cancelled), run.recording(job):
        job.pause()
        assert run.status() == "paused"
        job.stop()
        job.check()
    assert run.status() == "stopped"


def test_the_last_state_is_found_from_the_end(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    assert last_state(run.path / EVENTS) == ""
    run.append_event({"kind": "state", "state": "started"})
    for step in range(300):
        run.append_event({"kind": "log", "text": f'"state" {step}'})
    from flora_engine.runs import folder

    for block in (1, 13, 1 << 16):
        monkeypatch.setattr(folder, "_BLOCK", block)
        assert last_state(run.path / EVENTS) == "started"
    add(run, b'{"kind":"state","state":"fini')
    assert last_state(run.path / EVENTS) == "started"


def test_smoothing_starts_at_the_first_value_and_keeps_gaps() -> None:
    values = np.array([4.0, 4.0, np.nan, 4.0, 8.0])
    result = smoothed(values, 0.5)
    assert result[0] == pytest.approx(4) and np.isnan(result[2]) and result[3] == pytest.approx(4)
    assert 4 < result[4] < 8
    np.testing.assert_array_equal(smoothed(values, 0), values)
    assert len(smoothed(np.zeros(0), 0.9)) == 0
    many = np.random.default_rng(0).normal(size=1000)
    mean = mass = 0.0
    for value, found in zip(many, smoothed(many, 0.97), strict=True):
        mean, mass = 0.97 * mean + 0.03 * value, 0.97 * mass + 0.03
        assert found == pytest.approx(mean / mass)


def test_a_long_history_is_whole(tmp_path: Path) -> None:
    """200,000 events; how fast they are read is measured in benchmarks/window.py."""
    line = json.dumps({"time": 1.0, "kind": "metric", "name": "loss", "step": 0, "value": 1.0}, separators=(",", ":"))
    run = RunFolder.create(tmp_path, "long", {})
    steps = (line.replace('"step":0', f'"step":{step}') for step in range(200_000))
    (run.path / EVENTS).write_text("\n".join(steps) + "\n")
    history = History(run.path)
    history.refresh()
    found, values = history.series[Name("", "loss")].points()
    assert history.count == 200_000 and len(found) == 200_000 and found[-1] == 199_999 and values.min() == 1


def wait_for(condition: object) -> None:
    assert callable(condition)
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.02)):
        if condition():
            return
        pause.wait(0.02)
    raise AssertionError("it did not come")
