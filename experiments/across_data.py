"""How a model bundle ranks real NTU RGB+D recordings, data of other people with another sensor than it was trained on.

    python experiments/across_data.py FOLDER [--model BUNDLE]

FOLDER holds NTU `.skeleton` files. The candidates are the classes that occur in it, with the texts of
resources/datasets/ntu120.yaml; every one is unseen to the model in this form. Top-1, top-5 and mean rank, with chance.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from flora_engine.labelling.bundle import BUILTIN
from flora_engine.labelling.folder import recordings
from flora_engine.labelling.labeller import Labeller
from flora_engine.readers import read_sequence
from flora_engine.semantics.class_texts import load_class_texts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path, default=BUILTIN)
    arguments = parser.parse_args()
    sequences = [read_sequence(path) for path in recordings([arguments.folder])]
    classes = [int(sequence.metadata["action"]) - 1 for sequence in sequences]
    present = sorted(set(classes))
    texts = load_class_texts("ntu120")
    labeller = Labeller(arguments.model)
    latents, _ = labeller.latents(sequences)
    rankings = labeller.rank(latents, [texts[c] for c in present])
    ranks = np.array(
        [
            [label.name for label in ranking.labels].index(texts[c].name) + 1
            for ranking, c in zip(rankings, classes, strict=True)
        ]
    )
    count = len(present)
    print(f"{len(sequences)} recordings, {count} candidate classes, model {labeller.manifest.name}")
    print("| | measured | chance |\n|---|---|---|")
    print(f"| top-1 | {np.mean(ranks == 1):.1%} | {1 / count:.1%} |")
    print(f"| top-5 | {np.mean(ranks <= 5):.1%} | {5 / count:.1%} |")
    print(f"| mean rank | {ranks.mean():.1f} | {(count + 1) / 2:.1f} |")


if __name__ == "__main__":
    main()
