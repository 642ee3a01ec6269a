"""Importing folders: labels, duplicates, bad files, continuing; and the command."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from project_samples import same

from flora_engine.cli import main
from flora_engine.datasets.importing import ImportOptions, ImportReport, import_folder, preview, read_labels
from flora_engine.datasets.split_checks import check_split, of_project
from flora_engine.demo import write_demo
from flora_engine.errors import Cancelled, FloraError
from flora_engine.jobs import Event, Job
from flora_engine.project import Project
from flora_engine.project.filters import select
from flora_engine.project.splits import Split, TrainRule
from flora_engine.readers import read_sequence, write_npz
from flora_engine.skeleton import SkeletonSequence


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic recordings of every demo action by two persons, with classes.csv."""
    folder = tmp_path_factory.mktemp("demo")
    write_demo(Job(), folder, subjects=2)
    return folder


_opened: list[Project] = []


@pytest.fixture(autouse=True)
def projects_are_closed() -> Iterator[None]:
    """Those that `opened` gave."""
    yield
    while _opened:
        _opened.pop().close()


def opened(folder: Path) -> Project:
    _opened.append(Project.open(folder) if (folder / "project.sqlite").exists() else Project.create(folder))
    return _opened[-1]


def take(folder: Path, *paths: Path, **options: object) -> tuple[ImportReport, Project]:
    project = opened(folder)
    return import_folder(Job(), project, paths, ImportOptions(**options)), project  # type: ignore[arg-type]


def write(folder: Path, name: str, number: int = 0, **metadata: int | str) -> Path:
    """A small recording as a file, in a folder of its own where the name has one."""
    joints = np.random.default_rng(number).normal(size=(6, 1, 25, 3)).astype(np.float32)
    path = folder / f"{name}.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_npz(SkeletonSequence(joints, 30.0, name=Path(name).name, metadata=dict(metadata)), path)
    return path


def classes_by_name(project: Project) -> dict[str, str]:
    table = project.table
    return {name: table.class_of(row) for row, name in enumerate(table.names)}


def test_the_raw_folder_may_be_deleted_afterwards(tmp_path: Path, demo: Path) -> None:
    shutil.copytree(demo, tmp_path / "raw")
    originals = {path.stem: read_sequence(path) for path in demo.glob("*.skeleton")}
    report, project = take(tmp_path / "p", tmp_path / "raw")
    assert (report.added, report.known, report.failed, report.unlabelled) == (len(originals), 0, [], 0)
    project.close()
    shutil.rmtree(tmp_path / "raw")
    with Project.open(tmp_path / "p", "read") as project:
        for id in project.table.ids.tolist():
            got = project.recordings.read(id)
            original = originals[got.name]
            assert got.source == (tmp_path / "raw" / f"{got.name}.skeleton").resolve()
            object.__setattr__(original, "source", got.source)
            assert same(got, original)
        assert project.recordings.verify() == []


def test_labels_of_the_demo_come_from_its_csv(tmp_path: Path, demo: Path) -> None:
    _, project = take(tmp_path / "p", demo)
    wanted = dict(line.split(",") for line in (demo / "classes.csv").read_text().splitlines()[1:])
    assert classes_by_name(project) == wanted


def test_every_way_to_a_label(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    write(raw, "a", 0, action=3)
    write(raw, "sitting/b", 1, action=1)
    write(raw, "sitting/c", 2, class_name="from the file")
    write(raw, "standing/d", 3)
    csv = tmp_path / "labels.csv"
    csv.write_text("file,class,subject\nsitting/b.npz,by path,7\nd,by stem,\nc.npz,by name,2\n")
    by = {
        "names": {"a": "action 3", "b": "action 1", "c": "from the file", "d": ""},
        "folders": {"a": "raw", "b": "sitting", "c": "sitting", "d": "standing"},
        "none": dict.fromkeys("abcd", ""),
    }
    for way, expected in by.items():
        report, project = take(tmp_path / way, raw, labels_from=way)
        assert classes_by_name(project) == expected
        assert report.unlabelled == list(expected.values()).count("")
    _, project = take(tmp_path / "csv", raw, labels=csv)
    assert classes_by_name(project) == {"a": "action 3", "b": "by path", "c": "by name", "d": "by stem"}
    assert project.table.numbers["subject"][project.table.names.index("b")] == 7
    _, project = take(tmp_path / "named", raw, dataset="utd_mhad")
    assert classes_by_name(project)["a"] == "right hand wave"
    assert len(project.classes.names()) == 28, "all of the data set's, so that their numbers are its numbers"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "need the columns"),
        ("a,b\n1,2\n", "need the columns"),
        ("file,class,subject\na,b,x\n", "line 2"),
        ("file,class\n,b\n", "line 2"),
        ("file,class\n\xff,b\n", "cannot read the labels"),
    ],
)
def test_bad_labels_stop_before_anything_is_read(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "labels.csv").write_text(text, encoding="latin-1")
    with pytest.raises(FloraError, match=problem):
        read_labels(tmp_path / "labels.csv")


