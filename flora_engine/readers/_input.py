"""What all readers share: bounded reading of bytes, bounded arrays, sentences for files that cannot be opened."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.skeleton import SkeletonSequence

HEAD_BYTES = 4096
MAX_TEXT_BYTES = 256 * 2**20  # a day of one-person NTU text is far more than anybody records in one file
MAX_JSON_BYTES = 64 * 2**20  # parsed JSON takes some ten times its size
MAX_VALUES = 2**26  # coordinates of one recording: 256 MiB of float32, some 8 hours of one person
FLOAT32_MAX = float(np.finfo(np.float32).max)
COPY_AGAIN = "Copy or download the file again, or leave it out."

_BLANK = re.compile(rb"\s")
_SIGNATURES = (
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG", "a PNG picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\x7fELF", "a program"),
    (b"RIFF", "a RIFF video or sound"),
    (b"MATLAB 5.0", "a MATLAB file"),
    (b"version https://git-lfs", "a Git LFS pointer, not the recording itself"),
)


def looks_like(head: bytes) -> str:
    """Plain words for what the first bytes of a file show: "a JPEG picture", "text", "binary data"."""
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            return name
    if head[4:8] == b"ftyp":
        return "a video"
    return "text" if is_text(head) else "binary data"


def is_text(head: bytes) -> bool:
    """Whether the bytes hold no control characters but white space."""
    return not re.search(rb"[\x00-\x08\x0e-\x1f\x7f]", head)


def _cannot(path: Path, error: OSError) -> FloraError:
    if isinstance(error, FileNotFoundError):
        return FloraError("there is no such file", path=path, remedy="Check the name and the folder.")
    if isinstance(error, PermissionError):
        return FloraError("may not be read by you", path=path, remedy="Change its permissions or copy it elsewhere.")
    return FloraError(f"cannot be read ({error.strerror or error})", path=path, remedy="Check the disk and the path.")


def shown(text: object, most: int = 80) -> str:
    """What a file said, fit for a sentence: one line, nothing unprintable, not long."""
    line = "".join(c if c.isprintable() else "?" for c in str(text)[: most + 1])
    return line if len(line) <= most else f"{line[: most - 3]}..."


def read_head(path: Path) -> bytes:
    """The first bytes of a regular, non-empty file; FloraError otherwise (a directory, a pipe, missing, forbidden)."""
    try:
        if path.is_dir():
            raise FloraError("is a folder, not a recording", path=path, remedy="Open the files inside, or import it.")
        if path.exists() and not path.is_file():  # a pipe or a device could block for ever
            raise FloraError("is not a regular file", path=path, remedy="Copy the recording to a file first.")
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise _cannot(path, error) from None
    except ValueError as error:  # a NUL in the name
        raise FloraError(f"cannot be opened ({error})", path=str(path).replace("\0", "\\0")) from None
    if not head:
        raise FloraError("is empty (0 bytes)", path=path, remedy=COPY_AGAIN)
    return head


def read_bytes(path: Path, limit: int = MAX_TEXT_BYTES) -> bytes:
    """The whole file, at most `limit` bytes; FloraError for longer files, before any of it is read."""
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            data = file.read(size + 1) if size <= limit else None  # read(n) sets n bytes aside, so n is the real size
    except OSError as error:
        raise _cannot(path, error) from None
    if data is None or len(data) > limit:
        raise FloraError(
            f"has more than {limit // 2**20} MiB, too much for one recording of this format",
            path=path,
            remedy="Cut it into shorter recordings.",
        )
    return data


def check_size(path: Path, frames: int, persons: int, joints: int) -> None:
    """Refuse an array that is larger than any recording, before it is allocated."""
    if frames * persons * joints * 3 > MAX_VALUES:
        raise FloraError(
            f"says it holds {frames} frames of {persons} person(s) with {joints} joints, more than one recording can",
            path=path,
            remedy="Cut it into shorter recordings, or check its header.",
        )


def as_joints(values: NDArray[np.generic], path: Path) -> NDArray[np.float32]:
    """float32, with a value beyond float32's range (an absurd coordinate) refused rather than made infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        joints = values.astype(np.float32)
    lost = np.isinf(joints)
    if lost.any():
        frame = int(np.argwhere(lost)[0][0]) + 1
        raise FloraError("holds an infinite coordinate", path=path, where=f"frame {frame}", remedy=COPY_AGAIN)
    return joints


def check_finite(sequence: SkeletonSequence, path: Path) -> SkeletonSequence:
    """Refuse NaN joints, saying where the first is."""
    bad = np.isnan(sequence.joints)
    if bad.any():
        frame, person, joint, _ = (int(i) for i in np.argwhere(bad)[0])
        raise FloraError(
            f"holds {int(bad.any(axis=3).sum())} joints that are NaN (not a number)",
            path=path,
            where=f"the first in frame {frame + 1}, person {person + 1}, {sequence.skeleton.joints[joint]}",
            remedy="Fill the gaps where it was recorded, or leave it out; `flora info` shows how much is missing.",
        )
    return sequence


def floats_of(data: bytes, start: int = 0) -> NDArray[np.float64]:
    """All blank-separated numbers from byte `start` on, block by block to bound memory; ValueError for others."""
    blocks = [np.empty(0)]
    while start < len(data):
        gap = _BLANK.search(data, start + 2**20)
        end = gap.start() if gap else len(data)
        words = data[start:end].split()
        blocks.append(np.fromiter(map(float, words), np.float64, len(words)))
        start = end
    return np.concatenate(blocks)


def numbers(pattern: re.Pattern[str], name: str) -> dict[str, int | str]:
    """Named integer groups of a file-name pattern as metadata; empty where the name does not match."""
    match = pattern.search(name)
    return {key: int(value) for key, value in match.groupdict().items()} if match else {}
