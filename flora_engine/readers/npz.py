"""Our own exchange format: a `.npz` archive that any NumPy can write (docs/formats.md), and writing it."""

from __future__ import annotations

import io
import json
import math
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.files import replacing
from flora_engine.readers import _input
from flora_engine.skeleton import KINECT_V2, LAYOUTS, SkeletonSequence

FORMAT, VERSION = "flora-sequence", 1
MAX_FPS = 1000.0
_MEMBER_BYTES = _input.MAX_VALUES * 4
_NPY_HEADER = 65536
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, TypeError, KeyError, IndexError, OverflowError),
    *(NotImplementedError, RuntimeError, SyntaxError, tokenize.TokenError, MemoryError, AttributeError),
)


def claims(path: Path, head: bytes) -> bool:
    return path.suffix.lower() == ".npz"


class Archive:
    """The arrays of an `.npz` file, read one by one within bounds; object arrays (pickles) are refused."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(_input.read_bytes(path, _MEMBER_BYTES)))
            self.names = {info.filename.removesuffix(".npy") for info in self._zip.infolist()}
        except _DAMAGE as error:
            raise FloraError(f"is no usable .npz archive ({error})", path=path, remedy=_input.COPY_AGAIN) from None

    def array(self, name: str) -> NDArray[np.generic] | None:
        """The array of that name or None; FloraError for damage, objects, or a false claim in a header."""
        if name not in self.names:
            return None
        try:
            with self._zip.open(f"{name}.npy") as member:
                data = member.read(_MEMBER_BYTES + _NPY_HEADER)
            stream = io.BytesIO(data)
            version = np.lib.format.read_magic(stream)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = header(stream, max_header_size=_NPY_HEADER)
        except _DAMAGE as error:
            raise self.wrong(f"holds a damaged array ({error or type(error).__name__})", name) from None
        if dtype.hasobject or dtype.kind not in "biufUS":
            raise self.wrong("holds Python objects, which are never loaded", name)
        left = len(data) - stream.tell()
        if math.prod(shape) * dtype.itemsize != left or min(shape, default=0) < 0:
            raise self.wrong(f"claims shape {shape} of {dtype}, but holds {left} bytes", name)
        if left == 0:
            return np.empty(shape, dtype)
        flat = np.frombuffer(data, dtype, offset=stream.tell())
        return flat.reshape(shape, order="F" if fortran else "C")

    def text(self, name: str) -> str | None:
        value = self.array(name)
        if value is None:
            return None
        if value.ndim or value.dtype.kind != "U":
            raise self.wrong("should be one string", name)
        try:
            return str(value[()])
        except (ValueError, UnicodeError) as error:
            raise self.wrong(f"is no valid text ({error})", name) from None

    def number(self, name: str) -> float | None:
        value = self.array(name)
        if value is None:
            return None
        if value.size != 1 or value.dtype.kind not in "iuf":
            raise self.wrong("should be one number", name)
        return float(value.reshape(-1).astype(np.float64)[0])

    def fps(self, default: float) -> float:
        fps = self.number("fps")
        return default if fps is None else check_fps(fps, self.path)

    def wrong(self, problem: str, name: str) -> FloraError:
        return FloraError(problem, path=self.path, where=f"array `{name}`", remedy="Write the file again.")


def check_fps(fps: float, path: Path) -> float:
    if not 0 < fps <= MAX_FPS:  # also refuses NaN
        raise FloraError(f"has a frame rate of {fps:g}", path=path, remedy=f"It must be above 0, at most {MAX_FPS:g}.")
    return fps


def read(path: Path, head: bytes) -> SkeletonSequence | None:
    """One recording; None where it is no `.npz`; FloraError where it is broken or holds something else."""
    if not claims(path, head):
        return None
    if not head.startswith(b"PK"):
        raise FloraError(
            f"is no .npz archive (it looks like {_input.looks_like(head)})", path=path, remedy=_input.COPY_AGAIN
        )
    archive = Archive(path)
    for name, build in _KINDS.items():
        if name in archive.names:
            return build(archive)
    raise FloraError(
        f"holds no array `joints`, only {', '.join(sorted(archive.names)[:8]) or 'nothing'}",
        path=path,
        remedy="A recording needs joints (T, M, V, 3); docs/formats.md describes the rest.",
    )


def _exchange(archive: Archive) -> SkeletonSequence:
    path = archive.path
    version = archive.number("version")
    if version is not None and version != VERSION:
        raise FloraError(
            f"has version {version:g} of our format, known is {VERSION}", path=path, remedy="Update Flora."
        )
    layout = archive.text("layout") or KINECT_V2.name
    if layout not in LAYOUTS:
        raise FloraError(f"has the unknown layout {layout!r}", path=path, remedy=f"Known are {', '.join(LAYOUTS)}.")
    values = archive.array("joints")
    assert values is not None
    if values.ndim == 3:
        values = values[:, None]
    joint_count = len(LAYOUTS[layout].joints)
    if values.ndim != 4 or values.shape[2:] != (joint_count, 3) or values.dtype.kind not in "iuf" or not values.size:
        raise archive.wrong(
            f"has shape {values.shape} of {values.dtype}; {layout} needs numbers (T, M, {joint_count}, 3)", "joints"
        )
    _input.check_size(path, *values.shape[:3])
    tracking = archive.array("tracking")
    if tracking is not None and (tracking.shape != values.shape[:3] or tracking.dtype != np.uint8):
        raise archive.wrong(f"should be uint8 of shape {values.shape[:3]}", "tracking")
    if tracking is not None and int(tracking.max()) > 2:
        raise archive.wrong("should hold 0, 1 or 2", "tracking")
    return SkeletonSequence(
        joints=_input.as_joints(values, path),
        fps=archive.fps(30.0),
        layout=layout,
        tracking=None if tracking is None else tracking.astype(np.uint8),
        name=archive.text("name") or path.stem,
        source=path,
        metadata=_metadata(archive),
        body_ids=_body_ids(archive, values.shape[1]),
    )


def _metadata(archive: Archive) -> dict[str, int | str]:
    text = archive.text("metadata")
    if text is None:
        return {}
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise archive.wrong(f"is not valid JSON ({error})", "metadata") from None
    if not isinstance(content, dict) or not all(type(value) in (int, str) for value in content.values()):
        raise archive.wrong("should be a JSON object whose values are integers and strings", "metadata")
    return content


def _body_ids(archive: Archive, persons: int) -> tuple[str, ...] | None:
    ids = archive.array("body_ids")
    if ids is None:
        return None
    if ids.shape != (persons,) or ids.dtype.kind != "U":
        raise archive.wrong(f"should be {persons} string(s), one for each person", "body_ids")
    try:
        return tuple(str(i) for i in ids)
    except (ValueError, UnicodeError) as error:
        raise archive.wrong(f"is no valid text ({error})", "body_ids") from None


# What an archive is, by the array it must hold.
_KINDS: dict[str, Callable[[Archive], SkeletonSequence]] = {"joints": _exchange}


def write_npz(sequence: SkeletonSequence, path: Path) -> None:
    """Write the exchange format (compressed); it reads back equal but for `source`."""
    arrays: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "joints": sequence.joints.astype(np.float32),
        "fps": float(sequence.fps),
        "layout": sequence.layout,
        "name": sequence.name,
        "metadata": json.dumps(sequence.metadata, ensure_ascii=False),
    }
    if sequence.tracking is not None:
        arrays["tracking"] = sequence.tracking.astype(np.uint8)
    if sequence.body_ids is not None:
        arrays["body_ids"] = np.array(sequence.body_ids, dtype=np.str_)
    try:
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)
    except OSError as error:
        raise FloraError(
            f"cannot be written ({error.strerror or error})", path=path, remedy="Check the disk."
        ) from None
