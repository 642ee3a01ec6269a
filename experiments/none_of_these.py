"""How well “none of these” is told on data sets left out whole, and what its threshold does there.

    python experiments/none_of_these.py ../shared/data [--keep FOLDER]

--keep: with the motion encoder, from the folder of train_motion_encoder.py; without it, the descriptor model alone.

One row per set: how well the best score alone, and its excess over the lexicon's best actions, tell recordings of one
of five actions from those of none of them (AUROC over 50 seeded draws). Then, with the probability calibrated on the
other seven sets: the share of recordings of none that stay below 50 %, and of recordings of one that lie above it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import train_motion_encoder
from descriptor_head import Evidence, auroc, odds
from motion_sets import NAMES, load_set

from flora_engine.evaluation.open_sets import DRAWN, FALSE_ACCEPTS, present_and_absent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    evidence = Evidence([load_set(given.data, name) for name in NAMES])
    scores = (
        evidence.left_out("names") if given.keep is None else train_motion_encoder.left_out_of(evidence, given.keep)
    )
    labels = {name: one.labels for name, one in evidence.sets.items()}
    columns = ("set", "AUROC, best score", "AUROC, excess", "none accepted, %", "one refused, %")
    print(f"Calibrated to accept {FALSE_ACCEPTS:.0%} of none.\n\n| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    rows = []
    for name, (own, rivals) in scores.items():
        if own.shape[1] <= DRAWN:
            continue
        a, b = odds({other: pair for other, pair in scores.items() if other != name}, labels)
        present, absent = present_and_absent(own, labels[name], rivals)
        rows.append(
            (
                auroc(*present_and_absent(own, labels[name])),
                auroc(present, absent),
                100 * np.mean(a + b * absent < 0),
                100 * np.mean(a + b * present >= 0),
            )
        )
        print("| {} | {:.2f} | {:.2f} | {:.0f} | {:.0f} |".format(name, *rows[-1]), flush=True)
    print("| mean | {:.2f} | {:.2f} | {:.0f} | {:.0f} |".format(*np.mean(rows, axis=0)))


if __name__ == "__main__":
    main()
