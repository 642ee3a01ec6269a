"""Arrays that are costly to make, kept on disk between runs: the least recently used go when there are too many.

One SQLite file per kind in the user's cache folder, which several processes may use at once. Losing it costs time only:
whatever is wrong with the file or the disk, the arrays are made again.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.resources import cache_folder

Floats32 = NDArray[np.float32]
LIMIT = "FLORA_CACHE_MB"  # the variable that says how large each file may become; 0: nothing is kept
DEFAULT_MB = 256
_PATIENCE = 2.0  # seconds to wait for another process that writes
_RECENT = 3600  # seconds within which a second use is not noted
_ASKED = 500  # keys per question
_TABLE = """CREATE TABLE IF NOT EXISTS arrays
    (key TEXT PRIMARY KEY, shape TEXT, data BLOB, sum INTEGER, used INTEGER) WITHOUT ROWID"""


def limit() -> int:
    """Bytes that each cache file may have."""
    try:
        return max(0, int(float(os.environ.get(LIMIT, DEFAULT_MB)) * 2**20))
    except ValueError:
        return DEFAULT_MB * 2**20


class ArrayCache:
    """float32 arrays by key. Methods may be called from any thread and process, and never raise.

    path: its file, `NAME.sqlite` in the user's cache folder by default. most: bytes; None takes `limit`.
    """

    def __init__(self, name: str, path: Path | None = None, most: int | None = None) -> None:
        self.path = cache_folder() / "arrays" / f"{name}.sqlite" if path is None else path
        self._most = limit() if most is None else most

    def get(self, keys: Sequence[str]) -> dict[str, Floats32]:
        """The arrays that are kept, by key; a damaged one is not."""
        found: dict[str, Floats32] = {}

        def read(database: sqlite3.Connection) -> None:
            now, aged = int(time.time()), []
            for start in range(0, len(keys), _ASKED):
                asked = list(keys[start : start + _ASKED])
                marks = ",".join("?" * len(asked))
                question = f"SELECT key, shape, data, sum, used FROM arrays WHERE key IN ({marks})"
                for key, shape, data, checksum, used in database.execute(question, asked):
                    array = _array(shape, data, checksum)
                    if array is not None:
                        found[key] = array
                        aged += [(now, key)] if now - used > _RECENT else []
            if aged:
                database.executemany("UPDATE arrays SET used = ? WHERE key = ?", aged)

        if self._most and self.path.is_file():
            self._within(read)
        return found

    def put(self, arrays: Mapping[str, Floats32]) -> None:
        """Keep these too, and let the least recently used go if there are too many."""
        now = int(time.time())
        rows = []
        for key, array in arrays.items():
            data = np.ascontiguousarray(array, "<f4").tobytes()
            rows.append((key, " ".join(map(str, array.shape)), data, zlib.crc32(data), now))

        def write(database: sqlite3.Connection) -> None:
            database.executemany("INSERT OR REPLACE INTO arrays VALUES (?, ?, ?, ?, ?)", rows)
            while _size(database) > self._most:
                count = int(database.execute("SELECT count(*) FROM arrays").fetchone()[0])
                if not count:
                    return
                gone = "DELETE FROM arrays WHERE key IN (SELECT key FROM arrays ORDER BY used, key LIMIT ?)"
                database.execute(gone, (max(1, count // 10),))

        if self._most and rows:
            self._within(write)

    def _within(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Do this in one transaction. A damaged file is removed, to be begun anew; other problems change nothing."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.closing(sqlite3.connect(self.path, timeout=_PATIENCE)) as database, database:
                database.execute("PRAGMA synchronous = OFF")
                database.execute(_TABLE)
                work(database)
        except sqlite3.OperationalError:  # locked for too long, a full disk, a folder that cannot be written
            return
        except sqlite3.DatabaseError:
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)
        except OSError:
            return


def _size(database: sqlite3.Connection) -> int:
    """Bytes of the pages that are in use."""
    pages, free, size = (
        int(database.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def _array(shape: str, data: bytes, checksum: int) -> Floats32 | None:
    """The stored array; None if it is damaged."""
    if zlib.crc32(data) != checksum:
        return None
    try:
        return np.frombuffer(data, "<f4").reshape([int(length) for length in shape.split()]).copy()
    except ValueError:
        return None
