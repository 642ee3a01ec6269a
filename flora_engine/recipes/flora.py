"""One configuration of kind flora as a run: features and texts in, every head under every protocol, result.json out."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from flora_engine.config import FloraConfig
from flora_engine.datasets.benchmarks import load_benchmark
from flora_engine.errors import FloraError
from flora_engine.evaluation.protocols import Experiment, Setting, evaluate_gzsl, evaluate_zsl, low_shot, run_protocol
from flora_engine.heads import head
from flora_engine.heads.flora import FlowScorer
from flora_engine.heads.learning.model import FloraModel, load_model, save_model
from flora_engine.jobs import Job
from flora_engine.recipes.features import obtain_features
from flora_engine.runs.folder import RunFolder
from flora_engine.runs.progress import Memory
from flora_engine.runs.tables import outcome_line
from flora_engine.semantics.class_texts import class_states, load_class_texts
from flora_engine.semantics.text_encoder import load_text_encoder
from flora_engine.training.precision import uses_bfloat16

FEATURES = "features.npz"  # in the run folder, where the run extracts its own


def wanted(config: FloraConfig) -> tuple[Setting, ...]:
    """The settings to evaluate."""
    return ("zsl", "gzsl") if config.setting == "both" else (config.setting,)


def load_experiment(job: Job, config: FloraConfig, device: str, kept: Path) -> Experiment:
    """Features (a low-shot share of them where asked) and class states of the configured benchmark; FloraError.

    kept: where features that are extracted from recordings are kept.
    """
    benchmark = load_benchmark(config.benchmark)
    features = obtain_features(job, config, kept, device)
    if config.low_shot is not None:
        features = low_shot(features, config.low_shot)
        job.log(f"low-shot: {len(features.train_label)} training samples")
    texts = load_class_texts(benchmark.dataset, config.texts.texts)
    states = class_states(load_text_encoder(config.texts.encoder, job), texts, config.texts.tokens)
    experiment = Experiment(features, states, np.array(benchmark.unseen), device)
    experiment.check()
    return experiment


def run_flora(job: Job, config: FloraConfig, folder: RunFolder, device: str = "cpu") -> dict[str, Any]:
    """Train and evaluate inside `folder`, going on with what an interrupted run left there; returns result.json.

    checkpoints/ then holds ``HEAD-SETTING-seedN`` (see `load_model`) of heads with a flow, for the held-out protocol.
    """
    with folder.recording(job):
        started = time.monotonic()
        experiment = load_experiment(job, config, device, folder.path / FEATURES)

        def keep(head: str, seed: int, setting: Setting, model: FloraModel) -> None:
            save_model(folder.checkpoint(f"{head}-{setting}-seed{seed}"), model)

        memory = Memory(folder.path / "checkpoints")
        outcomes: dict[str, Any] = {}
        for name in config.heads:
            for protocol in config.flora.protocols:
                parts, kept = wanted(config), partial(keep, name)
                outcome = run_protocol(job, name, experiment, config.flora, protocol, parts, kept, memory)
                outcomes.setdefault(name, {})[protocol] = outcome
                folder.tell(job, "log", text=f"{name}, {protocol}: {outcome_line(outcome)}")
        result = {
            "kind": "flora",
            "benchmark": config.benchmark,
            "texts": config.texts.model_dump(mode="json"),
            "low_shot": config.low_shot,
            "samples": {part: len(getattr(experiment.features, f"{part}_label")) for part in ("train", "zsl", "gzsl")},
            "heads": outcomes,
            "minutes": (time.monotonic() - started) / 60,
        }
        folder.write_result(result)
    return result


def evaluate_run(job: Job, folder: RunFolder, config: FloraConfig, device: str = "cpu") -> dict[str, Any]:
    """Evaluate the kept models of a finished run again, each with the calibration that its folds chose: Flora's, or
    those of the ensemble where the run has no Flora by itself.

    Returns setting → seed → outcome. Raises FloraError where the run has no result or no kept model.
    """
    result = folder.result()
    heads = {} if result is None else result.get("heads", {})
    name = next((name for name in ("flora", *heads) if name in heads and head(name).FLOW), None)
    if name is None:
        raise FloraError("this run has no finished Flora to evaluate", path=folder.path, remedy="Resume the run first.")
    experiment = load_experiment(job, config, device, folder.path / FEATURES)
    chosen = heads[name].get("held-out", {}).get("chosen", {})
    found: dict[str, Any] = {}
    for setting in wanted(config):
        for seed in config.flora.seeds:
            path = folder.checkpoint(f"{name}-{setting}-seed{seed}")
            if not path.exists():
                continue
            bfloat16 = uses_bfloat16(config.flora.precision, device)
            score = FlowScorer(load_model(path, device), None, config.flora.scoring_tokens, bfloat16)
            bonus = -float(np.log(chosen.get("gzsl", {}).get("calibration_factor", config.flora.calibration)))
            outcome = evaluate_zsl(score, experiment) if setting == "zsl" else evaluate_gzsl(score, experiment, bonus)
            found.setdefault(setting, {})[seed] = outcome
    if not found:
        raise FloraError(
            "this run kept no model", path=folder.path, remedy="Only the held-out protocol keeps models; train with it."
        )
    return found
