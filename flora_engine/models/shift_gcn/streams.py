"""The four input streams of Shift-GCN and how their results are combined (docs/method.md, section 4)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from flora_engine.skeleton.layouts import KINECT_V2

# Published weights of the scores in the four-stream ensemble; the order is that of concatenated features.
ENSEMBLE_WEIGHTS: dict[str, float] = {"joint": 0.6, "bone": 0.6, "joint_motion": 0.4, "bone_motion": 0.4}
STREAMS = tuple(ENSEMBLE_WEIGHTS)

Bones = tuple[tuple[int, int], ...]


def make_stream(joints: NDArray[np.float32], stream: str, bones: Bones = KINECT_V2.bones) -> NDArray[np.float32]:
    """joints float32 (…, T, V, M) → the named stream of the same shape.

    A bone is its child joint minus its parent joint, stored at the child; the root joint, which is nobody's child,
    is 0. Motion is the next frame minus this one; the last frame is 0. `bones`: (child, parent), 0-based. ValueError
    for an unknown stream. "joint" returns its argument.
    """
    if stream not in ENSEMBLE_WEIGHTS:
        raise ValueError(f"unknown stream {stream!r}; known: {', '.join(STREAMS)}")
    result = _bones(joints, bones) if stream.startswith("bone") else joints
    return _motion(result) if stream.endswith("motion") else result


def _bones(joints: NDArray[np.float32], bones: Bones) -> NDArray[np.float32]:
    children, parents = (list(column) for column in zip(*bones, strict=True))
    result = np.zeros_like(joints)
    result[..., children, :] = joints[..., children, :] - joints[..., parents, :]
    return result


def _motion(x: NDArray[np.float32]) -> NDArray[np.float32]:
    result = np.zeros_like(x)
    result[..., :-1, :, :] = x[..., 1:, :, :] - x[..., :-1, :, :]
    return result


def ensemble(scores: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """The weighted sum of class scores (N, K) by stream name; the streams that are there count."""
    return np.sum([ENSEMBLE_WEIGHTS[name] * scores[name] for name in STREAMS if name in scores], axis=0)  # type: ignore[no-any-return]


def concatenate(features: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Features (N, F) by stream name → (N, streams·F), always in the order of `STREAMS`."""
    return np.concatenate([features[name] for name in STREAMS if name in features], axis=1)
