"""How fast a recording is measured.

    python benchmarks/descriptors.py [--rounds N]

Prints, as Markdown, the fastest of N rounds for synthetic recordings, in milliseconds and as a multiple of a floor:
one median of the joints over time. On a busy machine the multiple says more than the time.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from flora_engine.descriptors import measure, reference_pool
from flora_engine.skeleton import LAYOUTS, SkeletonSequence

CASES = (("kinect_v1", 100, 1, 30.0), ("kinect_v2", 100, 2, 30.0), ("kinect_v1", 800, 1, 240.0))


def synthetic(layout: str, frames: int, persons: int, fps: float) -> SkeletonSequence:
    """Persons whose joints swing slowly about places that are far enough from each other to be bodies."""
    rng = np.random.default_rng(0)
    joints = len(LAYOUTS[layout].joints)
    places = rng.uniform(-0.8, 0.8, (1, persons, joints, 3)) + np.arange(persons)[None, :, None, None]
    swing = 0.3 * np.sin(2 * np.pi * np.arange(frames) / fps)[:, None, None, None] * rng.normal(size=places.shape)
    return SkeletonSequence((places + swing + 3).astype(np.float32), fps, layout)


def floor(sequence: SkeletonSequence) -> None:
    np.median(sequence.joints, axis=0)


def fastest(action: Callable[[SkeletonSequence], object], sequence: SkeletonSequence, rounds: int) -> float:
    """Seconds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        action(sequence)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    print("| recording | measure | scores | floor | multiple |\n|---|---|---|---|---|")
    for case in CASES:
        sequence = synthetic(*case)
        values = measure(sequence)
        reference_pool().scores(values)
        lowest = fastest(floor, sequence, rounds)
        measured = fastest(measure, sequence, rounds)
        scored = fastest(lambda _, values=values: reference_pool().scores(values), sequence, rounds)
        layout, frames, persons, fps = case
        name = f"{layout}, {frames} frames at {fps:.0f} per second, {persons} person{'s' * (persons > 1)}"
        print(
            f"| {name} | {measured * 1e3:.1f} ms | {scored * 1e3:.2f} ms | {lowest * 1e3:.2f} ms |"
            f" {measured / lowest:.0f} |"
        )


if __name__ == "__main__":
    main()
