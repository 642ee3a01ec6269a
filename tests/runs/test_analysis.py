"""What a run keeps about single recordings, and what is read from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from flora_engine.errors import FloraError
from flora_engine.runs import analysis
from flora_engine.runs.analysis import Decisions, Latents, Recording
from flora_engine.runs.folder import RunFolder
from flora_engine.runs.report import report

LABELS = np.array([0, 0, 1, 1, 2, 2])
NAMES = ("walk", "sit", "run")
NEAR = np.array([[1.0, 0.1, 0.9], [0.1, 1.0, 0.2], [0.9, 0.2, 1.0]], np.float32)


def kept(folder: Path) -> analysis.Analysis:
    scores = np.eye(3, dtype=np.float32)[LABELS]
    scores[1] = [0.0, 0.0, 2.0]  # taken for “run” with a lead of -2
    analysis.write_classes(folder, NAMES, [2], NEAR)
    names = [Recording(f"r{row}", f"/p#{row}") for row in range(7)]
    analysis.write_recordings(folder, names[5:], names)
    for seed, own in ((0, scores), (1, np.eye(3, dtype=np.float32)[LABELS])):
        decisions = Decisions.of(np.arange(1, 7), LABELS, np.array([0, 1, 2]), own)
        analysis.write_decisions(folder, "flora", "gzsl", seed, decisions)
    return analysis.read_analysis(folder)


def test_decisions_of_several_seeds_are_one_view(tmp_path: Path) -> None:
    found = kept(tmp_path)
    assert found.heads == ["flora"] and found.unseen == (2,)
    view = found.view("flora", "gzsl")
    assert view.seeds == (0, 1)
    order = [NAMES[label] for label in view.classes]
    assert order in (["walk", "run", "sit"], ["run", "walk", "sit"], ["sit", "run", "walk"], ["sit", "walk", "run"])
    at = {name: place for place, name in enumerate(order)}
    assert view.confusion[at["walk"], at["run"]] == pytest.approx(0.25)
    assert view.confusion.sum(axis=1) == pytest.approx([1, 1, 1])
    assert view.cell(0, 2).tolist() == [1] and view.cell(2, 0).tolist() == []
    assert view.hardest(1).tolist() == [1] and view.said(1) == 0, "one seed of two is wrong"
    assert view.lead[1] == pytest.approx((-2 + 1) / 2)
    assert view.accuracies()[0] == (2, pytest.approx(0.75))
    assert view.recording(1) == Recording("r2", "/p#2"), "rows are places in the test part"


def test_the_report_shows_what_was_decided(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "one", {"kind": "flora"})
    found = kept(run.path).view("flora", "gzsl")
    curve = np.array([[-1.0, 0.0, 1.0], [1.0, 0.8, 0.0], [0.0, 0.5, 1.0]], np.float32)
    analysis.write_decisions(run.path, "flora", "gzsl", 0, replace(found.decisions[0], curve=curve))
    text = report(run)
    inside = text.split("<body>")[1].split("</body>")[0].replace("<br>", "")
    body = ElementTree.fromstring(f"<body>{inside}</body>")
    assert "walk → run: 25%" in {title.text for title in body.iter("title")}
    assert ["walk", "seen", "2", "75.0%"] in [[cell.text for cell in row] for row in body.iter("tr")]
    assert any(
        "0.0,260.0" in str(line.get("points")) or "260.0,260.0" in str(line.get("points"))
        for line in body.iter("polyline")
    )
    assert len(list(body.iter("circle"))) == 2


def test_the_lead_of_classes_in_any_order() -> None:
    scores = np.array([[3.0, 1.0, 2.0], [0.0, 5.0, 1.0]], np.float32)
    found = Decisions.of(np.arange(2), np.array([7, 7]), np.array([9, 4, 7]), scores)
    assert found.predicted.tolist() == [9, 4] and found.lead.tolist() == [-1.0, -4.0]
    alone = Decisions.of(np.arange(1), np.array([3]), np.array([3]), np.ones((1, 1), np.float32))
    assert alone.lead.tolist() == [0.0]


def test_like_stands_beside_like() -> None:
    groups = np.array([0, 1, 0, 2, 1, 2, 0])
    near = np.where(groups[:, None] == groups, 0.9, 0.1)
    ordered = groups[analysis.order_of(near)]
    assert np.count_nonzero(np.diff(ordered)) == 2
    assert analysis.order_of(np.eye(2)).tolist() == [0, 1]


def test_latents_keep_the_distances_that_matter(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    points = random.standard_normal((20, 3)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    found = analysis.components(np.arange(20), 5 * points, points[:4])
    assert np.allclose(found.texts, found.recordings[:4], atol=1e-5), "lengths do not count"
    before = np.linalg.norm(points[0] - points[1])
    assert np.linalg.norm(found.recordings[0] - found.recordings[1]) == pytest.approx(before, rel=1e-4)
    assert found.explained.sum() == pytest.approx(1)
    kept(tmp_path)
    analysis.write_latents(tmp_path, "flora", found)
    again = analysis.read_analysis(tmp_path).latents("flora")
    assert isinstance(again, Latents) and np.array_equal(again.texts, found.texts)
    assert analysis.read_analysis(tmp_path).latents("eszsl") is None


def test_what_is_missing_or_damaged(tmp_path: Path) -> None:
    assert analysis.parts_of(tmp_path) == [] and analysis.parts_of(tmp_path / "none") == []
    kept(tmp_path / "split")
    assert analysis.parts_of(tmp_path) == ["split"]
    file = tmp_path / "split" / "analysis" / "flora-gzsl-seed0.npz"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(FloraError, match="damaged"):
        analysis.read_analysis(tmp_path / "split").view("flora", "gzsl")
    (tmp_path / "split" / "analysis" / "classes.json").write_text("[]")
    with pytest.raises(FloraError, match="damaged"):
        analysis.read_analysis(tmp_path / "split")
