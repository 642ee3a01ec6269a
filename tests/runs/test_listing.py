"""Rows of runs, notes beside them, the trash, and what differs between runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.runs import listing
from flora_engine.runs.folder import RunFolder
from flora_engine.runs.listing import Listing, Notes, different, move_to_trash, take_from_trash, write_notes

PIPELINE = {
    "kind": "pipeline",
    "data": [{"dataset": "project", "project": "study"}],
    "splits": [{"name": "one"}, {"name": "two"}],
    "heads": ["flora", "ensemble"],
    "flora": {"seeds": [0, 1]},
}


def outcome(zsl: float, harmonic: float) -> dict[str, object]:
    return {"zsl": {"accuracy": {"mean": zsl, "error": 0.01}}, "gzsl": {"harmonic": {"mean": harmonic, "error": 0.02}}}


def result() -> dict[str, object]:
    splits = {
        name: {
            "kind": "split",
            "unseen": [1],
            "chance": 0.5,
            "counts": {},
            "encoder": {},
            "heads": {"flora": {"held-out": outcome(0.1, 0.1)}, "ensemble": {"held-out": outcome(zsl, 0.3)}},
            "minutes": {},
        }
        for name, zsl in (("one", 0.4), ("two", 0.6))
    }
    return {"kind": "pipeline", "splits": splits, "bundle": "one/bundle", "minutes": 2.0}


def test_a_row_says_what_was_asked_and_what_came_out(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "study", PIPELINE)
    with run.recording(Job()):
        run.write_result(result())
    (row,) = Listing(tmp_path).rows()
    assert (row.kind, row.data, row.split, row.heads, row.seeds) == (
        "pipeline",
        "study",
        "one, two",
        ("flora", "ensemble"),
        (0, 1),
    )
    assert (row.state, row.head, row.zsl, row.seconds) == ("finished", "ensemble", (0.5, None), 120)
    assert row.harmonic == (pytest.approx(0.3), None) and row.started > 0


def test_only_what_changed_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [RunFolder.create(tmp_path, name, PIPELINE) for name in "abc"]
    read: list[str] = []
    real = listing.row_of
    monkeypatch.setattr(listing, "row_of", lambda run: (read.append(run.path.name), real(run))[1])
    table = Listing(tmp_path)
    assert [row.state for row in table.rows()] == ["new"] * 3 and len(read) == 3
    write_notes(runs[1].path, Notes(title="the good one", tags=("paper",), text="keep"))
    rows = table.rows()
    assert read[3:] == [runs[1].path.name]
    named = next(row for row in rows if row.path == runs[1].path)
    assert (named.name, named.notes.tags) == ("the good one", ("paper",))
    with pytest.raises(FloraError, match="notes"):
        write_notes(runs[0].path / "config.yaml", Notes())


def test_damaged_files_leave_cells_empty(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "a", {"kind": "flora", "benchmark": "x/y"})
    (run.path / "result.json").write_text("{")
    (run.path / "notes.json").write_text("[]")
    (run.path / "events.jsonl").write_bytes(b"\xff\n")
    row = listing.row_of(run)
    assert (row.split, row.zsl, row.name) == ("x/y", None, run.path.name)
    (run.path / "config.yaml").write_text("a: [")
    assert listing.row_of(run).kind == ""


def test_removing_and_restoring(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "a", PIPELINE)
    with run.hold(), pytest.raises(FloraError, match="running"):
        move_to_trash(run)
    place = move_to_trash(run)
    assert not run.path.exists() and Listing(tmp_path).rows() == []
    take_from_trash(place, run.path)
    assert json.loads(json.dumps(RunFolder.open(run.path).config())) == PIPELINE
    first = move_to_trash(run)
    again = RunFolder.at(run.path, {})
    second = move_to_trash(again)
    assert first != second
    RunFolder.at(run.path, {})
    with pytest.raises(FloraError, match="taken"):
        take_from_trash(first, run.path)
    assert listing.empty_trash(tmp_path) == 2


def test_what_differs() -> None:
    one = {"kind": "flora", "flora": {"seeds": [0], "hidden": 12}, "low_shot": None}
    two = {"kind": "flora", "flora": {"seeds": [0, 1]}, "low_shot": 0.1}
    assert different([one, two]) == {
        "flora.seeds": ["[0]", "[0, 1]"],
        "flora.hidden": ["12", ""],
        "low_shot": ["", "0.1"],
    }
