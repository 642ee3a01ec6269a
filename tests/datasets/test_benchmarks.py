"""The published benchmarks as data."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from flora_engine.datasets import benchmarks
from flora_engine.datasets.benchmarks import Benchmark, all_benchmarks, load_benchmark, unseen_problem
from flora_engine.errors import FloraError
from flora_engine.project.splits import divide

ALL = all_benchmarks()


def test_every_published_benchmark_is_there():
    found = Counter(benchmark.name.partition("/")[0] for benchmark in ALL)
    assert found == {
        "synse": 4,
        "star": 12,
        "sadave_random_split": 9,
        "starsmie_random_split": 9,
        "purls_flora": 4,
    }


@pytest.mark.parametrize("benchmark", ALL, ids=lambda benchmark: benchmark.name)
def test_names_say_what_the_data_say(benchmark: Benchmark):
    count = int(re.search(r"_unseen(\d+)", benchmark.name)[1])
    assert len(benchmark.unseen) == count
    assert benchmark.name.split("/")[1].startswith(f"{benchmark.dataset}_{benchmark.protocol}_")
    assert f"seen{benchmark.classes - count}_unseen{count}" in benchmark.features.name
    assert f"{benchmark.dataset}_" in benchmark.features.name
    assert benchmark.features.parts[0].endswith("_features")
    assert sorted(benchmark.unseen) == list(benchmark.unseen)
    assert sorted(benchmark.seen + benchmark.unseen) == list(range(benchmark.classes))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("synse/ntu60_xsub_unseen5", (2, 1.0, 0.4, 0.75, 60)),
        ("synse/ntu60_xsub_unseen12", (1, 0.6, 0.3, 0.75, 35)),
        ("synse/ntu120_xsub_unseen24", (1, 0.1, 0.1, 0.75, 75)),
        ("star/ntu60_xview_unseen5_split1", (2, 1.0, 0.4, 0.75, 60)),
        ("sadave_random_split/ntu60_xsub_unseen5_split2", (1, 0.6, 0.6, 0.5, 60)),
        ("sadave_random_split/ntu120_xsub_unseen10_split2", (1, 0.5, 0.5, 0.6, 55)),
        ("sadave_random_split/pku51_xsub_unseen5_split3", (2, 0.8, 0.6, 0.6, 20)),
        ("starsmie_random_split/ntu60_xsub_unseen5_split1", (3, 0.1, 0.1, 0.75, 50)),
        ("starsmie_random_split/pku51_xsub_unseen5_split2", (3, 0.4, 0.4, 0.5, 5)),
        ("purls_flora/ntu60_xsub_unseen30", (3, 0.5, 0.5, 0.75, 35)),
        ("purls_flora/ntu120_xsub_unseen60", (2, 0.2, 0.2, 0.8, 35)),
    ],
)
def test_published_settings(name: str, settings: tuple[float, ...]):
    found = load_benchmark(name)
    assert (
        found.neighbours,
        found.weight_zsl,
        found.weight_gzsl,
        found.calibration,
        found.tokens,
    ) == settings


def test_ranges_are_written_out():
    assert load_benchmark("purls_flora/ntu60_xsub_unseen20").unseen == (
        *(0, 12, 13, 14, 15, 16, 17, 22, 23, 26),
        *(29, 30, 31, 35, 36, 42, 43, 48, 56, 57),
    )


def test_star_has_the_classes_of_synse():
    for name in ("ntu60_xsub_unseen5", "ntu60_xsub_unseen12", "ntu120_xsub_unseen10", "ntu120_xsub_unseen24"):
        assert load_benchmark(f"star/{name}_split1").unseen == load_benchmark(f"synse/{name}").unseen


def test_the_published_test_sizes_fit_the_number_of_classes():
    """16,487 cross-subject test samples of NTU-60 are 60 classes of about 275: no size may be far from that."""
    for benchmark in ALL:
        if benchmark.test_size is not None:
            each = {"ntu60": 16_487 / 60, "ntu120": 50_919 / 120}[benchmark.dataset]
            assert benchmark.test_size == pytest.approx(each * len(benchmark.unseen), rel=0.1)


def test_a_benchmark_splits_recordings():
    benchmark = load_benchmark("synse/ntu60_xsub_unseen5")
    labels, subjects = np.repeat(np.arange(60), 40), np.tile(np.arange(1, 41), 60)
    parts = divide(benchmark.split(), labels, subjects, np.ones_like(labels), np.ones_like(labels))
    assert (len(parts.train), len(parts.zsl), len(parts.gzsl)) == (55 * 20, 5 * 20, 60 * 20)
    assert not set(labels[parts.train]) & set(benchmark.unseen)
    few = divide(benchmark.split(low_shot=0.1), labels, subjects, np.ones_like(labels), np.ones_like(labels))
    assert len(few.train) == 55 * 2


def test_unknown_benchmarks_list_the_known_ones():
    with pytest.raises(FloraError, match=r"“sinse/x” is unknown.*synse"):
        load_benchmark("sinse/x")
    with pytest.raises(FloraError, match=r"“ntu60” is unknown.*ntu60_xsub_unseen5"):
        load_benchmark("synse/ntu60")


@pytest.mark.parametrize(
    ("unseen", "problem"),
    [((0, 4), ""), ((1, 1), "named twice"), ((5,), r"\[5\] do not exist"), ((-1,), "do not exist"), ((), "")],
)
def test_problems_of_unseen_classes(unseen: tuple[int, ...], problem: str):
    assert re.search(problem, unseen_problem(unseen, 5)) if problem else unseen_problem(unseen, 5) == ""
    assert "nothing to train on" in unseen_problem((0, 1), 2)


@pytest.mark.parametrize("change", ["unseen: [99]", "protocol: xset", "neighbors: 2"])
def test_a_wrong_file_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str):
    entry = {"dataset": "ntu60", "protocol": "xsub", "unseen": "[1]", "neighbours": "1", "weight_zsl": "1"}
    entry |= {"weight_gzsl": "1", "calibration": "1", "tokens": "9", "features": "a.npz"}
    key, _, value = change.partition(": ")
    lines = "\n".join(f"    {key}: {value}" for key, value in (entry | {key: value}).items())
    (tmp_path / "own.yaml").write_text(f"title: t\nencoder: e\nfeatures_folder: f\nbenchmarks:\n  one:\n{lines}\n")
    monkeypatch.setattr(benchmarks, "FOLDER", tmp_path)
    with pytest.raises(FloraError, match="not a description of a benchmark"):
        load_benchmark("own/one")
