"""Graphs and measurements in a bundle: held-out folds choose how much each counts, and the bundle says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flora_engine.config import FloraSettings
from flora_engine.datasets.features import Features
from flora_engine.descriptors import catalogue, reference_pool
from flora_engine.evaluation.protocols import Described, Experiment, described_by, run_protocol
from flora_engine.evaluation.selection import select, trainings
from flora_engine.heads import head
from flora_engine.jobs import Event, Job
from flora_engine.labelling.bundle import DescriptorReference, Manifest, TextEncoderReference, write_manifest
from flora_engine.models.together import GRID, Weights
from flora_engine.recipes import weighing
from flora_engine.recipes.weighing import weigh
from flora_engine.runs.progress import Memory

SETTINGS = FloraSettings(folds=2, validation_classes=3, attunements=((0, 0.0),))
PICK = {"choice": {"features": 1.0, "texts": 1.0}, "evaluations": 1}
CLASSES, EACH = 12, 10


def experiment(telling: str) -> Experiment:
    """Of features and descriptors only one kind tells the classes apart; the other is noise."""
    random = np.random.default_rng(3)
    labels = np.repeat(np.arange(CLASSES), EACH)
    core = random.normal(size=(CLASSES, 4))
    states = np.tile((core @ random.normal(size=(4, 20)))[:, None], (1, 4, 1)).astype(np.float32)
    expected = core @ random.normal(size=(4, len(catalogue())))
    noise = random.normal(size=(len(labels), 16)), random.normal(size=(len(labels), len(catalogue())))
    features = noise[0] + (4 * core @ random.normal(size=(4, 16)))[labels] * (telling == "features")
    values = noise[1] + 2 * expected[labels] * (telling == "descriptors")
    parts = [Features(*3 * (one.astype(np.float32), labels)) for one in (features, values)]
    return Experiment(parts[0], states, np.array([], np.int64), described=Described(parts[1], expected))


@pytest.mark.parametrize(("telling", "wanted"), [("features", Weights(1, 0)), ("descriptors", Weights(0, 1))])
def test_what_tells_the_classes_apart_counts(telling: str, wanted: Weights) -> None:
    given = experiment(telling)
    words = np.random.default_rng(0).normal(size=(CLASSES, 8))
    found = weigh(Job(), "eszsl", given, SETTINGS, PICK, 0, words, Memory())
    assert found is not None and len(found.validation) == len(GRID)
    assert (found.weights.graphs > found.weights.descriptors) == (wanted.graphs > 0)
    assert found.validation[GRID.index(found.weights)] == max(found.validation) > 0.6
    if telling == "descriptors":
        assert found.weights == wanted, "of equals the one with the least of the graphs"
        assert found.validation[-1] < 0.6
    assert "measurements" in found.said and f"{max(found.validation):.1%}" in found.said
    assert found.model.to_text.shape == (len(catalogue()), 8) and float(found.model.temperature) > 0


def test_the_unit_of_the_graphs_scores_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flora's −log e and a ridge regression have units of their own; each counts in units of its spread."""
    given, words = experiment("features"), np.random.default_rng(0).normal(size=(CLASSES, 8))
    scored, found = weighing._by_graphs, []
    for scale in (1, 1000):
        monkeypatch.setattr(weighing, "_by_graphs", lambda *given, scale=scale: np.float32(scale) * scored(*given))
        found.append(weigh(Job(), "eszsl", given, SETTINGS, PICK, 0, words, Memory()))
    one, other = found
    assert one is not None and other is not None
    assert one.weights == other.weights and one.validation == pytest.approx(other.validation)
    assert other.temperature == pytest.approx(1000 * one.temperature, rel=1e-3)
    assert float(other.model.temperature) == pytest.approx(float(one.model.temperature), rel=1e-3)


