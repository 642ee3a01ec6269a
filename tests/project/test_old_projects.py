"""Projects written by earlier versions of the program: read as they are, migrated when they are written."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from project_samples import recording, same

from flora_engine.project import DATABASE, Project, content_hash
from flora_engine.project.arrays import Arrays

# The tables of schema 1, as the program made them until 2026-11-25.
SCHEMA_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE folders (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);
CREATE TABLE sequences (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    folder INTEGER NOT NULL REFERENCES folders (id), file TEXT NOT NULL,
    hash BLOB NOT NULL,
    subject INTEGER NOT NULL, camera INTEGER NOT NULL, setup INTEGER NOT NULL, replication INTEGER NOT NULL,
    layout TEXT NOT NULL, fps REAL NOT NULL,
    frames INTEGER NOT NULL, persons INTEGER NOT NULL, joints INTEGER NOT NULL, tracked INTEGER NOT NULL,
    segment INTEGER NOT NULL, offset INTEGER NOT NULL,
    metadata TEXT NOT NULL,
    removed INTEGER NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX sequences_content ON sequences (hash, name) WHERE removed = 0;
CREATE UNIQUE INDEX sequences_source ON sequences (file, folder, name) WHERE removed = 0;
CREATE INDEX sequences_end ON sequences (segment, offset);
CREATE TABLE classes (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, position INTEGER NOT NULL);
CREATE TABLE texts (
    id INTEGER PRIMARY KEY, class INTEGER NOT NULL UNIQUE REFERENCES classes (id) DEFERRABLE INITIALLY DEFERRED,
    motion TEXT NOT NULL, definition TEXT NOT NULL
);
CREATE TABLE labels (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sequence INTEGER NOT NULL REFERENCES sequences (id) DEFERRABLE INITIALLY DEFERRED,
    class INTEGER NOT NULL REFERENCES classes (id) DEFERRABLE INITIALLY DEFERRED,
    begin INTEGER, "end" INTEGER, origin TEXT NOT NULL, score REAL
);
CREATE UNIQUE INDEX labels_whole ON labels (sequence) WHERE begin IS NULL;
CREATE INDEX labels_spans ON labels (sequence) WHERE begin IS NOT NULL;
CREATE INDEX labels_class ON labels (class);
CREATE TABLE splits (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, split TEXT NOT NULL);
CREATE TABLE runs (id INTEGER PRIMARY KEY, folder TEXT NOT NULL UNIQUE, name TEXT NOT NULL, kind TEXT NOT NULL,
    added REAL NOT NULL);
CREATE TABLE features (checkpoint TEXT NOT NULL, sequence INTEGER NOT NULL REFERENCES sequences (id),
    value BLOB NOT NULL, PRIMARY KEY (checkpoint, sequence));
CREATE TABLE history (id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, title TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('done', 'undone', 'dropped')));
CREATE TABLE changes (
    edit INTEGER NOT NULL REFERENCES history (id), position INTEGER NOT NULL,
    name TEXT NOT NULL, row INTEGER NOT NULL, sequence INTEGER, before TEXT, after TEXT, PRIMARY KEY (edit, position)
) WITHOUT ROWID;
CREATE INDEX changes_sequence ON changes (sequence) WHERE sequence IS NOT NULL;

INSERT INTO meta VALUES ('schema_version', '1');
INSERT INTO folders VALUES (1, '/somewhere/part0'), (2, '/somewhere/part1');
INSERT INTO classes VALUES (1, 'walk', 1), (2, 'sit', 0);
INSERT INTO texts VALUES (2, 2, 'the hips go down', 'a person sits down');
INSERT INTO splits VALUES (1, 's', '{"name": "s", "unseen": [1], "train": {"by": "subject", "values": [1],
    "fraction": 0.5, "seed": 0}, "low_shot": null, "seed": 0}');
INSERT INTO runs VALUES (1, '/runs/one', 'one', 'flora', 0.0);
INSERT INTO history VALUES (1, 1.0, 'Set subject 9', 'done'), (2, 2.0, 'Order classes', 'done'),
    (3, 3.0, 'Label 1 part', 'done'), (4, 4.0, 'Remove 1 recording', 'undone');
INSERT INTO changes VALUES (1, 0, 'sequences', 3, 3, '{"subject": 3}', '{"subject": 9}'),
    (2, 0, 'classes', 1, NULL, '{"position": 0}', '{"position": 1}'),
    (2, 1, 'classes', 2, NULL, '{"position": 1}', '{"position": 0}'),
    (3, 0, 'labels', 4, 1, NULL,
        '{"sequence": 1, "class": 2, "begin": 0, "end": 3, "origin": "user", "score": null}'),
    (4, 0, 'sequences', 2, 2, '{"removed": 0}', '{"removed": 1}');
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A project of schema 1: three recordings, two classes, texts, a part, a split, a run, features and edits."""
    folder = tmp_path / "old"
    (folder / "arrays").mkdir(parents=True)
    connection = sqlite3.connect(folder / DATABASE)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(SCHEMA_1)
    arrays = Arrays(folder / "arrays")
    for id in (1, 2, 3):
        sequence = recording(id - 1, tracked=id == 1)
        place = arrays.append(sequence.joints, sequence.tracking)
        facts = sequence.metadata | ({"subject": 9} if id == 3 else {})
        row = (id, sequence.name, 2 - id % 2, f"{sequence.name}.npz", content_hash(sequence))
        numbers = (facts["subject"], facts["camera"], facts["setup"], 0)
        shape = (place.frames, place.persons, place.joints, place.tracked, place.segment, place.offset)
        metadata = '{"body_ids": ["body0"]}' if id == 1 else "{}"
        values = (*row, *numbers, "kinect_v2", 30.0, *shape, metadata, 0)
        connection.execute(f"INSERT INTO sequences VALUES ({', '.join('?' * 19)})", values)
        connection.execute("INSERT INTO labels VALUES (?, ?, ?, NULL, NULL, 'import', NULL)", (id, id, 1 + id % 2))
        connection.execute("INSERT INTO features VALUES ('a', ?, ?)", (id, np.zeros(256, "<f4").tobytes()))
    connection.execute("INSERT INTO labels VALUES (4, 1, 2, 0, 3, 'user', NULL)")
    connection.commit()
    connection.close()
    return folder


