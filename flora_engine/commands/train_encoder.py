"""`flora train-encoder`: train Shift-GCN on the seen classes of a split.

On several GPUs or machines the same under torchrun: ``torchrun --nproc-per-node 4 -m flora_engine.cli train-encoder …``
"""

from __future__ import annotations

import argparse
from pathlib import Path

from flora_engine.commands.console import console_job
from flora_engine.recipes import encoder
from flora_engine.recipes.starting import RUNS
from flora_engine.runs.tables import result_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--config", type=Path, help="a configuration of kind encoder")
    source.add_argument("--resume", type=Path, metavar="RUN", help="resume this run")
    parser.add_argument("--data-root", type=Path, help="folder that relative data paths of the configuration start at")
    parser.add_argument("--out", type=Path, default=RUNS, help="folder of runs (default: %(default)s)")
    parser.add_argument("--device", help="cpu, cuda, cuda:1 … (default: CUDA if it works)")


def run(arguments: argparse.Namespace) -> int:
    names = ("config", "resume", "data_root", "out", "device")
    with console_job() as job:
        result = encoder.run(job, encoder.Request.of(**{name: getattr(arguments, name) for name in names}))
    print(result_table(result))
    print(f"run: {result.run}")
    return 0
