"""What was read of a long run is kept, and is what would be read again."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flora_engine.jobs import Job
from flora_engine.runs import events
from flora_engine.runs.events import History
from flora_engine.runs.folder import EVENTS, HISTORY, RunFolder


def content(history: History) -> dict[str, Any]:
    curves = {name: [axis.tolist() for axis in one.points()] for name, one in history.series.items()}
    parts = {path: asdict(part) for path, part in history.parts.items()}
    return {"curves": curves, "parts": parts, "log": history.log, "clock": history.clock, "count": history.count}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    monkeypatch.setattr(events, "_LONG", 100)
    run, job = RunFolder.create(tmp_path, "long", {"kind": "encoder"}), Job()
    with run.recording(job), job.part("a"):
        job.warn("careful")
        for step in range(200):
            job.emit("metric", name="loss", step=step, value=1 / (1 + step))
    return run


def read(run: RunFolder) -> History:
    history = History(run.path)
    history.refresh()
    return history


def test_a_kept_history_is_the_one_that_was_read(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = content(read(run))
    assert (run.path / HISTORY).is_file() and not run.has_work()
    parsed: list[int] = []
    real = events._parsed
    monkeypatch.setattr(events, "_parsed", lambda piece: parsed.append(len(piece)) or real(piece))
    assert content(read(run)) == whole and not parsed, "nothing is parsed twice"
    job = Job()
    with run.recording(job):
        for step in (200, 201):
            job.emit("metric", name="loss", step=step, value=0.5)
    more = read(run)
    (run.path / HISTORY).unlink()
    assert content(more) == content(read(run))
    steps, _ = next(one.points() for name, one in more.series.items() if not name.part)
    assert steps.tolist() == [200, 201]


@pytest.mark.parametrize("damage", ["other events", "shorter events", "torn", "old"])
def test_a_kept_history_of_other_events_is_left_aside(run: RunFolder, damage: str) -> None:
    read(run)
    path, kept = run.path / EVENTS, run.path / HISTORY
    if damage == "other events":
        path.write_text(path.read_text().replace("finished", "finishes"))
    elif damage == "shorter events":
        path.write_text("\n".join(path.read_text().splitlines()[:50]) + "\n")
    elif damage == "torn":
        kept.write_bytes(kept.read_bytes()[:300])
    else:
        text = np.frombuffer(json.dumps({"version": 0}).encode(), np.uint8)
        np.savez(kept, head=text, steps=np.zeros(0), values=np.zeros(0))
    found = content(read(run))
    kept.unlink()
    assert found == content(read(run))


def test_a_run_that_is_training_is_not_kept(run: RunFolder) -> None:
    (run.path / HISTORY).unlink(missing_ok=True)
    with run.hold():
        read(run)
        assert not (run.path / HISTORY).exists()
