"""`flora demo DIR`: write plainly synthetic recordings, or stand-ins for published downloads, to try the program."""

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
    parser.add_argument(
        "--downloads", action="store_true", help="write a feature file, an encoder and recordings as they are published"
    )


def run(arguments: argparse.Namespace) -> int:
    if arguments.downloads:
        from flora_engine.recipes.demo_downloads import write_downloads

        for path in write_downloads(Job(), arguments.folder, seed=arguments.seed):
            print(f"synthetic: {path}")
        return 0
    paths = write_demo(
        Job(),
        arguments.folder,
        subjects=arguments.subjects,
        replications=arguments.replications,
        seed=arguments.seed,
    )
    print(f"{len(paths)} synthetic recordings of {len(ACTIONS)} actions in {arguments.folder}")
    return 0
