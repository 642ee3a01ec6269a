"""A folder of recordings becomes a table of labels, which is what labelling each alone gives."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import tiny_bundle

from flora_engine.cli import main
from flora_engine.commands.label import label_folder_action
from flora_engine.demo import synthesise
from flora_engine.errors import Cancelled, FloraError
from flora_engine.jobs import Event, Job
from flora_engine.labelling import folder as folder_module
from flora_engine.labelling.folder import label_folder
from flora_engine.labelling.labeller import Labeller
from flora_engine.readers import write_ntu
from flora_engine.semantics.class_texts import ClassText, parse_typed, with_known_texts

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
    counts = label_folder_action(Job(), folder, out, CLASSES, model=bundle)
    assert counts == {"out": str(out), "labelled": 2, "failed": 1}
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [Path(row["file"]).name for row in rows] == ["a.skeleton", "b.skeleton", "c.skeleton"]
    assert "b.skeleton" in rows[1]["problem"] and "labels" not in rows[1]
    labeller, texts = Labeller(bundle), with_known_texts(parse_typed(CLASSES))
    for row, action in ((rows[0], 0), (rows[2], 7)):
        alone = labeller.label(synthesise(action), texts).labels
        assert {x["name"]: x["error"] for x in row["labels"]} == pytest.approx(
            {x.name: x.error for x in alone}, rel=1e-3
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
        label_folder_action(job, folder, out, CLASSES, model=bundle)
    assert [Path(json.loads(line)["file"]).name for line in out.read_text().splitlines()] == [
        "a.skeleton",
        "b.skeleton",
    ]


def test_another_ending_and_a_doubled_action_are_refused(bundle: Path, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FloraError, match=r"\.csv or \.jsonl"):
        label_folder_action(Job(), folder, tmp_path / "labels.txt", CLASSES, model=bundle)
    with pytest.raises(FloraError, match="named twice"):
        label_folder(Job(), Labeller(bundle), [], [ClassText("wave", text, text) for text in "ab"], tmp_path / "l.csv")
