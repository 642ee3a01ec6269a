"""How trainings start: one rule for paths, no folder for what cannot start, a run that resumes from anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from flora_engine import __version__, cli
from flora_engine.config import AnyConfig, parse_config
from flora_engine.demo import synthesise
from flora_engine.errors import Cancelled, FloraError
from flora_engine.jobs import Event, Job
from flora_engine.models.shift_gcn.network import ShiftGCN
from flora_engine.readers import write_ntu
from flora_engine.recipes.actions import perform
from flora_engine.recipes.starting import with_absolute_paths
from flora_engine.runs.folder import RunFolder
from flora_engine.runs.results import EncoderResult, read_result
from flora_engine.training.encoder import trainer

ENCODER = {"epochs": 2, "base_channels": 8, "batch_size": 8, "milestones": [1], "held_out": 0.0}
SPLIT = {"name": "a", "unseen": [1], "train": {"by": "subject", "values": [1, 2]}}


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recordings of four classes below it."""
    folder = tmp_path_factory.mktemp("data")
    for action in range(4):
        for subject in (1, 2, 3):
            sequence = synthesise(action, subject=subject)
            write_ntu(sequence, folder / "raw" / f"{sequence.name}.skeleton")
    return folder


def encoder(**more: Any) -> dict[str, Any]:
    data = {"dataset": "ntu60", "raw": "raw", "frames": 16, "persons": 1}
    return {"kind": "encoder", "data": data, "split": SPLIT, "encoder": ENCODER} | more


def configs() -> dict[str, AnyConfig]:
    """A configuration of each kind with relative paths."""
    data = {"dataset": "ntu60", "raw": "raw"}
    flora = {"kind": "flora", "benchmark": "synse/ntu60_xsub_unseen5"}
    plain: dict[str, dict[str, Any]] = {
        "encoder": encoder(),
        "features": {**flora, "features": "f.npz", "texts": {"texts": "texts", "encoder": "clip"}},
        "recordings": {**flora, "data": {"dataset": "ntu60", "project": "~/p"}, "encoder": ["runs/one", "~/two"]},
        "pipeline": {"kind": "pipeline", "data": [data], "splits": [{**SPLIT, "unseen": [1, 2]}]},
    }
    return {name: parse_config(one) for name, one in plain.items()}


def paths_of(value: Any) -> list[str]:
    """Every value of a dumped configuration that is a path."""
    if isinstance(value, dict):
        own = [str(v) for k, v in value.items() if k in ("raw", "project", "features", "texts") and isinstance(v, str)]
        return own + [path for one in value.values() for path in paths_of(one)]
    return [path for one in value for path in paths_of(one)] if isinstance(value, list) else []


