"""The estimate measures the real trainers, counts the recordings, and keeps nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flora_engine.config import TextSettings
from flora_engine.datasets.catalogue import ClassText
from flora_engine.datasets.importing import ImportOptions, import_folder
from flora_engine.datasets.settings import DataSettings
from flora_engine.demo import write_demo
from flora_engine.errors import Cancelled, FloraError
from flora_engine.jobs import Job
from flora_engine.project import Project
from flora_engine.recipes import actions
from flora_engine.recipes.texts import texts_for, texts_of_project


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    write_demo(Job(), folder / "raw")
    with Project.create(folder / "project") as project:
        import_folder(Job(), project, [folder / "raw"], ImportOptions(processes=1))
        project.classes.set_texts({"jog": ("run slowly", "jogging for fitness")})
    return folder / "project"


def config(study: Path, **changes: Any) -> dict[str, Any]:
    split = {"name": "one", "unseen": [0, 5, 9], "train": {"by": "subject", "values": [1]}}
    small = {"epochs": 10, "base_channels": 8, "batch_size": 8, "milestones": []}
    flora = {"hidden": 24, "align_iterations": 50, "total_iterations": 100, "folds": 2, "validation_classes": 2}
    whole = {
        "kind": "pipeline",
        "data": [{"dataset": "own", "project": str(study), "frames": 16, "persons": 1}],
        "splits": [split],
        "encoder": small,
        "flora": flora,
        "heads": ["flora", "nearest_mean"],
    }
    return whole | changes


def test_an_estimate(study: Path, tmp_path: Path) -> None:
    arguments = {"config": config(study), "out": str(tmp_path / "runs"), "device": "cpu"}
    found = actions.perform(Job(), "estimate", arguments)
    assert found["sizes"] == {"train": 20, "all": 46, "classes": 23, "seen": 20, "exact": True}
    stages = dict(found["stages"])
    assert stages["Train the encoder"] > 0 and stages["Train and evaluate flora"] > 0
    assert stages["Train and evaluate nearest_mean"] is None
    assert found["seconds"] == pytest.approx(sum(seconds for seconds in stages.values() if seconds is not None))
    assert found["free"] > 0 and found["memory"] > 0 and found["device"] == "cpu"
    assert not (tmp_path / "runs").exists()


def test_local_features_are_counted(study: Path, tmp_path: Path) -> None:
    """Each of 46 recordings keeps 3 stretches of 25 joints beside its 256 features."""
    star = config(study, heads=["eszsl", "star"])
    without, attending, not_attending = (
        actions.perform(Job(), "estimate", {"config": one, "out": str(tmp_path)})["disk"]
        for one in (config(study, heads=["eszsl"]), star, star | {"flora": star["flora"] | {"attention": False}})
    )
    assert attending - without == 46 * 4 * 256 * 3 * 25 and not_attending == without


def test_an_estimate_of_measurements_alone(study: Path, tmp_path: Path) -> None:
    measured = {"kind": "descriptors", "data": [{"dataset": "own", "project": str(study)}]}
    found = actions.perform(Job(), "estimate", {"config": measured, "out": str(tmp_path)})
    assert found["sizes"] == {"train": 46, "all": 46, "classes": 23, "seen": 23, "exact": True}
    assert dict(found["stages"])["Read and measure the recordings"] > 0


def test_a_stop_ends_the_measuring(study: Path, tmp_path: Path) -> None:
    job = Job()
    job.stop()
    with pytest.raises(Cancelled):
        actions.perform(job, "estimate", {"config": config(study), "out": str(tmp_path), "device": "cpu"})
    with pytest.raises(FloraError):
        actions.perform(Job(), "estimate", {"config": config(study, heads=["none"]), "out": str(tmp_path)})


def test_texts_of_a_project_with_classes_of_its_own(study: Path) -> None:
    texts = {text.name: text for text in texts_of_project(study)}
    assert texts["jog"] == ClassText("jog", "run slowly", "jogging for fitness")
    assert texts["drink water"].motion != "drink water", "a class that we know has our texts"
    data = DataSettings(dataset="own", project=study)
    names = list(texts)
    given = TextSettings(classes=tuple(ClassText(name.upper(), "m", "d") for name in reversed(names)))
    assert [text.name for text in texts_for(data, given)] == [name.upper() for name in names]
    with pytest.raises(FloraError, match="no texts for the class"):
        texts_for(data, TextSettings(classes=(ClassText("jog", "m", "d"),)))
