"""Our own exchange format: a `.npz` archive that any NumPy can write (docs/formats.md), and writing it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from flora_engine.errors import FloraError
from flora_engine.files import replacing
from flora_engine.readers import _input, arrays, landmarks
from flora_engine.readers._archive import Archive, array_names
from flora_engine.skeleton import KINECT_V2, LAYOUTS, SkeletonSequence

FORMAT, VERSION = "flora-sequence", 1


def claims(path: Path, head: bytes) -> bool:
    return path.suffix.lower() == ".npz"


def read(path: Path, head: bytes) -> SkeletonSequence | None:
    """One recording; None where it is no `.npz`; FloraError where it is broken or holds something else."""
    if not claims(path, head):
        return None
    if not head.startswith(b"PK"):
        raise FloraError(
            f"is no .npz archive (it looks like {_input.looks_like(head)})", path=path, remedy=_input.COPY_AGAIN
        )
    arrays.refuse_others(array_names(path), path)  # those of whole data sets are larger than any recording
    archive = Archive(path)
    for name, build in _KINDS.items():
        if name in archive.names:
            return build(archive)
    return arrays.from_archive(archive)


def _exchange(archive: Archive) -> SkeletonSequence:
    path = archive.path
    version = archive.number("version")
    if version is not None and version != VERSION:
        raise FloraError(
            f"has version {version:g} of our format, known is {VERSION}", path=path, remedy="Update Flora."
        )
    stated = archive.text("layout")
    layout = stated or KINECT_V2.name
    if layout not in LAYOUTS:
        raise FloraError(
            f"has the unknown layout {_input.shown(layout)!r}", path=path, remedy=f"Known are {', '.join(LAYOUTS)}."
        )
    values = archive.array("joints")
    assert values is not None
    if values.ndim == 3:
        values = values[:, None]
    joint_count = len(LAYOUTS[layout].joints)
    if stated is None and version is None and values.ndim == 4 and values.shape[2] in arrays.COUNTS - {joint_count}:
        return arrays.from_archive(archive)  # somebody else's, who calls them joints too
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
        raise archive.wrong(f"is not valid JSON ({_input.shown(error)})", "metadata") from None
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
        raise archive.wrong(f"is no valid text ({_input.shown(error)})", "body_ids") from None


# What an archive is, by the array it must hold.
_KINDS: dict[str, Callable[[Archive], SkeletonSequence]] = {
    "joints": _exchange,
    "world_landmarks": landmarks.from_archive,
}


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
