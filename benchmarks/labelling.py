"""Where the time of labelling a recording goes, stage by stage, with the built-in model.

    OMP_NUM_THREADS=2 python benchmarks/labelling.py RECORDINGS [--model BUNDLE]

Every recording below RECORDINGS is read, prepared, encoded and ranked against eight actions, as `flora label` does.
The first recording pays for starting up (the text encoder, the parser, the classes) and is reported apart.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from flora_engine.labelling.bundle import BUILTIN
from flora_engine.labelling.folder import recordings
from flora_engine.labelling.labeller import Labeller
from flora_engine.readers import read_sequence
from flora_engine.semantics.class_texts import parse_typed

ACTIONS = "drink water; wave hand; sit down; stand up; clap; throw; kick something; fall down"
STAGES = ("read", "prepare", "encode", "text", "score")


def measure(labeller: Labeller, path: Path) -> list[float]:
    """Seconds of each of `STAGES` for one recording."""
    start = time.perf_counter()
    sequence = read_sequence(path)
    seconds = {"read": time.perf_counter() - start}
    seconds |= labeller.label(sequence, parse_typed(ACTIONS)).timings
    return [seconds[stage] for stage in STAGES]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path, default=BUILTIN)
    arguments = parser.parse_args()
    files = recordings([arguments.folder])
    start = time.perf_counter()
    labeller = Labeller(arguments.model)
    loading = time.perf_counter() - start
    first, *rest = (measure(labeller, path) for path in files)
    times = 1000 * np.array(rest)
    total = times.sum(axis=1)
    print(
        f"{len(files)} recordings, none failed; loading the model {loading:.2f} s, first recording {sum(first):.2f} s"
    )
    print(f"each further one: median {np.median(total):.1f} ms, slowest {total.max():.1f} ms\n")
    print("| stage | median, ms | share of all |\n|---|---|---|")
    for stage, column in zip(STAGES, times.T, strict=True):
        print(f"| {stage} | {np.median(column):.2f} | {column.sum() / times.sum():.1%} |")


if __name__ == "__main__":
    main()
