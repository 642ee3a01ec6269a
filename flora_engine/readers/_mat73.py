"""Arrays of a MATLAB 7.3 file, which is HDF5. The library h5py of the extra `matlab` reads them."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.readers import _input

_MARK = b"\x89HDF\r\n\x1a\n"


def is_hdf5(head: bytes) -> bool:
    return head.startswith((_MARK, b"MATLAB 7.3"))


def read_arrays(path: Path, most: int = 50) -> dict[str, NDArray[np.generic]]:
    """Every numeric array of two axes or more at the top of the file, in MATLAB's shape, at most `most` of them.

    Links to other files are not followed. FloraError if h5py is missing, or the file is damaged.
    """
    try:
        h5py: Any = importlib.import_module("h5py")
    except ImportError:
        raise FloraError("is a MATLAB 7.3 file", path=path,
                         remedy="Save it with -v7, or pip install flora-studio[matlab].") from None  # fmt: skip
    try:
        with h5py.File(path, "r") as file:
            return _arrays(h5py, file, path, most)
    except FloraError:
        raise
    except Exception as error:  # whatever HDF5 makes of a damaged file
        raise FloraError(f"is a damaged MATLAB 7.3 file ({_input.shown(error)})", path=path,
                         remedy=_input.COPY_AGAIN) from None  # fmt: skip


def _arrays(h5py: Any, file: Any, path: Path, most: int) -> dict[str, NDArray[np.generic]]:
    found: dict[str, NDArray[np.generic]] = {}
    total = 0
    for name in file:
        if not isinstance(file.get(name, getlink=True), h5py.HardLink) or len(found) >= most:
            continue
        item = file[name]
        plain = isinstance(item, h5py.Dataset) and not item.is_virtual and not item.external
        if not plain or item.dtype.kind not in "iuf" or item.ndim < 2 or not item.size:
            continue
        total += item.size * item.dtype.itemsize
        if total > _input.MAX_VALUES * 4:
            raise FloraError("holds more numbers than a recording can", path=path, remedy="Save one recording.")
        found[str(name)] = np.asarray(item[()]).T  # MATLAB's axes are the other way round
    return found
