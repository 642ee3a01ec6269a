"""Putting right what a file does not say or says wrongly: layout, up axis, scale, frame rate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from pydantic import ConfigDict

from flora_engine.errors import FloraError
from flora_engine.readers._archive import MAX_FPS
from flora_engine.skeleton import LAYOUTS, SkeletonSequence
from flora_engine.skeleton.orientation import TURNS

__all__ = ["TURNS", "Correction", "correct"]


@dataclass(frozen=True)
class Correction:
    """What to put right in a recording, as `correct` takes it; None leaves as is."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")  # as a part of a request

    layout: str | None = None
    up: str | None = None
    scale: float | None = None
    fps: float | None = None

    def over(self, other: Correction) -> Correction:
        """This, and where it says nothing the other."""
        return Correction(
            other.layout if self.layout is None else self.layout,
            other.up if self.up is None else self.up,
            other.scale if self.scale is None else self.scale,
            other.fps if self.fps is None else self.fps,
        )


def correct(
    sequence: SkeletonSequence,
    layout: str | None = None,
    up: str | None = None,
    scale: float | None = None,
    fps: float | None = None,
) -> SkeletonSequence:
    """The recording with what is given put right; None leaves as is.

    layout: the joints' true order (a LAYOUTS name with as many joints). up: the axis that points up in the recording
    now ("+z"); it is turned to +y. scale: factor to metres (0.01 for centimetres). fps: the true frame rate.
    FloraError for values that cannot be.
    """
    path = sequence.source
    joints = sequence.joints
    layout = sequence.layout if layout is None else layout
    if layout not in LAYOUTS:
        raise FloraError(f"the layout {layout!r} is not known", path=path, remedy=f"Known are {', '.join(LAYOUTS)}.")
    if len(LAYOUTS[layout].joints) != joints.shape[2]:
        problem = f"has {joints.shape[2]} joints, the layout {layout} has {len(LAYOUTS[layout].joints)}"
        raise FloraError(problem, path=path, remedy="Choose a layout with as many joints.")
    if up is not None and up not in TURNS:
        raise FloraError(f"the up axis {up!r} is not known", path=path, remedy=f"Known are {', '.join(TURNS)}.")
    if scale is not None and not (0 < scale < float("inf")):
        raise FloraError(f"the scale {scale:g} is not possible", path=path, remedy="Give a factor above 0.")
    if fps is not None and not 0 < fps <= MAX_FPS:
        raise FloraError(f"the frame rate {fps:g} is not possible", path=path, remedy=f"Give 0 to {MAX_FPS:g}.")
    if up is not None and up != "+y":
        joints = joints @ np.array(TURNS[up], np.float32).T + np.float32(0)  # + 0: no -0 for an absent person
    if scale is not None:
        joints = (joints * np.float64(scale)).astype(np.float32)
    return replace(sequence, joints=joints, layout=layout, fps=sequence.fps if fps is None else float(fps))
