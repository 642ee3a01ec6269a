"""How good found segments are. All figures are shares, 0 to 1. Frames of a segment count at both ends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flora_engine.labelling.segments import Segment

TIOUS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
OVERLAPS = (0.10, 0.25, 0.50)


def tiou(a: Segment, b: Segment) -> float:
    """Temporal intersection over union of the frames of two segments."""
    common = max(0, min(a.end, b.end) - max(a.start, b.start) + 1)
    return common / (a.frames + b.frames - common)


def average_precision(found: Sequence[Segment], truth: Sequence[Segment], threshold: float) -> float:
    """Area under the interpolated curve of precision over recall of one class; nan without truth.

    Found segments by falling score (None counts as 1); each takes the free true segment with which its tIoU is largest
    and at least `threshold`, or is wrong. Precision at a recall is the best at that recall or a larger one.
    Sources: Everingham et al., IJCV 2010 (average precision); Caba Heilbron et al., CVPR 2015 (with tIoU).
    """
    if not truth:
        return float("nan")
    free = list(truth)
    right = []
    for segment in sorted(found, key=lambda s: 1.0 if s.score is None else s.score, reverse=True):
        best = max(free, key=lambda t: tiou(segment, t), default=None)
        hit = best is not None and tiou(segment, best) >= threshold
        if best is not None and hit:
            free.remove(best)
        right.append(hit)
    hits = np.cumsum(right)
    precision = hits / np.arange(1, len(right) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(best_from_here[np.asarray(right, bool)]) / len(truth))


def mean_average_precision(found: Sequence[Segment], truth: Sequence[Segment], threshold: float) -> float:
    """Mean of `average_precision` over the classes that occur in the truth; nan without truth."""
    names = sorted({segment.name for segment in truth})
    values = [
        average_precision([s for s in found if s.name == name], [t for t in truth if t.name == name], threshold)
        for name in names
    ]
    return float(np.mean(values)) if values else float("nan")


def frame_labels(segments: Sequence[Segment], names: Sequence[str], frames: int) -> NDArray[np.int64]:
    """(T,): the number in `names` of the class of every frame, -1 for the background; later segments win."""
    labels = np.full(frames, -1, np.int64)
    for segment in segments:
        labels[segment.start : segment.end + 1] = names.index(segment.name)
    return labels


def frame_accuracy(found: Sequence[Segment], truth: Sequence[Segment], frames: int) -> float:
    """Share of frames with the right class, the background being one; nan without frames.

    Source: "MoF", as in Lea et al., CVPR 2017.
    """
    names = sorted({segment.name for segment in [*found, *truth]})
    same = frame_labels(found, names, frames) == frame_labels(truth, names, frames)
    return float(same.mean()) if frames else float("nan")


def edit_score(found: Sequence[Segment], truth: Sequence[Segment]) -> float:
    """1 minus the Levenshtein distance of the two orders of classes over the longer one's length; 1 if both are empty.

    The background is left out. Source: Lea et al., ECCV 2016 (segmental edit score).
    """
    a, b = ([s.name for s in sorted(part, key=lambda s: (s.start, s.end))] for part in (found, truth))
    if not a and not b:
        return 1.0
    row = list(range(len(b) + 1))
    for i, name in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (name != other))
    return 1.0 - row[-1] / max(len(a), len(b))


def segmental_f1(found: Sequence[Segment], truth: Sequence[Segment], overlap: float) -> float:
    """F1@k of segments; 1 if there are none on either side.

    Found segments in their order: each is compared with the true one of its class with which its tIoU is largest, and
    is right if that is at least `overlap` and no earlier one took it. The background is left out.
    Source: Lea et al., CVPR 2017.
    """
    if not found and not truth:
        return 1.0
    taken: set[int] = set()
    for segment in sorted(found, key=lambda s: (s.start, s.end)):
        alike = [(tiou(segment, t), -i) for i, t in enumerate(truth) if t.name == segment.name]
        if alike:
            share, number = max(alike)
            if share >= overlap:
                taken.add(-number)
    return 2 * len(taken) / (len(found) + len(truth))


def segment_measures(found: Sequence[Segment], truth: Sequence[Segment], frames: int) -> dict[str, float]:
    """All figures of one recording: mAP@tIoU (and their mean, mAP), frame_accuracy, edit, F1@10, F1@25, F1@50."""
    precision = {f"mAP@{t:.1f}": mean_average_precision(found, truth, t) for t in TIOUS}
    return {
        **precision,
        "mAP": float(np.mean(list(precision.values()))),
        "frame_accuracy": frame_accuracy(found, truth, frames),
        "edit": edit_score(found, truth),
        **{f"F1@{round(100 * k)}": segmental_f1(found, truth, k) for k in OVERLAPS},
    }
