"""`.npz` archives read one array at a time, within bounds, and never a pickle."""

from __future__ import annotations

import io
import math
import tokenize
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.readers import _input

MAX_FPS = 1000.0
_MEMBER_BYTES = _input.MAX_VALUES * 4
_NPY_HEADER = 65536
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, TypeError, KeyError, IndexError, OverflowError),
    *(NotImplementedError, RuntimeError, SyntaxError, tokenize.TokenError, MemoryError, AttributeError),
)


def _npy_header(stream: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    version = np.lib.format.read_magic(stream)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = header(stream, max_header_size=_NPY_HEADER)
    return shape, fortran, dtype


def parse_npy(data: bytes) -> NDArray[np.generic]:
    """The array in the bytes of a `.npy` file; ValueError for damage, objects, or a false claim in its header."""
    stream = io.BytesIO(data)
    try:
        shape, fortran, dtype = _npy_header(stream)
    except _DAMAGE as error:
        raise ValueError(f"holds a damaged array ({_input.shown(error) or type(error).__name__})") from None
    if dtype.hasobject or dtype.kind not in "biufUS":
        raise ValueError("holds Python objects, which are never loaded")
    left = len(data) - stream.tell()
    if math.prod(shape) * dtype.itemsize != left or min(shape, default=0) < 0:
        raise ValueError(f"claims shape {_input.shown(shape)} of {dtype}, but holds {left} bytes")
    if left == 0:
        return np.empty(shape, dtype)
    flat = np.frombuffer(data, dtype, offset=stream.tell())
    return flat.reshape(shape, order="F" if fortran else "C")


def array_names(path: Path) -> set[str]:
    """The names of the arrays in an archive of any size, which is not read; empty if it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {info.filename.removesuffix(".npy") for info in archive.infolist()}
    except _DAMAGE:
        return set()


class Archive:
    """The arrays of an `.npz` file, read one by one within bounds; object arrays (pickles) are refused."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(_input.read_bytes(path, _MEMBER_BYTES)))
            self.names = {info.filename.removesuffix(".npy") for info in self._zip.infolist()}
        except _DAMAGE as error:
            raise FloraError(
                f"is no usable .npz archive ({_input.shown(error)})", path=path, remedy=_input.COPY_AGAIN
            ) from None

    def array(self, name: str) -> NDArray[np.generic] | None:
        """The array of that name or None; FloraError for damage, objects, or a false claim in a header."""
        if name not in self.names:
            return None
        try:
            with self._zip.open(f"{name}.npy") as member:
                data = member.read(_MEMBER_BYTES + _NPY_HEADER)
        except _DAMAGE as error:
            raise self.wrong(f"holds a damaged array ({_input.shown(error) or type(error).__name__})", name) from None
        try:
            return parse_npy(data)
        except ValueError as error:
            raise self.wrong(str(error), name) from None

    def dtype_kind(self, name: str) -> str:
        """NumPy's letter for the kind of an array, from its header alone; "" where that is damaged."""
        try:
            with self._zip.open(f"{name}.npy") as member:
                return _npy_header(io.BytesIO(member.read(_NPY_HEADER)))[2].kind
        except (*_DAMAGE, KeyError):
            return ""

    def text(self, name: str) -> str | None:
        value = self.array(name)
        if value is None:
            return None
        if value.ndim or value.dtype.kind != "U":
            raise self.wrong("should be one string", name)
        try:
            return str(value[()])
        except (ValueError, UnicodeError) as error:
            raise self.wrong(f"is no valid text ({_input.shown(error)})", name) from None

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
