"""Arrays on disk: found again, bounded, shared by processes, and never trusted if damaged."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from flora_engine import array_cache
from flora_engine.array_cache import ArrayCache


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "some.sqlite"


def test_what_was_put_is_found_by_the_next_program(path: Path) -> None:
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros((0, 4), np.float32)}
    ArrayCache("some", path, 10**6).put(arrays)
    found = ArrayCache("some", path, 10**6).get(["a", "b", "c"])
    assert set(found) == {"a", "b"}
    for key, array in arrays.items():
        np.testing.assert_array_equal(found[key], array)
        assert found[key].shape == array.shape and found[key].flags.writeable


def test_more_keys_than_one_question_takes(path: Path) -> None:
    cache = ArrayCache("some", path, 10**7)
    cache.put({f"k{i}": np.full(3, i, np.float32) for i in range(1200)})
    found = cache.get([f"k{i}" for i in range(1300)])
    assert len(found) == 1200 and found["k1199"][0] == 1199


def test_the_least_recently_used_go_first(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, clock = ArrayCache("some", path, 300_000), [0.0]
    monkeypatch.setattr(array_cache.time, "time", lambda: clock[0])
    for i in range(60):
        clock[0] += 7200
        cache.put({f"k{i}": np.zeros(2500, np.float32)})  # 10 kB each
        assert "k0" in cache.get(["k0"])  # used all the time
    kept = cache.get([f"k{i}" for i in range(60)])
    assert "k59" in kept and "k1" not in kept and 10 < len(kept) < 35
    assert path.stat().st_size < 400_000


def test_a_damaged_array_is_as_if_it_were_not_there(path: Path) -> None:
    cache = ArrayCache("some", path, 10**6)
    cache.put({"good": np.ones(4, np.float32), "bad": np.ones(4, np.float32), "odd": np.ones(4, np.float32)})
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE arrays SET data = ? WHERE key = 'bad'", (np.zeros(4, np.float32).tobytes(),))
        database.execute("UPDATE arrays SET shape = '3 2' WHERE key = 'odd'")
    assert set(cache.get(["good", "bad", "odd"])) == {"good"}


def test_a_damaged_file_is_begun_anew(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is no database" * 1000)
    cache = ArrayCache("some", path, 10**6)
    assert cache.get(["a"]) == {}
    cache.put({"a": np.ones(1, np.float32)})
    assert cache.get(["a"])["a"] == 1


def test_a_place_that_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    cache = ArrayCache("some", tmp_path / "file" / "some.sqlite", 10**6)
    cache.put({"a": np.ones(1, np.float32)})
    assert cache.get(["a"]) == {}


def test_a_limit_of_zero_keeps_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(array_cache.LIMIT, "0")
    ArrayCache("some", path).put({"a": np.ones(1, np.float32)})
    assert not path.exists()
    monkeypatch.setenv(array_cache.LIMIT, "much")
    assert array_cache.limit() == array_cache.DEFAULT_MB * 2**20


def test_many_threads_at_once(path: Path) -> None:
    cache = ArrayCache("some", path, 10**7)

    def work(number: int) -> None:
        for i in range(10):
            cache.put({f"{number} {i}": np.full(5, number, np.float32)})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(cache.get([f"{number} {i}" for number in range(4) for i in range(10)])) == 40
