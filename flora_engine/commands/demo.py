"""`flora demo DIR`: write plainly synthetic recordings to try the program with."""

from __future__ import annotations

import argparse
from pathlib import Path

from flora_engine.demo import ACTIONS, write_demo
from flora_engine.jobs import Job


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="where to write the .skeleton files")
    parser.add_argument("--subjects", type=int, default=2, help="how many different bodies (default 2)")
    parser.add_argument("--replications", type=int, default=1, help="takes of each action and body (default 1)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed writes the same files")


def run(arguments: argparse.Namespace) -> int:
    paths = write_demo(
        Job(),
        arguments.folder,
        subjects=arguments.subjects,
        replications=arguments.replications,
        seed=arguments.seed,
    )
    print(f"{len(paths)} synthetic recordings of {len(ACTIONS)} actions in {arguments.folder}")
    return 0
