"""A fixed synthetic recording, and a few numbers that say what a preparation makes of it.

A model works only with the clips that it was trained on. A bundle therefore keeps these numbers, and a program whose
preparation gives other ones refuses it instead of labelling nonsense.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flora_engine.skeleton import LAYOUTS, SkeletonSequence

# Two processors may differ in the last digits; a changed resampling, centring or joint table differs by far more.
TOLERANCE = 1e-3
_NUMBERS = 12
# Head and trunk, then each arm and each leg from its root outward, in metres: Kinect v1's order, SDK names.
_REST = (
    *((0.0, 0.0, 0.0), (0.0, 0.1, 0.0), (0.0, 0.5, 0.0), (0.0, 0.7, 0.0)),
    *((-0.2, 0.45, 0.0), (-0.3, 0.2, 0.0), (-0.3, 0.0, -0.1), (-0.3, -0.1, -0.1)),
    *((0.2, 0.45, 0.0), (0.3, 0.2, 0.0), (0.3, 0.0, -0.1), (0.3, -0.1, -0.1)),
    *((-0.1, -0.05, 0.0), (-0.1, -0.5, 0.0), (-0.1, -0.9, 0.0), (-0.1, -0.95, -0.1)),
    *((0.1, -0.05, 0.0), (0.1, -0.5, 0.0), (0.1, -0.9, 0.0), (0.1, -0.95, -0.1)),
)


def probe_recording() -> SkeletonSequence:
    """37 frames of two unequal persons in Kinect v1 joints at 25 frames per second; one is away for a moment.

    Kinect v1, since its joint tables are part of a preparation.
    """
    layout = LAYOUTS["kinect_v1"]
    time = np.arange(37)[:, None, None, None] / 25
    place = np.arange(2)[None, :, None, None]
    joint = np.arange(len(layout.joints))[None, None, :, None]
    axis = np.arange(3)[None, None, None, :]
    rest = np.array(_REST)[None, None]
    swing = 0.08 * np.sin(2 * np.pi * time * (0.5 + 0.1 * joint + 0.3 * place) + axis)
    drift = np.where(axis == 0, 0.9 * place + 0.3 * time, np.where(axis == 2, 2.5 + 0.2 * time, 0.1))
    joints = (rest * (1 - 0.1 * place) + swing + drift).astype(np.float32)
    joints[10:14, 1] = 0
    return SkeletonSequence(joints, 25.0, layout.name, name="probe")


def signature(clip: NDArray[np.float32]) -> tuple[float, ...]:
    """Weighted means of a clip (3, T, V, M), rounded to 6 digits; compare with `agrees`."""
    values = clip.astype(np.float64).ravel()
    place = np.arange(len(values))
    return tuple(
        round(float(np.mean(values * np.cos(place * (0.37 + 0.61 * number)) * np.sqrt(len(values)))), 6)
        for number in range(_NUMBERS)
    )


def agrees(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether two signatures are of the same clip, but for rounding."""
    return len(one) == len(other) and bool(np.allclose(one, other, rtol=0, atol=TOLERANCE))
