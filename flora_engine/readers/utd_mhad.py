"""UTD-MHAD skeletons (docs/method.md, section 1): MATLAB files `a1_s1_t1_skeleton.mat` with `d_skel` (20, 3, T).

Other MATLAB files are read like archives of arrays (`arrays.from_arrays`).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from flora_engine.errors import FloraError
from flora_engine.readers import _input, _mat5, _mat73, arrays
from flora_engine.skeleton import SkeletonSequence

FPS = 30.0
LAYOUT = "kinect_v1_utd"
NAME = re.compile(r"^a(?P<action>\d{1,3})_s(?P<subject>\d{1,3})_t(?P<replication>\d{1,3})(?!\d)")
_VARIABLE = "d_skel"


def claims(path: Path, head: bytes) -> bool:
    return path.suffix.lower() == ".mat" or head.startswith(b"MATLAB 5.0")


def metadata(name: str) -> dict[str, int | str]:
    """action, subject and replication (1-based) from a name aA_sS_tT_skeleton.mat; else empty."""
    return _input.numbers(NAME, name)


def read(path: Path, head: bytes) -> SkeletonSequence | None:
    """joints (T, 1, 20, 3), metres, 30 frames a second, of UTD-MHAD; of another file the array of joints that it holds.

    None if it is not a MATLAB file; FloraError if it is damaged.
    """
    if not claims(path, head):
        return None
    if _mat73.is_hdf5(head):
        return arrays.from_arrays(_mat73.read_arrays(path), path)
    data = _input.read_bytes(path, _input.MAX_JSON_BYTES)
    try:
        array = _mat5.read_array(data, _VARIABLE, _input.MAX_VALUES * 4)
        others = _mat5.read_arrays(data, _input.MAX_VALUES * 4) if array is None else {}
    except _mat5.BadMatError as error:
        raise FloraError(str(error), path=path, remedy=_input.COPY_AGAIN) from None
    if others:
        return arrays.from_arrays(others, path)
    if array is None or array.ndim != 3 or array.shape[:2] != (20, 3) or array.shape[2] == 0:
        found = f"has no array {_VARIABLE}" if array is None else f"has a {_VARIABLE} of shape {array.shape}"
        raise FloraError(
            f"{found}, where UTD-MHAD has {_VARIABLE} of shape (20, 3, frames)",
            path=path,
            remedy="Open a UTD-MHAD skeleton file, or convert the recording to .npz.",
        )
    joints = _input.as_joints(np.ascontiguousarray(array.transpose(2, 0, 1))[:, None], path)
    name = path.stem.removesuffix("_skeleton")
    return SkeletonSequence(joints, FPS, LAYOUT, name=name, source=path, metadata=metadata(path.name))
