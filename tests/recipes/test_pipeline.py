"""From synthetic recordings to a bundle that labels: the whole path, its resume, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from double_precision import assert_close

from flora_engine.config import PipelineConfig, parse_config
from flora_engine.demo import synthesise
from flora_engine.descriptors import measure
from flora_engine.errors import Cancelled, FloraError
from flora_engine.evaluation.calibration import best_temperature
from flora_engine.heads import flora as flora_head
from flora_engine.heads import star
from flora_engine.jobs import Event, Job
from flora_engine.labelling.labeller import Labeller
from flora_engine.models.shift_gcn.published import to_published
from flora_engine.project.splits import Split, divide
from flora_engine.readers import read_sequence, write_ntu
from flora_engine.recipes import encoder as encoder_recipe
from flora_engine.recipes import features as features_recipe
from flora_engine.recipes import split_run
from flora_engine.recipes.actions import perform
from flora_engine.recipes.leaks import check_no_leak
from flora_engine.recipes.pipeline import load_material
from flora_engine.runs import remaining
from flora_engine.runs.analysis import read_analysis
from flora_engine.runs.folder import RunFolder
from flora_engine.runs.results import PipelineResult, SplitResult, read_result
from flora_engine.runs.tables import numbers, result_table
from flora_engine.semantics.class_texts import parse_typed
from flora_engine.training.encoder.state import load_encoder

ACTIONS, UNSEEN = 8, [1, 5]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    for action in range(ACTIONS):
        for subject in (1, 2, 3, 4):
            for replication in (1, 2):
                sequence = synthesise(action, subject=subject, replication=replication)
                write_ntu(sequence, folder / f"{sequence.name}.skeleton")
    return folder


def config(recordings: Path, **more: Any) -> PipelineConfig:
    parsed = parse_config(
        {
            "kind": "pipeline",
            # Only the numbering of classes is taken from the data set's name; the recordings are synthetic.
            "data": [{"dataset": "utd_mhad", "raw": str(recordings), "frames": 16, "persons": 1}],
            "splits": [{"name": "a", "unseen": UNSEEN, "train": {"by": "subject", "values": [1, 3]}}],
            "texts": {"tokens": 8},
            "encoder": {"epochs": 2, "base_channels": 8, "batch_size": 8, "milestones": [1], "held_out": 0.2},
            "flora": {
                **{"hidden": 24, "velocity_heads": 2, "align_iterations": 4, "total_iterations": 8, "evaluations": 2},
                **{"validation_classes": 2, "folds": 2, "attunements": [[0, 0.0], [1, 0.5]], "protocols": ["held-out"]},
            },
            "heads": ["flora", "eszsl"],
            **more,
        }
    )
    assert isinstance(parsed, PipelineConfig)
    return parsed


def trained_in(job: Job, config: PipelineConfig, out: Path) -> Any:
    return perform(job, "train", {"config": config.model_dump(mode="json"), "out": str(out)})


@pytest.mark.parametrize(("head", "streams"), [("flora", ["joint"]), ("ensemble", ["joint", "bone"])])
def test_recordings_become_a_bundle_that_labels(
    recordings: Path, tmp_path: Path, head: str, streams: list[str]
) -> None:
    settings = config(recordings, final=True, heads=[head, "eszsl"])
    encoder = settings.encoder.model_copy(update={"streams": tuple(streams)})
    result = trained_in(Job(), settings.model_copy(update={"encoder": encoder}), tmp_path)
    run = Path(result["run"])
    split = result["splits"]["a"]
    assert split["counts"] == {"train": 24, "zsl": 8, "gzsl": 32}
    assert split["chance"] == 0.5
    assert json.loads((run / "result.json").read_text())["splits"]["a"]["heads"].keys() == {head, "eszsl"}
    features = np.load(run / "a" / "features.npz")
    assert not set(features["train_label"]) & set(UNSEEN)
    assert set(features["zsl_label"]) == set(UNSEEN)
    assert len(features["train_data"]) == 24

    for bundle, seen in ((run / "a" / "bundle", ACTIONS - len(UNSEEN)), (run / result["bundle"], ACTIONS)):
        labeller = Labeller(bundle)
        assert len(labeller.manifest.seen_classes) == seen
        assert labeller.manifest.streams == tuple(streams)
        assert labeller.manifest.accuracy["zsl"] == split["heads"][head]["held-out"]["zsl"]["accuracy"]["mean"]
        how = labeller.manifest.descriptors
        assert how is not None and how.chosen and how.graphs + how.descriptors >= 1
        assert (bundle / "skeleton_to_text.onnx").exists() == (head == "ensemble" and how.graphs > 0)
        assert f"graphs count {how.graphs:g} and measurements" in (bundle / "MODEL_CARD.md").read_text("utf-8")
        assert len(labeller.label(synthesise(20), parse_typed("walk; wave; sit down")).labels) == 3
    kept = read_analysis(run / "a")
    assert set(kept.files) == {(name, setting) for name in (head, "eszsl") for setting in ("zsl", "gzsl")}
    assert {kept.names[label] for label in kept.unseen} == {kept.names[label] for label in UNSEEN}
    for setting in ("zsl", "gzsl"):
        view = kept.view(head, setting)
        outcome = split["heads"][head]["held-out"][setting]
        said = {str(label): share for label, (_, share) in view.accuracies().items()}
        assert said == pytest.approx(outcome["per_class"])
        files = {Path(view.recording(row).source) for row in range(len(view.labels))}
        assert len(files) == split["counts"][setting] and all(file.parent == recordings for file in files)
    latents = kept.latents(head)
    assert latents is not None and len(latents.rows) == 32 and kept.latents("eszsl") is None
    typed = read_result(result)
    assert isinstance(typed, PipelineResult)
    assert f"| a | {head} |" in result_table(typed)
    assert typed.final is not None and "on held-out folds" in typed.final.weights
    assert f"In the model of final {typed.final.weights}." in result_table(typed)
    zsl = split["heads"]["eszsl"]["held-out"]["zsl"]["accuracy"]["mean"]
    assert numbers(typed)["a, eszsl, held-out: ZSL"] == f"{zsl:.1%}"
    assert RunFolder.open(run).status() == "finished"


def test_heads_read_descriptors_and_local_features_of_a_pipeline(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Synthetic movements; what matters is that each recording's own values reach the head."""
    monkeypatch.setattr(star, "STEPS", 20)
    material = load_material(Job(), config(recordings, heads=["flora", "descriptors"]))
    assert material.descriptors is not None and material.expectations is not None
    for row in (0, 17):
        np.testing.assert_array_equal(material.descriptors[row], measure(read_sequence(material.clips.sources[row])))
    assert len(material.expectations) == len(material.texts)
    heads = ["descriptors", "ensemble_descriptors", "ensemble", "star"]
    result = trained_in(Job(), config(recordings, heads=heads), tmp_path)
    found = result["splits"]["a"]["heads"]
    assert set(found) == set(heads)
    assert found["descriptors"]["held-out"]["zsl"]["accuracy"]["mean"] is not None
    assert read_analysis(Path(result["run"]) / "a").view("descriptors", "gzsl").labels.size == 32
    kept = {name: np.load(Path(result["run"]) / "a" / f"{name}.npz") for name in ("features", "local")}
    assert kept["local"]["zsl_data"].shape == (8, 3 * 25 * kept["features"]["zsl_data"].shape[1])
    assert "ensemble_descriptors (graphs " in result_table(SplitResult.model_validate(result["splits"]["a"]))
    assert load_material(Job(), config(recordings, heads=["eszsl"])).descriptors is None


