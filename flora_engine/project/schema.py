"""The tables of a project, their version, and opening the database without ever harming it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from flora_engine.errors import FloraError
from flora_engine.files import replacing
from flora_engine.project.columns import NAMES

DATABASE = "project.sqlite"
VERSION = 3
OLDEST_READABLE = 1  # a project of this version or later can be read as it is; only writing needs the newest

# Who said a label, when (seconds since 1970), and which model had proposed it; "" and 0 if that is not known.
_SAID = "author TEXT NOT NULL DEFAULT ''; time REAL NOT NULL DEFAULT 0; model TEXT NOT NULL DEFAULT ''"
# What models said, which is never mixed with the labels and never changed: the newest row of a recording counts.
_STATEMENTS = """
CREATE TABLE timelines (  -- segments: JSON [[class, begin, end, score], …], frames [begin, end); scores: of all cells
    id INTEGER PRIMARY KEY AUTOINCREMENT, sequence INTEGER NOT NULL REFERENCES sequences (id),
    time REAL NOT NULL, model TEXT NOT NULL, segments TEXT NOT NULL, scores BLOB
);
CREATE INDEX timelines_sequence ON timelines (sequence);
CREATE TABLE rankings (  -- ranking: JSON [[class, score], …], best first; none: the probability of none of them
    id INTEGER PRIMARY KEY AUTOINCREMENT, sequence INTEGER NOT NULL REFERENCES sequences (id),
    time REAL NOT NULL, model TEXT NOT NULL, ranking TEXT NOT NULL, none REAL
);
CREATE INDEX rankings_sequence ON rankings (sequence);
CREATE TABLE latents (  -- what a model needs of a confirmed recording to learn from it; can be made again
    sequence INTEGER NOT NULL REFERENCES sequences (id), model TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (sequence, model)
) WITHOUT ROWID;
CREATE TABLE class_sets (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, actions TEXT NOT NULL);
"""

_TABLES = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE folders (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);
CREATE TABLE sequences (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    folder INTEGER NOT NULL REFERENCES folders (id), file TEXT NOT NULL,  -- where it came from; may be gone since
    hash BLOB NOT NULL,
    {" ".join(f"{name} INTEGER NOT NULL DEFAULT 0," for name in NAMES)}
    layout TEXT NOT NULL, fps REAL NOT NULL,
    frames INTEGER NOT NULL, persons INTEGER NOT NULL, joints INTEGER NOT NULL, tracked INTEGER NOT NULL,
    segment INTEGER NOT NULL, offset INTEGER NOT NULL,
    metadata TEXT NOT NULL,  -- JSON: the rest of what the file said, and the body ids
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
CREATE TABLE labels (  -- begin and end: frames [begin, end); both NULL: the whole recording
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sequence INTEGER NOT NULL REFERENCES sequences (id) DEFERRABLE INITIALLY DEFERRED,
    class INTEGER NOT NULL REFERENCES classes (id) DEFERRABLE INITIALLY DEFERRED,
    begin INTEGER, "end" INTEGER, origin TEXT NOT NULL, score REAL,
    {_SAID.replace(";", ",").rstrip(",")}
);
CREATE UNIQUE INDEX labels_whole ON labels (sequence) WHERE begin IS NULL;
CREATE INDEX labels_spans ON labels (sequence) WHERE begin IS NOT NULL;
CREATE INDEX labels_class ON labels (class);
CREATE TABLE splits (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, split TEXT NOT NULL);
CREATE TABLE history (id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, title TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('done', 'undone', 'dropped')));
CREATE TABLE changes (  -- one changed row of an edit; before and after are JSON of its columns, NULL: no such row
    edit INTEGER NOT NULL REFERENCES history (id), position INTEGER NOT NULL,
    name TEXT NOT NULL, row INTEGER NOT NULL, sequence INTEGER, before TEXT, after TEXT, PRIMARY KEY (edit, position)
) WITHOUT ROWID;
CREATE INDEX changes_sequence ON changes (sequence) WHERE sequence IS NOT NULL;
{_STATEMENTS}"""


