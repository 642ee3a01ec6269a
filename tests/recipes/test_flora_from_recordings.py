"""flora train straight from a project and an encoder's checkpoint, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from test_flora_commands import Letters

from flora_engine import cli
from flora_engine.config import FloraConfig, parse_config
from flora_engine.datasets.features import STRETCHES
from flora_engine.datasets.published_files import read_features
from flora_engine.demo import synthesise
from flora_engine.descriptors import catalogue
from flora_engine.errors import FloraError
from flora_engine.heads import star
from flora_engine.jobs import Job
from flora_engine.labelling.bundle import load_manifest
from flora_engine.readers import write_ntu
from flora_engine.recipes import features as features_recipe
from flora_engine.recipes import flora as experiments
from flora_engine.recipes.actions import perform
from flora_engine.recipes.starting import trained_with
from flora_engine.runs.folder import RunFolder, list_runs
from flora_engine.training import extraction

BENCHMARK = "synse/ntu60_xsub_unseen5"  # unseen 10 11 19 26 56; subjects 1 and 2 train, 3 does not
SEEN, UNSEEN = (0, 1, 2, 3, 4, 5), (10, 11)
ENCODER = {"epochs": 1, "base_channels": 8, "batch_size": 8, "milestones": [1], "held_out": 0.0}
FLORA = {
    **{"hidden": 12, "velocity_heads": 2, "align_iterations": 4, "total_iterations": 8, "evaluations": 2},
    **{"folds": 1, "validation_classes": 2, "attunements": [[1, 0.3]], "held_out": 0.5},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ntu")
    for action in SEEN + UNSEEN:
        for subject in (1, 2, 3):
            sequence = synthesise(action, subject=subject)
            write_ntu(sequence, folder / "raw" / f"{sequence.name}.skeleton")
    where = {"project": str(folder / "project"), "paths": [str(folder / "raw")]}
    perform(Job(), "import", {**where, "options": {"dataset": "ntu60"}})
    return folder / "project"


def encoder(project: Path, out: Path, **split: object) -> Path:
    data = {"dataset": "ntu60", "project": str(project), "frames": 16, "persons": 1}
    config = {"kind": "encoder", "data": data, "encoder": ENCODER, **(split or {"benchmark": BENCHMARK})}
    return Path(perform(Job(), "train-encoder", {"config": config, "out": str(out), "device": "cpu"})["run"])


@pytest.fixture(scope="module")
def trained(project: Path) -> Path:
    return encoder(project, project.parent / "encoders")


def test_features_come_from_a_project_and_a_checkpoint(
    project: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(experiments, "load_text_encoder", lambda spec, job=None: Letters())
    config = {"kind": "flora", "benchmark": BENCHMARK, "features": "none.npz", "texts": {"tokens": 3}, "flora": FLORA}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    common = ["--out", str(tmp_path / "runs"), "--device", "cpu"]
    origin = ["--project", str(project), "--checkpoint", str(trained)]
    assert cli.main(["train", "--config", str(tmp_path / "config.yaml"), *origin, *common]) == 0
    assert "| flora | held-out |" in capsys.readouterr().out
    (run,) = list_runs(tmp_path / "runs")
    kept = parse_config(run.config())
    assert isinstance(kept, FloraConfig)
    assert kept.features is None and kept.data is not None and kept.encoder == (trained,)
    assert (kept.data.dataset, kept.data.frames, kept.data.persons) == ("ntu60", 16, 1)  # as the encoder's run says

    features = read_features(run.path / "features.npz")
    assert sorted(features.train_label) == sorted(SEEN * 2)
    assert sorted(features.zsl_label) == sorted(UNSEEN)
    assert sorted(features.gzsl_label) == sorted(SEEN + UNSEEN)
    assert features.train_data.shape == (12, 32)
    manifest = load_manifest(run.path / "bundle")
    how = manifest.preparation
    assert how is not None and (how.name, how.frames, how.persons) == ("clip", 16, 1)
    assert len(manifest.seen_classes) == len(SEEN) and run.result()["bundle"] == "bundle"

    # Resuming reads what was extracted; nothing passes the encoder twice.
    def refuse(*_: object) -> None:
        raise AssertionError("extracted again")

    monkeypatch.setattr(extraction, "_compute", refuse)
    result = run.result()
    again = perform(Job(), "train", {"resume": str(run.path), "device": "cpu"})
    assert result is not None
    assert again["heads"]["flora"]["held-out"]["zsl"] == result["heads"]["flora"]["held-out"]["zsl"]


def test_descriptors_and_local_features_are_kept_and_read_again(
    project: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text encoder is the real one: the lexicon's regression needs its vectors."""
    monkeypatch.setattr(star, "STEPS", 20)
    heads = ["flora", "descriptors", "star"]
    config = {"kind": "flora", "benchmark": BENCHMARK, "features": "none.npz", "texts": {"tokens": 3}, "flora": FLORA}
    where = {"out": str(tmp_path / "runs"), "project": project, "checkpoint": [trained], "device": "cpu"}
    result = perform(Job(), "train", {"config": {**config, "heads": heads}, **where})
    run = Path(result["run"])
    features, values = read_features(run / "features.npz"), read_features(run / "descriptors.npz", gaps=True)
    assert values.zsl_label.tolist() == features.zsl_label.tolist()
    assert values.train_data.shape[1] == len(catalogue())
    local = read_features(run / "local.npz")
    assert local.gzsl_label.tolist() == features.gzsl_label.tolist()
    means = local.gzsl_data.reshape(len(local.gzsl_data), STRETCHES, 25, -1).mean(axis=2)
    assert means.shape[2] == features.gzsl_data.shape[1]  # 16 frames: the last block has stretches of 1, 1 and 2
    weighed = np.average(means, axis=1, weights=(1, 1, 2))
    np.testing.assert_allclose(weighed, features.gzsl_data, rtol=1e-3, atol=1e-4)

    def refuse(*_: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(experiments, "describe_clips", refuse)
    monkeypatch.setattr(features_recipe, "local_features", refuse)
    again = perform(Job(), "train", {"resume": str(run), "device": "cpu"})
    for name in ("descriptors", "star"):
        assert again["heads"][name]["held-out"]["zsl"] == result["heads"][name]["held-out"]["zsl"]


def test_an_encoder_that_knows_an_unseen_class_is_refused(project: Path, tmp_path: Path) -> None:
    split = {"name": "all", "unseen": [0], "train": {"by": "subject", "values": [1, 2]}}
    knowing = encoder(project, tmp_path / "encoders", split=split)
    config = {"kind": "flora", "benchmark": BENCHMARK, "features": "none.npz", "flora": FLORA}
    with pytest.raises(FloraError, match="“reading”, which is unseen in synse"):
        perform(
            Job(),
            "train",
            {"config": config, "out": str(tmp_path / "runs"), "project": project, "checkpoint": [knowing]},
        )
    assert not (tmp_path / "runs").exists()


def test_features_have_exactly_one_origin() -> None:
    config = {"kind": "flora", "benchmark": BENCHMARK}
    data = {"dataset": "ntu60", "project": "p"}
    for wrong, message in (
        ({}, "give features"),
        ({"data": data}, "give features"),
        ({"encoder": ["run"]}, "give features"),
        ({"features": "f.npz", "data": data}, "data without encoder"),
        ({"data": {"dataset": "ntu60"}, "encoder": ["run"]}, "neither raw nor project"),
        ({"data": {**data, "dataset": "ntu120"}, "encoder": ["run"]}, "the benchmark is one of ntu60"),
    ):
        with pytest.raises(FloraError, match=message):
            parse_config({**config, **wrong})
    for right in ({"data": data}, {"features": "f.npz"}, {"features": "f.npz", "data": {"dataset": "ntu60"}}):
        assert isinstance(parse_config({**config, **right, "encoder": ["run"]}), FloraConfig)


def test_project_and_checkpoint_go_together(tmp_path: Path) -> None:
    config = {"kind": "flora", "benchmark": BENCHMARK, "features": "f.npz", "flora": FLORA}
    for options in ({"project": "p"}, {"frames": 16}, {"project": "p", "checkpoint": ["c"], "recordings": "r"}):
        with pytest.raises(FloraError, match=r"go (together|with)"):
            perform(Job(), "train", {"config": config, "out": tmp_path, **options})
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_outside_a_run_says_nothing_of_its_preparation(trained: Path, tmp_path: Path) -> None:
    file = trained / "checkpoints" / "joint.best.safetensors"
    assert trained_with(file) == trained_with(trained) == {"frames": 16, "persons": 1, "preparation": "clip"}
    assert trained_with(tmp_path / "a" / "b.safetensors") == {}
    (tmp_path / "config.yaml").write_text("data: {frames: 9}")  # somebody's file beside a download is not its run
    assert trained_with(tmp_path / "joint.pt") == {}
    assert RunFolder.open(trained).result() is not None
