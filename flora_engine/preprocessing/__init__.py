"""Preparations: pure functions from recordings to the encoder's input, in one registry.

`clip` and `matched_clip` are ours and take any recording; the others are the published ones of docs/method.md,
sections 2 and 3. A new preparation is one entry of `PREPARATIONS`; configurations and help take the names from there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.preprocessing import agcn, bodies, clip, ctrgcn, pku
from flora_engine.preprocessing.probe import probe_recording, signature
from flora_engine.skeleton import SkeletonSequence, to_kinect_v2

Function = Callable[[SkeletonSequence, int], NDArray[np.float32]]
_PROBE_FRAMES = 24


@dataclass(frozen=True)
class Preparation:
    """A named way to turn a recording into an encoder's input.

    up: the vertical axis of the clips that it gives. version: raised with every change of what it gives.
    function: (recording, T) → float32 (3, T, 25, 2).
    """

    name: str
    up: Literal["y", "z"]
    version: int
    function: Function

    def __call__(self, sequence: SkeletonSequence, frames: int) -> NDArray[np.float32]:
        """float32 (3, frames, 25, 2). Raises FloraError if a published pipeline cannot prepare the recording."""
        return self.function(sequence, frames)

    @cached_property
    def fingerprint(self) -> tuple[float, ...]:
        """What this preparation makes of a fixed recording, as a few numbers; see `probe.signature`.

        It changes with the code, also if somebody forgets the version.
        """
        return signature(self(probe_recording(), _PROBE_FRAMES))


def _agcn(sequence: SkeletonSequence, frames: int) -> NDArray[np.float32]:
    if prepared := sequence.metadata.get("prepared"):
        raise FloraError(
            f"{sequence.name} was prepared as “{prepared}”, and “agcn” needs all bodies of the raw recording",
            remedy="Import the raw files instead.",
        )
    rows = bodies.from_sequence(to_kinect_v2(sequence))
    return agcn.prepare(bodies.in_list_order(rows), frames)


def _ctrgcn(sequence: SkeletonSequence, frames: int) -> NDArray[np.float32]:
    if sequence.metadata.get("prepared") == "ctrgcn":  # by `flora prepare`: denoised and translated
        return ctrgcn.as_input(ctrgcn.align(sequence.joints.reshape(sequence.frames, -1), frames))
    rows = bodies.from_sequence(to_kinect_v2(sequence))
    return ctrgcn.prepare(rows, frames, sequence.name or "the recording")


def _pku64(sequence: SkeletonSequence, frames: int) -> NDArray[np.float32]:
    joints = to_kinect_v2(sequence).joints
    pair = np.zeros((len(joints), pku.PERSONS, 25, 3), np.float32)
    persons = joints[:, : pku.PERSONS]
    pair[:, : persons.shape[1]] = persons
    if sequence.metadata.get("prepared") == "position64":  # from a published split file: centred, resized and turned
        return np.ascontiguousarray(pku.resize(pair.astype(np.float64), frames).transpose(3, 0, 2, 1), np.float32)
    return pku.prepare_clip(pair, frames)


_ALL = (
    Preparation("clip", "y", 1, clip.prepare),
    Preparation("matched_clip", "y", 1, partial(clip.prepare, options=clip.MATCHED)),
    Preparation("agcn", "z", 1, _agcn),  # the published order of steps ends with the spine on +z
    Preparation("ctrgcn", "y", 1, _ctrgcn),
    Preparation("pku64", "y", 1, _pku64),
)
PREPARATIONS: dict[str, Preparation] = {preparation.name: preparation for preparation in _ALL}


def preparation(name: str) -> Preparation:
    """The preparation called `name`; raises FloraError if there is none."""
    if name not in PREPARATIONS:
        raise FloraError(f"there is no preparation “{name}”", remedy=f"Choose one of {', '.join(PREPARATIONS)}.")
    return PREPARATIONS[name]


def prepare(sequence: SkeletonSequence, name: str, frames: int) -> NDArray[np.float32]:
    """Prepare one recording by the named preparation: float32 (3, frames, 25, 2).

    Raises FloraError if `name` is not one of `PREPARATIONS`, or if a published pipeline cannot prepare the recording.
    """
    return preparation(name)(sequence, frames)
