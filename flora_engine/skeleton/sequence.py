"""A recording: joints over time, and what had to be guessed to read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from flora_engine.skeleton.layouts import KINECT_V2, LAYOUTS, Layout

About = Literal["layout", "up axis", "unit", "left and right", "frame rate", "joints", "gaps", "recipe"]
Sure = Literal["sure", "likely", "unsure"]


@dataclass(frozen=True)
class Note:
    """One thing that a file did not say, or said wrongly, and what it was taken for.

    text: a short statement ("+z points up"). sure: how sure the guess is. conflict: it contradicts what the file or
    its format says.
    """

    about: About
    text: str
    sure: Sure = "sure"
    conflict: bool = False


@dataclass(frozen=True)
class SkeletonSequence:
    """One recording of one or more persons.

    joints: float32 (T, M, V, 3), metres; a person absent from a frame is all zeros there.
    tracking: uint8 (T, M, V), 0 not tracked, 1 inferred, 2 tracked; None where the format has none.
    metadata: what the file name or the file says; keys used: "action", "subject", "camera", "setup", "replication"
    (int, as in the file: 1-based) and "class_name" (str).
    body_ids: the file's own ids of the M persons, or None. notes: what the reader guessed; empty where the format says
    all of it.
    """

    joints: NDArray[np.float32]
    fps: float
    layout: str = KINECT_V2.name
    tracking: NDArray[np.uint8] | None = None
    name: str = ""
    source: Path | None = None
    metadata: dict[str, int | str] = field(default_factory=dict)
    body_ids: tuple[str, ...] | None = None
    notes: tuple[Note, ...] = ()

    @property
    def frames(self) -> int:
        return int(self.joints.shape[0])

    @property
    def persons(self) -> int:
        return int(self.joints.shape[1])

    @property
    def seconds(self) -> float:
        return self.frames / self.fps

    @property
    def skeleton(self) -> Layout:
        return LAYOUTS[self.layout]

    def present(self) -> NDArray[np.bool_]:
        """(T, M): whether each person is there in each frame (any coordinate not zero)."""
        here: NDArray[np.bool_] = np.any(self.joints != 0, axis=(2, 3))
        return here
