"""Measure sets of real motion and store the quantiles of every descriptor: the pool that turns values into scores.

    python experiments/descriptor_pool.py ../shared/data [--sets utd_mhad,nw_ucla] [--out pool.npz]

Prints, for every descriptor, which share of its variance (of ranks) lies between the classes of each set: near 0 means
that the descriptor says nothing about that set's classes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from motion_sets import NAMES, MotionSet, load_set

from flora_engine.descriptors import Pool, build_pool, catalogue, measure, save_pool
from flora_engine.descriptors.pool import POOL


def values_of(motions: MotionSet) -> np.ndarray:
    """float32 (N, D): the descriptors of every recording."""
    return np.stack([measure(sequence) for sequence in motions.sequences])


def between_classes(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(D,): variance between classes as a share of all variance; NaN if nothing varies."""
    shares = np.full(scores.shape[1], np.nan)
    for d, column in enumerate(scores.T):
        known = np.isfinite(column)
        x, group = column[known], labels[known]
        if known.sum() > 20 and x.var() > 1e-9:
            means = np.array([x[group == k].mean() if (group == k).any() else 0.0 for k in range(labels.max() + 1)])
            shares[d] = ((means[group] - x.mean()) ** 2).mean() / x.var()
    return shares


def report(pool: Pool, values: dict[str, np.ndarray], labels: dict[str, np.ndarray]) -> None:
    """The table of variance between classes, one line per descriptor, the least telling first."""
    shares = np.stack([between_classes(pool.scores(values[name]), labels[name]) for name in values], axis=1)
    mean = np.array([row[np.isfinite(row)].mean() if np.isfinite(row).any() else np.nan for row in shares])
    print(f"{'descriptor':36}", *(f"{name[:8]:>8}" for name in values), f"{'mean':>8}")
    for d in np.argsort(mean):
        print(f"{list(catalogue())[d]:36}", *(f"{share:8.2f}" for share in shares[d]), f"{mean[d]:8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", default=",".join(NAMES))
    parser.add_argument("--out", type=Path, default=POOL)
    options = parser.parse_args()
    values, labels = {}, {}
    for name in options.sets.split(","):
        motions = load_set(options.data, name)
        values[name], labels[name] = values_of(motions), motions.labels
    pool = build_pool(values)
    save_pool(options.out, pool)
    report(pool, {name: v for name, v in values.items() if len(v) > 2 * labels[name].max()}, labels)


if __name__ == "__main__":
    main()
