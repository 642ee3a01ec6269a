"""`flora extract`: the features of a split's recordings, as the unified feature file that `flora train` reads."""

from __future__ import annotations

import argparse
from pathlib import Path

from flora_engine.commands.console import console_job
from flora_engine.recipes import extract


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoint",
        type=Path,
        action="append",
        required=True,
        help="a checkpoint or a run; give several for several streams",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--config", type=Path, help="the encoder configuration: its data and its split")
    source.add_argument("--project", type=Path, help="a project; its split is named by --split")
    parser.add_argument("--split", help="a split of the project")
    parser.add_argument("--preparation", default="clip", help="with --project (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=64, help="with --project (default: %(default)s)")
    parser.add_argument("--data-root", type=Path, help="folder that relative data paths of the configuration start at")
    parser.add_argument("--batch-size", type=int, default=16, help="recordings at a time (default: %(default)s)")
    parser.add_argument("--device", help="cpu, cuda, cuda:1 … (default: CUDA if it works)")
    parser.add_argument("--scheduler", metavar="tcp://…", help="compute by the workers of a Dask cluster instead")
    parser.add_argument("--out", type=Path, required=True, help="the npz to write")


def run(arguments: argparse.Namespace) -> int:
    names = ["config", "project", "split", "preparation", "frames"]
    names += ["data_root", "batch_size", "device", "scheduler", "out"]
    options = {name: getattr(arguments, name) for name in names} | {"checkpoints": arguments.checkpoint}
    with console_job() as job:
        found = extract.run(job, extract.Request.of(**options))
    print(f"{found.out}: train {found.train}, zsl {found.zsl}, gzsl {found.gzsl} × {found.channels}")
    return 0
