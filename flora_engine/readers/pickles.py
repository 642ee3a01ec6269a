"""Annotations of pyskl and mmaction2: pickles of plain containers and arrays, which nothing in the file can extend.

A pickle is a program. This reader lets it call six functions of this module, which make arrays, numbers and their
types from bytes that the file holds; a file that asks for anything else is refused.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.readers import _input, arrays
from flora_engine.skeleton import SkeletonSequence

_CONVERT = "Save the joints of one recording with numpy.save as (T, V, 3) and open that."


def claims(path: Path, head: bytes) -> bool:
    return path.suffix.lower() in (".pkl", ".pickle")


_ARRAY = object()  # stands for the class of arrays, which nothing may call


def _empty(kind: object, shape: object, letter: object) -> NDArray[np.int8]:
    """An array to be filled by its state, whatever shape the file asks for."""
    return np.empty(0, np.int8)


def _dtype(name: str, align: bool = False, copy: bool = True) -> np.dtype[Any]:
    dtype = np.dtype(name)
    if dtype.kind not in "biufUS":
        raise pickle.UnpicklingError(f"it asks for values of kind {name}")
    return dtype


def _number(dtype: np.dtype[Any], data: bytes) -> Any:
    return np.frombuffer(data, dtype, 1)[0]


def _from_buffer(data: bytes, dtype: np.dtype[Any], shape: tuple[int, ...], order: Literal["C", "F"]) -> NDArray[Any]:
    return np.frombuffer(data, dtype).reshape(shape, order=order)


def _latin(text: str, encoding: str) -> bytes:
    """How the oldest pickles write bytes."""
    return text.encode("latin-1")


_ALLOWED: dict[str, Any] = {
    **{"ndarray": _ARRAY, "dtype": _dtype, "_reconstruct": _empty, "scalar": _number, "_frombuffer": _from_buffer}
}
_MODULES = ("numpy", *(f"numpy.{core}.{part}" for core in ("core", "_core") for part in ("multiarray", "numeric")))


class _Plain(pickle.Unpickler):
    """Finds nothing but our own makers of NumPy's arrays, numbers and dtypes."""

    def find_class(self, module: str, name: str) -> Any:
        if module in _MODULES and name in _ALLOWED:
            return _ALLOWED[name]
        if (module, name) == ("_codecs", "encode"):
            return _latin
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to something outside")


def _check_sizes(data: bytes) -> None:
    """Refuse a pickle that would reserve memory for more than its own size. Raises UnpicklingError or ValueError.

    A number in a memo's place, or in front of bytes that are not there, makes Python reserve gigabytes.
    """
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in ("PUT", "LONG_BINPUT") and isinstance(argument, int) and argument > len(data):
            raise pickle.UnpicklingError("it refers to more objects than it can hold")


def read(path: Path, head: bytes) -> SkeletonSequence | None:
    """The recording of a pickle that holds one; FloraError for one that holds many, or anything but data.

    joints (T, M, V, 3): `keypoint` (M, T, V, 3), or an array in a usual shape.
    """
    if not claims(path, head):
        return None
    data = _input.read_bytes(path, _input.MAX_JSON_BYTES)
    try:
        _check_sizes(data)
        content = _Plain(io.BytesIO(data)).load()
    except Exception as error:  # a damaged pickle raises anything
        problem = f"is a pickle that cannot be read as plain data ({_input.shown(error) or type(error).__name__})"
        raise FloraError(problem, path=path, remedy=f"Pickles are never executed. {_CONVERT}") from None
    return _recording(content, path)


def _recording(content: Any, path: Path) -> SkeletonSequence:
    if isinstance(content, dict) and isinstance(content.get("annotations"), list):
        content = content["annotations"]
    if isinstance(content, list):
        if len(content) != 1:
            raise FloraError(f"holds {len(content)} recordings, a whole data set", path=path, remedy=_CONVERT)
        content = content[0]
    label = None
    if isinstance(content, dict):
        label = content.get("label")
        content = content.get("keypoint", content.get("joints"))
    if not isinstance(content, np.ndarray) or content.dtype.hasobject:
        raise FloraError("holds no array of joints", path=path, remedy=_CONVERT)
    if content.ndim in (3, 4) and content.shape[-1] == 2:
        raise FloraError("holds 2D joints (x and y, but no z)", path=path, remedy="Use the 3D annotations instead.")
    joints, confidence = arrays.joints_of(content)
    if joints is None:
        raise FloraError(f"holds an array of shape {content.shape}, which is not one of joints", path=path,
                         remedy=_CONVERT)  # fmt: skip
    sequence = arrays.recording_of(joints, confidence, None, path)
    if isinstance(label, int) and not isinstance(label, bool) and label >= 0:
        sequence.metadata["action"] = label + 1  # theirs count from 0
    return sequence
