"""A project keeps its classes in an order of its own: every recipe gives what it gives for the raw folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from flora_engine.config import parse_config
from flora_engine.config.kinds import EncoderConfig, FloraConfig, PipelineConfig
from flora_engine.datasets.benchmarks import load_benchmark
from flora_engine.datasets.catalogue import load_dataset
from flora_engine.datasets.clips import Clips
from flora_engine.datasets.importing import ImportOptions, import_folder
from flora_engine.datasets.loading import load_clips
from flora_engine.datasets.published_files import read_features
from flora_engine.datasets.settings import DataSettings
from flora_engine.demo import synthesise
from flora_engine.errors import FloraError
from flora_engine.jobs import Event, Job
from flora_engine.project import Project
from flora_engine.project.splits import Split, divide
from flora_engine.readers import write_ntu
from flora_engine.recipes.actions import perform
from flora_engine.recipes.features import Extraction, open_features
from flora_engine.recipes.leaks import check_no_leak, check_trained_apart
from flora_engine.recipes.pipeline import load_material
from flora_engine.runs import checkpoint
from flora_engine.training.encoder.state import load_encoder

BENCHMARK = "synse/ntu60_xsub_unseen5"  # unseen 10 11 19 26 56; subjects 1 and 2 train, 3 does not
SEEN, UNSEEN = (0, 1, 2, 3, 4, 5), (10, 11)
ENCODER = {"epochs": 1, "base_channels": 8, "batch_size": 8, "milestones": [1], "held_out": 0.0}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same recordings as a raw folder and as a project with its classes in reverse order, and one class more."""
    folder = tmp_path_factory.mktemp("ntu")
    for action in SEEN + UNSEEN:
        for subject in (1, 2, 3):
            sequence = synthesise(action, subject=subject)
            write_ntu(sequence, folder / "raw" / f"{sequence.name}.skeleton")
    stray = replace(synthesise(20), name="S001C001P001R001A021")
    with Project.create(folder / "project") as project:
        project.classes.ensure(["fly", *reversed(load_dataset("ntu60").class_names)])
        import_folder(Job(), project, [folder / "raw"], ImportOptions(dataset="ntu60"))
        write_ntu(stray, folder / "more" / f"{stray.name}.skeleton")
        import_folder(Job(), project, [folder / "more"], ImportOptions(dataset="ntu60"))
        project.labels.set([int(project.table.ids[-1])], "fly")
    return {"raw": folder / "raw", "project": folder / "project"}


def data(sources: dict[str, Path], source: str, dataset: str = "ntu60") -> dict[str, Any]:
    return {"dataset": dataset, source: str(sources[source]), "frames": 16, "persons": 1}


def encoder_config(sources: dict[str, Path], source: str) -> dict[str, Any]:
    return {"kind": "encoder", "data": data(sources, source), "benchmark": BENCHMARK, "encoder": ENCODER}


