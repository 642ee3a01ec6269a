"""The queue of trainings in its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from flora_engine.errors import FloraError
from flora_engine.locking import WriterLock
from flora_engine.runs import queue as queue_module
from flora_engine.runs.queue import Queue


def titles(queue: Queue) -> list[str]:
    return [entry.title for entry in queue.entries()]


def test_what_waits_is_taken_in_turn_by_whoever_looks(tmp_path: Path) -> None:
    queue, other = Queue(tmp_path / "new" / "queue.json"), Queue(tmp_path / "new" / "queue.json")
    assert queue.take() is None and queue.entries() == []
    entries = [queue.add(name, {"config": {"kind": "flora"}, "name": name}) for name in ("a", "b", "c")]
    assert titles(other) == ["a", "b", "c"]
    other.move(entries[2].id, -1)
    assert titles(queue) == ["a", "c", "b"]
    other.move(entries[0].id, -5)
    other.move("nobody", 1)
    assert titles(queue) == ["a", "c", "b"]
    removed = queue.remove(entries[2].id)
    assert removed is not None and removed[0] == 1 and queue.remove(entries[2].id) is None
    queue.add(removed[1].title, removed[1].arguments, removed[0])
    first = other.take()
    assert first is not None and first.arguments["name"] == "a"
    assert titles(queue) == ["c", "b"]


def test_a_queue_that_is_damaged_or_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_module, "_PATIENCE", 0.0)
    queue = Queue(tmp_path / "queue.json")
    queue.add("a", {})
    lock = WriterLock(tmp_path / "queue.lock")
    assert lock.acquire()
    with pytest.raises(FloraError, match="is changing the queue"):
        queue.take()
    lock.release()
    queue.path.write_text('{"waiting": [{"id": 1}]}')
    with pytest.raises(FloraError, match="Remove this file"):
        queue.entries()
    with pytest.raises(FloraError, match="Remove this file"):
        queue.add("b", {})
    assert "id" in queue.path.read_text(), "what cannot be read is not written over"
