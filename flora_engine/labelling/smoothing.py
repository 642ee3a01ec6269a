"""From scores of windows to segments: pure functions on arrays.

The time axis is cut into N cells of `step` frames. K classes are columns 0 to K - 1; the background ("none of these")
is state K.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flora_engine.labelling.segments import Segment

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]
_LEAST = 1e-3  # no single window may rule a class out: probabilities below this count as this


def on_cells(scores: Floats, starts: Ints, length: int, cells: int, step: int) -> Floats:
    """Scores of cells (N, C) from those of windows (W, C) of `length` frames that begin at `starts` (W,).

    A cell takes the mean of the windows over it, each weighted by how near its middle is (a triangle). Rows with NaN
    are windows without a score; a cell under none is NaN. Windows may begin before the first cell (start < 0).
    """
    total, weight = np.zeros((cells, scores.shape[1])), np.zeros(cells)
    for row, start in zip(scores, starts, strict=True):
        if np.isnan(row).any():
            continue
        first, last = max(0, int(start) // step), min(cells, -(-(int(start) + length) // step))
        if first >= last:
            continue
        middles = (np.arange(first, last) + 0.5) * step
        near = 1.0 - np.abs(middles - (start + length / 2)) / (length / 2 + step)
        near = np.maximum(near, 1e-6)
        total[first:last] += near[:, None] * row
        weight[first:last] += near
    total[weight == 0], weight[weight == 0] = np.nan, 1.0
    return np.asarray(total / weight[:, None])


def weighted_mean(parts: Sequence[Floats], weights: Floats) -> Floats:
    """(N, C): the mean of S arrays (N, C) with weights (S, C), over those that are not NaN; NaN where all are."""
    total, weight = np.zeros(parts[0].shape), np.zeros(parts[0].shape)
    for part, w in zip(parts, weights, strict=True):
        known = ~np.isnan(part)
        total += np.where(known, part * w, 0.0)
        weight += known * w
    return np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0)


def fuse(parts: Sequence[Floats], weights: Floats) -> Floats:
    """The weighted mean of the scores (N, K) of S scales, each row scaled to sum 1. NaN where no scale has a score."""
    mean = weighted_mean(parts, weights)
    sums = mean.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(mean, sums, out=np.full_like(mean, np.nan), where=sums > 0))


def emissions(scores: Floats, none: Floats, absent: Mask, cell_seconds: float) -> Floats:
    """Log evidence (N, K + 1) per cell; the last column is the background.

    scores: (N, K), rows sum to 1, NaN without evidence. none: (N,), the probability of the background; NaN if nobody
    knows: then the background is not possible there. absent: (N,), cells without anybody; there and without evidence
    only the background is possible.

    The background is decided first, as `none` is calibrated for: the best class has log(1 - none), however many
    classes share the rest, so that the background wins a cell only if none > 0.5. Neighbouring cells share their
    windows and are no independent evidence, so a second of recording counts as one observation: all is multiplied by
    `cell_seconds`.
    """
    cells, classes = scores.shape
    known = ~np.isnan(none)
    result = np.empty((cells, classes + 1))
    forced = absent | np.isnan(scores).any(axis=1)
    safe = np.where(forced[:, None], 1.0 / classes, scores)
    result[:, :classes] = np.log(np.maximum(safe, _LEAST))
    result[known, :classes] -= result[known, :classes].max(axis=1, keepdims=True)
    result[known, :classes] += np.log(np.maximum(1 - none[known], _LEAST))[:, None]
    result[:, classes] = np.where(known, np.log(np.maximum(np.where(known, none, 1.0), _LEAST)), -np.inf)
    result[forced, :classes], result[forced, classes] = -np.inf, 0.0
    return result * cell_seconds


def viterbi(evidence: Floats, cost: float) -> Ints:
    """The path of states (N,) that maximises its sum of `evidence` (N, S) minus `cost` for every change of state.

    A. Viterbi 1967, with one cost for all changes, so that a step takes O(S). On a tie the state stays.
    """
    cells, states = evidence.shape
    if not cells:
        return np.zeros(0, np.int64)
    own = np.arange(states)
    best, came = evidence[0].copy(), np.empty((cells, states), np.int64)
    for i in range(1, cells):
        top = int(best.argmax())
        stays = best >= best[top] - cost
        came[i] = np.where(stays, own, top)
        best = np.where(stays, best, best[top] - cost) + evidence[i]
    path = np.empty(cells, np.int64)
    path[-1] = best.argmax()
    for i in range(cells - 1, 0, -1):
        path[i - 1] = came[i, path[i]]
    return path


def runs(path: Ints) -> list[tuple[int, int, int]]:
    """(state, first cell, cell after the last) of every stretch of one state, in order."""
    edges = [0, *(np.flatnonzero(np.diff(path)) + 1).tolist(), len(path)]
    return [(int(path[a]), a, b) for a, b in itertools.pairwise(edges) if b > a]


def without_short(path: Ints, evidence: Floats, least: int) -> Ints:
    """The path in which stretches of fewer than `least` cells have gone to the neighbour with more evidence for them.

    The shortest goes first. A stretch that no neighbour can have (evidence -inf) stays.
    """
    path = path.copy()
    while True:
        found = runs(path)
        for place in sorted(range(len(found)), key=lambda i: found[i][2] - found[i][1]):
            _, first, last = found[place]
            if last - first >= least:
                return path
            around = [found[i][0] for i in (place - 1, place + 1) if 0 <= i < len(found)]
            sums = {state: float(evidence[first:last, state].sum()) for state in around}
            takers = {state: total for state, total in sums.items() if np.isfinite(total)}
            if takers:
                path[first:last] = max(takers, key=lambda state: takers[state])
                break
        else:
            return path


def segments_of(
    path: Ints, scores: Floats, names: Sequence[str], step: int, frames: int, first: int = 0
) -> tuple[Segment, ...]:
    """The segments of a path (N,) of states; the background is left out.

    scores: (N, K), whose mean over a segment is its score. Cell i covers `step` frames from (first + i)·step on;
    the last one ends with the recording of `frames` frames.
    """
    return tuple(
        Segment(names[state], (first + a) * step, min((first + b) * step, frames) - 1, float(scores[a:b, state].mean()))
        for state, a, b in runs(path)
        if state < len(names)
    )


def long_absences(present: Mask, longest: int) -> Mask:
    """(T,): frames in stretches of more than `longest` frames in which nobody is there. present: (T,)."""
    result = np.zeros(len(present), bool)
    for here, first, last in runs(present.astype(np.int64)):
        result[first:last] = not here and last - first > longest
    return result
