"""`flora compare`: every head on the same features and texts, in one table."""

from __future__ import annotations

import argparse

from flora_engine.commands import train
from flora_engine.commands.console import console_job
from flora_engine.recipes import compare


def add_arguments(parser: argparse.ArgumentParser) -> None:
    train.add_arguments(parser)
    parser.add_argument("--heads", nargs="+", choices=compare.HEADS, help="which (default: all that the data allows)")


def run(arguments: argparse.Namespace) -> int:
    with console_job() as job:
        result = compare.run(job, compare.Request.of(**train.options(arguments), heads=arguments.heads))
    train.print_result(result)
    return 0
