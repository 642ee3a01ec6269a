"""What people decide about files outside projects is kept through a crash, and stands beside what the model said."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from flora_engine.errors import FloraError
from flora_engine.labelling.decisions import COLUMNS, Decision, add_decision, read_decisions, write_decisions
from flora_engine.labelling.journal import Line


def test_the_last_word_counts_and_can_be_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "people.jsonl"
    assert read_decisions(path) == {}
    for decision in (Decision("a", "wave"), Decision("b", "坐下", "me", "m", 5.0), Decision("a", "bow")):
        add_decision(path, decision)
    assert read_decisions(path) == {"b": Decision("b", "坐下", "me", "m", 5.0), "a": Decision("a", "bow")}
    add_decision(path, Decision("a", ""))
    assert set(read_decisions(path)) == {"b"}


def test_a_line_that_a_crash_cut_off_spoils_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "people.jsonl"
    add_decision(path, Decision("a", "wave"))
    with path.open("ab") as file:
        file.write(b'{"item": "b", "na')
    add_decision(path, Decision("c", "bow"))
    assert {item: one.name for item, one in read_decisions(path).items()} == {"a": "wave", "c": "bow"}


def test_the_table_shows_people_and_model_side_by_side(tmp_path: Path) -> None:
    lines = [Line("b", (("wave", 0.75), ("bow", 0.25))), Line("a", (("bow", 0.6),)), Line("c", problem="it is empty")]
    write_decisions(tmp_path / "out.csv", lines, {"b": Decision("b", "clap; slow", "me")})
    rows = list(csv.reader((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()))
    assert rows == [
        list(COLUMNS),
        ["a", "", "", "bow", "0.6", ""],
        ["b", "clap; slow", "me", "wave", "0.75", ""],
        ["c", "", "", "", "", "it is empty"],
    ]


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(FloraError, match="cannot be written"):
        add_decision(tmp_path / "file" / "people.jsonl", Decision("a", "wave"))
    with pytest.raises(FloraError, match="cannot be written"):
        write_decisions(tmp_path / "file" / "out.csv", [], {})