def holds_what_it_held(project: Project) -> None:
    assert project.recordings.verify() == []
    assert same(project.recordings.read(1), recording(0, tracked=True))
    assert project.classes.names() == ("sit", "walk")
    assert [project.table.class_of(row) for row in range(3)] == ["sit", "walk", "sit"]
    assert project.table.numbers["subject"].tolist() == [1, 2, 9]
    assert project.classes.texts() == {"sit": ("the hips go down", "a person sits down")}
    assert project.splits.all()["s"].unseen == (1,)
    assert [(label.begin, label.end) for label in project.labels.of(1)] == [(None, None), (0, 3)]
    assert [edit.title for edit, _ in project.labels.history(1)] == ["Label 1 part"]


def test_a_project_of_schema_1_is_read_as_it_is(old: Path) -> None:
    before = (old / DATABASE).read_bytes()
    with Project.open(old, "read") as project:
        holds_what_it_held(project)
    assert (old / DATABASE).read_bytes() == before
    assert not list(old.glob("*schema*"))


def test_a_project_of_schema_1_is_migrated_and_keeps_its_history(old: Path) -> None:
    with Project.open(old, "write") as project:
        holds_what_it_held(project)
        assert [project.undo() for _ in range(4)] == ["Label 1 part", "Order classes", "Set subject 9", None]
        assert project.classes.names() == ("walk", "sit")
        assert project.table.numbers["subject"].tolist() == [1, 2, 3]
        assert project.table.spans.tolist() == [0, 0, 0]
        assert [project.redo() for _ in range(4)][:3] == ["Set subject 9", "Order classes", "Label 1 part"]
        assert len(project.table) == 2, "the undone removal was redone too"
        assert project.undo() == "Remove 1 recording"
        assert project.labels.set([2], "run")
    with Project.open(old, "write") as project:  # now of the newest version
        assert project.classes.names() == ("sit", "walk", "run")
    connection = sqlite3.connect(old / DATABASE)
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    connection.close()
    assert {"runs", "features"}.isdisjoint(names)


def test_the_copy_from_before_a_migration_is_the_whole_old_project(old: Path) -> None:
    Project.open(old, "write").close()
    copies = list(old.glob("*schema*"))
    assert [copy.name for copy in copies] == ["project.schema1.sqlite"]
    copies[0].replace(old / DATABASE)
    with Project.open(old, "read") as project:
        holds_what_it_held(project)


def test_a_migration_and_a_new_project_have_the_same_tables(old: Path, tmp_path: Path) -> None:
    def columns(folder: Path) -> dict[str, set[str]]:
        connection = sqlite3.connect(folder / DATABASE)
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {name: {row[1] for row in connection.execute(f"PRAGMA table_info({name})")} for name in tables}
        connection.close()
        return found

    Project.open(old, "write").close()
    Project.create(tmp_path / "new").close()
    assert columns(old) == columns(tmp_path / "new")
