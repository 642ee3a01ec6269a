"""A folder of recordings becomes a table of labels, which is what labelling each alone gives."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
import tiny_bundle

from flora_engine.cli import main
from flora_engine.demo import synthesise
from flora_engine.errors import Cancelled, FloraError
from flora_engine.jobs import Event, Job
from flora_engine.labelling import folder as folder_module
from flora_engine.labelling.labeller import Labeller
from flora_engine.readers import write_ntu
from flora_engine.recipes.actions import perform
from flora_engine.semantics.class_texts import parse_typed, with_known_texts

CLASSES = "wave hand; sit down; fly a kite"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model") / "bundle"
    tiny_bundle.write(folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three recordings, the second broken, in one subfolder; scored two at a time."""
    monkeypatch.setattr(folder_module, "_AT_ONCE", 2)
    for name, action in (("a", 0), ("c", 7)):
        write_ntu(synthesise(action), tmp_path / "in" / f"{name}.skeleton")
    (tmp_path / "in" / "b.skeleton").write_text("1\n1\nbroken")
    return tmp_path / "in"


def test_each_recording_gets_its_own_ranking(bundle: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.jsonl"
    counts = perform(Job(), "label-folder", arguments(bundle, folder, out))
    assert counts == {"out": str(out), "labelled": 2, "failed": 1}
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [Path(row["file"]).name for row in rows] == ["a.skeleton", "b.skeleton", "c.skeleton"]
    assert "b.skeleton" in rows[1]["problem"] and "labels" not in rows[1]
    labeller, texts = Labeller(bundle), with_known_texts(parse_typed(CLASSES))
    for row, action in ((rows[0], 0), (rows[2], 7)):
        alone = labeller.label(synthesise(action), texts).labels
        assert {x["name"]: x["flow_error"] for x in row["labels"]} == pytest.approx(
            {x.name: x.flow_error for x in alone}, rel=1e-3
        )
        assert sum(x["score"] for x in row["labels"]) == pytest.approx(1, abs=1e-5)


def test_the_command_writes_a_table(
    bundle: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "labels.csv"
    run = bundle.parent  # the bundle below it is meant
    assert main(["label", str(folder), "--classes", CLASSES, "--model", str(run), "--out", str(out)]) == 1
    assert "2 recordings labelled, 1 failed" in capsys.readouterr().out
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["file", "label", "score", "wave hand", "sit down", "fly a kite", "problem"]
    scores = {name: float(rows[0][name]) for name in CLASSES.split("; ")}
    assert rows[0]["label"] == max(scores, key=lambda name: scores[name])
    assert float(rows[0]["score"]) == max(scores.values())
    assert rows[1]["label"] == "" and rows[1]["problem"]


def test_stopped_it_keeps_what_is_done(bundle: Path, folder: Path, tmp_path: Path) -> None:
    def stop_at_the_third(event: Event) -> None:
        if event["kind"] == "progress" and event["done"] == 2:
            job.stop()

    job, out = Job(stop_at_the_third), tmp_path / "labels.jsonl"
    with pytest.raises(Cancelled):
        perform(job, "label-folder", arguments(bundle, folder, out))
    assert [Path(json.loads(line)["file"]).name for line in out.read_text().splitlines()] == [
        "a.skeleton",
        "b.skeleton",
    ]


def test_another_ending_and_a_doubled_action_are_refused(bundle: Path, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FloraError, match=r"\.csv or \.jsonl"):
        perform(Job(), "label-folder", arguments(bundle, folder, tmp_path / "labels.txt"))
    doubled = tmp_path / "actions.yaml"
    doubled.write_text("- {name: wave, motion: a}\n- {name: Wave, motion: b}\n", encoding="utf-8")
    given = arguments(bundle, folder, tmp_path / "labels.csv") | {"classes": None, "classes_file": str(doubled)}
    with pytest.raises(FloraError, match="“wave” is named twice"):
        perform(Job(), "label-folder", given)
    assert not list(tmp_path.glob("labels.*"))


def test_printed_json_is_the_documented_schema(
    bundle: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same from the command's --json and from the table, for a recording that failed too."""
    out = tmp_path / "labels.jsonl"
    perform(Job(), "label-folder", arguments(bundle, folder, out))
    assert main(["label", str(folder), "--classes", CLASSES, "--model", str(bundle), "--json"]) == 1
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    written = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    for lines in (printed, written):
        assert [set(line) - {"labels", "seconds", "problem"} for line in lines] == [{"format", "version", "file"}] * 3
        assert [("labels" in line, "problem" in line) for line in lines] == [
            (True, False),
            (False, True),
            (True, False),
        ]
    assert [line.get("problem") for line in printed] == [line.get("problem") for line in written]
    page = (Path(__file__).resolve().parents[2] / "docs" / "labels.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([\w.\[\]]+)` \|", page, re.MULTILINE))
    line = printed[0]
    used = {*line, "problem", *(f"labels[].{key}" for key in line["labels"][0])}
    assert used <= documented and {"format", "labels[].flow_error"} <= used
    assert f'"version": {line["version"]}' in page and set(line["seconds"]) == {
        "read",
        *["prepare", "encode", "text", "score"],
    }


def arguments(bundle: Path, folder: Path, out: Path) -> dict[str, Any]:
    return {"folder": str(folder), "out": str(out), "classes": CLASSES, "model": str(bundle)}
