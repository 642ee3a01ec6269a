"""The wizard's draft becomes a configuration and comes back; everything that is wrong has a page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.training.config_form import ConfigForm, plain
from app.training.draft import (
    MEASURING,
    PAGES,
    PRESETS,
    SECTIONS,
    Draft,
    command_line,
    from_data,
    load_draft,
    problems,
    save_draft,
    to_data,
    unshown,
)
from flora_engine.config import DescriptorsConfig, FloraConfig, PipelineConfig, parse_config
from flora_engine.datasets.benchmarks import all_benchmarks, load_benchmark
from flora_engine.datasets.catalogue import ClassText
from flora_engine.datasets.published_files import PREPARATIONS_OF
from flora_engine.errors import FloraError
from flora_engine.heads import NAMES, reads
from flora_engine.project import Split, TrainRule
from flora_engine.runs.folder import RunFolder

BENCHMARK = all_benchmarks()[0].name
CONFIGS = Path(__file__).parents[2] / "configs"
SPLIT = Split(name="one", unseen=(0, 3), train=TrainRule(by="subject", values=(1,)))
TEXTS = tuple(ClassText(name, f"move {name}", f"it is {name}") for name in "abcdefghij")


def test_heads_that_measure_recordings_are_left_out_for_a_feature_file(drafts: dict[str, Draft]) -> None:
    assert set(MEASURING) == {name for name in NAMES if reads(name) != "features"}
    file = replace(drafts["file"], heads=("flora", *MEASURING))
    assert to_data(file)["heads"] == ["flora"]
    assert to_data(replace(drafts["checkpoint"], heads=file.heads))["heads"] == ["flora", *MEASURING]
    assert to_data(replace(drafts["project"], heads=("flora", *MEASURING)))["heads"] == ["flora", *MEASURING]


@pytest.fixture
def drafts(tmp_path: Path) -> dict[str, Draft]:
    own = Draft(project=str(tmp_path), split=SPLIT, texts=TEXTS, classes=10, frames=32)
    (tmp_path / "features.npz").write_bytes(b"")
    published = Draft(source="published", benchmark=BENCHMARK, origin="file", heads=("flora",))
    return {
        "project": own,
        "folder": replace(own, source="folder", project="", folder=str(tmp_path), dataset="utd_mhad", texts=None),
        "measure": replace(own, origin="measure", split=None, texts=None),
        "encoder": replace(own, origin="checkpoint", checkpoints=(str(tmp_path),)),
        "file": replace(published, feature_file=str(tmp_path / "features.npz")),
        "file and encoder": replace(
            published,
            feature_file=str(tmp_path / "features.npz"),
            checkpoints=(str(tmp_path),),
            recordings=str(tmp_path),
            prepared={"preparation": "agcn", "frames": 300},
        ),
        "checkpoint": replace(published, origin="checkpoint", checkpoints=(str(tmp_path),), recordings=str(tmp_path)),
    }


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("file", {"low_shot": 0.1, "setting": "zsl"}),
        ("project", {"final_epochs": 3}),
        ("measure", {"text_encoder": "a"}),
    ],
)
def test_what_no_page_shows_stays_as_the_configuration_says(
    drafts: dict[str, Draft], kind: str, more: dict[str, Any]
) -> None:
    draft = from_data({**to_data(drafts[kind]), **more})
    assert unshown(draft) == more and to_data(draft).items() >= more.items()
    other = "file" if kind != "file" else "project"
    assert unshown(replace(drafts[other], rest=draft.rest)) == {}, "of another kind"


def test_opened_configurations_mean_what_their_files_say() -> None:
    opened = 0
    for path in sorted(CONFIGS.rglob("*.yaml")):
        try:
            draft = load_draft(path)
        except FloraError as error:
            assert "the wizard" in error.problem
            continue
        assert parse_config(to_data(draft)) == parse_config(yaml.safe_load(path.read_text(encoding="utf-8"))), path
        opened += 1
    assert opened > 30


@pytest.mark.parametrize("name", ["project", "folder", "measure", "encoder", "file", "file and encoder", "checkpoint"])
def test_a_draft_is_a_configuration_and_comes_back(drafts: dict[str, Draft], name: str, tmp_path: Path) -> None:
    draft = drafts[name]
    assert problems(draft) == []
    config = parse_config(to_data(draft))
    kinds = dict.fromkeys(("project", "folder", "encoder"), PipelineConfig) | {"measure": DescriptorsConfig}
    assert isinstance(config, kinds.get(name, FloraConfig))
    save_draft(draft, tmp_path / "a b.yaml")
    again = load_draft(tmp_path / "a b.yaml")
    assert to_data(replace(again, classes=draft.classes)) == to_data(draft)
    assert again.source == draft.source and again.texts == draft.texts
    assert command_line(tmp_path / "a b.yaml", Path("runs")).endswith("a b.yaml' --out runs")


def test_the_encoder_of_a_feature_file_brings_its_preparation(drafts: dict[str, Draft], tmp_path: Path) -> None:
    draft = drafts["file and encoder"]
    given = {"dataset": load_benchmark(BENCHMARK).dataset, "preparation": "agcn", "frames": 300, "persons": 2}
    assert to_data(draft)["data"] == given | {"raw": str(tmp_path)}
    usual = to_data(replace(draft, prepared={}, recordings=""))["data"]
    assert (usual["preparation"], usual["frames"]) == PREPARATIONS_OF[usual["dataset"]] and "raw" not in usual
    for change, word in (
        ({"checkpoints": ()}, "choose it, or leave them out"),
        ({"recordings": str(tmp_path / "gone")}, "leave the recordings out"),
        ({"checkpoints": ("/nowhere",)}, "There is no /nowhere"),
    ):
        ((page, text),) = problems(replace(draft, **change))
        assert page == "features" and word in text
    run = RunFolder.create(tmp_path, "encoder", {"kind": "encoder", "data": {"preparation": "clip", "frames": 16}})
    ((page, text),) = problems(replace(draft, checkpoints=(str(run.path),)))
    assert page == "features" and text.endswith("change it on the page Features.")
    own = to_data(replace(draft, checkpoints=(str(run.path),), prepared={}))["data"]
    assert (own["preparation"], own["frames"]) == ("clip", 16)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_every_preset_is_valid(drafts: dict[str, Draft], preset: str) -> None:
    assert problems(drafts["project"].with_preset(preset)) == []
    assert problems(replace(drafts["project"], classes=7).with_preset(preset)) == [], "folds shrink with the classes"


def test_everything_wrong_is_said_at_once_with_its_page(tmp_path: Path) -> None:
    empty = problems(Draft(heads=()))
    assert {page for page, _ in empty} == {"data", "split", "method"}
    assert [page for page, _ in empty] == sorted((page for page, _ in empty), key=PAGES.index)
    wrong = Draft(project=str(tmp_path), split=SPLIT, classes=10, flora={"hidden": 13}, encoder={"epochs": 0})
    found = problems(wrong)
    assert sum(page == "method" for page, _ in found) == 2 and any("hidden" in text for _, text in found)
    assert ("split", "3 seen classes are too few: held-out folds need at least four.") in problems(
        Draft(project=str(tmp_path), split=SPLIT, classes=5)
    )
    gone = Draft(source="published", benchmark=BENCHMARK, origin="checkpoint", checkpoints=("/nowhere",))
    assert [page for page, _ in problems(gone)] == ["features", "features"]
    assert any(page == "data" for page, _ in problems(Draft(source="folder", folder="/nowhere")))


@pytest.mark.parametrize(
    "content",
    [
        "a: [",
        "- 1",
        "kind: encoder",
        "kind: pipeline\ndata: 3",
        "kind: pipeline\ndata: [{dataset: a}, {dataset: b}]",
        "kind: pipeline\ndata: [{dataset: a, frames: x}]",
        "kind: flora\ntexts: {classes: [{nome: a}]}",
        "kind: pipeline\ndata: [{dataset: a}]\nsplits: [{unseen: 1}]",
    ],
)
def test_files_that_the_wizard_cannot_show(content: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(content)
    with pytest.raises(FloraError):
        load_draft(path)
    with pytest.raises(FloraError):
        from_data({})


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_every_setting_has_a_row_that_says_what_it_means(name: str, qtbot: Any) -> None:
    section = SECTIONS[name]
    form = ConfigForm(section)
    qtbot.addWidget(form)
    assert set(form.editors) == set(section.model_fields)
    assert [key for key, field in section.model_fields.items() if not field.description] == []
    form.set_values({})
    assert form.values() == {} and form.problems() == {}
    changed = {
        key: value for preset in PRESETS.values() for key, value in preset[1 if name == "encoder" else 2].items()
    }
    form.set_values(changed)
    defaults = {key: plain(field.get_default(call_default_factory=True)) for key, field in section.model_fields.items()}
    assert form.values() == {key: value for key, value in changed.items() if value != defaults[key]}


def test_a_wrong_value_is_marked_beside_its_field(qtbot: Any) -> None:
    form = ConfigForm(SECTIONS["encoder"])
    qtbot.addWidget(form)
    form.set_values({})
    with qtbot.waitSignal(form.changed):
        form.editors["epochs"].setText("many")  # type: ignore[attr-defined]
    assert set(form.problems()) == {"epochs"} and form._notes["epochs"].text().startswith("✕")
    form.editors["epochs"].setText("5")  # type: ignore[attr-defined]
    form.editors["augmentations"].setText("rotate, fly")  # type: ignore[attr-defined]
    assert set(form.problems()) == {"augmentations"}
    form.editors["augmentations"].setText("rotate, scale")  # type: ignore[attr-defined]
    assert form.values() == {"epochs": 5, "augmentations": ["rotate", "scale"]}


def test_an_encoder_for_other_recordings_is_named(drafts: dict[str, Draft], tmp_path: Path) -> None:
    data = {"dataset": "own", "project": "p", "preparation": "clip", "frames": 64, "persons": 2}
    run = RunFolder.create(tmp_path, "encoder", {"kind": "encoder", "data": data})
    draft = replace(drafts["encoder"], checkpoints=(str(run.path),))
    ((page, text),) = problems(draft)
    assert page == "features" and "frames 64, not 32" in text
    assert problems(replace(draft, frames=64)) == []
    gone = replace(draft, checkpoints=())
    assert [page for page, _ in problems(gone)] == ["features"]
