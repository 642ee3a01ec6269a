"""Motion archives: all recordings of a data set in one file, read one by one, with the classes that the file names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from motion_archives import arrays_of, write_archive

from flora_engine.datasets.catalogue import load_dataset
from flora_engine.datasets.describing import load_described
from flora_engine.datasets.labelled import find_items, forget_projects, read_source
from flora_engine.datasets.loading import load_clips
from flora_engine.datasets.motion_archive import is_archive, open_archive
from flora_engine.datasets.settings import DataSettings, RecordingSettings
from flora_engine.demo import synthesise
from flora_engine.descriptors import measure
from flora_engine.errors import FloraError
from flora_engine.jobs import Job

CLASSES = ("call cellphone", "Sit Still", "use laptop")  # as files of MSR Daily Activity say them; two are renamed


@pytest.fixture(autouse=True)
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLORA_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    yielded = write_archive(tmp_path / "msr.npz", arrays_of(CLASSES, (0, 3, 20)))
    forget_projects()
    return yielded


def test_a_recording_comes_back_in_metres_with_its_class_and_person(archive: Path) -> None:
    assert is_archive(archive)
    found = open_archive(archive)
    assert len(found) == 9
    one, made = found.read(4), synthesise(3, seed=1)
    assert one.joints.shape[0] == made.frames and one.layout == "kinect_v2" and one.fps == 30
    np.testing.assert_allclose(one.joints[:, :1], made.joints[:, :1], atol=0.001)
    assert (one.name, dict(one.metadata)) == ("r004", {"class_name": "Sit Still", "subject": 1})
    with pytest.raises(FloraError, match="has no recording 9; it holds 9"):  # it was another archive once
        read_source(f"{archive}#9")


def test_clips_and_descriptors_have_the_classes_of_the_data_set(archive: Path) -> None:
    names = load_dataset("msr_daily").class_names
    wanted = [names.index(name) for name in ("call on a mobile phone", "sit still", "use a laptop") for _ in range(3)]
    settings = DataSettings(dataset="msr_daily", raw=archive, frames=16)
    clips = load_clips(Job(), settings)
    described = load_described(Job(), settings)
    assert clips.labels.tolist() == described.labels.tolist() == wanted
    assert clips.class_names == described.class_names == names
    assert clips.subjects.tolist() == [1, 2, 1, 2, 1, 2, 1, 2, 1]
    again = read_source(clips.sources[7])
    np.testing.assert_array_equal(described.values[7], measure(again))
    forget_projects()


def test_what_was_measured_is_kept(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = RecordingSettings(dataset="msr_daily", raw=archive)
    first = load_described(Job(), settings)
    monkeypatch.setattr("flora_engine.datasets.describing.measure", lambda _: pytest.fail("measured again"))
    again = load_described(Job(), settings)
    np.testing.assert_array_equal(first.values, again.values)
    assert first.labels.tolist() == again.labels.tolist()
    content = arrays_of(CLASSES, (0, 3, 20), each=2)
    write_archive(archive, content)
    forget_projects()
    monkeypatch.undo()
    assert len(load_described(Job(), settings).labels) == 6


def test_a_class_that_the_data_set_does_not_have_is_left_out_with_a_warning(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "other.npz", arrays_of(("sit still", "fly to the moon"), (3, 0)))
    warnings: list[str] = []
    job = Job(lambda event: warnings.append(str(event.get("text"))) if event["kind"] == "warning" else None)
    forget_projects()
    assert len(load_described(job, RecordingSettings(dataset="msr_daily", raw=path)).labels) == 3
    assert warnings == ["3 recordings are left out: msr_daily does not have the class “fly to the moon”"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"first": None}, "is not"),
        ({"subject": None}, r"is missing \(array `subject`\)"),
        ({"layout": np.array("octopus")}, "unknown layout “octopus”"),
        ({"joints_mm": np.zeros((9, 1, 20, 3), np.int16)}, "kinect_v2 needs numbers"),
        ({"frames": np.full(9, 10**6)}, "frames beyond"),
        ({"label": np.full(9, 3)}, "a class beyond the 3"),
        ({"name": np.array(["one"])}, "`first` has"),
    ],
)
def test_a_damaged_archive_is_said_in_a_sentence(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    content = arrays_of(CLASSES, (0, 3, 20)) | change
    path = write_archive(tmp_path / "bad.npz", {name: value for name, value in content.items() if value is not None})
    forget_projects()
    if said == "is not":
        assert not is_archive(path)
        return
    with pytest.raises(FloraError, match=said):
        find_items(RecordingSettings(dataset="msr_daily", raw=path))


def test_every_recording_of_the_archives_has_its_class(shared_data: Path) -> None:
    for name in ("kinder_gator", "msr_daily", "sbu", "precog", "mesh2motion"):
        path = shared_data / "motion" / f"{name}.npz"
        if not path.is_file():
            pytest.skip(f"no {path}")
        place, found = load_dataset(name).places, open_archive(path)
        numbers = {place[found.classes[label].casefold()] for label in found.labels}
        assert numbers == set(range(len(load_dataset(name).classes)))
    forget_projects()
