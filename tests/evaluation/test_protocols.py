"""The protocols keep what they promise: nothing unseen chooses, every head runs, resuming changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from flora_engine.config import FloraSettings
from flora_engine.datasets.features import Features
from flora_engine.descriptors import catalogue
from flora_engine.errors import Cancelled, FloraError
from flora_engine.evaluation import protocols
from flora_engine.evaluation.protocols import Described, Experiment, beside, local_by, low_shot, run_protocol
from flora_engine.evaluation.selection import Pick, make_folds
from flora_engine.heads import NAMES, head, purls
from flora_engine.heads.learning import flora, latents
from flora_engine.jobs import Event, Job
from flora_engine.runs.progress import Memory
from flora_engine.semantics.class_parts import PARTS

SETTINGS = FloraSettings(
    hidden=24,
    velocity_heads=4,
    align_iterations=40,
    total_iterations=80,
    evaluations=2,
    tokens_per_step=2,
    batch_size=32,
    learning_rate=3e-3,
    attunements=((0, 0.0), (1, 0.3)),
    validation_classes=3,
    folds=2,
)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One thread and short trainings of the comparison heads: enough for an easy problem."""
    for module in map(head, NAMES):
        if hasattr(module, "STEPS"):
            monkeypatch.setattr(module, "STEPS", 100)
    monkeypatch.setattr(latents, "CLASSIFIER_STEPS", 20)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    """Synthetic and easy: features are a linear function of three numbers that the class's text shows."""
    random = np.random.default_rng(2)
    core = random.normal(size=(12, 1, 3))
    states = np.tile(core @ random.normal(size=(3, 20)), (1, 4, 1)).astype(np.float32)
    means = core[:, 0] @ random.normal(size=(3, 16))

    def part(classes: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.repeat(classes, count)
        return (means[labels] + 0.2 * random.normal(size=(len(labels), 16))).astype(np.float32), labels

    unseen = np.array([3, 7])
    seen = np.setdiff1d(np.arange(12), unseen)
    features = Features(*part(seen, 12), *part(unseen, 10), *part(np.arange(12), 6))
    parts = (core @ random.normal(size=(len(PARTS), 3, 10)).transpose(1, 0, 2).reshape(3, -1)).reshape(
        12, len(PARTS), 10
    )
    directions = random.normal(size=(3, len(catalogue())))
    described = Described(_described(features, core[:, 0] @ directions, random), core[:, 0] @ directions)
    return Experiment(features, states, unseen, parts=parts.astype(np.float32), described=described)


def _described(features: Features, means: np.ndarray, random: np.random.Generator) -> Features:
    """Synthetic descriptors of the same recordings: their class's mean and noise."""
    values = {
        f"{part}_data": (means[labels] + 0.2 * random.normal(size=(len(labels), means.shape[1]))).astype(np.float32)
        for part in ("train", "zsl", "gzsl")
        for labels in (getattr(features, f"{part}_label"),)
    }
    return replace(features, **values)


@pytest.mark.parametrize("name", NAMES)
def test_every_head_beats_chance(experiment: Experiment, name: str) -> None:
    one = SETTINGS.model_copy(update={"attunements": ((0, 0.0),), "folds": 1})
    outcome = run_protocol(Job(), name, experiment, one)
    assert outcome["zsl"]["accuracy"]["mean"] > 0.7
    assert 0 <= outcome["gzsl"]["harmonic"]["mean"] <= 1
    assert outcome["gzsl"]["area"]["mean"] > 0.1
    assert np.sum(outcome["gzsl"]["confusion"]) == 72


def test_the_gate_and_the_cost_are_reported(experiment: Experiment) -> None:
    outcome = run_protocol(Job(), "nearest_mean", experiment, SETTINGS)
    chosen = outcome["chosen"]["gzsl"]["gate"]
    assert len(chosen["weights"]) == 3 and "gate" not in outcome["chosen"]["zsl"]
    assert {"gate_seen", "gate_unseen", "gate_harmonic", "gate_area"} <= set(outcome["gzsl"])
    assert outcome["gzsl"]["gate_harmonic"]["mean"] > 0.3
    features, text = experiment.features.train_data.shape[1], experiment.states.shape[2]
    assert outcome["cost"]["parameters"]["mean"] == 2 * features + (features + 1) * text
    assert "cost" not in run_protocol(Job(), "nearest_mean", experiment, SETTINGS, "published", ("zsl",))


@pytest.mark.parametrize("name", NAMES)
def test_every_head_gives_back_what_it_learned(experiment: Experiment, name: str) -> None:
    picks = dict.fromkeys(("zsl",), Pick(head(name).choices(SETTINGS)[0], 1, 0.0))
    outcome = run_protocol(Job(), name, experiment, SETTINGS, wanted=("zsl",), picks=picks)
    assert outcome["cost"]["parameters"]["mean"] > 0


def test_folds_hold_nothing_unseen_and_never_train_on_what_they_test(experiment: Experiment) -> None:
    folds = make_folds(experiment.problem(0), SETTINGS)
    assert len(folds) == 2 and not np.intersect1d(folds[0].unseen, folds[1].unseen).size
    for fold in folds:
        assert not np.isin(fold.unseen, experiment.unseen).any()
        assert not np.isin(fold.problem.labels, fold.unseen).any()
        assert np.isin(fold.labels, np.concatenate([fold.problem.seen, fold.unseen])).all()
        rows = {row.tobytes() for row in fold.problem.data}
        assert not any(row.tobytes() in rows for row in fold.data)
        assert len(fold.labels) + len(fold.problem.labels) == len(experiment.features.train_label)


def test_the_test_part_changes_no_choice(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    real = protocols.evaluate_zsl
    monkeypatch.setattr(protocols, "evaluate_zsl", lambda *a: looks.append(1) or real(*a))
    normal = run_protocol(Job(), "nearest_mean", experiment, SETTINGS)
    assert len(looks) == 1, "the test part is looked at once per seed"
    features = experiment.features
    other = replace(features, zsl_data=-features.zsl_data, gzsl_data=features.gzsl_data * 0)
    changed = run_protocol(Job(), "nearest_mean", replace(experiment, features=other), SETTINGS)
    assert changed["chosen"] == normal["chosen"]
    assert changed["zsl"]["accuracy"] != normal["zsl"]["accuracy"]


def test_published_reports_the_best_evaluation_and_says_so(experiment: Experiment) -> None:
    outcome = run_protocol(Job(), "flora", experiment, SETTINGS, "published", ("zsl",))
    every = outcome["zsl"]["evaluations_on_test"][0]
    assert len(every) == SETTINGS.evaluations
    assert outcome["zsl"]["accuracy"]["mean"] == max(every)
    assert "ON THE TEST PART" in outcome["note"]


def test_published_trains_on_all_tokens_in_float32_unless_told_otherwise(experiment: Experiment) -> None:
    def evaluations(**changed: Any) -> Any:
        settings = SETTINGS.model_copy(update=changed)
        return run_protocol(Job(), "flora", experiment, settings, "published", ("gzsl",))["gzsl"]["evaluations_on_test"]

    fast = evaluations(published_training="fast")
    to_the_letter = evaluations(published_training="fast", tokens_per_step=0, precision="float32")
    assert evaluations() == to_the_letter != fast


def test_several_seeds_and_resuming_from_memory(experiment: Experiment, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"seeds": (0, 1)})
    kept: list[tuple[int, str]] = []
    keep = lambda seed, setting, model: kept.append((seed, setting))  # noqa: E731
    whole = run_protocol(Job(), "flora", experiment, settings, keep=keep, memory=Memory(tmp_path))
    assert sorted(set(kept)) == [(0, "gzsl"), (0, "zsl"), (1, "gzsl"), (1, "zsl")]
    assert len(whole["zsl"]["accuracy"]["values"]) == 2
    assert whole["nearest_aligned"]["accuracy"]["mean"] > 0
    (tmp_path / "outcome-held-out-flora-seed1.safetensors").unlink()
    (tmp_path / "fold-flora-1-1.safetensors").unlink()
    told: list[Event] = []
    resumed = run_protocol(Job(told.append), "flora", experiment, settings, memory=Memory(tmp_path))
    for key in ("zsl", "gzsl", "chosen", "nearest_aligned"):
        assert resumed[key] == whole[key]
    trainings = sum(event.get("name") == "align_loss" and event["step"] == 40 for event in told)
    assert 2 <= trainings <= 3, "one fold and one seed (one training, or two) are computed again"


def job_of(stretches: int) -> Job:
    """Stops after so many of the stretches of a training: without checkpoints none would ever end."""
    losses: list[Event] = []

    def listen(event: Event) -> None:
        losses.extend([event] if str(event.get("name")).endswith("_loss") else [])
        if len(losses) >= stretches:
            job.stop()

    job = Job(listen)
    return job


@pytest.mark.parametrize(("protocol", "streams"), [("held-out", ()), ("published", ()), ("held-out", (0.6, 0.4))])
def test_a_stopped_training_goes_on_in_its_middle(
    experiment: Experiment, tmp_path: Path, protocol: Any, streams: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after each stretch in turn until nothing is left; the result is that of a run in one go."""
    monkeypatch.setattr(flora, "CHECKPOINT_SECONDS", 0.0)
    settings = SETTINGS.model_copy(update={"add_streams": streams})
    whole = run_protocol(Job(), "flora", experiment, settings, protocol)
    starts = 0
    while True:
        try:
            outcome = run_protocol(
                job_of(4 if streams else 1), "flora", experiment, settings, protocol, memory=Memory(tmp_path)
            )
        except Cancelled:
            starts += 1
            continue
        break
    for key in ("zsl", "gzsl", "chosen"):
        assert outcome[key] == whole[key]
    assert starts >= 3
    assert not list(tmp_path.glob("*.training*")) and not list(tmp_path.glob("*.found*"))


def test_low_shot_takes_a_share_of_each_class_and_at_least_one(experiment: Experiment) -> None:
    few = low_shot(experiment.features, 0.25)
    assert np.bincount(few.train_label)[np.unique(few.train_label)].tolist() == [3] * 10
    one = low_shot(experiment.features, 0.01)
    assert len(one.train_label) == 10
    told: list[Event] = []
    outcome = run_protocol(Job(told.append), "eszsl", replace(experiment, features=one), SETTINGS)
    assert outcome["chosen"]["gzsl"]["calibration_factor"] == pytest.approx(0.75)
    assert any(event["kind"] == "warning" for event in told)


def test_features_of_another_split_are_refused(experiment: Experiment) -> None:
    with pytest.raises(FloraError, match="unseen classes"):
        run_protocol(Job(), "eszsl", replace(experiment, unseen=np.array([0, 7])), SETTINGS)
    with pytest.raises(FloraError, match="texts for 5 classes"):
        run_protocol(Job(), "eszsl", replace(experiment, states=experiment.states[:5]), SETTINGS)


@pytest.mark.parametrize("head", NAMES)
def test_one_seen_class_is_refused_in_a_sentence(experiment: Experiment, head: str) -> None:
    features = experiment.features
    rows = features.train_label == features.train_label[0]
    alone = replace(features, train_data=features.train_data[rows], train_label=features.train_label[rows])
    with pytest.raises(FloraError, match="samples of one class only"):
        run_protocol(Job(), head, replace(experiment, features=alone), SETTINGS, "published")


def test_a_head_reads_what_it_says(experiment: Experiment) -> None:
    described = experiment.described
    assert described is not None
    assert experiment.read_by("flora").features is experiment.features
    assert experiment.read_by("flora").problem(0).expectations is None
    alone, both = experiment.read_by("descriptors"), experiment.read_by("ensemble_descriptors")
    assert alone.features is described.values
    assert alone.problem(0).expectations is described.expectations
    width = experiment.features.zsl_data.shape[1]
    np.testing.assert_array_equal(both.features.zsl_data[:, :width], experiment.features.zsl_data)
    np.testing.assert_array_equal(both.features.zsl_data[:, width:], described.values.zsl_data)
    assert beside(experiment.features, described.values).train_label is experiment.features.train_label


def test_a_head_attends_to_local_features_if_there_are_any(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, width = experiment.features, experiment.features.train_data.shape[1]
    values = replace(
        features,
        **{f"{part}_data": np.tile(getattr(features, f"{part}_data"), 3 * 5) for part in ("train", "zsl", "gzsl")},
    )
    local = local_by(values, features)
    assert local is not None and local.shape == (3, 5)
    attending = replace(experiment, local=local)
    assert attending.read_by("star").problem(0).local == (3, 5)
    assert attending.read_by("star").features.zsl_data.shape[1] == width * (1 + 3 * 5)
    for name in ("flora", "descriptors", "ensemble_descriptors"):
        assert attending.read_by(name).problem(0).local is None
        np.testing.assert_array_equal(
            attending.read_by(name).features.zsl_data, experiment.read_by(name).features.zsl_data
        )
    assert experiment.read_by("star").problem(0).local is None
    one = SETTINGS.model_copy(update={"folds": 1})
    monkeypatch.setattr(purls, "STEPS", 200)
    for name in ("star", "purls"):
        assert run_protocol(Job(), name, attending, one, wanted=("zsl",))["zsl"]["accuracy"]["mean"] > 0.7
    other = replace(values, zsl_label=values.zsl_label[::-1])
    with pytest.raises(FloraError, match="other recordings"):
        replace(experiment, local=replace(local, values=other)).read_by("star")


def test_features_without_recordings_have_no_descriptors(experiment: Experiment) -> None:
    with pytest.raises(FloraError, match="“descriptors” measures recordings"):
        run_protocol(Job(), "descriptors", replace(experiment, described=None), SETTINGS)
    described = experiment.described
    assert described is not None
    other = replace(described, values=replace(described.values, zsl_label=described.values.zsl_label[::-1]))
    with pytest.raises(FloraError, match="other recordings"):
        run_protocol(Job(), "ensemble_descriptors", replace(experiment, described=other), SETTINGS)
