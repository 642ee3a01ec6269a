"""`flora evaluate RUN`: evaluate the kept models of a Flora run again, on its own or on other features."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from flora_engine.commands.console import console_job
from flora_engine.recipes import evaluate


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="a finished run of kind flora")
    parser.add_argument("--features", type=Path, help="another feature file of the same split")
    parser.add_argument("--device", help="cpu, cuda … (default: cuda if it works)")
    parser.add_argument("--json", action="store_true", help="print everything, per class and confusion too")


def run(arguments: argparse.Namespace) -> int:
    with console_job() as job:
        options = {name: getattr(arguments, name) for name in ("run", "features", "device")}
        found = evaluate.run(job, evaluate.Request.of(**options))
    if arguments.json:
        print(json.dumps(found, indent=1))
        return 0
    for setting, seeds in found.items():
        for seed, outcome in seeds.items():
            numbers = [f"{key} {value:.1%}" for key, value in outcome.items() if isinstance(value, float)]
            print(f"{setting}, seed {seed}: {', '.join(numbers)}")
    return 0
