"""Features of clips: right, resumable, and written as the unified file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from test_encoder import SMALL, clips

from flora_engine.cli import main
from flora_engine.datasets.published_files import read_features
from flora_engine.errors import Cancelled, FloraError
from flora_engine.jobs import Event, Job
from flora_engine.models.shift_gcn.network import ShiftGCN, SpatialShift
from flora_engine.models.shift_gcn.streams import make_stream
from flora_engine.runs.folder import list_runs
from flora_engine.training import extraction
from flora_engine.training.encoder.trainer import train_encoder
from flora_engine.training.extraction import extract, extract_streams, find_checkpoints


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    settings = SMALL.model_copy(update={"epochs": 1, "streams": ("bone", "joint")})
    train_encoder(Job(), settings, *clips(), folder)
    return folder


def reference(path: Path, joints: np.ndarray, stream: str) -> np.ndarray:
    model = extraction.load_any_encoder(path)[0]
    with torch.inference_mode():
        return model.features(torch.from_numpy(make_stream(joints, stream))).numpy()


def test_features_equal_the_model_and_streams_lie_side_by_side(trained: Path) -> None:
    joints = clips(10)[0]
    found = find_checkpoints([trained])
    features = extract_streams(Job(), found, joints, batch_size=4)
    assert features.shape == (10, 64)
    np.testing.assert_allclose(features[:, :32], reference(found["joint"], joints, "joint"), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(features[:, 32:], reference(found["bone"], joints, "bone"), rtol=1e-3, atol=1e-4)


def test_the_log_says_what_ran_and_an_edited_network_gives_other_features(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    joints, found = clips(10)[0], find_checkpoints([trained / "checkpoints" / "joint.best.safetensors"])
    events: list[Event] = []
    before = extract_streams(Job(events.append), found, joints)
    monkeypatch.setattr(SpatialShift, "forward", lambda layer, x: x.new_zeros(len(x), layer.bias.numel(), *x.shape[2:]))
    after = extract_streams(Job(events.append), found, joints)
    assert not np.allclose(before, after, atol=1e-3)
    np.testing.assert_allclose(after, reference(found["joint"], joints, "joint"), rtol=1e-3, atol=1e-4)
    told = [event["text"] for event in events if event["kind"] == "log"]
    assert told == ["features of joint by back end onnx", "features of joint by back end torch"]


def test_an_encoder_trained_by_torch_is_extracted_by_torch(tmp_path: Path) -> None:
    settings = SMALL.model_copy(update={"epochs": 1, "backend": "torch"})
    train_encoder(Job(), settings, *clips(), tmp_path)
    events: list[Event] = []
    joints, found = clips(4)[0], find_checkpoints([tmp_path])
    by_torch = extract_streams(Job(events.append), found, joints)
    by_graph = extract_streams(Job(events.append), found, joints, backend="auto")
    told = [event["text"] for event in events if event["kind"] == "log"]
    assert told == ["features of joint by back end torch", "features of joint by back end onnx"]
    np.testing.assert_allclose(by_torch, by_graph, rtol=1e-3, atol=1e-4)


def test_stopped_it_goes_on_without_computing_parts_again(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extraction, "PART", 4)
    joints = clips(10)[0]
    found = find_checkpoints([trained / "checkpoints" / "joint.best.safetensors"])
    whole = extract_streams(Job(), found, joints)

    def stop_after_one_part(event: Event) -> None:
        if event["kind"] == "progress":
            job.stop()

    job = Job(stop_after_one_part)
    with pytest.raises(Cancelled):
        extract_streams(job, found, joints, partial=tmp_path / "parts")
    computed: list[int] = []
    compute = extraction._compute
    monkeypatch.setattr(extraction, "_compute", lambda *a: (computed.append(len(a[2])), compute(*a))[1])
    resumed = extract_streams(Job(), found, joints, partial=tmp_path / "parts")
    np.testing.assert_allclose(resumed, whole, rtol=1e-4, atol=1e-5)  # the rest is computed anew, in other memory
    assert computed == [4, 2]
    # Parts of other clips are not mistaken for these.
    other = extract_streams(Job(), found, joints + 1, partial=tmp_path / "parts")
    assert not np.allclose(other, whole)


def test_clips_that_do_not_fit_and_missing_checkpoints_are_named(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(FloraError, match="these are"):
        extract(Job(), ShiftGCN(2, base_channels=8), np.zeros((1, 3, 8, 20, 2), np.float32))
    wrong = np.zeros((3, 3, 8, 25, 2), np.float32)
    wrong[1, 0, 2, 3, 0] = np.nan
    with pytest.raises(FloraError, match="clip 1 holds values that are not numbers"):
        extract(Job(), ShiftGCN(2, base_channels=8), wrong)
    with pytest.raises(FloraError, match="no encoder was trained in this folder"):
        find_checkpoints([tmp_path])
    with pytest.raises(FloraError, match="second checkpoint of the joint stream"):
        find_checkpoints([trained, trained / "checkpoints" / "joint.best.safetensors"])


def test_from_recordings_to_the_unified_file_by_commands(shared_data: Path, tmp_path: Path) -> None:
    """A few real recordings: train-encoder, resume, extract, all through the command line."""
    raw = tmp_path / "raw"
    raw.mkdir()
    for action in (1, 2, 3, 4):
        for subject in (1, 2):
            for trial in (1, 2):
                name = f"a{action}_s{subject}_t{trial}_skeleton.mat"
                (raw / name).symlink_to(next(shared_data.rglob(name)))
    config = {
        "kind": "encoder",
        "data": {"dataset": "utd_mhad", "raw": "raw", "frames": 16},
        "split": {"name": "tiny", "unseen": [3], "train": {"by": "subject", "values": [1]}},
        "encoder": {"base_channels": 8, "epochs": 1, "batch_size": 3, "held_out": 0.0, "learning_rate": 0.01},
    }
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(config))
    common = ["--config", str(file), "--data-root", str(tmp_path)]
    assert main(["train-encoder", *common, "--out", str(tmp_path / "runs"), "--device", "cpu"]) == 0
    (run,) = list_runs(tmp_path / "runs")
    assert run.status() == "finished"
    assert main(["train-encoder", "--resume", str(run.path), "--device", "cpu"]) == 0
    out = tmp_path / "features.npz"
    assert main(["extract", "--checkpoint", str(run.path), *common, "--out", str(out), "--device", "cpu"]) == 0
    features = read_features(out)
    assert sorted(features.train_label.tolist()) == [0, 0, 1, 1, 2, 2]
    assert features.zsl_label.tolist() == [3, 3]
    assert sorted(features.gzsl_label.tolist()) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert features.train_data.shape == (6, 32)
    assert not (tmp_path / "features.npz.parts").exists()
