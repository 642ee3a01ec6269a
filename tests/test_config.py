"""Configurations: every shipped one is valid, and a wrong one is told completely and plainly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flora_engine.cli import main
from flora_engine.config import EncoderConfig, FloraConfig, PipelineConfig, load_config, parse_config
from flora_engine.datasets.benchmarks import all_benchmarks, load_benchmark
from flora_engine.errors import FloraError
from flora_engine.resources import CONFIGS

SHIPPED = sorted(CONFIGS.rglob("*.yaml"))
FLORA = {"kind": "flora", "benchmark": "synse/ntu60_xsub_unseen5", "features": "f.npz"}
SPLIT = {"name": "one", "unseen": [1], "train": {"by": "subject", "values": [1]}}
DATA = {"dataset": "utd_mhad", "raw": "data"}
ENCODER = {"kind": "encoder", "data": DATA, "split": SPLIT}
PIPELINE = {"kind": "pipeline", "data": [DATA], "splits": [SPLIT]}


def problems(config: dict[str, Any]) -> list[str]:
    try:
        parse_config(config)
    except FloraError as error:
        return [line.strip() for line in error.problem.splitlines()[1:]]
    return []


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(CONFIGS)))
def test_every_shipped_configuration_is_valid_and_says_how_to_run_it(path: Path):
    config = load_config(path)
    command = "train-encoder" if isinstance(config, EncoderConfig) else "train"
    first = path.read_text(encoding="utf-8").splitlines()[0]
    call = f"# flora {command} --config configs/{path.relative_to(CONFIGS).as_posix()}"
    assert first.removesuffix(" --data-root FOLDER") == call


def test_every_benchmark_has_a_configuration_with_its_published_settings():
    for benchmark in all_benchmarks():
        config = load_config(CONFIGS / f"{benchmark.name}.yaml")
        assert isinstance(config, FloraConfig)
        assert config.benchmark == benchmark.name
        assert config.features == Path("skeleton_features") / benchmark.features
        assert config.texts.tokens == benchmark.tokens
        for key in ("neighbours", "weight_zsl", "weight_gzsl", "calibration"):
            assert getattr(config.flora, key) == getattr(benchmark, key)


@pytest.mark.parametrize(
    "names",
    [
        "ntu60/xsub_seen55_unseen5 ntu60/xsub_seen48_unseen12 ntu60/xsub_seen40_unseen20 ntu60/xsub_seen30_unseen30",
        "ntu60/xsub_seen55_unseen5_split1 ntu60/xsub_seen55_unseen5_split2 ntu60/xsub_seen55_unseen5_split3",
        "ntu60/xview_seen55_unseen5 ntu60/xview_seen48_unseen12 ntu120/xset_seen110_unseen10",
        "ntu120/xset_seen96_unseen24 ntu120/xsub_seen110_unseen10 ntu120/xsub_seen96_unseen24",
        "ntu120/xsub_seen80_unseen40 ntu120/xsub_seen60_unseen60 pku51/xsub_seen46_unseen5",
        "pku51/xsub_seen39_unseen12 pku51/xview_seen46_unseen5 pku51/xview_seen39_unseen12",
        "pku51/xsub_seen46_unseen5_split1 pku51/xsub_seen46_unseen5_split2 pku51/xsub_seen46_unseen5_split3",
    ],
)
def test_published_encoders_train_as_published_on_the_classes_that_their_names_say(names: str):
    for name in names.split():
        config = load_config(CONFIGS / "shift_gcn" / f"{name}.yaml")
        assert isinstance(config, EncoderConfig)
        benchmark = load_benchmark(config.benchmark or "")
        protocol, seen, unseen = name.split("/")[1].split("_")[:3]
        assert (benchmark.dataset, benchmark.protocol) == (name.split("/")[0], protocol)
        assert (f"seen{len(benchmark.seen)}", f"unseen{len(benchmark.unseen)}") == (seen, unseen)
        settings = config.encoder
        assert (settings.epochs, settings.milestones, settings.batch_size) == (100, (60, 80), 32)
        assert (settings.learning_rate, settings.shift_gradient) == (0.1, "normalised")


def test_the_demo_configurations_have_the_agreed_splits():
    utd, ucla = (load_config(CONFIGS / "demo" / f"{name}.yaml") for name in ("utd_mhad", "nw_ucla"))
    assert isinstance(utd, PipelineConfig)
    assert isinstance(ucla, PipelineConfig)
    assert [split.unseen for split in utd.splits] == [(2, 8, 14, 21, 24), (0, 3, 12, 19, 26), (5, 9, 16, 22, 25)]
    assert [split.unseen for split in ucla.splits] == [(1, 4, 8), (0, 5, 9), (2, 3, 6)]
    assert {(split.train.by, split.train.values) for split in utd.splits} == {("subject", (1, 3, 5, 7))}
    assert {(split.train.by, split.train.values) for split in ucla.splits} == {("camera", (1, 2))}


@pytest.mark.parametrize("config", [FLORA, ENCODER, PIPELINE])
def test_the_least_configuration_is_valid(config: dict[str, Any]):
    assert problems(config) == []


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, "file: kind must be descriptors, encoder, flora or pipeline"),
        ({"kind": "x"}, "file: kind must be descriptors, encoder, flora or pipeline"),
        (FLORA | {"benchmark": 3}, "benchmark: is 3; expected text"),
        ({"kind": "flora", "benchmark": FLORA["benchmark"]}, "file: give features (a feature file), or data and"),
        (FLORA | {"setting": "all"}, "setting: is 'all'; expected 'zsl', 'gzsl' or 'both'"),
        (FLORA | {"low_shot": 0}, "low_shot: is 0; must be more than 0"),
        (FLORA | {"flora": {"hiden": 24}}, "flora.hiden: is not a known key; did you mean hidden?"),
        (FLORA | {"flora": {"hidden": "big"}}, "flora.hidden: is 'big'; expected a whole number"),
        (FLORA | {"flora": {"hidden": 50}}, "flora: hidden (50) must be a multiple of velocity_heads (12)"),
        (
            FLORA | {"flora": {"align_iterations": 4000}},
            "flora: total_iterations (4000) counts both phases and must be more than align_iterations (4000)",
        ),
        (FLORA | {"flora": {"validation_classes": 1}}, "flora.validation_classes: is 1; must be at least 2"),
        (
            FLORA | {"flora": {"validation_classes": 54}},
            "flora.validation_classes: is 54, but there are only 55 seen classes; at least 2 must stay to train on",
        ),
        (FLORA | {"texts": {"tokens": 2}}, "texts.tokens: is 2; must be at least 3"),
        (ENCODER | {"benchmark": "synse/ntu60_xsub_unseen5"}, "file: give either benchmark or split"),
        ({"kind": "encoder", "data": DATA}, "file: give either benchmark or split"),
        (
            {"kind": "encoder", "data": DATA, "benchmark": "synse/ntu60_xsub_unseen5"},
            "data.dataset: is utd_mhad, but the benchmark is one of ntu60",
        ),
        (ENCODER | {"data": DATA | {"project": "p"}}, "data: give raw or project, not both"),
        (
            ENCODER | {"split": SPLIT | {"unseen": [3, 27]}},
            "split.unseen: the unseen classes [27] do not exist; labels go from 0 to 26",
        ),
        (ENCODER | {"encoder": {"streams": ["joints"]}}, "encoder.streams.0: is 'joints'; expected"),
        (ENCODER | {"encoder": {"milestones": [80, 60]}}, "encoder: milestones must rise from one to the next"),
        (ENCODER | {"encoder": {"epochs": 3, "warmup_epochs": 3}}, "encoder: warmup_epochs (3) must be less than"),
        (PIPELINE | {"splits": [{"name": "x", "unseen": [1]}]}, "splits.0.train: values must name the subjects"),
        (ENCODER | {"split": {"name": "x", "unseen": [1]}}, "split.train: values must name the subjects that train"),
        (PIPELINE | {"splits": []}, "splits: must not be empty"),
        (PIPELINE | {"splits": [SPLIT, SPLIT]}, "splits.0.name: “one” is the name of another split too"),
        (PIPELINE | {"splits": [SPLIT | {"unseen": []}]}, "splits.0.unseen: names no class"),
        (
            PIPELINE | {"splits": [SPLIT | {"unseen": [2, 2]}]},
            "splits.0.unseen: the unseen classes [2] are named twice",
        ),
        (
            PIPELINE | {"splits": [{"name": "x", "unsen": [1]}]},
            "splits.0.unsen: is not a known key; did you mean unseen?",
        ),
    ],
)
def test_each_mistake_is_told_with_its_key(config: dict[str, Any], expected: str):
    assert any(problem.startswith(expected) for problem in problems(config)), problems(config)


def test_classes_of_two_data_sets_count_together():
    both = PIPELINE | {"data": [DATA, {"dataset": "nw_ucla", "raw": "d"}]}
    assert problems(both | {"splits": [SPLIT | {"unseen": [36]}]}) == []
    assert "36" in problems(both | {"splits": [SPLIT | {"unseen": [37]}]})[0]


def test_a_data_set_of_the_users_own_is_allowed():
    assert problems(ENCODER | {"data": {"dataset": "mine", "project": "p"}, "split": SPLIT | {"unseen": [500]}}) == []


def test_data_may_come_from_the_command_line():
    assert problems(ENCODER | {"data": {"dataset": "utd_mhad"}}) == []


def test_all_problems_come_at_once_with_their_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(
        "kind: pipeline\n"
        "data:\n"
        "- {dataset: utd_mhad, raw: a, frames: 2}\n"
        "splits:\n"
        "- {name: one, unseen: [30]}\n"
        "encoder:\n"
        "  epochs: many\n"
        "flora:\n"
        "  hidden: 25\n"
        "  hidden: 26\n"
        "other: 1\n"
    )
    right = tmp_path / "right.yaml"
    right.write_text((CONFIGS / "demo" / "utd_mhad.yaml").read_text(encoding="utf-8"))
    assert main(["config", "check", str(wrong), str(right)]) == 1
    out = capsys.readouterr().out
    for problem in (
        "line 3, data.0.frames: is 2; must be at least 4",
        "line 7, encoder.epochs: is 'many'; expected a whole number",
        "line 8, flora: hidden (26) must be a multiple",
        "line 10, flora.hidden: is given twice",
        "line 11, other: is not a known key",
        f"{right}: valid, pipeline on utd_mhad, 3 splits",
        "1 of 2 configurations are not valid",
    ):
        assert problem in out
    assert main(["config", "check", str(right)]) == 0


def test_a_problem_between_sections_shows_beside_one_within(tmp_path: Path):
    found = problems(PIPELINE | {"splits": [SPLIT | {"unseen": [27]}], "flora": {"hidden": 1}})
    assert [problem.partition(":")[0] for problem in found] == ["flora.hidden", "splits.0.unseen"]


def test_classes_may_be_named(tmp_path: Path) -> None:
    """As `flora export splits` writes them; in a file and beside numbers."""
    named = {**SPLIT, "unseen": ["Squat", 3, "right arm throw"]}
    found = parse_config({**ENCODER, "split": named, "encoder": {"unmirrored": ["right hand wave"]}})
    assert isinstance(found, EncoderConfig) and found.split is not None
    assert found.split.unseen == (26, 3, 4) and found.encoder.unmirrored == (2,)
    both = [DATA, {**DATA, "dataset": "nw_ucla"}]
    found = parse_config({**PIPELINE, "data": both, "splits": [{**SPLIT, "unseen": ["throw", "squat"]}]})
    assert isinstance(found, PipelineConfig) and found.splits[0].unseen == (35, 26)
    assert problems({**ENCODER, "split": {**SPLIT, "unseen": ["fly", "swim", 1]}}) == [
        "split.unseen.0: “fly” is not a class of the data set",
        "split.unseen.1: “swim” is not a class of the data set",
    ]
    assert (
        "is a class of two data sets"
        in problems({**PIPELINE, "data": [DATA, DATA], "splits": [{**SPLIT, "unseen": ["squat"]}]})[0]
    )
    own = {"dataset": "own", "project": "p"}
    assert "need a data set of the catalogue" in problems({**ENCODER, "data": own, "split": named})[0]


def test_a_folder_is_searched(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["config", "check", str(CONFIGS)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(SHIPPED)
    assert main(["config", "check", str(tmp_path)]) == 1


def test_foreign_class_texts_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    config = tmp_path / "own.yaml"
    config.write_text(
        f"kind: flora\nbenchmark: synse/ntu60_xsub_unseen5\nfeatures: f\ntexts: {{texts: '{tmp_path}'}}\n"
    )
    assert main(["config", "check", str(config)]) == 1
    rows = [f"{number},motion {max(number, 2)}" for number in range(1, 61)]
    (tmp_path / "ntu60.csv").write_text("idx,label\n" + "\n".join(rows))
    (tmp_path / "ntu60_llm.txt").write_text("\n".join(f"Definition {number}." for number in range(60)))
    capsys.readouterr()
    assert main(["config", "check", str(config)]) == 1
    assert "“drink water” and “eat meal/snack” have the same motion" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["a: [", "- 1", "", "{kind: !!python/object:os.system x}"])
def test_what_is_no_configuration_is_one_clear_error(tmp_path: Path, content: str):
    path = tmp_path / "broken.yaml"
    path.write_text(content)
    with pytest.raises(FloraError) as caught:
        load_config(path)
    assert caught.value.path == path
    with pytest.raises(FloraError, match="cannot read"):
        load_config(tmp_path / "missing.yaml")


def test_the_published_protocol_is_only_shown_beside_held_out() -> None:
    with pytest.raises(FloraError, match="only ever shown beside"):
        parse_config(
            {
                "kind": "flora",
                "benchmark": "synse/ntu60_xsub_unseen5",
                "features": "x.npz",
                "flora": {"protocols": ["published"]},
            }
        )