@pytest.mark.parametrize("kind", ["encoder", "features", "recordings", "pipeline"])
def test_every_path_of_a_run_is_absolute(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    config = configs()[kind]
    for root, start in ((None, tmp_path), (Path("rooted"), tmp_path / "rooted"), (Path("~"), tmp_path / "home")):
        dumped = with_absolute_paths(config, root, root).model_dump(mode="json")
        found = paths_of(dumped)
        assert found and all(Path(path).is_absolute() for path in found)
        if kind == "encoder":
            assert found == [str(start / "raw")]
        if kind == "pipeline":
            assert found == [str(start / "raw")]
        if kind == "features":
            assert dumped["features"] == str(start / "f.npz")
            assert dumped["texts"]["texts"] == str(tmp_path / "texts")
            assert dumped["texts"]["encoder"] == str(tmp_path / "clip")
        if kind == "recordings":
            assert found == [str(tmp_path / "home" / "p")]
            assert dumped["encoder"] == [str(tmp_path / "runs" / "one"), str(tmp_path / "home" / "two")]
            assert dumped["texts"]["encoder"] == "minilm"


def test_a_run_resumes_from_another_folder(data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    (tmp_path / "here" / "own.yaml").write_text(yaml.safe_dump(encoder()))
    monkeypatch.chdir(tmp_path / "here")

    def stop(event: Event) -> None:
        if event["kind"] == "metric":
            job.stop()

    job = Job(stop)
    relative = Path(*[".."] * len((tmp_path / "here").parts[1:]), *data_root.parts[1:])
    with pytest.raises(Cancelled):
        perform(job, "train", {"config": "own.yaml", "data_root": str(relative), "out": "runs", "device": "cpu"})
    (run,) = (tmp_path / "here" / "runs").iterdir()
    assert run.name.endswith("-own") and RunFolder.open(run).status() == "stopped"
    monkeypatch.chdir(tmp_path / "there")
    result = perform(Job(), "train", {"resume": f"../here/runs/{run.name}", "device": "cpu"})
    assert result["kind"] == "encoder" and Path(result["run"]) == run
    assert not list((tmp_path / "there").iterdir())
    stored = json.loads((run / "result.json").read_text())
    assert "run" not in stored and isinstance(read_result(stored), EncoderResult)


def test_results_of_earlier_versions_are_read() -> None:
    old = {"run": "runs/x", "streams": {"joint": {"epoch": 1, "accuracy": 0.5, "loss": 1.0, "checkpoint": "c"}}}
    assert isinstance(read_result(old), EncoderResult)
    assert read_result({"something": 1}) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": {"dataset": "ntu60", "raw": "none"}}, r"recordings of NTU RGB\+D .*are not here"),
        ({"data": {"dataset": "ntu60"}}, "no folder is given"),
        ({"data": {"dataset": "ntu60", "raw": "empty"}}, "no recordings"),
        ({"split": {**SPLIT, "train": {"by": "subject", "values": [9]}}}, "part of split “a” is empty"),
        ({"encoder": {**ENCODER, "epochs": 0}}, "encoder.epochs"),
    ],
)
def test_a_start_that_fails_leaves_nothing_behind(
    data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (data_root / "empty").mkdir(exist_ok=True)
    for action in ("train", "train-encoder"):
        with pytest.raises(FloraError, match=message):
            perform(Job(), action, {"config": encoder(**change), "data_root": str(data_root), "device": "cpu"})
    assert not list(tmp_path.iterdir())


def test_a_pipeline_that_cannot_start_leaves_nothing_behind(
    data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Splits are all checked before the first one trains."""
    monkeypatch.chdir(tmp_path)
    splits = [{**SPLIT, "unseen": [1]}, {"name": "b", "unseen": [2], "train": {"by": "subject", "values": [9]}}]
    config = {"kind": "pipeline", "data": [encoder()["data"]], "splits": splits, "texts": {"tokens": 8}}
    with pytest.raises(FloraError, match="part of split “b” is empty"):
        perform(Job(), "train", {"config": config, "data_root": str(data_root), "device": "cpu"})
    assert not list(tmp_path.iterdir())


def test_a_run_in_which_nothing_was_trained_is_removed(
    data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first epoch diverges: no checkpoint, no folder. What was trained stays."""
    forward = ShiftGCN.forward
    monkeypatch.setattr(ShiftGCN, "forward", lambda self, x: forward(self, x) * float("nan"))
    given = {"config": encoder(), "data_root": str(data_root), "out": str(tmp_path / "a" / "runs"), "device": "cpu"}
    with pytest.raises(FloraError, match="no longer a number"):
        perform(Job(), "train", given)
    assert not list(tmp_path.iterdir())

    finish = trainer._Trainer._finish_epoch

    def fail_later(self: Any, seconds_left: float) -> None:
        finish(self, seconds_left)
        self._save()
        if self.position.epoch == 1:
            raise FloraError("the disk is full")

    monkeypatch.setattr(ShiftGCN, "forward", forward)
    monkeypatch.setattr(trainer._Trainer, "_finish_epoch", fail_later)
    with pytest.raises(FloraError, match="disk is full"):
        perform(Job(), "train", given)
    (run,) = (tmp_path / "a" / "runs").iterdir()
    assert RunFolder.open(run).status() == "failed"


def test_a_resumed_run_keeps_its_configuration(tmp_path: Path) -> None:
    with pytest.raises(FloraError, match="keeps its configuration; leave out seeds"):
        perform(Job(), "train", {"resume": str(tmp_path), "seeds": [1]})
    with pytest.raises(FloraError, match="either a configuration or a run"):
        perform(Job(), "train", {"resume": str(tmp_path), "config": {}})


def test_a_missing_device_is_refused_before_anything_is_made(data_root: Path, tmp_path: Path) -> None:
    for device, message in (("cuda:99", "CUDA"), ("toaster", "no device “toaster”")):
        given = {"config": encoder(), "data_root": str(data_root), "out": str(tmp_path / "runs"), "device": device}
        with pytest.raises(FloraError, match=message):
            perform(Job(), "train", given)
    assert not list(tmp_path.iterdir())


def test_the_pipeline_turns_agcn_clips_about_their_own_axis(
    data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def stop(*args: Any, up: str = "y", **more: Any) -> None:
        seen.append(up)
        raise FloraError("enough")

    monkeypatch.setattr(trainer, "train_encoder", stop)
    data = {**encoder()["data"], "raw": str(data_root / "raw")}
    split = {**SPLIT, "unseen": [1]}
    for preparation, up in (("agcn", "z"), ("clip", "y")):
        data["preparation"] = preparation
        pipeline = {"kind": "pipeline", "data": [data], "splits": [split], "texts": {"tokens": 8}}
        for config in (encoder(data=data), pipeline):
            with pytest.raises(FloraError, match="enough"):
                perform(Job(), "train", {"config": config, "out": str(tmp_path / "runs"), "device": "cpu"})
        assert seen == [up] * 2
        seen.clear()


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert __version__ in capsys.readouterr().out


def test_verify_finds_a_changed_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for action in range(2):
        sequence = synthesise(action)
        write_ntu(sequence, tmp_path / "raw" / f"{sequence.name}.skeleton")
    where = {"project": str(tmp_path / "p"), "paths": [str(tmp_path / "raw")]}
    perform(Job(), "import", where)
    assert cli.main(["verify", str(tmp_path / "p")]) == 0
    assert "2 recordings read, no problems found" in capsys.readouterr().out
    arrays = max((tmp_path / "p" / "arrays").iterdir(), key=lambda path: path.stat().st_size)
    content = bytearray(arrays.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = np.full(16, 3.5, np.float32).tobytes()
    arrays.write_bytes(bytes(content))
    assert cli.main(["verify", str(tmp_path / "p")]) == 1
    assert "1 problems found" in capsys.readouterr().out
