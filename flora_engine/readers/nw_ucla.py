"""Northwestern-UCLA skeletons (docs/method.md, section 1): JSON with `skeletons` [T][20][3] and `label` 1 to 10."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from flora_engine.errors import FloraError
from flora_engine.readers import _input, _json
from flora_engine.skeleton import SkeletonSequence

# The files do not say. In the class "walk around" the median hip moves 0.067 m a frame: 1.0 m/s at 15 frames a second,
# and an implausible 2 m/s indoors at the sensor's nominal 30.
FPS = 15.0
LAYOUT = "kinect_v1"
CLASSES = 10
NAME = re.compile(r"^a\d{1,3}_s(?P<subject>\d{1,3})_e(?P<replication>\d{1,3})_v(?P<camera>\d{1,3})(?!\d)")


def claims(path: Path, head: bytes) -> bool:
    return path.suffix.lower() == ".json" and b'"skeletons"' in head


def metadata(name: str, label: int | None) -> dict[str, int | str]:
    """subject, replication (from 0, as in the name), camera (1 to 3) from aAA_sSS_eEE_vVV; action from the label."""
    return {**_input.numbers(NAME, name), **({} if label is None else {"action": label})}


def read(path: Path, head: bytes) -> SkeletonSequence | None:
    """joints (T, 1, 20, 3), metres; T may be 1; None where the JSON is of another kind; FloraError where broken."""
    if not claims(path, head):
        return None
    content = _json.load(path)
    frames = content.get("skeletons") if isinstance(content, dict) else None
    if not isinstance(frames, list) or not frames:
        raise FloraError("has no list of frames under `skeletons`", path=path, remedy=_input.COPY_AGAIN)
    values = _json.floats(frames)
    if values is None or values.shape[1:] != (20, 3):
        raise FloraError(
            "holds a frame that is not 20 joints of three numbers",
            path=path,
            where=f"frame {_first_bad_frame(frames)}",
            remedy=_input.COPY_AGAIN,
        )
    label = content.get("label")
    if label is not None and (type(label) is not int or not 1 <= label <= CLASSES):
        raise FloraError(f"has a `label` that is not 1 to {CLASSES}", path=path, remedy="Correct the label or drop it.")
    joints = _input.as_joints(values[:, None], path)
    return SkeletonSequence(joints, FPS, LAYOUT, name=path.stem, source=path, metadata=metadata(path.name, label))


def _first_bad_frame(frames: list[Any]) -> int:
    for number, frame in enumerate(frames, 1):
        values = _json.floats(frame)
        if values is None or values.shape != (20, 3):
            return number
    return 1
