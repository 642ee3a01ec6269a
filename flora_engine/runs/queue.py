"""Trainings that wait for their turn, in one small file. No torch.

The file is read anew and replaced under a lock with each change, so that two windows do not start the same training.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from flora_engine.errors import FloraError
from flora_engine.files import write_text
from flora_engine.locking import WriterLock

_PATIENCE = 2.0  # seconds that a change waits for one of another window


class Waiting(BaseModel):
    """One training. arguments: of the recipe `train`. id: unique in the queue."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    title: str
    arguments: dict[str, Any]


class Queue:
    """The file at `path`; there need not be one yet. Every method raises FloraError if it cannot be read or written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self) -> list[Waiting]:
        """What waits, in turn."""
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            return [Waiting.model_validate(entry) for entry in content["waiting"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
            raise FloraError(
                f"the queue of trainings cannot be read: {' '.join(str(error).split())[:200]}",
                path=self.path,
                remedy="Remove this file to begin with an empty queue.",
            ) from None

    def add(self, title: str, arguments: Mapping[str, Any], place: int | None = None) -> Waiting:
        """Put a training at the end, or at a place."""
        entry = Waiting(id=f"{time.time_ns():x}", title=title, arguments=dict(arguments))
        with self._changing() as entries:
            entries.insert(len(entries) if place is None else place, entry)
        return entry

    def take(self) -> Waiting | None:
        """Take the first one out; None if nothing waits."""
        with self._changing() as entries:
            return entries.pop(0) if entries else None

    def remove(self, id: str) -> tuple[int, Waiting] | None:
        """Take one out; returns its place and what it was, None if it waits no more."""
        with self._changing() as entries:
            place = next((place for place, one in enumerate(entries) if one.id == id), None)
            return None if place is None else (place, entries.pop(place))

    def move(self, id: str, by: int) -> None:
        """Move one by so many places, as far as there are places."""
        with self._changing() as entries:
            place = next((place for place, one in enumerate(entries) if one.id == id), None)
            if place is not None:
                entries.insert(max(0, place + by), entries.pop(place))

    @contextlib.contextmanager
    def _changing(self) -> Iterator[list[Waiting]]:
        """The entries, to be changed in place; written at the end."""
        lock = WriterLock(self.path.with_suffix(".lock"))
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not lock.acquire(_PATIENCE):
                raise FloraError(f"{lock.holder()} is changing the queue of trainings", path=self.path)
            entries = self.entries()
            before = list(entries)
            yield entries
            if entries != before:
                content = {"waiting": [entry.model_dump(mode="json") for entry in entries]}
                write_text(self.path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        except OSError as error:
            raise FloraError(f"the queue of trainings cannot be written: {error.strerror}", path=self.path) from None
        finally:
            lock.release()
