"""Runs from a feature file and the encoder that made it: they end with a model that labels, at once or later."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_flora_from_recordings import BENCHMARK, ENCODER, FLORA, SEEN, project  # noqa: F401 (a fixture)

from flora_engine import cli
from flora_engine.datasets.clips import Clips
from flora_engine.datasets.loading import load_clips
from flora_engine.demo import synthesise
from flora_engine.errors import FloraError
from flora_engine.jobs import Event, Job
from flora_engine.labelling.bundle import load_manifest
from flora_engine.labelling.labeller import Labeller
from flora_engine.models.shift_gcn.published import to_published
from flora_engine.recipes import bundle, bundling
from flora_engine.recipes import flora as experiments
from flora_engine.recipes.actions import perform
from flora_engine.runs.folder import RunFolder
from flora_engine.runs.results import read_result
from flora_engine.runs.tables import result_table
from flora_engine.semantics.class_texts import parse_typed
from flora_engine.training.encoder.state import load_encoder
from flora_engine.training.extraction import find_checkpoints, load_any_encoder

TEXTS = parse_typed("walk; wave; sit down")
KILLED = """
import json, os, signal, sys
from flora_engine.jobs import Job
from flora_engine.labelling import export_bundle
from flora_engine.recipes.actions import perform
export_bundle.write_manifest = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # all graphs are written
perform(Job(), "bundle", json.loads(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def trained(project: Path) -> Path:  # noqa: F811
    """The run of an encoder of two streams."""
    data = {"dataset": "ntu60", "project": str(project), "frames": 16, "persons": 1}
    settings = {**ENCODER, "streams": ["joint", "bone"]}
    config = {"kind": "encoder", "data": data, "encoder": settings, "benchmark": BENCHMARK}
    out = project.parent / "encoders"
    return Path(perform(Job(), "train-encoder", {"config": config, "out": str(out), "device": "cpu"})["run"])


def published(trained: Path, folder: Path, classes: int = 55) -> list[Path]:
    """The networks as published files, as if trained on the 55 seen classes of the benchmark: features are the same."""
    folder.mkdir(exist_ok=True)
    files = []
    for stream, file in find_checkpoints([trained]).items():
        network = load_encoder(file)[0]
        network.classes, network.classifier = classes, torch.nn.Linear(network.feature_size, classes)
        files.append(folder / f"ntu_ShiftGCN_{stream}_xsub.pt")
        torch.save(to_published(network), files[-1])
    return files


@pytest.fixture(scope="module")
def features(project: Path, trained: Path) -> Path:  # noqa: F811
    data = {"dataset": "ntu60", "project": str(project), "frames": 16, "persons": 1}
    config = {"kind": "encoder", "data": data, "benchmark": BENCHMARK}
    out = project.parent / "features.npz"
    perform(Job(), "extract", {"checkpoints": [str(trained)], "config": config, "out": str(out), "device": "cpu"})
    return out


def train(features: Path, out: Path, job: Job | None = None, **more: Any) -> dict[str, Any]:
    config = {"kind": "flora", "benchmark": BENCHMARK, "features": str(features), "texts": {"tokens": 3}}
    options = {key: more.pop(key) for key in ("checkpoint", "preparation", "frames", "recordings") if key in more}
    config |= {"flora": FLORA, "setting": "zsl", **more}
    result = perform(job or Job(), "train", {"config": config, "out": str(out), "device": "cpu", **options})
    assert isinstance(result, dict)
    return result


def test_a_feature_file_and_the_run_that_made_it_give_a_model(features: Path, trained: Path, tmp_path: Path) -> None:
    result = train(features, tmp_path, checkpoint=[trained], heads=["flora", "ensemble"])
    assert result["bundle"] == "bundle" and result["to_label"] == ""
    labeller = Labeller(Path(result["run"]) / "bundle")
    manifest = labeller.manifest
    assert manifest.streams == ("joint", "bone") and manifest.preparation is not None
    assert (manifest.preparation.name, manifest.preparation.frames, manifest.preparation.persons) == ("clip", 16, 1)
    assert {seen.name for seen in manifest.seen_classes} and len(manifest.seen_classes) == len(SEEN)
    assert (Path(result["run"]) / "bundle" / "skeleton_to_text.onnx").is_file()  # of the ensemble
    zsl = result["heads"]["ensemble"]["held-out"]["zsl"]["accuracy"]["mean"]
    assert manifest.accuracy["zsl"] == zsl
    assert len(labeller.label(synthesise(20), TEXTS).labels) == 3


def test_scores_of_streams_are_added_in_the_model_too(features: Path, trained: Path, tmp_path: Path) -> None:
    result = train(features, tmp_path, checkpoint=[trained], flora={**FLORA, "add_streams": [0.6, 0.4]})
    labeller = Labeller(Path(result["run"]) / "bundle")
    latents, _ = labeller.latents([synthesise(20)])
    assert labeller.spaces[0] == 2 * FLORA["hidden"]  # a space per stream
    assert len(labeller.rank(latents, TEXTS)[0].labels) == 3


def test_a_run_without_an_encoder_says_so_and_gets_it_later(
    features: Path,
    trained: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    result = train(features, tmp_path / "runs")
    run = Path(result["run"])
    assert result["bundle"] is None and "lacks the encoder" in result["to_label"] and not (run / "bundle").exists()
    before = json.loads((run / "result.json").read_text())
    said = read_result(before)
    assert said is not None and result_table(said).endswith(result["to_label"])
    files = published(trained, tmp_path / "downloads")
    how = ["--preparation", "clip", "--frames", "16"]
    monkeypatch.setattr(bundling, "head", lambda name: pytest.fail(f"{name} is trained once more for its temperature"))
    assert cli.main(["bundle", str(tmp_path / "runs"), "--encoder", *map(str, files), *how, "--device", "cpu"]) == 0
    assert "joint, bone; clip, 16 frames, 1 person" in capsys.readouterr().out
    after = json.loads((run / "result.json").read_text())
    assert after == before | {"bundle": "bundle", "to_label": "", "weights": bundling.UNWEIGHED}
    decision = load_manifest(run / "bundle").decision
    assert decision is not None
    assert decision.temperature == after["heads"]["flora"]["held-out"]["chosen"]["zsl"]["temperature"]
    assert len(Labeller(run / "bundle").label(synthesise(20), TEXTS).labels) == 3
    resumed = perform(Job(), "train", {"resume": str(run), "device": "cpu"})
    assert resumed["bundle"] == "bundle" and resumed["weights"] == bundling.UNWEIGHED  # what was added stays
    kept = (run / "bundle" / "manifest.json").read_bytes()
    broken = tmp_path / "broken.pt"
    broken.write_bytes(b"not weights")
    with pytest.raises(FloraError, match=r"broken\.pt"):
        perform(Job(), "bundle", {"run": str(run), "encoder": [str(broken)]})
    assert (run / "bundle" / "manifest.json").read_bytes() == kept and not list(run.glob(".bundle*"))
    told = RunFolder(run).events()
    assert [event["state"] for event in told if event["kind"] == "state"][-2:] == ["started", "failed"]
    assert RunFolder(run).status() == "finished"  # the run is, whatever became of the encoder


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="ends the process with SIGKILL")
def test_a_kill_while_an_encoder_is_added_leaves_the_run_as_it_was(
    features: Path, trained: Path, tmp_path: Path
) -> None:
    run = Path(train(features, tmp_path / "runs", checkpoint=[trained])["run"])
    result, kept = ((run / name).read_bytes() for name in ("result.json", "bundle/manifest.json"))
    command = [sys.executable, "-c", KILLED, json.dumps({"run": str(run), "encoder": [str(trained)], "device": "cpu"})]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert (run / ".bundle.new").is_dir(), "the kill came before anything was written"
    assert (run / "result.json").read_bytes() == result and (run / "bundle/manifest.json").read_bytes() == kept
    assert RunFolder(run).status() == "finished"
    assert len(Labeller(run / "bundle").label(synthesise(20), TEXTS).labels) == 3
    perform(Job(), "bundle", {"run": str(run), "encoder": [str(trained)], "device": "cpu"})
    assert not list(run.glob(".bundle*")) and len(Labeller(run / "bundle").label(synthesise(20), TEXTS).labels) == 3


def test_what_an_encoder_needs_is_checked_before_anything_starts(features: Path, trained: Path, tmp_path: Path) -> None:
    run = train(features, tmp_path / "runs")["run"]
    request: dict[str, Any] = {"run": run, "encoder": [str(trained)]}
    assert bundle.plan(bundle.Request.of(**request)).said.endswith("clip, 16 frames: as its run says")
    for more, said in (
        ({"encoder": []}, "at least 1 item"),
        ({"encoder": [str(tmp_path / "gone.pt")]}, r"gone\.pt: the encoder is not here"),
        ({"recordings": str(tmp_path / "nowhere")}, "nowhere: the recordings to compare are not here"),
        ({"run": str(trained)}, "of kind encoder; only runs of kind flora"),
    ):
        with pytest.raises(FloraError, match=said):
            bundle.plan(bundle.Request.of(**request | more))
    config = Path(run) / "config.yaml"
    before, arrays = config.read_text(), dict(np.load(features))
    np.savez(
        tmp_path / "less.npz", **arrays | {f"gzsl_{part}": arrays[f"gzsl_{part}"][1:] for part in ("data", "label")}
    )
    config.write_text(before.replace(str(features), str(tmp_path / "less.npz")))
    with pytest.raises(FloraError, match=r"less\.npz: this file is not the one that the run trained on"):
        perform(Job(), "bundle", request)
    config.write_text(before.replace("more: []", "more: [shipped]").replace("several: mean", "several: kept"))
    with pytest.raises(FloraError, match="the class texts are not those that this run trained with"):
        perform(Job(), "bundle", request)
    assert not (Path(run) / "bundle").exists()
    config.write_text(before.replace(str(features), str(tmp_path / "moved.npz")))
    with pytest.raises(FloraError, match=r"moved\.npz: the feature file of this run is not here any more"):
        bundle.plan(bundle.Request.of(**request))


def test_a_run_whose_heads_no_model_can_hold_says_so(features: Path, trained: Path, tmp_path: Path) -> None:
    result = train(features, tmp_path, heads=["eszsl"], checkpoint=[trained])
    assert result["bundle"] is None and "trained neither" in result["to_label"]
    with pytest.raises(FloraError, match="trained neither"):
        perform(Job(), "bundle", {"run": result["run"], "encoder": [str(trained)]})


def test_recordings_of_the_file_are_compared(
    features: Path,
    project: Path,  # noqa: F811
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = published(trained, tmp_path / "downloads")
    said: list[Event] = []
    options = {"checkpoint": files, "frames": 16, "recordings": project}
    train(features, tmp_path / "runs", Job(said.append), preparation="clip", **options)
    (line,) = [event["text"] for event in said if "have in the feature file" in str(event.get("text"))]
    assert 20 <= int(line.split()[0]) <= 24 and "of 24 recordings" in line  # 4 of unseen classes are in no part of it
    loaded: list[Clips] = []
    monkeypatch.setattr(experiments, "load_clips", lambda *a, **k: loaded.append(load_clips(*a, **k)) or loaded[-1])
    monkeypatch.setattr(experiments, "MOST", 6)  # chosen before any is prepared
    train(features, tmp_path / "some", Job(said.append), preparation="clip", **options)
    assert any("of 6 recordings have in the feature file" in str(event.get("text")) for event in said)
    assert [len(clips.labels) for clips in loaded] == [6]
    monkeypatch.undo()
    with pytest.raises(FloraError, match=r"features\.npz: none of 24 recordings .*pku64, 16 frames"):
        train(features, tmp_path / "wrong", preparation="pku64", **options)
    arrays = dict(np.load(features))
    for part in ("train", "zsl", "gzsl"):
        labels = arrays[f"{part}_label"]
        arrays[f"{part}_label"] = np.where(labels == 0, 1, np.where(labels == 1, 0, labels))
    np.savez(tmp_path / "swapped.npz", **arrays)
    with pytest.raises(FloraError, match=r"swapped\.npz: the file says class \d of the recording"):
        train(tmp_path / "swapped.npz", tmp_path / "wrong", preparation="clip", **options)
    assert not (tmp_path / "wrong").exists()


def test_an_encoder_that_did_not_make_the_features_is_refused(features: Path, trained: Path, tmp_path: Path) -> None:
    bone, joint = published(trained, tmp_path / "downloads")
    said = r"features\.npz: holds 64 numbers per recording, .*\(joint\) gives 32\. These are of 2 streams side by side"
    with pytest.raises(FloraError, match=said):
        train(features, tmp_path / "runs", checkpoint=[joint])
    arrays = dict(np.load(features))
    for width, remedy in ((32, "of one stream, in SynSE's files that of joints"), (40, "Each stream gives 32")):
        parts = {part: arrays[f"{part}_data"][:, :width] for part in ("train", "zsl", "gzsl")}
        np.savez(tmp_path / "other.npz", **arrays | {f"{part}_data": data for part, data in parts.items()})
        with pytest.raises(FloraError, match=remedy):
            train(tmp_path / "other.npz", tmp_path / "runs", checkpoint=[bone, joint])
    with pytest.raises(FloraError, match="a second checkpoint of the bone stream"):
        train(features, tmp_path / "runs", checkpoint=[joint, bone, bone])
    with pytest.raises(FloraError, match=r"holds 4 weights, and the encoder has 2 streams \(joint, bone\)"):
        train(features, tmp_path / "runs", checkpoint=[trained], flora={**FLORA, "add_streams": [1, 1, 1, 1]})
    with pytest.raises(FloraError, match="tells 48 classes apart"):
        train(features, tmp_path / "runs", checkpoint=published(trained, tmp_path / "other", classes=48))
    with pytest.raises(FloraError, match="trained on 16 frames, and the recordings would have 32"):
        train(features, tmp_path / "runs", checkpoint=[trained], frames=32, preparation="clip")
    arrays = dict(np.load(features))
    arrays["train_label"] = np.where(arrays["train_label"] == 5, 20, arrays["train_label"])
    np.savez(tmp_path / "more.npz", **arrays)
    with pytest.raises(FloraError, match="has not learned"):
        train(tmp_path / "more.npz", tmp_path / "runs", checkpoint=[trained])
    with pytest.raises(FloraError, match=r"gone\.pt: the encoder is not here"):
        train(features, tmp_path / "runs", checkpoint=[tmp_path / "gone.pt"])
    assert not (tmp_path / "runs").exists()


def test_an_encoder_that_knows_every_class_labels_with_a_warning(features: Path, trained: Path, tmp_path: Path) -> None:
    said: list[Event] = []
    every = published(trained, tmp_path / "supervised", classes=60)
    result = train(features, tmp_path / "runs", Job(said.append), checkpoint=every, preparation="clip", frames=16)
    assert result["bundle"] == "bundle"
    assert any(event["kind"] == "warning" and "no zero-shot number" in event["text"] for event in said)


def test_the_published_preparation_is_taken_and_said(features: Path, trained: Path, tmp_path: Path) -> None:
    said: list[Event] = []
    result = train(
        features, tmp_path / "runs", Job(said.append), encoder=[str(p) for p in published(trained, tmp_path)]
    )
    how = Labeller(Path(result["run"]) / "bundle").manifest.preparation
    assert how is not None and (how.name, how.frames, how.persons) == ("ctrgcn", 300, 1)
    assert any("ctrgcn, 300 frames" in str(event.get("text")) for event in said)


def test_the_name_of_a_published_file_says_its_stream(trained: Path, tmp_path: Path) -> None:
    joint = published(trained, tmp_path)[0]
    names = {
        **{"ntu_ShiftGCN_bone_motion_xsub": "bone_motion", "ntu_ShiftGCN_joint-motion_xview": "joint_motion"},
        **{"Bone": "bone", "ntu120_ShiftGCN_joint_xsetup": "joint", "weights": "joint"},
    }
    for name, stream in names.items():
        file = tmp_path / f"{name}.pt"
        file.write_bytes(joint.read_bytes())
        assert load_any_encoder(file)[1]["stream"] == stream
