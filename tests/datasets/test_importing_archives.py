"""Motion archives become projects: each of their recordings is a file of the import."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from motion_archives import arrays_of, write_archive

from app.dialogs.import_form import list_files
from flora_engine.cli import main
from flora_engine.datasets.catalogue import load_dataset
from flora_engine.datasets.importing import ImportOptions, import_folder, preview
from flora_engine.datasets.labelled import forget_projects, read_source
from flora_engine.datasets.motion_archive import open_archive, part_of, recordings_in
from flora_engine.demo import synthesise
from flora_engine.errors import Cancelled
from flora_engine.jobs import Event, Job
from flora_engine.project import Project
from flora_engine.readers import write_ntu

CLASSES = ("use laptop", "Sit Still", "never done")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_archive(tmp_path / "sets" / "msr.npz", arrays_of(CLASSES, (20, 3)))


def test_the_command_makes_a_project(archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(archive), "--dry-run"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "msr.npz#" in line]
    assert len(lines) == 6 and "class “use laptop”" in lines[2] and "class “Sit Still”" in lines[3]
    place = tmp_path / "project"
    assert main(["import", str(archive), "--project", str(place)]) == 0
    assert "6 added, 0 known already, 0 failed" in capsys.readouterr().out
    with Project.open(place) as project:
        assert project.classes.names() == CLASSES, "in the order of the archive"
        table = project.table
        assert [table.class_names[label] for label in table.classes] == [name for name in CLASSES[:2] for _ in range(3)]
        assert table.numbers["subject"].tolist() == [1, 2, 1, 2, 1, 2]
        one, kept = open_archive(archive).read(4), project.recordings.read(int(table.ids[4]))
        assert (kept.name, kept.fps, kept.layout) == ("r004", 30, "kinect_v2")
        np.testing.assert_array_equal(kept.joints, one.joints)
        sources = sorted(project.recordings.sources())
        assert sources == [str(path) for path in recordings_in(archive)]
        np.testing.assert_array_equal(read_source(sources[4]).joints, one.joints)
    forget_projects()
    assert main(["import", str(archive), "--project", str(place)]) == 0
    assert "0 added, 6 known already" in capsys.readouterr().out


def test_a_stopped_import_goes_on(archive: Path, tmp_path: Path) -> None:
    def stop(event: Event) -> None:
        if event["kind"] == "committed":
            job.stop()

    job, options = Job(stop), ImportOptions(batch=2, processes=1)
    with Project.create(tmp_path / "project") as project:
        with pytest.raises(Cancelled):
            import_folder(job, project, [archive], options)
        before = len(project.table)
        assert 2 <= before < 6
        report = import_folder(Job(), project, [archive], options)
        assert (report.added, report.known) == (6 - before, before)


def test_beside_other_recordings_and_with_the_names_of_a_data_set(archive: Path, tmp_path: Path) -> None:
    folder = archive.parent
    write_ntu(synthesise(0), folder / "one.skeleton")
    options = ImportOptions(dataset="msr_daily", processes=2)
    names = load_dataset("msr_daily").class_names
    with Project.create(tmp_path / "project") as project:
        report = import_folder(Job(), project, [folder], options)
        assert report.added == 7 and not report.failed
        assert project.classes.names()[: len(names)] == names
        said = [project.table.class_names[label] for label in project.table.classes]
        assert said.count("use a laptop") == said.count("sit still") == 3
    options = ImportOptions(labels_from="folders")
    assert {found.class_name for found in preview(Job(), [folder], options)} == {"sets"}


def test_a_damaged_archive_is_one_bad_file(archive: Path, tmp_path: Path) -> None:
    arrays = arrays_of(CLASSES, (20, 3))
    bad = write_archive(archive.parent / "bad.npz", {**arrays, "label": arrays["label"] + 9})
    with Project.create(tmp_path / "project") as project:
        report = import_folder(Job(), project, [archive.parent])
        assert report.added == 6
        ((path, problem),) = report.failed
        assert path == bad and "names a class beyond the 3" in problem


def test_missing_joints_are_a_sentence(archive: Path, tmp_path: Path) -> None:
    arrays = arrays_of(CLASSES, (20, 3))
    joints = arrays["joints_mm"].astype(np.float32)
    joints[int(arrays["first"][2])] = np.nan
    write_archive(archive, {**arrays, "joints_mm": joints})
    with Project.create(tmp_path / "project") as project:
        report = import_folder(Job(), project, [archive])
        ((path, problem),) = report.failed
        assert report.added == 5 and path.name == "msr.npz#2" and "NaN" in problem


def test_the_dialog_lists_every_recording(archive: Path) -> None:
    looks = list_files([archive], ImportOptions()).looks
    assert looks.names == [f"msr.npz#{row}" for row in range(6)] and list(looks.files) == recordings_in(archive)
    again = write_archive(archive, arrays_of(CLASSES, (20,)))
    assert len(list_files([again], ImportOptions()).looks.files) == 3, "another file lies there by now"


def test_paths_of_parts(tmp_path: Path) -> None:
    assert part_of(tmp_path / "a.npz#12") == (tmp_path / "a.npz", 12)
    for name in ("a.npz", "a.npz#", "a.npz#x", "#1", "a.csv#1", "a.npz#-1"):
        assert part_of(tmp_path / name) is None
