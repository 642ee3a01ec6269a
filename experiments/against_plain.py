"""As accurate as the plain version of Flora? ZSL accuracy and time of training and scoring, plain and fast in one run.

    OMP_NUM_THREADS=1 python experiments/against_plain.py --dataset utd_mhad --split a=features.npz,2+8+14+21+24
        [--split …] --out FILE.json [--seeds 3] [--hidden 192] [--align 400] [--total 800] [--tokens-per-step 8]
    OMP_NUM_THREADS=1 python experiments/against_plain.py --synthetic [--difficulty 2] --out FILE.json

The plain version (tests/reference/flora_plain.py) computes what the published code computes: all tokens, float32, one
encoding for each sample and token. Both train with the same settings, attunement (2 neighbours, weight 1) and number
of steps, and both decide with the means of the latents at the end: nothing is chosen. --synthetic: features of NTU-120
size, never evidence of accuracy but for this comparison. A cell that is in --out already is not computed again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import torch

from flora_engine.config import FloraSettings
from flora_engine.datasets.features import Features
from flora_engine.datasets.published_files import read_features
from flora_engine.evaluation.metrics import mean_and_error
from flora_engine.heads import Fit, Problem
from flora_engine.heads.flora import FlowScorer
from flora_engine.heads.learning.flora import train_flora
from flora_engine.jobs import Job
from flora_engine.semantics.attunement import attune
from flora_engine.semantics.class_texts import class_states, load_class_texts
from flora_engine.semantics.text_encoder import load_text_encoder
from flora_engine.training.precision import uses_bfloat16

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "reference"))
sys.path.insert(0, str(Path(__file__).parent))
import flora_plain as plain
from synthetic_features import synthetic_features

Task = dict[str, Any]


def material(task: Task) -> tuple[Features, np.ndarray, np.ndarray]:
    """(features, class states, unseen classes)."""
    if task["split"] == "synthetic":
        return synthetic_features(tokens=task["tokens"] + 1, test=1000, difficulty=task["difficulty"])
    texts = load_class_texts(task["dataset"])
    states = class_states(load_text_encoder(), texts, task["tokens"])
    return read_features(Path(task["features"])), states, np.array(task["unseen"])


def measure(task: Task) -> Task:
    """One training, scored: {"accuracy", "train_s", "score_s"} beside the task's own keys."""
    torch.set_num_threads(1)
    features, states, unseen = material(task)
    settings, attunement = FloraSettings(**task["settings"]), (2, 1.0)
    choice = dict(zip(("neighbours", "weight"), attunement, strict=True))
    arrays = (features.train_data, features.train_label, states)
    start = time.perf_counter()
    if task["version"] == "plain":
        network = plain.train(settings, *arrays, attunement, task["seed"])[0]
        trained = time.perf_counter()
        texts, zero = torch.from_numpy(attune(states, *attunement)[unseen]), torch.zeros(1)
        batches = torch.from_numpy(features.zsl_data).split(64)
        errors = np.concatenate([plain.errors(network, x, texts, zero, zero).numpy() for x in batches])
    else:
        model = train_flora(Fit(Job(), Problem(*arrays, task["seed"]), choice, settings))
        trained = time.perf_counter()
        bfloat16 = uses_bfloat16(settings.precision, "cpu")
        errors = -FlowScorer(model, bfloat16=bfloat16)(features.zsl_data, unseen)
    end = time.perf_counter()
    right = unseen[errors.argmin(axis=1)] == features.zsl_label
    result = {"accuracy": float(right.mean()), "train_s": trained - start, "score_s": end - trained}
    return {**{key: task[key] for key in ("split", "version", "seed")}, **result}


def tasks_of(given: argparse.Namespace) -> list[Task]:
    settings = {
        **{"hidden": given.hidden, "align_iterations": given.align, "total_iterations": given.total, "evaluations": 1},
        **{"tokens_per_step": given.tokens_per_step, "learning_rate": given.learning_rate},
    }
    shared = {"settings": settings, "dataset": given.dataset, "tokens": given.tokens, "difficulty": given.difficulty}
    splits: list[Task] = [{"split": "synthetic"}] if given.synthetic else []
    for text in given.split:
        name, _, rest = text.partition("=")
        features, unseen = rest.split(",")
        splits.append({"split": name, "features": features, "unseen": [int(c) for c in unseen.split("+")]})
    return [
        {**shared, **one, "version": version, "seed": seed}
        for seed in range(given.seeds)
        for one in splits
        for version in ("plain", "fast")
    ]


def table(rows: list[Task]) -> str:
    lines = ["| split | plain, % | fast, % | training, plain : fast | scoring | both |", "|---|---|---|---|---|---|"]
    for split in sorted({row["split"] for row in rows}):
        cells, spent = [], {}
        for version in ("plain", "fast"):
            here = [row for row in rows if (row["split"], row["version"]) == (split, version)]
            if not here:
                break
            found = mean_and_error([100 * row["accuracy"] for row in here])
            error = "" if found["error"] is None else f" ± {found['error']:.1f}"
            cells.append(f"{found['mean']:.1f}{error} ({len(here)})")
            spent[version] = np.mean([[row["train_s"], row["score_s"]] for row in here], axis=0)
        if len(spent) == 2:
            ratios = [*(spent["plain"] / spent["fast"]), spent["plain"].sum() / spent["fast"].sum()]
            lines.append(f"| {split} | {' | '.join(cells)} | {' | '.join(f'{ratio:.1f}' for ratio in ratios)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", action="append", default=[])
    parser.add_argument("--dataset")
    parser.add_argument("--synthetic", action="store_true")
    parser.add_argument("--difficulty", type=float, default=2.0, help="spread of synthetic samples around their class")
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--hidden", type=int, default=192)
    parser.add_argument("--align", type=int, default=400)
    parser.add_argument("--total", type=int, default=800)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--tokens-per-step", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    rows: list[Task] = json.loads(given.out.read_text()) if given.out.exists() else []
    known = {(row["split"], row["version"], row["seed"]) for row in rows}
    missing = [task for task in tasks_of(given) if (task["split"], task["version"], task["seed"]) not in known]
    with ProcessPoolExecutor(given.workers, multiprocessing.get_context("spawn")) as pool:
        for future in as_completed([pool.submit(measure, task) for task in missing]):
            rows.append(future.result())
            given.out.write_text(json.dumps(rows, indent=1))
            print(rows[-1], flush=True)
    print(table(rows))


if __name__ == "__main__":
    main()
