"""Synthetic stand-ins for the published downloads have their layout, names and sizes, and are called synthetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flora_engine.cli import main
from flora_engine.config import FloraConfig, load_config
from flora_engine.datasets.benchmarks import load_benchmark
from flora_engine.datasets.published_files import read_features
from flora_engine.models.shift_gcn.published import read_published
from flora_engine.recipes.demo_downloads import BENCHMARK, ENCODER

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def test_stand_ins_are_what_the_shipped_configuration_expects(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", str(tmp_path / "a"), "--downloads"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 8 and all(line.startswith("synthetic: ") for line in said)
    config, benchmark = load_config(CONFIGS / f"{BENCHMARK}.yaml"), load_benchmark(BENCHMARK)
    assert isinstance(config, FloraConfig) and config.features is not None
    features = read_features(tmp_path / "a" / config.features)
    assert features.train_data.shape[1] == 256  # docs/method.md, section 4
    assert set(features.train_label) == set(benchmark.seen) and set(features.zsl_label) == set(benchmark.unseen)
    assert set(features.gzsl_label) == set(range(60))
    network = read_published(tmp_path / "a" / ENCODER)
    assert (network.classes, network.feature_size, network.persons) == (len(benchmark.seen), 256, 2)
    assert main(["demo", str(tmp_path / "b"), "--downloads"]) == 0  # the same by seed, but for rounding
    np.testing.assert_allclose(read_features(tmp_path / "b" / config.features).gzsl_data, features.gzsl_data, rtol=1e-3)
