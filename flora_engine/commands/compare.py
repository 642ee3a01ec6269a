"""`flora compare`: every head on the same features and texts, in one table."""

from __future__ import annotations

import argparse

from flora_engine.commands import train
from flora_engine.commands.console import console_job
from flora_engine.config import Head


def add_arguments(parser: argparse.ArgumentParser) -> None:
    train.add_arguments(parser)
    names = list(Head.__args__)  # type: ignore[attr-defined]
    parser.add_argument("--heads", nargs="+", choices=names, default=names, help="which (default: all)")


def run(arguments: argparse.Namespace) -> int:
    with console_job() as job:
        result = train.train_action(
            job,
            config=None if arguments.config is None else str(arguments.config),
            resume=arguments.resume,
            out=arguments.out,
            features_root=arguments.features_root,
            data_root=arguments.data_root,
            device=arguments.device,
            low_shot=arguments.percentage if arguments.low_shot else None,
            setting=arguments.setting,
            protocol=arguments.protocol,
            seeds=arguments.seeds,
            heads=arguments.heads,
        )
    train.print_result(result)
    return 0