def test_what_the_folds_of_a_run_scored_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given, words = experiment("features"), np.random.default_rng(0).normal(size=(CLASSES, 8))
    memory = Memory(tmp_path)
    pick = select(Job(), "eszsl", given.read_by("eszsl").problem(0), SETTINGS, 0.0, memory)["zsl"].summary()
    fresh = weigh(Job(), "eszsl", given, SETTINGS, pick, 0, words, Memory())
    monkeypatch.setattr(weighing, "_by_graphs", lambda *_: pytest.fail("trained again"))
    again = weigh(Job(), "eszsl", given, SETTINGS, pick, 0, words, memory)
    assert fresh is not None and again is not None and again.weights == fresh.weights
    assert again.validation == pytest.approx(fresh.validation) and again.validation[-1] == pytest.approx(
        pick["validation"]
    )


def test_without_recordings_nothing_is_chosen() -> None:
    bare = replace(experiment("features"), described=None)
    assert weigh(Job(), "eszsl", bare, SETTINGS, PICK, 0, np.zeros((CLASSES, 8)), Memory()) is None


def test_the_sum_is_trained_once_for_all_weights() -> None:
    """The head and the bundle choose by one rule; a run tells which choice it was."""
    module = head("ensemble_descriptors")
    (tried,) = trainings(module, SETTINGS)
    assert [(one["graphs"], one["descriptors"]) for one in tried] == [(w.graphs, w.descriptors) for w in GRID]
    small = SETTINGS.model_copy(
        update={"hidden": 12, "velocity_heads": 2, "align_iterations": 4, "total_iterations": 8, "evaluations": 2}
    )
    given, parts = experiment("descriptors"), []
    seen = np.flatnonzero(given.features.train_label < 9)
    test = np.flatnonzero(given.features.train_label >= 9)

    def split(one: Features) -> Features:
        kept = (one.train_data[seen], one.train_label[seen])
        unseen = (one.train_data[test], one.train_label[test])
        return Features(*kept, *unseen, one.train_data, one.train_label)

    assert given.described is not None
    described = replace(given.described, values=split(given.described.values))
    given = replace(given, features=split(given.features), unseen=np.array([9, 10, 11]), described=described)

    def listen(event: Event) -> None:
        if event["kind"] == "part" and event["state"] == "started":
            parts.append(str(event["part"]).rpartition("/")[2])

    problem = given.read_by("ensemble_descriptors").problem(0)
    picks = select(Job(listen), "ensemble_descriptors", problem, small, 0.0)
    assert parts == ["fold 1 of 2, choice 1 of 1", "fold 2 of 2, choice 1 of 1"]
    assert picks["zsl"].choice["descriptors"] == 1 and picks["zsl"].choice["graphs"] < 1
    outcome = run_protocol(Job(), "ensemble_descriptors", given, small, picks=picks)
    assert outcome["chosen"]["zsl"]["choice"] == dict(picks["zsl"].choice)
    assert outcome["zsl"]["accuracy"]["mean"] > 0.6


def test_the_manifest_says_the_weights_and_earlier_ones_are_read(tmp_path: Path) -> None:
    old = DescriptorReference.model_validate({"graphs": 1.0})
    assert (old.graphs, old.descriptors, old.chosen) == (1.0, 1.0, False)
    words = TextEncoderReference(name="minilm", sha256="0", tokens=32)
    chosen = DescriptorReference(graphs=0.0, descriptors=1.0, chosen=True)
    for reference, said in ((chosen, '"chosen": true'), (DescriptorReference(graphs=0.0), '"graphs": 0.0\n')):
        write_manifest(tmp_path, Manifest(name="a", text_encoder=words, descriptors=reference, files={}))
        text = (tmp_path / "manifest.json").read_text("utf-8")
        assert said in text and Manifest.model_validate_json(text).descriptors == reference
    assert "chosen" not in text


def test_the_shipped_pool_serves_few_recordings_but_not_those_that_it_holds() -> None:
    given = experiment("descriptors")
    assert given.described is not None
    told: list[str] = []
    job = Job(lambda event: told.append(str(event.get("text"))))
    few = Features(*3 * (given.described.values.train_data[:24], given.described.values.train_label[:24]))
    own = described_by(job, few, given.described.expectations, ["own"])
    theirs = described_by(job, few, given.described.expectations, ["ntu60", "own"])
    assert own is not None and own.pool == reference_pool() and theirs is not None and theirs.pool is None
    assert "24 recordings" in told[0] and "the shipped pool" in told[0] and "alone" in told[1]
    assert described_by(job, None, given.described.expectations, []) is None