def test_a_bad_file_never_stops_the_rest(tmp_path: Path, demo: Path) -> None:
    shutil.copytree(demo, tmp_path / "raw")
    whole = sorted((tmp_path / "raw").glob("*.skeleton"))
    whole[3].write_bytes(whole[3].read_bytes()[:9000])
    whole[5].write_bytes(b"")
    (tmp_path / "raw" / "photo.skeleton").write_bytes(b"\xff\xd8\xff\xe0" + bytes(500))
    (tmp_path / "raw" / "notes.txt").write_text("not a recording")
    events: list[Event] = []
    project = opened(tmp_path / "p")
    report = import_folder(Job(events.append), project, [tmp_path / "raw"])
    assert report.added == len(whole) - 2 == len(project.table)
    assert {path.name for path, _ in report.failed} == {whole[3].name, whole[5].name, "photo.skeleton"}
    assert report.ignored == 1
    assert [problem for _, problem in report.failed] == [e["text"] for e in events if e["kind"] == "warning"]
    # Mended, the rest comes with the next import, and only that.
    shutil.copy(demo / whole[3].name, whole[3])
    shutil.copy(demo / whole[5].name, whole[5])
    report = import_folder(Job(), project, [tmp_path / "raw"])
    assert (report.added, report.known) == (2, len(whole) - 2)


def test_a_stopped_import_goes_on_where_it_was(tmp_path: Path, demo: Path) -> None:
    total = len(list(demo.glob("*.skeleton")))
    project = opened(tmp_path / "p")

    def stop(event: Event) -> None:
        if event["kind"] == "committed" and event["added"] >= 8:
            job.stop()

    job = Job(stop)
    with pytest.raises(Cancelled):
        import_folder(job, project, [demo], ImportOptions(batch=4))
    assert len(project.table) == 8
    report = import_folder(Job(), project, [demo])
    assert (report.added, report.known) == (total - 8, 8)
    assert project.recordings.verify() == []


def test_a_moved_folder_is_known_by_its_content(tmp_path: Path, demo: Path) -> None:
    first, project = take(tmp_path / "p", demo)
    project.close()
    shutil.copytree(demo, tmp_path / "moved")
    report, project = take(tmp_path / "p", tmp_path / "moved", demo)
    assert (report.added, report.known) == (0, 2 * first.added)


def test_processes_do_not_change_the_result(tmp_path: Path, demo: Path) -> None:
    _, one = take(tmp_path / "one", demo, processes=1)
    _, two = take(tmp_path / "two", demo, processes=2)
    assert one.table.names == two.table.names
    assert one.recordings.hashes() == two.recordings.hashes()
    assert np.array_equal(one.table.classes, two.table.classes)


def test_corrections_are_applied(tmp_path: Path) -> None:
    path = write(tmp_path, "a", 5)
    raw = read_sequence(path).joints
    _, project = take(tmp_path / "p", path, up="+z", scale=0.01, fps=50.0)
    got = project.recordings.read(1)
    x, y, z = np.moveaxis(raw, -1, 0)
    assert got.fps == 50
    np.testing.assert_allclose(got.joints, np.stack([x, z, -y], -1) * 0.01, rtol=1e-6)
    with pytest.raises(FloraError, match="data set"):
        take(tmp_path / "q", path, dataset="nothing")
    report, _ = take(tmp_path / "r", path, layout="kinect_v1")
    assert "25 joints" in report.failed[0][1]


