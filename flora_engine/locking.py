"""One writer per project and per run, by a lock that the operating system drops when its holder dies."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import BinaryIO


class WriterLock:
    """A lock on one byte of `path`. Advisory on POSIX, mandatory on Windows; held per open file, not per process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO | None = None

    @property
    def held(self) -> bool:
        return self._file is not None

    def acquire(self, patience: float = 0.0) -> bool:
        """Take the lock, trying for `patience` seconds; False if somebody else has it.

        `is_locked` in another process takes the lock for an instant. OSError if the folder cannot be written.
        """
        if self._file is not None:
            return True
        file = self.path.open("ab+")
        if not _try(file, patience):
            file.close()
            return False
        # Who holds it, for the message of the second; written behind the locked byte, which Windows lets nobody read.
        file.truncate(0)
        file.write(b" " + json.dumps({"pid": os.getpid(), "host": platform.node()}).encode())
        file.flush()
        self._file = file
        return True

    def holder(self) -> str:
        """Who holds the lock, in words."""
        who = holder_of(self.path)
        return "another program" if who is None else f"process {who[0]} on {who[1]}"

    def release(self) -> None:
        if self._file is not None:
            _unlock(self._file)
            self._file.close()
            self._file = None


def holder_of(path: Path) -> tuple[int, str] | None:
    """Process number and host of who took the lock last; None if nobody left a note."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError), path.open("rb") as file:
        file.seek(1)
        who = json.loads(file.read())
        return int(who["pid"]), str(who["host"])
    return None


def is_locked(path: Path) -> bool:
    """Whether a living process, this one included, holds the lock; the file is neither made nor changed."""
    try:
        file = path.open("rb+")
    except OSError:
        return False
    with file:
        if not _try(file, 0.0):
            return True
        _unlock(file)
        return False


def _try(file: BinaryIO, patience: float) -> bool:
    end = time.monotonic() + patience
    while True:
        try:
            _lock(file)
        except OSError:
            if time.monotonic() >= end:
                return False
            time.sleep(0.02)
        else:
            return True


if sys.platform == "win32":
    import msvcrt

    def _lock(file: BinaryIO) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

    def _unlock(file: BinaryIO) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
