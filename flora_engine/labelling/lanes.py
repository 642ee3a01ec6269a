"""What the lanes of a timeline show beside segments: motion energy, and the scores of classes over time."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flora_engine.skeleton import SkeletonSequence

Floats = NDArray[np.float32]
_AT_ONCE = 20_000  # frames: memory stays small for an hour


def motion_energy(sequence: SkeletonSequence) -> Floats:
    """(T,): mean speed of all joints of the persons who are there, in metres per second; 0 if nobody is.

    A person's first frame after an absence has no speed.
    """
    speed = np.zeros(sequence.frames, np.float32)
    for first in range(1, sequence.frames, _AT_ONCE):
        joints = sequence.joints[first - 1 : first + _AT_ONCE]
        here = np.any(joints != 0, axis=(2, 3))
        both = here[1:] & here[:-1]
        moved = np.linalg.norm(np.diff(joints, axis=0), axis=3).mean(axis=2) * sequence.fps
        total = np.where(both, moved, 0.0).sum(axis=1)
        speed[first : first + len(total)] = total / np.maximum(both.sum(axis=1), 1)
    return np.nan_to_num(speed)


@dataclass(frozen=True)
class Scores:
    """names: K actions. values: float32 (N, K) of cells of `step` frames, 0 to 1, NaN if not known."""

    names: tuple[str, ...]
    step: int
    values: Floats

    def to_bytes(self) -> bytes:
        """A compressed npz, with values to a thousandth."""
        file = io.BytesIO()
        shares = np.where(np.isnan(self.values), 65535, np.round(np.clip(np.nan_to_num(self.values), 0, 1) * 1000))
        np.savez_compressed(file, names=np.array(self.names), step=self.step, shares=shares.astype(np.uint16))
        return file.getvalue()


def scores_from_bytes(content: bytes) -> Scores | None:
    """What `to_bytes` gave; None if that is not it, such as nothing at all."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            shares = stored["shares"]
            values = np.where(shares == 65535, np.nan, shares / 1000).astype(np.float32)
            return Scores(tuple(str(name) for name in stored["names"]), int(stored["step"]), values)
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile):
        return None


def binned(values: NDArray[np.floating], first: float, last: float, bins: int) -> Floats:
    """(bins,): the largest of `values` (T,) in each of `bins` equal parts of [first, last); 0 outside and for NaN.

    The parts may be shorter than one value.
    """
    edges = first + (last - first) * np.arange(bins + 1) / bins
    starts = np.floor(edges[:-1]).astype(np.int64)
    ends = np.maximum(np.ceil(edges[1:]).astype(np.int64), starts + 1)
    result = np.zeros(bins, np.float32)
    inside = (ends > 0) & (starts < len(values))
    if not inside.any():
        return result
    low, high = np.clip(starts[inside], 0, len(values) - 1), np.clip(ends[inside], 1, len(values))
    padded = np.append(np.nan_to_num(values[low[0] : high[-1]]), 0.0).astype(np.float32)
    pairs = np.stack([low, high], axis=1).ravel() - low[0]
    result[inside] = np.maximum.reduceat(padded, pairs)[::2]
    return result
