"""The published preparation of PKU-MMD (docs/method.md, section 3): clips, then 64 frames of each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
LONGEST, FRAMES, PERSONS = 300, 64, 2
SPINE_BASE, LEFT_SHOULDER, RIGHT_SHOULDER, SPINE_SHOULDER = 0, 4, 8, 20


def cut(joints: Array, start: int, end: int) -> Array:
    """Frames start to end of (T, 2, 25, 3), 0-based, end excluded; of more than 300 frames the centre 300."""
    clip = joints[start:end]
    first = max(0, (len(clip) - LONGEST) // 2)
    return clip[first : first + LONGEST]


def pad(clip: Array) -> Array:
    """A cut clip (n, 2, 25, 3) as (3, 300, 25, 2), zeros behind its end."""
    padded = np.zeros((3, LONGEST, 25, PERSONS), np.float32)
    padded[:, : len(clip)] = clip.transpose(3, 0, 2, 1)
    return padded


def resize(clip: NDArray[np.float64], frames: int) -> NDArray[np.float64]:
    """Linear interpolation of (n, …) along time with the pixel-centre convention of an image resize."""
    source = np.clip((np.arange(frames) + 0.5) * len(clip) / frames - 0.5, 0, len(clip) - 1)
    left = np.floor(source).astype(np.int64)
    right = np.minimum(left + 1, len(clip) - 1)
    weight = (source - left).reshape(-1, *[1] * (clip.ndim - 1))
    resized: NDArray[np.float64] = clip[left] * (1 - weight) + clip[right] * weight
    return resized


def turn(person: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotate every frame of one person (T, 25, 3) about y until its shoulder line is parallel to x."""
    line = person[:, RIGHT_SHOULDER] - person[:, LEFT_SHOULDER]
    length = np.hypot(line[:, 0], line[:, 2])
    angle = np.arccos(line[:, 0] / (length + 1e-4))
    if line[:, 2].sum() >= 0:
        angle = -angle
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, y, z = person[..., 0], person[..., 1], person[..., 2]
    return np.stack([cos * x - sin * z, y, sin * x + cos * z], axis=-1)


def prepare_clip(clip: Array, frames: int = FRAMES) -> Array:
    """(n, 2, 25, 3) of one clip (at most its centre 300 frames) → (3, frames, 25, 2) float32.

    An absent second person stays zero; a clip in which person 1 never shows gives all zeros.
    """
    clip = cut(clip, 0, len(clip))
    length = int(np.any(clip[:, 0, SPINE_BASE] != 0, axis=-1).sum())
    if length == 0:
        return np.zeros((3, frames, 25, PERSONS), np.float32)
    centred = clip.astype(np.float64) - clip[:, :, SPINE_SHOULDER, None]
    resized = resize(centred[:length], frames)
    turned = np.stack([turn(resized[:, person]) for person in range(PERSONS)], axis=-1)
    return np.ascontiguousarray(turned.transpose(2, 0, 1, 3), dtype=np.float32)
