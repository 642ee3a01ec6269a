"""One writer per project, by a lock that the operating system drops when its holder dies."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
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

    def acquire(self) -> bool:
        """Take the lock; False where somebody else has it. OSError where the folder cannot be written."""
        if self._file is not None:
            return True
        file = self.path.open("ab+")
        try:
            _lock(file)
        except OSError:
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
        with contextlib.suppress(OSError, ValueError, KeyError), self.path.open("rb") as file:
            file.seek(1)
            who = json.loads(file.read())
            return f"process {who['pid']} on {who['host']}"
        return "another program"

    def release(self) -> None:
        if self._file is not None:
            _unlock(self._file)
            self._file.close()
            self._file = None


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
