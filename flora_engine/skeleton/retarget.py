"""Bring any known layout to the 25 Kinect v2 joints that the model reads."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from flora_engine.skeleton.layouts import KINECT_V2, LAYOUTS
from flora_engine.skeleton.sequence import SkeletonSequence


@cache
def retarget_matrix(layout: str, matched: bool = False) -> NDArray[np.float32]:
    """(25, V) float32: each row holds the weights of the source joints of one Kinect v2 joint, summing to 1.

    matched: so that the body gets Kinect v2's proportions, see `Layout`.
    """
    source = LAYOUTS[layout]
    if source is KINECT_V2:
        return np.eye(len(KINECT_V2.joints), dtype=np.float32)
    recipe = (matched and source.matched) or source.to_kinect_v2
    index = {name: i for i, name in enumerate(source.joints)}
    matrix = np.zeros((len(KINECT_V2.joints), len(source.joints)), np.float32)
    for row, target in enumerate(KINECT_V2.joints):
        for part, weight in recipe[target].items():
            matrix[row, index[part]] += weight
    return matrix


def to_kinect_v2(sequence: SkeletonSequence, matched: bool = False) -> SkeletonSequence:
    """The same recording with 25 joints; matched: see `retarget_matrix`.

    A person absent from a frame stays all zeros; a joint is tracked as badly as its worst source.
    """
    if sequence.layout == KINECT_V2.name:
        return sequence
    matrix = retarget_matrix(sequence.layout, matched)
    joints = np.einsum("wv,tmvc->tmwc", matrix, sequence.joints).astype(np.float32)
    tracking = sequence.tracking
    if tracking is not None:
        used = matrix != 0
        tracking = np.stack([tracking[:, :, row].min(axis=2) for row in used], axis=2)
    return replace(sequence, joints=joints, layout=KINECT_V2.name, tracking=tracking)
