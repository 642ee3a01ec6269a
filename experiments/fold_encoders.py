"""What folds promise when the encoder has seen their pseudo-unseen classes, and when it has not.

    OMP_NUM_THREADS=1 python experiments/fold_encoders.py --config configs/demo/utd_mhad.yaml --data-root FOLDER
        --features FEATURES [--heads nearest_mean eszsl smie] [--seeds 5]

FEATURES is the folder that seeded_features.py filled from the same configuration. The held-out protocol chooses on
pseudo-unseen classes with the features of the one encoder that learned from all seen classes, those among them. Here
each fold gets an encoder of its own as well, trained without the fold's pseudo-unseen classes and held-out samples (one
seed, kept in FEATURES), and every head chooses on the folds of either kind. Printed: what the folds promised for the
choice, and what the test part gave it with each seed's encoder.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from seeded_features import features_by_encoder, pipeline_of

from flora_engine.config import PipelineConfig
from flora_engine.datasets.clips import Clips
from flora_engine.datasets.loading import load_clips
from flora_engine.datasets.published_files import read_features
from flora_engine.evaluation import selection
from flora_engine.evaluation.metrics import mean_and_error
from flora_engine.evaluation.protocols import Experiment, run_protocol
from flora_engine.files import replacing
from flora_engine.heads import Problem
from flora_engine.jobs import Job
from flora_engine.project.splits import Split, divide
from flora_engine.semantics.class_texts import class_states, load_class_texts
from flora_engine.semantics.text_encoder import load_text_encoder

Rows = list[tuple[np.ndarray, np.ndarray]]  # of each fold: training samples it learns from, and those it is tried on


def rows_of(problem: Problem, config: PipelineConfig) -> Rows:
    """The folds as rows of the training part."""
    numbers = np.arange(len(problem.labels), dtype=np.float32)[:, None]
    folds = selection.make_folds(replace(problem, data=numbers), config.flora)
    return [(fold.problem.data[:, 0].astype(int), fold.data[:, 0].astype(int)) for fold in folds]


def features_without(
    config: PipelineConfig, clips: Clips, train: np.ndarray, kept: np.ndarray, path: Path
) -> np.ndarray:
    """Features (N, F) of the training part `train` by an encoder that learned from its rows `kept` alone."""
    if not path.exists():
        features, _, _ = features_by_encoder(config.encoder, clips, train[kept], train)
        with replacing(path) as temporary, temporary.open("wb") as stream:
            np.save(stream, features)
    return np.load(path, allow_pickle=False)


def own_folds(
    config: PipelineConfig, clips: Clips, split: Split, problem: Problem, folder: Path
) -> list[selection.Fold]:
    """The folds of `problem` with features of encoders of their own."""
    train = divide(split, clips.labels, clips.subjects, clips.cameras, clips.setups).train
    folds = []
    for number, (kept, tried) in enumerate(rows_of(problem, config)):
        shared = selection.make_folds(problem, config.flora)[number]
        data = features_without(config, clips, train, kept, folder / f"{split.name}-fold{number}.npy")
        folds.append(replace(shared, problem=replace(shared.problem, data=data[kept]), data=data[tried]))
    return folds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--heads", nargs="+", default=["nearest_mean", "eszsl", "smie"])
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    config = pipeline_of(given.config, given.data_root)
    clips = load_clips(Job(), config.data[0])
    texts = load_class_texts(config.data[0].dataset, config.texts.texts)
    states = class_states(load_text_encoder(config.texts.encoder), texts, config.texts.tokens)
    settings = config.flora.model_copy(update={"scoring_tokens": 8})  # of the folds; the test part is scored exactly
    print("| head | encoder of the folds | ZSL promised | test | harmonic promised | test |\n|---|---|---|---|---|---|")
    for head in given.heads:
        for kind in ("shared", "own"):
            promised: dict[str, list[float]] = {"zsl": [], "gzsl": []}
            found: dict[str, list[list[float]]] = {"zsl": [], "gzsl": []}
            for split in config.splits:

                def experiment(seed: int, split: Split = split) -> Experiment:
                    features = read_features(given.features / f"{split.name}-seed{seed}.npz")
                    return Experiment(features, states, np.array(split.unseen))

                problem = experiment(0).problem(0)
                folds = own_folds(config, clips, split, problem, given.features) if kind == "own" else None
                bonus = -math.log(settings.calibration)
                picks = selection.select(Job(), head, problem, settings, bonus, folds=folds)
                for part, pick in picks.items():
                    promised[part].append(pick.value)
                runs = [
                    run_protocol(
                        Job(), head, experiment(seed), config.flora.model_copy(update={"seeds": (seed,)}), picks=picks
                    )
                    for seed in range(given.seeds)
                ]
                found["zsl"].append([run["zsl"]["accuracy"]["mean"] for run in runs])
                found["gzsl"].append([run["gzsl"]["harmonic"]["mean"] for run in runs])
            cells = [head, kind]
            for part in ("zsl", "gzsl"):
                each = [mean_and_error(values) for values in found[part]]
                error = math.sqrt(sum(float(one["error"] or 0) ** 2 for one in each)) / len(each)
                cells += [
                    f"{100 * np.mean(promised[part]):.1f}",
                    f"{100 * np.mean(found[part]):.1f} ± {100 * error:.1f}",
                ]
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
