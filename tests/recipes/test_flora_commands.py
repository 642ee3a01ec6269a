"""flora train, compare and evaluate on a small feature file, with a stand-in for the text encoder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from flora_engine import cli
from flora_engine.config import FloraConfig, parse_config
from flora_engine.errors import FloraError
from flora_engine.heads import NAMES, reads
from flora_engine.jobs import Job
from flora_engine.recipes import compare
from flora_engine.recipes import flora as experiments
from flora_engine.recipes.actions import perform


class Letters:
    """A text encoder of twelve channels: counts of letters, the same for every token."""

    name, channels, sha256 = "letters", 12, "0" * 64

    def encode(self, texts: list[str], tokens: int) -> np.ndarray:
        counts = np.array([[text.lower().count(chr(97 + c)) for c in range(12)] for text in texts], np.float32)
        return np.repeat(counts[:, None], tokens + 1, axis=1)

    def count_tokens(self, texts: list[str]) -> list[int]:
        return [len(text) + 2 for text in texts]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(experiments, "load_text_encoder", lambda spec, job=None: Letters())
    random = np.random.default_rng(0)
    unseen = np.array([10, 11, 19, 26, 56])
    means = random.normal(size=(60, 16))
    parts = {"train": np.setdiff1d(np.arange(60), unseen), "zsl": unseen, "gzsl": np.arange(60)}
    arrays = {}
    for part, classes in parts.items():
        labels = np.repeat(classes, 4)
        arrays[f"{part}_data"] = (means[labels] + 0.1 * random.normal(size=(len(labels), 16))).astype(np.float32)
        arrays[f"{part}_label"] = labels
    np.savez(tmp_path / "features.npz", **arrays)
    settings = {
        "kind": "flora",
        "benchmark": "synse/ntu60_xsub_unseen5",
        "features": "features.npz",
        "texts": {"tokens": 3},
        "flora": {
            "hidden": 12,
            "velocity_heads": 2,
            "align_iterations": 4,
            "total_iterations": 8,
            "evaluations": 2,
            "folds": 1,
            "attunements": [[1, 0.3]],
            "held_out": 0.25,
            "protocols": ["held-out", "published"],
        },
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def test_train_resume_and_evaluate(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--features-root", str(tmp_path), "--out", str(tmp_path / "runs"), "--device", "cpu"]
    assert cli.main(["train", "--config", str(config), *where, "--low-shot", "--percentage", "0.5"]) == 0
    printed = capsys.readouterr().out
    assert "published (best on test)" in printed and "nearest mean in Flora's aligned space" in printed
    run = next((tmp_path / "runs").iterdir())
    result = json.loads((run / "result.json").read_text())
    assert set(result["heads"]["flora"]) == {"held-out", "published"}
    assert result["samples"]["train"] == 110 and result["low_shot"] == 0.5
    assert cli.main(["train", "--resume", str(run), "--device", "cpu"]) == 0
    again = json.loads((run / "result.json").read_text())
    for protocol in ("held-out", "published"):
        assert again["heads"]["flora"][protocol]["gzsl"] == result["heads"]["flora"][protocol]["gzsl"]
    capsys.readouterr()
    assert cli.main(["evaluate", str(run), "--json", "--device", "cpu"]) == 0
    found = json.loads(capsys.readouterr().out)
    held_out = result["heads"]["flora"]["held-out"]
    assert found["zsl"]["0"]["accuracy"] == pytest.approx(held_out["zsl"]["accuracy"]["mean"])
    assert found["gzsl"]["0"]["harmonic"] == pytest.approx(held_out["gzsl"]["harmonic"]["mean"])
    # the same as the worker does it, and what `flora runs` says of the run
    again_found = perform(
        Job(), "evaluate", {"run": str(run), "features": str(tmp_path / "features.npz"), "device": "cpu"}
    )
    assert again_found["zsl"]["0"]["accuracy"] == found["zsl"]["0"]["accuracy"]
    assert cli.main(["runs", "show", str(run)]) == 0
    assert "| flora | held-out |" in capsys.readouterr().out
    assert cli.main(["runs", "compare", str(run), str(run)]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("flora, held-out: ZSL"))
    assert line.split()[3:] == [f"{held_out['zsl']['accuracy']['mean']:.1%}"] * 2


@pytest.mark.parametrize("several", ["mean", "kept"])
def test_several_texts_per_class(config: Path, tmp_path: Path, several: str) -> None:
    """Every head takes the states of two texts per class; those of one text, given twice, average to themselves."""
    settings = yaml.safe_load(config.read_text())
    texts = {**settings["texts"], "more": ["shipped"], "several": several}
    heads = ["flora", "nearest_mean", "eszsl"]
    settings["flora"] |= {"protocols": ["held-out"]}
    out = {"out": str(tmp_path / "runs"), "features_root": str(tmp_path), "device": "cpu"}
    result = perform(Job(), "train", {"config": {**settings, "texts": texts, "heads": heads}, **out})
    assert list(result["heads"]) == heads
    if several == "mean":
        alone = perform(Job(), "train", {"config": {**settings, "heads": ["eszsl"]}, **out})
        assert alone["heads"]["eszsl"]["held-out"]["gzsl"] == result["heads"]["eszsl"]["held-out"]["gzsl"]


def test_compare_prints_one_row_per_head(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--features-root", str(tmp_path), "--out", str(tmp_path / "runs"), "--device", "cpu"]
    options = ["--protocol", "held-out", "--setting", "zsl", "--heads", "eszsl", "flora"]
    assert cli.main(["compare", "--config", str(config), *where, *options]) == 0
    rows = [line.split("|")[1].strip() for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert rows[2:] == ["eszsl", "flora", "nearest mean in Flora's aligned space"]


def test_compare_as_an_action_takes_what_train_takes(config: Path, tmp_path: Path) -> None:
    where = {"features_root": str(tmp_path), "out": str(tmp_path / "runs"), "device": "cpu"}
    given = {"heads": ["eszsl"], "config": str(config), "setting": "zsl", "protocol": "held-out", **where}
    result = perform(Job(), "compare", given)
    assert list(result["heads"]) == ["eszsl"]
    with pytest.raises(FloraError, match=r"wrong arguments.*sede"):
        perform(Job(), "compare", {"config": str(config), "sede": 1})


def test_compare_takes_every_head_that_the_data_suffices_for(config: Path) -> None:
    settings = yaml.safe_load(config.read_text())
    bare = compare.with_every_head(parse_config(settings), compare.Request.of(config=str(config)))
    assert isinstance(bare, FloraConfig)
    assert set(bare.heads) == {name for name in NAMES if reads(name) == "features"}
    assert {"flora", "tdsm", "jpose"} < set(bare.heads) < set(NAMES)
    data = {"dataset": "ntu60", "preparation": "ctrgcn", "project": "somewhere"}
    measured = parse_config({**settings, "features": None, "data": data, "encoder": ["run"]})
    every = compare.with_every_head(measured, compare.Request.of(config=str(config)))
    assert isinstance(every, FloraConfig) and set(every.heads) == set(NAMES)


def test_a_missing_feature_file_is_said(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path / "runs"), "--device", "cpu"]
    assert cli.main(["train", "--config", str(config), "--features-root", str(tmp_path / "none"), *out]) == 1
    assert "--features-root" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()