def test_a_missing_path_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(FloraError, match="no such file or folder"):
        take(tmp_path / "p", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FloraError, match="no recordings"):
        take(tmp_path / "p", tmp_path / "empty")


def test_the_preview_is_what_the_import_does(tmp_path: Path, demo: Path) -> None:
    shutil.copytree(demo, tmp_path / "raw")
    broken = min((tmp_path / "raw").glob("*.skeleton"))
    broken.write_bytes(broken.read_bytes()[:5000])
    found = list(preview(Job(), [tmp_path / "raw"]))
    _, project = take(tmp_path / "p", tmp_path / "raw")
    assert {p.path.stem: p.class_name for p in found if p.inspection} == classes_by_name(project)
    assert [p.path for p in found if not p.inspection] == [broken.resolve()]


def test_a_folder_of_mixed_real_formats(tmp_path: Path, shared_data: Path) -> None:
    files = [min((shared_data / folder).rglob(f"*.{end}")) for folder, end in FORMATS.values()]
    report, project = take(tmp_path / "p", *files)
    assert (report.added, report.failed) == (len(files), [])
    assert set(project.table.layout_names) == set(FORMATS)
    # lexically first: action 10 of UTD-MHAD, action 1 of Northwestern-UCLA, action 11 of NTU
    assert set(project.classes.names()) == {"draw circle (counter clockwise)", "pick up with one hand", "action 11"}


FORMATS = {
    "kinect_v1_utd": ("utd_mhad", "mat"),
    "kinect_v1": ("nw_ucla", "json"),
    "kinect_v2": ("ntu/raw", "skeleton"),
}


def test_story(tmp_path: Path, demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Import by the command, filter, relabel, split, undo, reopen."""
    folder = tmp_path / "project"
    assert main(["import", str(demo), "--dry-run"]) == 0
    assert not folder.exists()
    assert "good" in capsys.readouterr().out
    assert main(["import", str(demo), "--project", str(folder)]) == 0
    total = len(list(demo.glob("*.skeleton")))
    assert f"{total} added, 0 known already, 0 failed" in capsys.readouterr().out
    with Project.open(folder, "write") as project:
        table = project.table
        chosen = table.ids[select(table, f'class:"={table.class_names[0]}" subject:1')]
        assert len(chosen) == 1
        project.labels.set(chosen, "my own action")
        split = Split(name="first", unseen=(2, 5), train=TrainRule(by="subject", values=(1,)))
        assert [f.text for f in check_split(split, of_project(project)) if f.level == "error"] == []
        project.splits.save(split)
        assert project.undo() == "Save split “first”"
        assert project.undo() == "Label 1 recording “my own action”"
        assert project.redo() == "Label 1 recording “my own action”"
    with Project.open(folder, "write") as project:
        assert project.splits.all() == {}
        assert project.table.ids[select(project.table, 'class:"my own"')].tolist() == chosen.tolist()
        assert project.redo() == "Save split “first”"
        assert project.splits.all() == {"first": split}
        assert main(["import", str(demo), "--project", str(folder)]) == 1, "this test holds the writer lock"
    assert "being written by process" in capsys.readouterr().err
    assert main(["import", str(demo), "--project", str(folder)]) == 0
    assert f"0 added, {total} known already" in capsys.readouterr().out


@pytest.mark.parametrize("fact", ["subject", "action"])
def test_a_file_with_a_number_that_cannot_be_stored_stops_no_other(tmp_path: Path, fact: str) -> None:
    joints = np.ones((4, 1, 25, 3), np.float32)
    for name, value in (("a", 1), ("b", "anna"), ("c", 2**40), ("d", 2)):
        write_npz(SkeletonSequence(joints, 30.0, name=name, metadata={fact: value}), tmp_path / f"{name}.npz")
    with Project.create(tmp_path / "p") as project:
        report = import_folder(Job(), project, [tmp_path])
        assert project.table.names == ["a", "d"]
    assert [path.name for path, _ in report.failed] == ["b.npz", "c.npz"]
    assert all(f"{fact} should be a whole number" in problem for _, problem in report.failed)
    found = list(preview(Job(), [tmp_path / "b.npz"]))
    assert found[0].inspection is None and fact in found[0].problem