def add_number(connection: sqlite3.Connection, name: str) -> None:
    """The step of a migration that brings a new row of columns.NUMBERS; 0, unknown, for the recordings there are."""
    connection.execute(f"ALTER TABLE sequences ADD COLUMN {name} INTEGER NOT NULL DEFAULT 0")


def _without_runs_and_features(connection: sqlite3.Connection) -> None:
    """Version 1 had tables of run folders and of features, which nothing ever read."""
    connection.execute("DROP TABLE runs")
    connection.execute("DROP TABLE features")


def _with_statements(connection: sqlite3.Connection) -> None:
    """Version 2 did not know who said a label, and had no place for what models say and for sets of actions."""
    for column in _SAID.split(";"):
        connection.execute(f"ALTER TABLE labels ADD COLUMN {column}")
    for statement in _STATEMENTS.split(";\n"):
        connection.execute(statement)


# version -> what brings a database of that version to the next; run in one transaction, after a copy was made
MIGRATIONS: dict[int, Callable[[sqlite3.Connection], None]] = {
    1: _without_runs_and_features,
    2: _with_statements,
}


def create_database(folder: Path) -> None:
    """Make an empty project database in one step, so that a crash leaves none or a whole one."""
    with replacing(folder / DATABASE) as temporary:
        try:
            with closing(sqlite3.connect(temporary, isolation_level=None)) as connection:
                connection.executescript(f"PRAGMA journal_mode = WAL; BEGIN; {_TABLES}")
                connection.execute("INSERT INTO meta VALUES ('schema_version', ?)", (str(VERSION),))
                connection.execute("COMMIT")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            for path in folder.glob(f"{temporary.name}-*"):  # SQLite's own, after a failure
                path.unlink(missing_ok=True)


def connect(path: Path, write: bool) -> sqlite3.Connection:
    """Open an existing database; to write, bring an older one to VERSION.

    FloraError if it is not a project, is damaged, is newer than this program, or is too old to be read as it is.
    """
    try:
        connection = _connect(path, write)
        try:
            _prepare(connection, path, write)
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise FloraError(
            f"the project database cannot be opened: {error}",
            path=path,
            remedy="It was left as it is; restore the project folder from a copy.",
        ) from None
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, write: bool) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")  # a commit that returned is on the disk
    connection.execute("PRAGMA busy_timeout = 10000")
    connection.execute("PRAGMA cache_size = -16000")  # KiB
    version = _version(connection, path)
    if version > VERSION:
        raise FloraError(
            f"the project was made by a newer version of the program (schema {version}, this one knows {VERSION})",
            path=path,
            remedy="Update the program.",
        )
    if write and version < VERSION:
        _migrate(connection, path, version)
    elif version < OLDEST_READABLE:
        raise FloraError(f"the project has the older schema {version}", path=path, remedy="Open it once for writing.")


def _connect(path: Path, write: bool) -> sqlite3.Connection:
    uri = path.resolve().as_uri() + ("?mode=rw" if write else "?mode=ro")
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        # A folder that cannot be written has no place for the shared-memory file that WAL needs; without a log
        # beside the database nothing can change it either, and SQLite may read it as it is.
        if write or Path(f"{path}-wal").exists():
            raise
        connection = sqlite3.connect(uri + "&immutable=1", uri=True, isolation_level=None, check_same_thread=False)
    return connection


def _version(connection: sqlite3.Connection, path: Path) -> int:
    try:
        row = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        row = None
    if row is None or not str(row[0]).isdigit():
        raise FloraError("this database is not a Flora project", path=path)
    return int(row[0])


def _migrate(connection: sqlite3.Connection, path: Path, version: int) -> None:
    """Bring the database to VERSION; all or nothing, with a copy of the old one beside it.

    The copy is made under another name first, so that what is called a copy is always whole.
    """
    copy = path.with_name(f"project.schema{version}.sqlite")
    with replacing(copy) as temporary:
        connection.execute("VACUUM INTO ?", (str(temporary),))
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in range(version, VERSION):
            MIGRATIONS[step](connection)
        connection.execute("UPDATE meta SET value = ? WHERE key = 'schema_version'", (str(VERSION),))
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
