"""`flora compare`: every head on the same features and texts, in one table."""

from __future__ import annotations

import argparse
import inspect
from typing import Any

from flora_engine.commands import train
from flora_engine.commands.console import console_job
from flora_engine.errors import FloraError
from flora_engine.heads import NAMES
from flora_engine.jobs import Job


def add_arguments(parser: argparse.ArgumentParser) -> None:
    train.add_arguments(parser)
    names = list(NAMES)
    parser.add_argument("--heads", nargs="+", choices=names, default=names, help="which (default: all)")


def run(arguments: argparse.Namespace) -> int:
    with console_job() as job:
        result = compare_action(job, **train.options(arguments), heads=arguments.heads)
    train.print_result(result)
    return 0


def compare_action(job: Job, heads: list[str] | None = None, **options: Any) -> dict[str, Any]:
    """`train_action` with every head, or with those named; its other arguments are the same. FloraError, Cancelled."""
    known = inspect.signature(train.train_action).parameters
    unknown = [name for name in options if name not in known]
    if unknown:
        raise FloraError(f"wrong arguments for the action “compare”: {', '.join(unknown)}")
    return train.train_action(job, **options, heads=heads or list(NAMES))