def test_no_head_attends_to_joints_if_the_settings_say_so(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(star, "STEPS", 5)
    given = config(recordings, heads=["star"])
    given = given.model_copy(update={"flora": given.flora.model_copy(update={"attention": False})})
    result = trained_in(Job(), given, tmp_path)
    assert set(result["splits"]["a"]["heads"]) == {"star"}
    assert not (Path(result["run"]) / "a" / "local.npz").exists()


def test_a_stopped_run_goes_on_and_ends_as_if_never_stopped(recordings: Path, tmp_path: Path) -> None:
    """At so small a learning rate the encoder amplifies no rounding; test_resume shows that its state comes back."""
    calm = config(recordings)
    calm = calm.model_copy(update={"encoder": calm.encoder.model_copy(update={"learning_rate": 1e-6})})
    whole = trained_in(Job(), calm, tmp_path / "whole")

    def stop_in_second_epoch(event: Event) -> None:
        if event["kind"] == "metric" and event["name"] == "joint/loss":
            job.stop()

    job = Job(stop_in_second_epoch)
    with pytest.raises(Cancelled):
        trained_in(job, calm, tmp_path / "parts")
    (run,) = (tmp_path / "parts").iterdir()
    assert RunFolder.open(run).status() == "stopped"
    parts = perform(Job(), "train", {"resume": str(run)})
    for result in (whole, parts):
        outcome = result["splits"]["a"]["heads"]["flora"]["held-out"]
        outcome.pop("seconds")
        outcome["cost"].pop("seconds")
    assert_close(parts["splits"]["a"]["heads"]["flora"], whole["splits"]["a"]["heads"]["flora"], 1e-3)


def test_finished_folds_and_seeds_are_not_trained_again(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped while the second head trains, a run keeps all of the first, its model for the bundle too."""

    def stop_at_the_second_head(event: Event) -> None:
        if event["kind"] == "log" and event["text"].startswith("eszsl: fold 2"):
            job.stop()

    job = Job(stop_at_the_second_head)
    with pytest.raises(Cancelled):
        trained_in(job, config(recordings), tmp_path)
    (run,) = tmp_path.iterdir()
    trained: list[str] = []
    train = flora_head.train_flora
    monkeypatch.setattr(flora_head, "train_flora", lambda *a, **k: (trained.append("flora"), train(*a, **k))[1])
    monkeypatch.setattr(
        features_recipe, "extract_streams", lambda *a, **k: pytest.fail("features were extracted again")
    )
    result = perform(Job(), "train", {"resume": str(run)})
    assert not trained, "the temperature of the bundle comes from a fold that is finished"
    assert result["splits"]["a"]["heads"].keys() == {"flora", "eszsl"}
    labels = Labeller(run / "a" / "bundle").label(synthesise(20), parse_typed("walk; wave")).labels
    assert len(labels) == 2


@pytest.mark.parametrize("published", [False, True])
def test_an_encoder_that_is_trained_already(
    recordings: Path, tmp_path: Path, published: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of ours, from its run, or a published .pt; no network is trained, and the bundle holds this one."""
    whole = config(recordings).model_dump(mode="json")
    own = {"kind": "encoder", "data": whole["data"][0], "split": whole["splits"][0], "encoder": whole["encoder"]}
    given = Path(perform(Job(), "train-encoder", {"config": own, "out": str(tmp_path / "encoders")})["run"])
    if published:
        (file,) = (given / "checkpoints").glob("*.best.safetensors")
        torch.save(to_published(load_encoder(file)[0]), tmp_path / "published.pt")
        given = tmp_path / "published.pt"
    monkeypatch.setattr(encoder_recipe, "train_on", lambda *a, **k: pytest.fail("an encoder was trained"))
    monkeypatch.setattr(split_run, "train_on", lambda *a, **k: pytest.fail("an encoder was trained"))
    result = trained_in(Job(), config(recordings, checkpoints=[str(given)], heads=["flora"]), tmp_path / "runs")
    run = Path(result["run"])
    assert result["splits"]["a"]["encoder"] == {} and not any(path.startswith("a/enc") for path in planned(run))
    assert len(Labeller(run / "a" / "bundle").label(synthesise(20), parse_typed("walk; wave")).labels) == 2
    other = [{"name": "b", "unseen": [0], "train": {"by": "subject", "values": [1, 3]}}]
    if not published:
        with pytest.raises(FloraError, match="unseen in b"):
            trained_in(Job(), config(recordings, checkpoints=[str(given)], splits=other), tmp_path / "refused")
        assert not (tmp_path / "refused").exists()
    with pytest.raises(FloraError, match="not here"):
        trained_in(Job(), config(recordings, checkpoints=[str(tmp_path / "gone")]), tmp_path / "refused")


def planned(run: Path) -> list[str]:
    return remaining.planned(RunFolder.open(run).config())


def test_leaks_are_refused(recordings: Path) -> None:
    clips = load_material(Job(), config(recordings)).clips
    split = Split.model_validate({"name": "a", "unseen": UNSEEN, "train": {"by": "subject", "values": [1, 3]}})
    parts = divide(split, clips.labels, clips.subjects, clips.cameras, clips.setups)
    check_no_leak(split, clips, parts, clips.class_names)
    with pytest.raises(FloraError, match="leaks"):
        check_no_leak(split.model_copy(update={"unseen": (0,)}), clips, parts, clips.class_names)
    parts.train[0] = parts.gzsl[0]
    with pytest.raises(FloraError, match="leaks"):
        check_no_leak(split, clips, parts, clips.class_names)


def test_missing_recordings_name_the_folder(tmp_path: Path) -> None:
    with pytest.raises(FloraError, match="--data-root"):
        trained_in(Job(), config(tmp_path / "nowhere"), tmp_path)
    assert not list(tmp_path.iterdir())


def test_temperature_undoes_a_known_softness() -> None:
    random = np.random.default_rng(0)
    scores = random.normal(size=(4000, 5)).astype(np.float32)
    share = np.exp(scores / 0.5)
    share /= share.sum(axis=1, keepdims=True)
    labels = (random.random((4000, 1)) > share.cumsum(axis=1)).sum(axis=1)
    assert best_temperature(scores, labels) == pytest.approx(0.5, rel=0.1)
