"""One configuration of kind flora as a run: features and texts in, every head under every protocol, result.json out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from flora_engine.config import FloraConfig
from flora_engine.datasets.benchmarks import load_benchmark
from flora_engine.datasets.published_files import read_features
from flora_engine.errors import FloraError
from flora_engine.evaluation.memory import Memory
from flora_engine.evaluation.protocols import (
    Experiment,
    Outcome,
    Setting,
    evaluate_gzsl,
    evaluate_zsl,
    low_shot,
    run_protocol,
)
from flora_engine.jobs import Job
from flora_engine.semantics.class_texts import class_states, load_class_texts
from flora_engine.semantics.text_encoder import load_text_encoder
from flora_engine.training.flora import FloraModel, load_model, save_model
from flora_engine.training.heads.flora import FlowScorer
from flora_engine.training.run_folder import RunFolder


def wanted(config: FloraConfig) -> tuple[Setting, ...]:
    """The settings to evaluate."""
    return ("zsl", "gzsl") if config.setting == "both" else (config.setting,)


def load_experiment(job: Job, config: FloraConfig, device: str) -> Experiment:
    """Features (a low-shot share of them where asked) and class states of the configured benchmark; FloraError."""
    if not config.features.is_file():
        raise FloraError(
            "the feature file is not here",
            path=config.features,
            remedy="Make it with `flora extract`, or name the folder of the published features with --features-root.",
        )
    benchmark = load_benchmark(config.benchmark)
    features = read_features(config.features)
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

    checkpoints/ then holds ``flora-SETTING-seedN`` (see `load_model`) for the held-out protocol.
    """
    with folder.recording(job):
        started = time.monotonic()
        experiment = load_experiment(job, config, device)

        def keep(seed: int, setting: Setting, model: FloraModel) -> None:
            save_model(folder.checkpoint(f"flora-{setting}-seed{seed}"), model)

        memory = Memory(folder.path / "checkpoints")
        outcomes: dict[str, Any] = {}
        for name in config.heads:
            for protocol in config.flora.protocols:
                outcome = run_protocol(job, name, experiment, config.flora, protocol, wanted(config), keep, memory)
                outcomes.setdefault(name, {})[protocol] = outcome
                folder.tell(job, "log", text=f"{name}, {protocol}: {line(outcome)}")
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
    """Evaluate the kept models of a finished run again, each with the calibration that its folds chose.

    Returns setting → seed → outcome. Raises FloraError where the run has no result or no kept model.
    """
    result = folder.result()
    if result is None or "flora" not in result.get("heads", {}):
        raise FloraError("this run has no finished Flora to evaluate", path=folder.path, remedy="Resume the run first.")
    experiment = load_experiment(job, config, device)
    chosen = result["heads"]["flora"].get("held-out", {}).get("chosen", {})
    found: dict[str, Any] = {}
    for setting in wanted(config):
        for seed in config.flora.seeds:
            path = folder.checkpoint(f"flora-{setting}-seed{seed}")
            if not path.exists():
                continue
            score = FlowScorer(load_model(path, device), merged=config.flora.scoring_tokens)
            bonus = -float(np.log(chosen.get("gzsl", {}).get("calibration_factor", config.flora.calibration)))
            outcome = evaluate_zsl(score, experiment) if setting == "zsl" else evaluate_gzsl(score, experiment, bonus)
            found.setdefault(setting, {})[seed] = outcome
    if not found:
        raise FloraError(
            "this run kept no model", path=folder.path, remedy="Only the held-out protocol keeps models; train with it."
        )
    return found


# ------------------------------------------------------------------------------------------------------------ tables


def _percent(value: Mapping[str, Any]) -> str:
    error = "" if value["error"] is None else f" ± {value['error']:.1%}"
    return f"{value['mean']:.1%}{error}"


def line(outcome: Outcome) -> str:
    """One outcome in a line."""
    parts = [f"ZSL {_percent(outcome['zsl']['accuracy'])}"] if "zsl" in outcome else []
    if "gzsl" in outcome:
        names = ("seen", "unseen", "harmonic")
        parts += [f"GZSL {name} {_percent(outcome['gzsl'][name])}" for name in names]
    return ", ".join(parts) + f" ({outcome['note']})"


COLUMNS = ("seen", "unseen", "harmonic", "area")


def table(result: Mapping[str, Any]) -> str:
    """All heads and protocols of a result as a Markdown table; ± is the standard error over seeds."""
    rows = [
        "| head | protocol | ZSL | seen | unseen | harmonic | area | minutes |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, protocols in result["heads"].items():
        for protocol, outcome in protocols.items():
            label = protocol if protocol == "held-out" else "published (best on test)"
            zsl = _percent(outcome["zsl"]["accuracy"]) if "zsl" in outcome else ""
            gzsl = [_percent(outcome["gzsl"][c]) if "gzsl" in outcome else "" for c in COLUMNS]
            cells = [name, label, zsl, *gzsl, f"{outcome['seconds']['all'] / 60:.1f}"]
            rows.append("| " + " | ".join(cells) + " |")
            if "nearest_aligned" in outcome:
                nearest = _percent(outcome["nearest_aligned"]["accuracy"])
                rows.append(f"| nearest mean in Flora's aligned space | {label} | {nearest} | | | | | |")
    chance = next(iter(next(iter(result["heads"].values())).values()))["chance"]
    return "\n".join([*rows, "", f"Chance (ZSL): {chance:.1%}"])


def resolve_features(config: FloraConfig, root: Path | None) -> FloraConfig:
    """The configuration with its feature path starting at `root` where that is given."""
    if root is None or config.features.is_absolute():
        return config
    return config.model_copy(update={"features": root / config.features})
