"""Counts of the library: per class, subject, camera and so on, and length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flora_engine.project.table import Table


@dataclass(frozen=True)
class Statistics:
    """Counts over some rows. classes: every class in its order, then "" for none.

    numbers: for each name in columns.NAMES the recordings per number that occurs (0: unknown).
    lengths: counts (B,) of recordings whose frames lie between length_edges (B + 1,), the last edge included.
    """

    recordings: int
    frames: int
    seconds: float
    classes: dict[str, int]
    numbers: dict[str, dict[int, int]]
    lengths: NDArray[np.int64]
    length_edges: NDArray[np.float64]


def statistics(table: Table, rows: NDArray[np.int64] | None = None, bins: int = 30) -> Statistics:
    """Count these rows, or all."""
    chosen = np.arange(len(table)) if rows is None else rows
    classes = np.bincount(table.classes[chosen] + 1, minlength=len(table.class_names) + 1)
    named = dict(zip(table.class_names, classes[1:].tolist(), strict=True))
    frames = table.frames[chosen]
    edges = np.histogram_bin_edges(frames, bins) if len(frames) else np.linspace(0.0, 1.0, bins + 1)
    return Statistics(
        recordings=len(chosen),
        frames=int(frames.sum(dtype=np.int64)),
        seconds=float((frames / table.fps[chosen]).sum()),
        classes=named | {"": int(classes[0])},
        numbers={name: _count(column[chosen]) for name, column in table.numbers.items()},
        lengths=np.histogram(frames, edges)[0].astype(np.int64),
        length_edges=edges.astype(np.float64),
    )


def _count(values: NDArray[np.int32]) -> dict[int, int]:
    found, counts = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))
