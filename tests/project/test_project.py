"""The project folder: what goes in comes out, one writer, damage is told and never made worse."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from project_samples import filled_project, recording, same

from flora_engine.errors import FloraError
from flora_engine.project import Incoming, Project, content_hash, schema
from flora_engine.project.splits import Split


def test_recordings_come_back_as_they_went_in(tmp_path: Path) -> None:
    layouts = ["kinect_v2", "kinect_v1", "kinect_v1_utd"]
    sent = [recording(n, layout=layouts[n % 3], tracked=n % 2 == 0) for n in range(12)]
    with Project.create(tmp_path / "p") as project:
        ids = project.recordings.add(Incoming(sequence) for sequence in sent)
    with Project.open(tmp_path / "p", "read") as project:
        got = [project.recordings.read(id) for id in ids if id is not None]
        assert all(same(*pair) for pair in zip(sent, got, strict=True))
        assert not got[0].joints.flags.writeable
        with pytest.raises(FloraError, match="no recording 99"):
            project.recordings.read(99)


def test_the_table_says_what_the_recordings_say(tmp_path: Path) -> None:
    with filled_project(tmp_path / "p") as project:
        table = project.table
        for row, id in enumerate(table.ids.tolist()):
            sequence = project.recordings.read(id)
            assert table.names[row] == sequence.name
            assert table.class_of(row) == f"walk {row % 4}"
            assert (table.frames[row], table.persons[row]) == (sequence.frames, sequence.persons)
            assert table.numbers["subject"][row] == sequence.metadata["subject"]
            assert Path(table.folder_names[table.folders[row]]) == project.recordings.source(id).parent
        with pytest.raises(KeyError):
            table.rows(np.array([1, 10_000]))


def test_known_recordings_are_not_added_twice(tmp_path: Path) -> None:
    with filled_project(tmp_path / "p", 6) as project:
        moved = recording(0, tracked=True)
        object.__setattr__(moved, "source", Path("/elsewhere/S000.npz"))
        changed = recording(77, name="S001")  # other content, but the file it came from is known
        object.__setattr__(changed, "source", recording(1).source)
        renamed = recording(0, name="copy")
        assert project.recordings.add([Incoming(moved), Incoming(changed), Incoming(renamed)]) == [None, None, 7]
        assert len(project.table) == 7
        assert project.recordings.contents()[0] == project.recordings.contents()[6]  # which split_checks reports
        project.recordings.remove([1])
        assert project.recordings.add([Incoming(moved)]) == [8], "a removed recording may come again"


def test_a_failing_import_leaves_nothing(tmp_path: Path) -> None:
    def recordings() -> object:
        yield Incoming(recording(50))
        raise RuntimeError

    with filled_project(tmp_path / "p", 3) as project:
        with pytest.raises(RuntimeError):
            project.recordings.add(recordings())  # type: ignore[arg-type]
        assert len(project.table) == 3
        project.recordings.add([Incoming(recording(51))])
        assert same(project.recordings.read(4), recording(51))
        assert project.recordings.verify() == []


def test_a_new_segment_begins_when_one_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flora_engine.project.arrays.SEGMENT_BYTES", 4000)
    with filled_project(tmp_path / "p") as project:
        assert len(list((tmp_path / "p" / "arrays").iterdir())) > 3
        assert all(same(project.recordings.read(n + 1), recording(n, tracked=n % 3 == 0)) for n in range(24))


# One writer


def test_the_second_program_is_told_and_reads_only(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from flora_engine.project import Project\n"
        "project = Project.open(Path(sys.argv[1]))\n"
        "print(project.read_only_reason, len(project.table), sep='|')\n"
        "project.labels.set([1], 'no')"
    )
    with filled_project(tmp_path / "p", 5):
        command = [sys.executable, "-c", script, str(tmp_path / "p")]
        second = subprocess.run(command, capture_output=True, text=True, check=False)
        reason, count = second.stdout.strip().split("|")
        assert f"process {os.getpid()}" in reason
        assert count == "5"
        assert "read-only" in second.stderr
        with pytest.raises(FloraError, match="being written by process"):
            Project.open(tmp_path / "p", "write")
    with Project.open(tmp_path / "p", "write") as project:  # free again
        assert project.table.class_names[0] == "walk 0"


def test_the_lock_can_be_handed_over_and_taken_back(tmp_path: Path) -> None:
    window = filled_project(tmp_path / "p", 5)
    window.hand_over("an import is running")
    with pytest.raises(FloraError, match="an import is running"):
        window.labels.set([1], "no")
    worker = Project.open(tmp_path / "p", "write")
    assert not window.take_back()
    worker.recordings.add([Incoming(recording(60))])
    version = window.version
    assert window.refresh()
    assert len(window.table) == 6
    assert window.version > version
    worker.close()
    assert window.take_back()
    assert window.labels.set([6], "new")
    window.close()


def test_a_reader_sees_what_the_writer_commits(tmp_path: Path) -> None:
    with filled_project(tmp_path / "p", 5) as writer, Project.open(tmp_path / "p", "read") as reader:
        assert len(reader.table) == 5
        assert same(reader.recordings.read(1), recording(0, tracked=True))  # the frames are mapped, and grow now
        writer.recordings.add([Incoming(recording(60))])
        assert reader.refresh()
        assert not reader.refresh()
        assert same(reader.recordings.read(6), recording(60))


# Damage


def test_missing_and_foreign_projects(tmp_path: Path) -> None:
    with pytest.raises(FloraError, match="not a project"):
        Project.open(tmp_path)
    sqlite3.connect(tmp_path / "project.sqlite").execute("CREATE TABLE mine (a)").connection.commit()
    before = (tmp_path / "project.sqlite").read_bytes()
    with pytest.raises(FloraError, match="not a Flora project"):
        Project.open(tmp_path)
    with pytest.raises(FloraError, match="a project here already"):
        Project.create(tmp_path)
    assert (tmp_path / "project.sqlite").read_bytes() == before


@pytest.mark.parametrize("damage", ["header", "middle", "cut", "empty", "text"])
def test_a_damaged_database_is_left_as_it_is(tmp_path: Path, damage: str) -> None:
    filled_project(tmp_path / "p", 200).close()
    path = tmp_path / "p" / "project.sqlite"
    good = path.read_bytes()
    bad = {
        "header": b"\0" * 100 + good[100:],
        "middle": good[:4096] + b"\xa5" * (len(good) - 8192) + good[-4096:],
        "cut": good[: len(good) // 2],
        "empty": b"",
        "text": b"this is no database at all\n" * 100,
    }[damage]
    path.write_bytes(bad)
    frames = (tmp_path / "p" / "arrays" / "000001.frames").read_bytes()
    with pytest.raises(FloraError):
        Project.open(tmp_path / "p")
    with pytest.raises(FloraError):
        Project.create(tmp_path / "p")
    assert path.read_bytes() == bad
    assert (tmp_path / "p" / "arrays" / "000001.frames").read_bytes() == frames
    path.write_bytes(good)
    with Project.open(tmp_path / "p", "write") as project:
        assert len(project.table) == 200
        assert project.recordings.verify() == []


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_lost_frames_make_the_project_read_only(tmp_path: Path, damage: str) -> None:
    filled_project(tmp_path / "p").close()
    frames = tmp_path / "p" / "arrays" / "000001.frames"
    if damage == "cut":
        os.truncate(frames, 5000)
    else:
        frames.unlink()
    with Project.open(tmp_path / "p") as project:
        assert "damaged" in project.read_only_reason
        assert len(project.table) == 24
        with pytest.raises(FloraError, match="read-only: the project is damaged"):
            project.labels.set([1], "no")
        if damage == "cut":
            assert same(project.recordings.read(1), recording(0, tracked=True))
        with pytest.raises(FloraError, match="frames"):
            project.recordings.read(24)
    with pytest.raises(FloraError, match="damaged"):
        Project.open(tmp_path / "p", "write")
    assert not frames.exists() or frames.stat().st_size == 5000


def test_a_project_that_lost_its_database_is_not_made_anew(tmp_path: Path) -> None:
    filled_project(tmp_path / "p").close()
    (tmp_path / "p" / "project.sqlite").unlink()
    with pytest.raises(FloraError, match="lost its database"):
        Project.create(tmp_path / "p")


def test_changed_frames_are_found_by_verify(tmp_path: Path) -> None:
    filled_project(tmp_path / "p").close()
    with (tmp_path / "p" / "arrays" / "000001.frames").open("r+b") as file:
        file.seek(64)
        file.write(b"\x55")
    with Project.open(tmp_path / "p", "read") as project:
        assert [problem.split("(")[1][:4] for problem in project.recordings.verify()] == ["S000"]


# Versions


def _set_version(folder: Path, version: int) -> None:
    connection = sqlite3.connect(folder / "project.sqlite")
    connection.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (str(version),))
    connection.commit()
    connection.close()


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    filled_project(tmp_path / "p").close()
    _set_version(tmp_path / "p", schema.VERSION + 1)
    for mode in ("auto", "write", "read"):
        with pytest.raises(FloraError, match="newer version of the program"):
            Project.open(tmp_path / "p", mode)


def test_an_older_schema_is_migrated_with_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def good(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE classes ADD COLUMN note TEXT")

    def bad(connection: sqlite3.Connection) -> None:
        good(connection)
        raise RuntimeError("power cut")

    filled_project(tmp_path / "p").close()
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    monkeypatch.setattr(schema, "OLDEST_READABLE", schema.VERSION)
    monkeypatch.setitem(schema.MIGRATIONS, schema.VERSION - 1, bad)
    with pytest.raises(RuntimeError):
        Project.open(tmp_path / "p", "write")
    with pytest.raises(FloraError, match="older schema"):
        Project.open(tmp_path / "p", "read")
    monkeypatch.setitem(schema.MIGRATIONS, schema.VERSION - 1, good)
    with Project.open(tmp_path / "p", "write") as project:
        assert len(project.table) == 24
    connection = sqlite3.connect(tmp_path / "p" / "project.sqlite")
    assert ("note",) in connection.execute("SELECT name FROM pragma_table_info('classes')").fetchall()
    connection.close()
    assert (tmp_path / "p" / f"project.schema{schema.VERSION - 1}.sqlite").is_file()


def test_the_content_hash_sees_every_part() -> None:
    one = recording(3)
    assert content_hash(one) == content_hash(recording(3, name="other"))
    other = recording(3)
    object.__setattr__(other, "fps", 25.0)
    assert content_hash(other) != content_hash(one)
    joints = one.joints.copy()
    joints[-1, -1, -1, -1] += 1
    object.__setattr__(other, "fps", 30.0)
    object.__setattr__(other, "joints", joints)
    assert content_hash(other) != content_hash(one)


def test_a_split_follows_its_classes(tmp_path: Path) -> None:
    with filled_project(tmp_path / "p") as project:
        project.splits.save(Split(name="s", unseen=(1, 3)))
        project.classes.remove("walk 0")
        assert project.splits.all()["s"].unseen == (0, 2)
        project.undo()
        assert project.splits.all()["s"].unseen == (1, 3)
        with pytest.raises(FloraError, match="needs the class"):
            project.classes.remove("walk 3")
        with pytest.raises(FloraError, match="class 4, and there are 4"):
            project.splits.save(Split(name="t", unseen=(4,)))
