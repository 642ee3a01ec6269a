"""Writing C3D files: a point at each joint of one person, by the library `c3d`."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from flora_engine.errors import FloraError
from flora_engine.files import replacing
from flora_engine.readers._cells import OURS
from flora_engine.skeleton import SkeletonSequence

MAX_FRAMES = 65_000  # the format counts them in 16 bits


def write_c3d(sequence: SkeletonSequence, path: Path, person: int = 0) -> None:
    """Points of one person (from 0) at its joints, millimetres, y up; a joint that is not there has the residual -1.

    FloraError for more frames than the format can count.
    """
    import c3d  # type: ignore[import-untyped]  # only few need it

    if sequence.frames > MAX_FRAMES:
        raise FloraError(f"has {sequence.frames} frames, C3D holds {MAX_FRAMES}", path=sequence.source,
                         remedy="Write it as CSV or .npz.")  # fmt: skip
    body, here = 1000 * sequence.joints[:, person].astype(np.float64), sequence.present()[:, person]
    missing = np.isnan(body).any(axis=2) | ~here[:, None]
    points = np.zeros((*body.shape[:2], 5), np.float32)
    points[..., :3] = np.where(missing[..., None], 0, np.nan_to_num(body))
    points[..., 3] = np.where(missing, -1, 0)
    writer = c3d.Writer(point_rate=sequence.fps, point_units="mm")
    writer.set_point_labels([joint.replace(" ", "_") for joint in sequence.skeleton.joints])
    writer.set_screen_axis("+X", "+Y")
    maker = writer.get_create("MANUFACTURER")
    maker.add_str("SOFTWARE", "Whose axes these are", OURS, len(OURS))
    for frame in points:
        writer.add_frames([(frame, np.empty((0, 0)))])
    with replacing(path) as temporary, temporary.open("wb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # there is no analogue data
        writer.write(file)
