"""What the ensemble's fixed settings were chosen from: held-out folds, never the test part.

    OMP_NUM_THREADS=1 python experiments/ensemble_choices.py --dataset utd_mhad --validation 5
        --split NAME=FEATURES.npz,UNSEEN [--split …]

Splits as flora_results.py takes them. On each fold Flora (without attunement), the nearest mean with each margin at
each of its evaluations, and ridge regression with each strength are trained once; printed is the accuracy among the
pseudo-unseen classes of Flora alone and of sums with the others, each divided by its spread over the seen classes.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
import torch

from flora_engine.config import FloraSettings
from flora_engine.datasets.published_files import read_features
from flora_engine.evaluation.selection import Fold, make_folds
from flora_engine.heads import Fit, Problem, Scorer, eszsl, flora, nearest_mean
from flora_engine.jobs import Job
from flora_engine.semantics.class_texts import class_states, load_class_texts
from flora_engine.semantics.text_encoder import load_text_encoder

MARGINS, EVALUATIONS, RIDGES = (0.1, 0.3), (3, 4, 5, 6, 8, 10), (0.1, 1.0, 10.0)


def centred(scores: np.ndarray) -> np.ndarray:
    return scores - scores.mean(axis=1, keepdims=True)


def scores_of(fold: Fold, settings: FloraSettings) -> dict[str, np.ndarray]:
    """Scores of the fold's pseudo-unseen samples among its pseudo-unseen classes, by head and setting."""
    problem, found = fold.problem, {}
    data = fold.data[np.isin(fold.labels, fold.unseen)]

    def spread(score: Scorer) -> float:
        return float(centred(score(problem.data, problem.seen)).std())

    def watch_flora(evaluation: int, score: Scorer, _: object) -> None:
        found[f"flora {evaluation}"] = score(data, fold.unseen)

    flora.fit(Fit(Job(), problem, {"neighbours": 0, "weight": 0.0}, settings, watch_flora))
    for margin in MARGINS:

        def watch(evaluation: int, score: Scorer, _: object, margin: float = margin) -> None:
            if evaluation in EVALUATIONS:
                found[f"nearest mean {margin} {evaluation}"] = score(data, fold.unseen) / spread(score)

        nearest_mean.fit(Fit(Job(), problem, {"margin": margin}, settings, watch))
    for ridge in RIDGES:

        def watch_ridge(_: int, score: Scorer, __: object, ridge: float = ridge) -> None:
            found[f"ridge {ridge:g}"] = score(data, fold.unseen) / spread(score)

        eszsl.fit(Fit(Job(), problem, {"features": ridge, "texts": ridge}, settings, watch_ridge))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--split", action="append", required=True)
    parser.add_argument("--validation", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=32)
    given = parser.parse_args()
    torch.set_num_threads(1)
    settings = FloraSettings(
        **{"hidden": 192, "tokens_per_step": 2, "align_iterations": 800, "total_iterations": 1600},
        **{"evaluations": 4, "folds": 3, "validation_classes": given.validation},
    )
    states = class_states(load_text_encoder(), load_class_texts(given.dataset), given.tokens)
    tried: list[tuple[np.ndarray, dict[str, np.ndarray]]] = []
    for text in given.split:
        features = read_features(Path(text.partition("=")[2].partition(",")[0].format(seed=0)))
        for fold in make_folds(Problem(features.train_data, features.train_label, states), settings):
            labels = fold.labels[np.isin(fold.labels, fold.unseen)]
            tried.append((np.searchsorted(fold.unseen, labels), scores_of(fold, settings)))
            print(f"{text.partition('=')[0]}: {len(tried)} folds", flush=True)

    def accuracy(*names: str) -> float:
        return float(np.mean([(sum(s[name] for name in names).argmax(axis=1) == y).mean() for y, s in tried]))

    nearest = [f"nearest mean {margin} {evaluation}" for margin in MARGINS for evaluation in EVALUATIONS]
    ridges = [f"ridge {ridge:g}" for ridge in RIDGES]
    floras = [f"flora {evaluation}" for evaluation in range(1, 5)]
    rows = [(name,) for name in (*nearest, *ridges)]
    rows += [("flora", *more) for more in [(), *((n,) for n in nearest), *((r,) for r in ridges)]]
    rows += [("flora", *pair) for pair in itertools.product(nearest, ridges)]
    print("\n| heads | pseudo-unseen classes, mean over folds (and over Flora's evaluations) |\n|---|---|")
    for row in rows:
        every = [accuracy(one, *row[1:]) for one in floras] if row[0] == "flora" else [accuracy(*row)]
        print(f"| {' + '.join(row)} | {np.mean(every):.1%} |")


if __name__ == "__main__":
    main()
