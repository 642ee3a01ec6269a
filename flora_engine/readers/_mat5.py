"""One numeric array out of a MATLAB 5 file, whatever the file claims about itself.

scipy's reader allocates what a header asks for before it looks for the data, and unpacks compressed parts without
bound; this one reads a single real array by name and nothing else, in memory bounded by `limit`. Layout of the format:
"MAT-File Format", The MathWorks: a 128-byte header, then elements of (type, byte count, data padded to 8 bytes); type
15 is a zlib-compressed element, type 14 a matrix whose parts are flags, dimensions, name and values, again elements.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_COMPRESSED, _MATRIX = 15, 14
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_FIRST_NUMERIC_CLASS, _LAST_NUMERIC_CLASS, _COMPLEX = 6, 15, 0x0800


class BadMatError(ValueError):
    """The file is not what it says; the text completes the sentence "FILE ...."."""


@dataclass(frozen=True)
class _Part:
    kind: int
    data: memoryview


def read_array(data: bytes, name: str, limit: int) -> NDArray[np.generic] | None:
    """The real numeric array called `name`, in MATLAB's (column-major) shape; None where the file has no such name.

    Raises BadMatError for a file that is cut short, unpacks to more than `limit` bytes, or holds no numbers there.
    """
    order = _order(data)
    for inner in _matrices(data, order, limit):
        found = _matrix(inner.data, order, name)
        if found is not None:
            return found
    return None


def read_arrays(data: bytes, limit: int, most: int = 50) -> dict[str, NDArray[np.generic]]:
    """Every real numeric array of two axes or more by its name, at most `most`; BadMatError as `read_array`."""
    order = _order(data)
    found: dict[str, NDArray[np.generic]] = {}
    total = 0
    for inner in _matrices(data, order, limit):
        name = _name(inner.data, order)
        try:
            array = _matrix(inner.data, order, name)
        except BadMatError:  # a structure, a text, or damage: another array may be fine
            continue
        if array is None or not name or len(found) >= most:
            continue
        total += array.nbytes
        if total > limit:
            raise BadMatError(f"unpacks to more than {limit // 2**20} MiB")
        found[name] = array
    return found


def _order(data: bytes) -> str:
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None:
        raise BadMatError("is no MATLAB 5 file (save it with -v7 or -v6)")
    return order


def _matrices(data: bytes, order: str, limit: int) -> Iterator[_Part]:
    """The matrices of a file, unpacked."""
    for part in _parts(memoryview(data)[128:], order):
        inner: _Part | None = part
        if part.kind == _COMPRESSED:
            unpacker = zlib.decompressobj()
            try:
                unpacked = unpacker.decompress(part.data, limit)
            except zlib.error as error:
                raise BadMatError(f"holds damaged compressed data ({error})") from None
            if unpacker.unconsumed_tail:
                raise BadMatError(f"unpacks to more than {limit // 2**20} MiB")
            inner = next(_parts(memoryview(unpacked), order), None)
        if inner is not None and inner.kind == _MATRIX:
            yield inner


def _name(data: memoryview, order: str) -> str:
    """The name of a matrix, "" if its header is damaged."""
    _, _, name = (next(parts, None) for parts in [_parts(data, order)] for _ in range(3))
    return "" if name is None else bytes(name.data).decode("latin-1")


def _parts(data: memoryview, order: str) -> Iterator[_Part]:
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(order + "II", data, at)
        if kind >> 16:  # a small part: its size and up to four bytes of data share the eight bytes
            size, kind, start, step = kind >> 16, kind & 0xFFFF, at + 4, 8
            if size > 4:
                raise BadMatError("holds a damaged element header")
        else:
            start = at + 8
            step = 8 + (size if kind == _COMPRESSED else -(-size // 8) * 8)
        if start + size > len(data):
            raise BadMatError(f"claims {size} bytes where {len(data) - start} are left; it is cut short or damaged")
        yield _Part(kind, data[start : start + size])
        at += step


def _matrix(data: memoryview, order: str, wanted: str) -> NDArray[np.generic] | None:
    parts = _parts(data, order)
    flags, dimensions, name, values = (next(parts, None) for _ in range(4))
    if flags is None or len(flags.data) < 8 or dimensions is None or name is None:
        raise BadMatError("holds a damaged array header")
    if bytes(name.data).decode("latin-1") != wanted:
        return None
    (flag,) = struct.unpack_from(order + "I", flags.data)
    if not _FIRST_NUMERIC_CLASS <= flag & 0xFF <= _LAST_NUMERIC_CLASS or flag & _COMPLEX:
        raise BadMatError(f"holds {wanted} as something other than a real numeric array")
    if values is None or values.kind not in _NUMBERS:
        raise BadMatError(f"holds no numbers in {wanted}")
    if dimensions.kind != 5 or len(dimensions.data) % 4:
        raise BadMatError("holds damaged array dimensions")
    shape = struct.unpack(f"{order}{len(dimensions.data) // 4}i", dimensions.data)
    dtype = np.dtype(order + _NUMBERS[values.kind])
    count = 1
    for length in shape:
        count *= length
    if min(shape, default=0) < 0 or len(shape) > 8 or count * dtype.itemsize != len(values.data):
        raise BadMatError(
            f"says {wanted} is {' x '.join(map(str, shape[:8]))}, but holds {len(values.data)} bytes of it"
        )
    return np.frombuffer(values.data, dtype).reshape(shape, order="F")
