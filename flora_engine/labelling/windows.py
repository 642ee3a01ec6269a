"""Sliding windows over a recording: which lengths, where they begin, and which length suits which class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from flora_engine.skeleton import SkeletonSequence

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
LENGTHS = (1.0, 2.0, 4.0)  # seconds, for classes of which no duration is known
SHORTEST, LONGEST = 0.5, 10.0  # seconds; a shorter window shows no action, a longer one hides where it begins
_ALIKE = 1.4  # lengths closer than this ratio see the same
_SPREAD = 0.5  # width of the preference for windows of a class's own duration, in natural logarithms


@dataclass(frozen=True)
class Scale:
    """Windows of one length. Window w covers the frames starts[w] to starts[w] + frames - 1. starts: int64 (W,)."""

    seconds: float
    frames: int
    starts: Ints


def lengths_for(durations: Sequence[float | None]) -> tuple[float, ...]:
    """One to three window lengths in seconds, ascending, for classes of these usual durations (None: not known).

    The shortest, the middle and the longest duration, without those that are alike. Classes of unknown duration stand
    for all of `LENGTHS`.
    """
    known = [float(np.clip(d, SHORTEST, LONGEST)) for d in durations if d is not None]
    if len(known) < len(durations) or not known:
        known += LENGTHS
    chosen: list[float] = []
    for length in np.exp(np.quantile(np.log(known), [0.0, 0.5, 1.0])):
        if not chosen or length / chosen[-1] >= _ALIKE:
            chosen.append(round(float(length), 3))
    return tuple(chosen)


def scale_weights(lengths: Sequence[float], durations: Sequence[float | None]) -> Floats:
    """(S, K): how much the windows of each length count for each class; every column sums to 1.

    A class of known duration prefers windows of about that length; for the others all lengths count the same.
    """
    weights = np.ones((len(lengths), len(durations)))
    for k, duration in enumerate(durations):
        if duration is not None:
            distance = (np.log(lengths) - np.log(np.clip(duration, SHORTEST, LONGEST))) / _SPREAD
            weights[:, k] = np.exp(-0.5 * (distance**2 - (distance**2).min()))
    return np.asarray(weights / weights.sum(axis=0))


def window_starts(frames: int, length: int, hop: int) -> Ints:
    """First frames of windows of `length` frames, `hop` apart, inside `frames` frames; the last one ends at the end.

    A recording that is not longer than `length` gets one window.
    """
    last = max(0, frames - length)
    starts = np.arange(0, last + 1, hop, dtype=np.int64)
    return starts if starts[-1] == last else np.append(starts, np.int64(last))


def scales(frames: int, fps: float, lengths: Sequence[float], hop: float) -> list[Scale]:
    """The windows of each length in seconds, ascending. hop: step from window to window as a share of the length.

    Lengths that cover the whole recording are one and the same: only the first of them is kept.
    """
    found: list[Scale] = []
    for seconds in sorted(lengths):
        length = min(frames, max(1, round(seconds * fps)))
        found.append(Scale(seconds, length, window_starts(frames, length, max(1, round(hop * length)))))
        if length == frames:
            break
    return found


def cut(sequence: SkeletonSequence, start: int, frames: int) -> SkeletonSequence:
    """The frames [start, start + frames) of a recording, as views."""
    part = slice(start, start + frames)
    tracking = None if sequence.tracking is None else sequence.tracking[part]
    return replace(sequence, joints=sequence.joints[part], tracking=tracking)
