"""Which errors users can do something about, and what they are told."""

from __future__ import annotations

import errno

import pytest

from flora_engine.errors import DiskFullError, FloraError, NotEnoughMemoryError, explained


class OutOfMemoryError(RuntimeError):
    """As torch names its own."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), NotEnoughMemoryError),
        (OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), NotEnoughMemoryError),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
            NotEnoughMemoryError,
        ),
        (RuntimeError("std::bad_alloc"), NotEnoughMemoryError),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), NotEnoughMemoryError),
        (SystemError("error return without exception set"), NotEnoughMemoryError),
        (OSError(errno.ENOSPC, "No space left on device"), DiskFullError),
        (RuntimeError("SafetensorError: I/O error: No space left on device (os error 28)"), DiskFullError),
    ],
)
def test_full_memory_and_disk_are_said_with_the_way_on(error: Exception, kind: type[FloraError]) -> None:
    found = explained(error)
    assert type(found) is kind and "resume" in str(found)


def test_others_stay_what_they_are() -> None:
    mine = FloraError("no")
    assert explained(mine) is mine
    assert explained(ZeroDivisionError("a bug")) is None and explained(ModuleNotFoundError("x", name="x")) is None
    missing = explained(ModuleNotFoundError("no torch", name="torch"))
    assert missing is not None and "flora-studio[train]" in str(missing)
