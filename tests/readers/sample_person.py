"""Who is in other tools' files: a person of 1.7 m who faces the viewer and raises the right arm forward."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from reference_body import raising

from flora_engine.skeleton import LAYOUTS

Array = NDArray[np.float64]
FRAMES = 40
# From Kinect axes (y up, z away from the camera): rows are the file's axes.
Y_UP = np.diag([-1.0, 1.0, -1.0])  # facing +z, the left at +x
Z_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, 1, 0]]) @ np.diag([-1.0, 1.0, 1.0])  # facing -y, the left at +x
PICTURE = np.diag([-1.0, -1.0, 1.0])  # x right, y down, z away from the camera


def person(layout: str, axes: Array = np.eye(3), scale: float = 1.0) -> Array:  # noqa: B008
    """(T, V, 3) in the file's axes and unit (scale: units per metre)."""
    return raising(LAYOUTS[layout], FRAMES) @ axes.T * scale


def table(columns: list[str], rows: Array | list[list[str]], mark: str = ",", before: str = "") -> str:
    lines = [mark.join(row if isinstance(row[0], str) else (f"{v:.6g}" for v in row)) for row in rows]
    return f"{before}{mark.join(columns)}\n" + "\n".join(lines) + "\n"