@pytest.fixture(scope="module")
def trained(sources: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run of an encoder on each of the sources."""
    out = tmp_path_factory.mktemp("encoders")
    configs = {source: encoder_config(sources, source) for source in sources}
    return {
        s: Path(perform(Job(), "train-encoder", {"config": c, "out": out / s, "device": "cpu"})["run"])
        for s, c in configs.items()
    }


def test_clips_of_a_project_are_numbered_as_the_data_set(sources: dict[str, Path]) -> None:
    raw = load_clips(Job(), DataSettings.model_validate(data(sources, "raw")))
    events: list[Event] = []
    clips = load_clips(Job(events.append), DataSettings.model_validate(data(sources, "project")))
    assert clips.class_names == raw.class_names == load_dataset("ntu60").class_names
    assert clips.names == raw.names
    assert clips.labels.tolist() == raw.labels.tolist()
    assert np.array_equal(clips.joints, raw.joints)
    assert [event["text"] for event in events if event["kind"] == "warning"] == [
        "1 recording is left out: ntu60 does not have the class “fly”"
    ]


def test_a_data_set_that_is_not_in_the_catalogue_keeps_the_order_of_the_project(sources: dict[str, Path]) -> None:
    clips = load_clips(Job(), DataSettings.model_validate(data(sources, "project", "own")))
    assert clips.class_names[:2] == ("fly", load_dataset("ntu60").class_names[-1])
    assert "fly" in {clips.class_names[label] for label in clips.labels}


def test_a_project_without_any_class_of_the_data_set_is_refused(sources: dict[str, Path]) -> None:
    with pytest.raises(FloraError, match="not one recording has a class of nw_ucla") as caught:
        load_clips(Job(), DataSettings.model_validate(data(sources, "project", "nw_ucla")))
    assert "--dataset nw_ucla" in str(caught.value)


def test_a_class_name_in_a_file_is_never_overruled_by_a_number(tmp_path: Path) -> None:
    from flora_engine.readers import write_npz

    for action, name in ((0, "drink water"), (1, "fly")):
        sequence = synthesise(action)
        sequence = replace(sequence, metadata={**sequence.metadata, "class_name": name})
        write_npz(sequence, tmp_path / "raw" / f"{sequence.name}.npz")
    events: list[Event] = []
    clips = load_clips(Job(events.append), DataSettings(dataset="ntu60", raw=tmp_path / "raw", frames=16))
    assert clips.labels.tolist() == [0]
    assert "“fly”" in next(event["text"] for event in events if event["kind"] == "warning")


def test_an_encoder_never_trains_on_a_class_that_its_split_names_unseen(trained: dict[str, Path]) -> None:
    abouts = [load_encoder(run / "checkpoints" / "joint.best.safetensors")[1] for run in trained.values()]
    assert abouts[0]["class_ids"] == abouts[1]["class_ids"] == list(SEEN)
    assert abouts[0]["class_names"] == abouts[1]["class_names"]
    assert not set(abouts[1]["class_names"]) & {load_dataset("ntu60").class_names[label] for label in UNSEEN}


def test_extracted_features_carry_the_labels_of_the_data_set(
    sources: dict[str, Path], trained: dict[str, Path], tmp_path: Path
) -> None:
    found = []
    for source in sources:
        out = tmp_path / f"{source}.npz"
        config = encoder_config(sources, source)
        perform(Job(), "extract", {"checkpoints": [trained["raw"]], "out": out, "config": config, "device": "cpu"})
        found.append(read_features(out))
    for part in ("train", "zsl", "gzsl"):
        assert getattr(found[0], f"{part}_label").tolist() == getattr(found[1], f"{part}_label").tolist()
        assert np.allclose(getattr(found[0], f"{part}_data"), getattr(found[1], f"{part}_data"), atol=1e-5)
    assert set(found[0].zsl_label) == set(UNSEEN)


def test_flora_reads_the_same_features_from_both(
    sources: dict[str, Path], trained: dict[str, Path], tmp_path: Path
) -> None:
    found = []
    for source in sources:
        config = parse_config(
            {
                **{"kind": "flora", "benchmark": BENCHMARK, "data": data(sources, source)},
                "encoder": [str(trained["project"])],
                "flora": {"hidden": 12, "velocity_heads": 2, "validation_classes": 2},
            }
        )
        assert isinstance(config, FloraConfig)
        extraction = open_features(Job(), config)
        assert isinstance(extraction, Extraction)
        found.append(extraction.run(Job(), tmp_path / f"{source}.npz", "cpu"))
    assert found[0].gzsl_label.tolist() == found[1].gzsl_label.tolist()
    assert sorted(found[1].train_label) == sorted(SEEN * 2)
    assert np.allclose(found[0].train_data, found[1].train_data, atol=1e-5)


def pipeline_config(sources: dict[str, Path], source: str) -> PipelineConfig:
    config = parse_config(
        {
            "kind": "pipeline",
            "data": [data(sources, source)],
            "splits": [{"name": "a", "unseen": list(UNSEEN), "train": {"by": "subject", "values": [1, 2]}}],
            "texts": {"tokens": 8},
            "encoder": ENCODER,
            "flora": {
                **{"hidden": 24, "velocity_heads": 2, "align_iterations": 2, "total_iterations": 4, "evaluations": 1},
                **{"validation_classes": 2, "folds": 1, "attunements": [[0, 0.0]], "held_out": 0.5},
            },
            "heads": ["flora"],
        }
    )
    assert isinstance(config, PipelineConfig)
    return config


def test_a_pipeline_pairs_each_recording_with_the_text_of_its_class(sources: dict[str, Path], tmp_path: Path) -> None:
    found = []
    for source in sources:
        config = pipeline_config(sources, source)
        result = perform(Job(), "train", {"config": config.model_dump(mode="json"), "out": tmp_path / source})
        run = Path(result["run"])
        manifest = (run / "a" / "bundle" / "manifest.json").read_text(encoding="utf-8")
        about = load_encoder(run / "a" / "checkpoints" / "joint.best.safetensors")[1]
        found.append((read_features(run / "a" / "features.npz"), manifest, about["class_names"]))
        material = load_material(Job(), config)
        names = dict(zip(material.clips.names, material.clips.labels, strict=True))
        assert material.texts[names["S001C001P001R001A005"]].name == load_dataset("ntu60").class_names[4]
    for part in ("train", "zsl", "gzsl"):
        labels = [getattr(features, f"{part}_label").tolist() for features, _, _ in found]
        assert labels[0] == labels[1]
    texts = load_dataset("ntu60").classes
    for _, manifest, names in found:
        assert names == [texts[label].name for label in SEEN]
        assert all(texts[label].name in manifest for label in SEEN)
        assert not any(texts[label].definition in manifest for label in UNSEEN)


def test_a_split_that_a_project_exports_means_the_same_classes_in_a_configuration(
    sources: dict[str, Path], tmp_path: Path
) -> None:
    with Project.open(sources["project"], "write") as project:
        names = project.classes.names()
        place = {name: number for number, name in enumerate(names)}
        own = tuple(place[load_dataset("ntu60").class_names[label]] for label in UNSEEN)
        rule = {"by": "subject", "values": [1, 2]}
        project.splits.save(Split.model_validate({"name": "own", "unseen": own, "train": rule}))
    perform(Job(), "export", {"kind": "splits", "project": sources["project"], "out": tmp_path})
    split = yaml.safe_load((tmp_path / "own.yaml").read_text(encoding="utf-8"))
    config = parse_config({**encoder_config(sources, "project"), "benchmark": None, "split": split})
    assert isinstance(config, EncoderConfig) and config.split is not None
    assert set(config.split.unseen) == set(UNSEEN) != set(own)


# Leaks are found by name, whatever the numbers say


def clips_of(labels: list[int], class_names: tuple[str, ...], subjects: list[int]) -> Clips:
    none = np.zeros(len(labels), np.int64)
    joints = np.zeros((len(labels), 3, 4, 25, 1), np.float32)
    names = tuple(f"r{i}" for i in range(len(labels)))
    return Clips(joints, np.array(labels), names, class_names, np.array(subjects), none, none)


def test_a_leak_is_found_by_name_where_the_numbers_agree() -> None:
    """Labels 0 and 1 in an order that is not that of the split's class names."""
    clips = clips_of([0, 1, 0, 1], ("wave", "sit down"), [1, 1, 2, 2])
    split = Split.model_validate({"name": "a", "unseen": [1], "train": {"by": "subject", "values": [1]}})
    parts = divide(split, clips.labels, clips.subjects, clips.cameras, clips.setups)
    check_no_leak(split, clips, parts, ["wave", "sit down"])
    with pytest.raises(FloraError, match="“wave” is unseen and would train"):
        check_no_leak(split, clips, parts, ["Sit Down", "Wave"])


def test_the_same_class_of_two_data_sets_is_a_leak() -> None:
    names = ("wave", "sit down", "walk", "Wave")
    clips = clips_of([0, 1, 2, 3, 0, 1, 2, 3], names, [1, 1, 1, 1, 2, 2, 2, 2])
    split = Split.model_validate({"name": "a", "unseen": [0], "train": {"by": "subject", "values": [1]}})
    parts = divide(split, clips.labels, clips.subjects, clips.cameras, clips.setups)
    with pytest.raises(FloraError, match="“Wave” is unseen and would train"):
        check_no_leak(split, clips, parts, names)


def test_a_checkpoint_is_judged_by_the_names_of_its_classes(trained: dict[str, Path], tmp_path: Path) -> None:
    benchmark = load_benchmark(BENCHMARK)
    unseen = [load_dataset("ntu60").class_names[label] for label in benchmark.unseen]
    good = {"joint": trained["project"] / "checkpoints" / "joint.best.safetensors"}
    check_trained_apart(Job(), good, unseen, BENCHMARK)
    state = checkpoint.load(good["joint"])
    # Trained in a numbering of its own, in which the unseen "reading" has the number of a seen class.
    state["about"]["class_names"][0] = "Reading"
    checkpoint.save(tmp_path / "leaky.safetensors", state)
    with pytest.raises(FloraError, match="“Reading”, which is unseen in synse"):
        check_trained_apart(Job(), {"joint": tmp_path / "leaky.safetensors"}, unseen, BENCHMARK)
    # An encoder that learned other classes under the numbers of unseen ones is fit.
    state["about"] |= {"class_names": [f"other {i}" for i in range(6)], "class_ids": [*benchmark.unseen, 0]}
    checkpoint.save(tmp_path / "other.safetensors", state)
    check_trained_apart(Job(), {"joint": tmp_path / "other.safetensors"}, unseen, BENCHMARK)
    state["about"]["class_names"] = None
    checkpoint.save(tmp_path / "nameless.safetensors", state)
    events: list[Event] = []
    check_trained_apart(Job(events.append), {"joint": tmp_path / "nameless.safetensors"}, unseen, BENCHMARK)
    assert [event["kind"] for event in events] == ["warning"]


def test_extraction_refuses_an_encoder_that_learned_an_unseen_class(
    sources: dict[str, Path], trained: dict[str, Path], tmp_path: Path
) -> None:
    config = encoder_config(sources, "project") | {"benchmark": None}
    config["split"] = {"name": "own", "unseen": [0], "train": {"by": "subject", "values": [1, 2]}}
    with pytest.raises(FloraError, match="“drink water”, which is unseen in own"):
        perform(Job(), "extract", {"checkpoints": [trained["project"]], "out": tmp_path / "f.npz", "config": config})
    assert not list(tmp_path.iterdir())
