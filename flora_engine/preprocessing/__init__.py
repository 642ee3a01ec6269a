"""Preparations: pure functions from recordings to the encoder's input.

`clip` and `matched_clip` are ours and take any recording; the others are the published ones of method sections 2 and 3.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.preprocessing import agcn, bodies, clip, ctrgcn, pku
from flora_engine.skeleton import SkeletonSequence, to_kinect_v2


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


PREPARATIONS: dict[str, Callable[[SkeletonSequence, int], NDArray[np.float32]]] = {
    "clip": clip.prepare,
    "matched_clip": partial(clip.prepare, options=clip.MATCHED),
    "agcn": _agcn,
    "ctrgcn": _ctrgcn,
    "pku64": _pku64,
}


def prepare(sequence: SkeletonSequence, name: str, frames: int) -> NDArray[np.float32]:
    """Prepare one recording by the named pipeline: float32 (3, frames, 25, 2).

    Raises FloraError where `name` is not one of `PREPARATIONS`, or where the published pipeline cannot prepare the
    recording.
    """
    if name not in PREPARATIONS:
        raise FloraError(f"there is no preparation “{name}”", remedy=f"Choose one of {', '.join(PREPARATIONS)}.")
    return PREPARATIONS[name](sequence, frames)
