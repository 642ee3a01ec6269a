"""A model without an encoder: from labelled recordings to a bundle, as the built-in model is made."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from motion_archives import arrays_of, write_archive

from flora_engine.config import DescriptorsConfig, load_config
from flora_engine.demo import synthesise, write_demo
from flora_engine.errors import Cancelled, FloraError
from flora_engine.jobs import Event, Job
from flora_engine.labelling.bundle import BUILTIN, DESCRIPTORS
from flora_engine.labelling.labeller import Labeller
from flora_engine.project import Incoming, Project
from flora_engine.recipes import training
from flora_engine.recipes.descriptors import named
from flora_engine.runs.folder import RunFolder
from flora_engine.runs.results import DescriptorsResult, read_result
from flora_engine.runs.tables import result_table
from flora_engine.semantics.class_texts import parse_typed
from flora_engine.semantics.text_encoder import prepare_text_encoder

ROOT = Path(__file__).resolve().parents[2]
OWN = {"wave": 0, "sit down": 3, "shake hands": 20, "jump up": 5}


@pytest.fixture
def data(tmp_path: Path) -> dict[str, Any]:
    """A configuration of three sets: an archive, raw files, and a project with classes of its own."""
    root = tmp_path / "data"
    write_archive(root / "motion" / "msr.npz", arrays_of(("sit still", "walk", "cheer up", "drink"), (3, 7, 1, 2)))
    write_demo(Job(), root / "ntu", subjects=1)
    with Project.create(root / "mine") as project:
        project.recordings.add(
            Incoming(replace(synthesise(action, seed=n), name=f"{name} {n}"), name)
            for name, action in OWN.items()
            for n in range(3)
        )
    return {
        "kind": "descriptors",
        "data": [
            {"dataset": "msr_daily", "raw": "motion/msr.npz"},
            {"dataset": "ntu120", "raw": "ntu"},
            {"dataset": "own", "project": "mine"},
        ],
    }


def train(data: dict[str, Any], tmp_path: Path, job: Job | None = None, **more: Any) -> DescriptorsResult:
    request = training.Request.of(config=data, data_root=tmp_path / "data", out=tmp_path / "runs", **more)
    result = training.run(job or Job(), request)
    assert isinstance(result, DescriptorsResult)
    return result


def test_recordings_of_three_kinds_become_a_model_that_labels(data: dict[str, Any], tmp_path: Path) -> None:
    result = train(data, tmp_path)
    assert result.run is not None
    assert {name: (one.recordings, one.classes) for name, one in result.sets.items()}["msr_daily"] == (12, 4)
    assert result.sets["own"].title == "mine" and result.sets["own"].recordings == 12
    assert result.sets["ntu120"].terms == "non-commercial research"
    assert set(result.left_out) == set(result.sets) and result.calibrated
    bundle = result.run / result.bundle
    card = (bundle / "MODEL_CARD.md").read_text("utf-8")
    assert "| mine | 12 | 4 | your own recordings |" in card and "NTU RGB+D 120" in card
    assert "of up to 600 recordings how each measurement ranks" in card
    labeller = Labeller(bundle)
    right = [
        labeller.label(synthesise(action, seed=9), parse_typed("\n".join(OWN))).labels[0].name == name
        for name, action in OWN.items()
    ]
    assert sum(right) >= 3
    assert isinstance(read_result(RunFolder.open(result.run).result() or {}), DescriptorsResult)
    table = result_table(result)
    assert "| msr_daily | 12 |" in table and "mine (12)" in table


def test_one_project_alone_is_measured_on_halves_of_its_classes(data: dict[str, Any], tmp_path: Path) -> None:
    result = train(data | {"data": data["data"][2:]}, tmp_path)
    assert list(result.left_out) == ["own, half 1 of its classes", "own, half 2 of its classes"]
    assert [one.classes for one in result.left_out.values()] == [2, 2]
    assert not result.calibrated  # two classes say nothing of “none of these”
    assert result.run is not None
    stored, shipped = (np.load(folder / DESCRIPTORS) for folder in (result.run / result.bundle, BUILTIN))
    assert stored["odds"].tolist() == shipped["odds"].tolist()
    assert "as those of the built-in model" in (result.run / result.bundle / "MODEL_CARD.md").read_text("utf-8")


def test_a_stopped_run_continues_and_measures_nothing_twice(
    data: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages: list[tuple[str, str]] = []

    def stop_at_learning(event: Event) -> None:
        if event["kind"] == "progress":
            stages.append((str(event.get("part")), str(event["stage"])))
            if event["stage"] == "leaving out in turn":
                job.stop()

    job = Job(stop_at_learning)
    with pytest.raises(Cancelled):
        train(data, tmp_path, job)
    assert ("msr_daily", "measuring recordings") in stages
    (run,) = (tmp_path / "runs").iterdir()
    assert not (run / "bundle").exists()
    monkeypatch.setattr("flora_engine.datasets.describing.measure", lambda _: pytest.fail("measured again"))
    result = training.run(Job(), training.Request.of(resume=run))
    assert isinstance(result, DescriptorsResult) and (run / "bundle" / DESCRIPTORS).is_file()
    assert training.run(Job(), training.Request.of(resume=run)) == result


def test_who_lacks_a_set_is_told_which_where_from_and_under_which_terms(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    data = yaml.safe_load((ROOT / "configs" / "builtin.yaml").read_text("utf-8"))
    for place, words in (
        (0, ("UTD-MHAD", "a folder", "skeleton.mat", "ICIP 2015", "read its owners' terms")),
        (5, ("SBU Kinect Interaction", "motion/sbu.npz", "a motion archive", "Stony Brook", "no licence")),
    ):
        with pytest.raises(FloraError) as error:
            train(data | {"data": data["data"][place : place + 1]}, tmp_path)
        assert all(word in str(error.value).replace("\\", "/") for word in words), str(error.value)
    assert not (tmp_path / "runs").exists()


def test_options_of_other_trainings_are_refused(data: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(FloraError, match="seeds has no meaning for a configuration of kind descriptors"):
        train(data, tmp_path, seeds=(0, 1))


def test_recordings_of_one_class_teach_nothing(data: dict[str, Any], tmp_path: Path) -> None:
    write_archive(tmp_path / "data" / "motion" / "one.npz", arrays_of(("walk",), (7,)))
    with pytest.raises(FloraError, match="all recordings are of one class"):
        train(data | {"data": [{"dataset": "msr_daily", "raw": "motion/one.npz"}]}, tmp_path)


def test_sets_of_one_name_are_told_apart() -> None:
    config = DescriptorsConfig.model_validate(
        {"kind": "descriptors", "data": [{"dataset": "own", "project": name} for name in "abc"]}
    )
    assert {name: str(one.project) for name, one in named(config.data).items()} == {
        "own": "a",
        "own 2": "b",
        "own 3": "c",
    }


def test_it_needs_no_torch(data: dict[str, Any], tmp_path: Path) -> None:
    prepare_text_encoder(Job())  # the first time on a machine that needs it
    file = tmp_path / "own.yaml"
    file.write_text(yaml.safe_dump(data | {"data": data["data"][2:]}), encoding="utf-8")
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from flora_engine.cli import main\n"
        f"sys.exit(main(['train', '--config', {str(file)!r}, '--data-root', {str(tmp_path / 'data')!r}, "
        f"'--out', {str(tmp_path / 'runs')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "model: " in done.stdout and "Learned from mine (12)." in done.stdout


def test_the_configuration_makes_the_model_that_ships(shared_data: Path, tmp_path: Path) -> None:
    config = load_config(ROOT / "configs" / "builtin.yaml")
    assert isinstance(config, DescriptorsConfig)
    missing = [one.raw for one in config.data if one.raw is not None and not (shared_data / one.raw).exists()]
    if missing:
        pytest.skip(f"no {missing[0]} below {shared_data}")
    request = training.Request.of(config=ROOT / "configs" / "builtin.yaml", data_root=shared_data, out=tmp_path)
    result = training.run(Job(), request)
    assert isinstance(result, DescriptorsResult) and result.run is not None
    made, shipped = (np.load(folder / DESCRIPTORS) for folder in (result.run / result.bundle, BUILTIN))
    for name in shipped.files:
        if name != "names":  # float32 arithmetic of another processor
            np.testing.assert_allclose(made[name], shipped[name], rtol=0.01, atol=0.01, err_msg=name)
