"""Each of the 38 published configurations trains and evaluates, on small synthetic features in its source's layout.

The features are made here: their numbers say nothing about any method.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
import yaml

from flora_engine.config import FloraConfig
from flora_engine.config.load import load_config
from flora_engine.datasets.benchmarks import load_benchmark
from flora_engine.jobs import Job
from flora_engine.recipes import flora as recipe
from flora_engine.recipes.actions import perform
from flora_engine.resources import CONFIGS

sys.path.insert(0, str(Path(__file__).parents[1] / "datasets"))
import feature_samples
from test_flora_commands import Letters

FOLDERS = ("synse", "star", "sadave_random_split", "starsmie_random_split", "purls_flora")
ALL = [path.relative_to(CONFIGS) for folder in FOLDERS for path in sorted((CONFIGS / folder).glob("*.yaml"))]
TINY = {"hidden": 12, "velocity_heads": 2, "align_iterations": 1, "total_iterations": 2, "evaluations": 1, "folds": 1,
        "attunements": [[1, 0.3]], "seeds": [0]}  # fmt: skip


def test_there_are_as_many_as_published() -> None:
    assert len(ALL) == 38


@pytest.mark.parametrize("name", ALL, ids=str)
def test_a_configuration_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: Path) -> None:
    monkeypatch.setattr(recipe, "load_text_encoder", lambda spec, job=None: Letters())
    settings = yaml.safe_load((CONFIGS / name).read_text(encoding="utf-8"))
    benchmark = load_benchmark(settings["benchmark"])
    features = feature_samples.write(benchmark, tmp_path / "features")
    settings |= {"features": str(features), "texts": {**settings["texts"], "tokens": 3}}
    settings["flora"] |= TINY
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(settings))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        given = {"config": str(config), "out": str(tmp_path / "runs"), "device": "cpu"}
        result = perform(Job(), "train", given)
    finally:
        torch.set_num_threads(before)
    loaded = load_config(CONFIGS / name)
    assert isinstance(loaded, FloraConfig) and set(loaded.flora.protocols) == {"held-out", "published"}
    assert loaded.setting == "both" and loaded.features is not None and loaded.features.name == benchmark.features.name
    for protocol in ("held-out", "published"):
        outcome = result["heads"]["flora"][protocol]
        assert 0 <= outcome["zsl"]["accuracy"]["mean"] <= 1
        assert 0 <= outcome["gzsl"]["harmonic"]["mean"] <= 1
    assert result["samples"]["zsl"] == 2 * len(benchmark.unseen)
