"""How much the scores of the encoder and of the descriptors count: every pair of weights, on folds and on the test.

    python experiments/weights.py --dataset utd_mhad --split split1=FEATURES/split1-seed{seed}.npz,2+8+14+21+24 …
        [--seeds 1] [--folds 3] [--validation 5]

The features are those of seeded_features.py, with SPLIT-descriptors.npz beside them. One row per split and seed: what
each pair of weights (graphs : descriptors) gives on the folds, mean over them, and on the unseen classes of the test
part, in per cent. The last row says what the folds' choice gives, as the head `ensemble_descriptors` makes it.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from flora_results import experiment_of, settle, splits_of

from flora_engine.config import FloraSettings
from flora_engine.evaluation.metrics import accuracy
from flora_engine.evaluation.selection import make_folds
from flora_engine.heads import Fit, ensemble_descriptors, head
from flora_engine.jobs import Job
from flora_engine.models.together import GRID


def by_weights(task: Any, name: str, problem: Any, settings: FloraSettings, data: Any, labels: Any, unseen: Any) -> Any:
    """(evaluations, pairs of weights): accuracy among `unseen` of a training on `problem`."""
    found: list[list[float]] = []

    def watch(evaluation: int, score: Any, baseline: Any) -> None:
        scores = [score.as_chosen(vars(weights))(data, unseen) for weights in GRID]
        found.append([accuracy(unseen[one.argmax(axis=1)], labels) for one in scores])

    choice = {**head(name).choices(settings)[0]}
    ensemble_descriptors.fit_beside(head(name).fit, Fit(Job(), problem, choice, settings, watch))
    return np.array(found)


def run(task: Any, seed: int, name: str) -> tuple[Any, Any]:
    """Means over the folds and values of the test part, (evaluations, pairs) each."""
    experiment = experiment_of({**task, "seed": seed}).read_by("ensemble_descriptors")
    settings, problem = FloraSettings(**task["settings"]), experiment.problem(seed)
    folds = []
    for fold in make_folds(experiment.problem(0), replace_tokens(settings)):
        rows = np.isin(fold.labels, fold.unseen)
        data = np.ascontiguousarray(fold.data[rows])
        folds.append(by_weights(task, name, fold.problem, settings, data, fold.labels[rows], fold.unseen))
    features, unseen = experiment.features, np.unique(experiment.unseen)
    test = by_weights(task, name, replace(problem), settings, features.zsl_data, features.zsl_label, unseen)
    return np.mean(folds, axis=0), test


def replace_tokens(settings: FloraSettings) -> FloraSettings:
    """Folds score with like tokens merged, as flora_results.py does."""
    return settings.model_copy(update={"scoring_tokens": 8})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--split", action="append", required=True)
    parser.add_argument("--out", type=Path, default=Path("weights"), help="where texts are kept")
    parser.add_argument("--head", default="ensemble")
    parser.add_argument("--low-shot", type=float, default=0.0)
    for option, value in (("seeds", 1), ("folds", 3), ("validation", 5), ("hidden", 192), ("tokens", 32)):
        parser.add_argument(f"--{option}", type=int, default=value)
    given = parser.parse_args()
    settle(given)
    given.attunements = ["0:0"]
    print("|".join(["", "split, seed", *(f"{w.graphs:g} : {w.descriptors:g}" for w in GRID), "chosen", ""]))
    chosen = []
    for task in splits_of(given):
        for seed in range(given.seeds):
            folds, test = run({**task, "low_shot": given.low_shot}, seed, given.head)
            evaluation = max(range(len(folds)), key=lambda e: (folds[e].max(), e))
            pair = int(folds[evaluation].argmax())
            chosen.append((test[evaluation, pair], test[-1]))
            for what, values in (("folds", folds[evaluation]), ("test", test[evaluation])):
                cells = (f"{100 * value:.1f}" for value in values)
                said = f"{GRID[pair].graphs:g} : {GRID[pair].descriptors:g}"
                print("|".join(["", f"{task['split']}, {seed}, {what}", *cells, said, ""]), flush=True)
    picked, last = (np.array([one[i] for one in chosen]) for i in (0, 1))
    print("test, mean:", np.round(100 * last.mean(axis=0), 1).tolist(), f"chosen {100 * picked.mean():.1f}")


if __name__ == "__main__":
    main()
