"""The preparation that the published supervised Shift-GCN checkpoints were trained on (docs/method.md, section 2, end).

Order and quirks are the published ones: every rule here changes the logits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
FRAMES, PERSONS, CANDIDATES = 300, 2, 4
SPINE_BASE, SPINE_MID, LEFT_SHOULDER, RIGHT_SHOULDER = 0, 1, 4, 8


def energy(person: Array) -> float:
    """Sum over x, y, z of the standard deviation over the non-zero frames of one person (T, 25, 3); 0 for nobody."""
    here = person[person.sum(axis=(1, 2)) != 0]
    return float(here.std(axis=(0, 1)).sum()) if len(here) else 0.0


def strongest(joints: Array) -> Array:
    """The two persons with the largest energy among the first four, largest first: (T, M, 25, 3) → (2, T, 25, 3)."""
    candidates = np.zeros((CANDIDATES, *joints.shape[:1], *joints.shape[2:]))
    candidates[: min(CANDIDATES, joints.shape[1])] = joints[:, :CANDIDATES].transpose(1, 0, 2, 3)
    # An ascending sort read backwards, so that of two equal persons the later one wins, as published.
    order = np.argsort([energy(person) for person in candidates])[::-1]
    return candidates[order[:PERSONS]]


def _fill(person: Array) -> None:
    """Close an empty start and repeat the sequence over an empty tail; person (T, 25, 3) is changed in place."""
    if person[0].sum() == 0:
        kept = person[person.sum(axis=(1, 2)) != 0]
        person[:] = 0
        person[: len(kept)] = kept
    full = np.flatnonzero(person.sum(axis=(1, 2)) != 0)
    if len(full) and full[-1] + 1 < len(person):
        length = full[-1] + 1
        person[length:] = person[np.arange(len(person) - length) % length]


def _centre(persons: Array) -> Array:
    """Subtract person 1's spine mid frame by frame; joints whose coordinates sum to zero stay zero."""
    middle = persons[0][:, SPINE_MID : SPINE_MID + 1]
    there = persons.sum(axis=-1, keepdims=True) != 0
    return np.where(there, persons - middle, 0.0)


def rotation(source: Array, target: Array) -> Array:
    """(3, 3) rotation that turns `source` (3,) into the direction of `target` (3,); identity if undefined."""
    axis = np.cross(source, target)
    lengths = np.linalg.norm(source) * np.linalg.norm(target)
    if np.abs(axis).sum() < 1e-6 or np.abs(source).sum() < 1e-6:
        return np.eye(3)
    angle = np.arccos(np.clip(source @ target / lengths, -1.0, 1.0))
    if abs(angle) < 1e-6:
        return np.eye(3)
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turned: Array = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
    return turned


def prepare(joints: NDArray[np.floating], frames: int = FRAMES) -> NDArray[np.float32]:
    """2s-AGCN preparation: float32 (3, frames, 25, 2).

    joints: (T, M, 25, 3) in metres, persons in the order of the file's body lists (the first four count); zeros if
    nobody is. Recordings longer than `frames` are cut there.
    """
    persons = np.zeros((PERSONS, frames, 25, 3))
    chosen = strongest(np.asarray(joints, np.float64))[:, :frames]
    # The published script stores float32 here, before it normalises.
    persons[:, : chosen.shape[1]] = chosen.astype(np.float32)
    for person in persons:
        _fill(person)
    persons = _centre(persons)
    first = persons[0, 0]
    persons = persons @ rotation(first[SPINE_MID] - first[SPINE_BASE], np.array([0.0, 0.0, 1.0])).T
    first = persons[0, 0]
    persons = persons @ rotation(first[RIGHT_SHOULDER] - first[LEFT_SHOULDER], np.array([1.0, 0.0, 0.0])).T
    return np.ascontiguousarray(persons.transpose(3, 1, 2, 0), dtype=np.float32)
