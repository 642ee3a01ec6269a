"""`flora evaluate RUN`: evaluate the kept models of a Flora run again, on its own or on other features."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from flora_engine.commands.console import console_job
from flora_engine.config import FloraConfig, parse_config
from flora_engine.errors import FloraError
from flora_engine.jobs import Job


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="a finished run of kind flora")
    parser.add_argument("--features", type=Path, help="another feature file of the same split")
    parser.add_argument("--device", help="cpu, cuda … (default: cuda where it works)")
    parser.add_argument("--json", action="store_true", help="print everything, per class and confusion too")


def run(arguments: argparse.Namespace) -> int:
    with console_job() as job:
        found = evaluate_action(job, arguments.run, arguments.features, arguments.device)
    if arguments.json:
        print(json.dumps(found, indent=1))
        return 0
    for setting, seeds in found.items():
        for seed, outcome in seeds.items():
            numbers = [f"{key} {value:.1%}" for key, value in outcome.items() if isinstance(value, float)]
            print(f"{setting}, seed {seed}: {', '.join(numbers)}")
    return 0


def evaluate_action(
    job: Job, run: Path | str, features: Path | str | None = None, device: str | None = None
) -> dict[str, Any]:
    """Evaluate the kept models of `run` on its own features or on those of another file: setting → seed → outcome.

    Raises FloraError, Cancelled.
    """
    from flora_engine.commands.train import best_device
    from flora_engine.recipes.flora import evaluate_run
    from flora_engine.runs.folder import RunFolder

    folder = RunFolder.open(Path(run))
    config = parse_config(folder.config(), folder.path)
    if not isinstance(config, FloraConfig):
        raise FloraError(f"this run is of kind {config.kind}, not flora", path=folder.path)
    if features is not None:
        config = config.model_copy(update={"features": Path(features), "data": None, "encoder": ()})
    return evaluate_run(job, folder, config, device or best_device())
