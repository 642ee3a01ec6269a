"""Clips for an encoder: the same from a folder and from a project, prepared once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from flora_engine.datasets import describing, labelled, loading
from flora_engine.datasets.clips import Clips
from flora_engine.datasets.importing import ImportOptions, import_folder
from flora_engine.datasets.settings import DataSettings
from flora_engine.demo import write_demo
from flora_engine.errors import FloraError
from flora_engine.jobs import Event, Job
from flora_engine.preprocessing import prepare
from flora_engine.project import Project
from flora_engine.readers import read_sequence

# Prepared values are a few torso lengths in float32 (steps of 2e-7): the same clip, computed in another process.
SAME = 1e-5


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLORA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    write_demo(Job(), folder, subjects=1)
    return folder


def same_clips(one: Clips, other: Clips) -> bool:
    arrays = ("labels", "subjects", "cameras", "setups")
    alike = one.names == other.names and all(np.array_equal(getattr(one, a), getattr(other, a)) for a in arrays)
    return alike and np.allclose(one.joints, other.joints, atol=SAME)


def test_clips_are_the_prepared_files(cached: Path, demo: Path) -> None:
    clips = loading.load_clips(Job(), DataSettings(dataset="unknown", raw=demo, frames=32))
    files = sorted(demo.glob("*.skeleton"))
    assert clips.names == tuple(path.stem for path in files)
    assert clips.joints.dtype == np.float32
    assert clips.joints.shape == (len(files), 3, 32, 25, 2)
    for row in (0, len(files) // 2, len(files) - 1):
        sequence = read_sequence(files[row])
        np.testing.assert_allclose(clips.joints[row], prepare(sequence, "clip", 32), atol=SAME)
        assert clips.labels[row] == int(sequence.metadata["action"]) - 1
        assert clips.subjects[row] == sequence.metadata["subject"]
        assert clips.cameras[row] == sequence.metadata["camera"]
        assert clips.setups[row] == sequence.metadata["setup"]
    assert clips.class_names == tuple(f"action {n + 1}" for n in range(clips.labels.max() + 1))


def test_only_so_many_are_read_and_taken_evenly(cached: Path, demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def counting(path: Path) -> object:
        read.append(path.stem)
        return read_sequence(path)

    monkeypatch.setattr(labelled, "read_sequence", counting)
    clips = loading.load_clips(Job(), DataSettings(dataset="unknown", raw=demo, frames=8), most=4)
    files = sorted(path.stem for path in demo.glob("*.skeleton"))
    assert list(clips.names) == read and len(read) == 4
    assert (read[0], read[-1]) == (files[0], files[-1])


def test_some_of_a_project_are_among_those_with_a_label(cached: Path, demo: Path, tmp_path: Path) -> None:
    with Project.create(tmp_path / "p") as project:
        import_folder(Job(), project, [demo], ImportOptions(processes=1))
        ids = project.table.ids.tolist()
        project.labels.set(ids[:-2], None)
        last = [project.table.names[-2], project.table.names[-1]]
    clips = loading.load_clips(Job(), DataSettings(dataset="unknown", project=tmp_path / "p", frames=8), most=3)
    assert list(clips.names) == last


def die(*_: object, **__: object) -> list[object]:
    os._exit(3)


def test_a_process_that_is_killed_is_one_clear_error(cached: Path, demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = DataSettings(dataset="unknown", raw=demo, frames=8)
    clips = loading.load_clips(Job(), settings)
    monkeypatch.setattr(loading, "_prepare_batch", die)
    with pytest.raises(FloraError, match=r"a process that reads recordings was ended from outside\. Run it again"):
        loading.load_clips(Job(), settings, processes=2, cache=False)
    monkeypatch.setattr(describing, "_measure", die)
    monkeypatch.setattr(describing, "_measure_all", die)
    said = r"a process that measures recordings was ended from outside\. Run it again"
    with pytest.raises(FloraError, match=said):
        describing.describe_clips(Job(), clips, processes=2)
    with pytest.raises(FloraError, match=said):
        describing.load_described(Job(), settings, processes=2)


def test_the_second_time_nothing_is_read(cached: Path, demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = DataSettings(dataset="unknown", raw=demo, frames=16)
    first = loading.load_clips(Job(), settings)
    uncached = loading.load_clips(Job(), settings, cache=False)
    assert same_clips(first, uncached)

    def fail(*_: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(labelled, "read_sequence", fail)
    assert same_clips(loading.load_clips(Job(), settings), first)
    with pytest.raises(AssertionError, match="read again"):
        loading.load_clips(Job(), settings.model_copy(update={"frames": 17}))
    changed = min(demo.glob("*.skeleton"))
    text = changed.read_bytes()
    changed.write_bytes(text + b"\n")
    try:
        with pytest.raises(AssertionError, match="read again"):
            loading.load_clips(Job(), settings)
    finally:
        changed.write_bytes(text)


def test_cached_clips_may_be_changed_without_harm(cached: Path, demo: Path) -> None:
    settings = DataSettings(dataset="unknown", raw=demo, frames=16)
    first = loading.load_clips(Job(), settings)
    before = first.joints.copy()
    first.joints[:] = 7
    assert np.array_equal(loading.load_clips(Job(), settings).joints, before)  # read from the cache, not computed


def test_processes_do_not_change_the_clips(cached: Path, demo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_BATCH", 5)
    settings = DataSettings(dataset="unknown", raw=demo, frames=16)
    one = loading.load_clips(Job(), settings, processes=1, cache=False)
    assert same_clips(one, loading.load_clips(Job(), settings, processes=2, cache=False))


def test_a_project_gives_its_own_labels(cached: Path, demo: Path, tmp_path: Path) -> None:
    with Project.create(tmp_path / "p") as project:
        import_folder(Job(), project, [demo])
        project.labels.set([2], "another")
        project.labels.set([3], None)
        names = project.classes.names()
    clips = loading.load_clips(Job(), DataSettings(dataset="unknown", project=tmp_path / "p", frames=16))
    raw = loading.load_clips(Job(), DataSettings(dataset="unknown", raw=demo, frames=16))
    assert clips.class_names == names
    assert names[clips.labels[1]] == "another"
    keep = np.arange(len(raw.names)) != 2
    np.testing.assert_allclose(clips.joints, raw.joints[keep], atol=SAME)
    assert clips.names == tuple(np.array(raw.names)[keep])
    # Relabelling needs no preparing again.
    with Project.open(tmp_path / "p", "write") as project:
        project.labels.set([3], "another")
    events: list[Event] = []
    again = loading.load_clips(Job(events.append), DataSettings(dataset="unknown", project=tmp_path / "p", frames=16))
    assert len(again.names) == len(raw.names)
    assert not any(event["kind"] == "progress" for event in events)


def test_bad_files_and_missing_labels_are_left_out_aloud(cached: Path, demo: Path, tmp_path: Path) -> None:
    files = sorted(demo.glob("*.skeleton"))
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / files[0].name).write_bytes(files[0].read_bytes()[:3000])
    (tmp_path / "raw" / "unnumbered.skeleton").write_bytes(files[1].read_bytes())
    settings = DataSettings(dataset="unknown", raw=tmp_path / "raw", frames=16)
    with pytest.raises(FloraError, match="no recording has a label"):
        loading.load_clips(Job(), settings)
    (tmp_path / "raw" / files[2].name).write_bytes(files[2].read_bytes())
    for _ in range(2):  # from the cache as well
        events: list[Event] = []
        clips = loading.load_clips(Job(events.append), settings)
        assert clips.names == (files[2].stem,)
        assert [files[0].name in event["text"] for event in events if event["kind"] == "warning"] == [True]
    with pytest.raises(FloraError, match="no such folder"):
        loading.load_clips(Job(), DataSettings(dataset="unknown", raw=tmp_path / "nowhere"))
    with pytest.raises(FloraError, match="neither a raw folder nor a project"):
        loading.load_clips(Job(), DataSettings(dataset="unknown"))


def test_utd_mhad_has_its_27_named_classes(cached: Path, shared_data: Path) -> None:
    clips = loading.load_clips(Job(), DataSettings(dataset="utd_mhad", raw=shared_data / "utd_mhad", frames=8))
    assert len(clips.names) == 861
    assert len(clips.class_names) == 27
    assert clips.class_names[26] == "squat"
    assert clips.names[0] == "a10_s1_t1"
    assert (clips.labels[0], clips.subjects[0]) == (9, 1)
    assert np.bincount(clips.labels).min() >= 29


def test_corrected_numbers_are_not_taken_from_the_cache(cached: Path, demo: Path, tmp_path: Path) -> None:
    """Two projects of the same motion, one of them with other subjects from a file of labels."""
    files = sorted(demo.glob("*.skeleton"))[:4]
    table = tmp_path / "labels.csv"
    table.write_text("file,class,subject\n" + "".join(f"{path.name},walk,{7 + n}\n" for n, path in enumerate(files)))
    subjects = []
    for name, labels in (("plain", None), ("corrected", table)):
        with Project.create(tmp_path / name) as project:
            import_folder(Job(), project, files, ImportOptions(labels=labels))
        clips = loading.load_clips(Job(), DataSettings(dataset="unknown", project=tmp_path / name, frames=16))
        subjects.append(clips.subjects.tolist())
    assert subjects == [[1, 1, 1, 1], [7, 8, 9, 10]]


def test_a_project_made_anew_in_the_same_folder_is_read_anew(cached: Path, demo: Path, tmp_path: Path) -> None:
    settings = DataSettings(dataset="unknown", project=tmp_path / "p", frames=16)
    for path in sorted(demo.glob("*.skeleton"))[:2]:
        with Project.create(tmp_path / "p") as project:
            import_folder(Job(), project, [path])
        clips = loading.load_clips(Job(), settings)
        assert clips.names == (path.stem,)
        assert np.array_equal(clips.joints[0], prepare(read_sequence(path), "clip", 16))
        shutil.rmtree(tmp_path / "p")
