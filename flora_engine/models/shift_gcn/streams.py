"""The four input streams of Shift-GCN and how their results are combined (docs/method.md, section 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from flora_engine.skeleton.layouts import KINECT_V2

if TYPE_CHECKING:
    from torch import Tensor

# The order is that of concatenated features.
Stream = Literal["joint", "bone", "joint_motion", "bone_motion"]
STREAMS: tuple[Stream, ...] = get_args(Stream)
# Published weights of the scores in the four-stream ensemble.
ENSEMBLE_WEIGHTS: dict[Stream, float] = {"joint": 0.6, "bone": 0.6, "joint_motion": 0.4, "bone_motion": 0.4}

Clips = TypeVar("Clips", NDArray[np.float32], "Tensor")
_T = TypeVar("_T")


def in_order(by_stream: Mapping[str, _T]) -> dict[str, _T]:
    """What is given by stream name, in the order of `STREAMS`. ValueError for an unknown stream."""
    for name in by_stream.keys() - set(STREAMS):
        raise ValueError(f"unknown stream {name!r}; known: {', '.join(STREAMS)}")
    return {name: by_stream[name] for name in STREAMS if name in by_stream}


def make_stream(joints: Clips, stream: str, bones: Sequence[tuple[int, int]] = KINECT_V2.bones) -> Clips:
    """joints float32 (…, T, V, M), an array or a tensor on any device → the named stream of the same shape.

    A bone is its child joint minus its parent joint, stored at the child; the root joint, which is nobody's child,
    is 0. Motion is the next frame minus this one; the last frame is 0. `bones`: (child, parent), 0-based. ValueError
    for an unknown stream. "joint" returns its argument.
    """
    if stream not in STREAMS:
        raise ValueError(f"unknown stream {stream!r}; known: {', '.join(STREAMS)}")
    if stream.startswith("bone"):
        joints = joints - joints[..., parents(joints.shape[-2], bones), :]
    if stream.endswith("motion"):
        following = [*range(1, joints.shape[-3]), joints.shape[-3] - 1]  # the last frame minus itself is 0
        joints = joints[..., following, :, :] - joints
    return joints


def parents(joints: int, bones: Sequence[tuple[int, int]] = KINECT_V2.bones) -> list[int]:
    """The parent of each joint; that of the root is itself, so that it minus its parent is 0."""
    found = list(range(joints))
    for child, parent in bones:
        found[child] = parent
    return found


def ensemble(scores: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """The weighted sum of class scores (N, K) by stream name; the streams that are there count."""
    return np.sum([ENSEMBLE_WEIGHTS[name] * scores[name] for name in STREAMS if name in scores], axis=0)  # type: ignore[no-any-return]


def concatenate(features: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Features (N, F) by stream name → (N, streams·F), always in the order of `STREAMS`."""
    return np.concatenate(list(in_order(features).values()), axis=1)
