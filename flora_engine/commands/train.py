"""`flora train`: Flora from a feature file, everything from raw recordings, or measurements alone, as the configuration
says.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from flora_engine.commands.console import console_job
from flora_engine.recipes import training
from flora_engine.recipes.starting import RUNS
from flora_engine.runs.results import AnyResult, DescriptorsResult, FloraResult, PipelineResult
from flora_engine.runs.tables import result_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--config", type=Path, help="a configuration of kind flora, pipeline, descriptors or encoder")
    source.add_argument("--resume", type=Path, metavar="RUN", help="continue with this run")
    parser.add_argument("--out", type=Path, default=RUNS, help="folder of runs (default: %(default)s)")
    own = parser.add_argument_group("the encoder behind the features (kind flora)")
    add_encoder(own, ("--encoder", "--checkpoint"))
    own.add_argument(
        "--project", type=Path, help="a project of the benchmark's recordings, whose features replace the feature file"
    )
    parser.add_argument("--features-root", type=Path, help="folder that a relative feature path starts at")
    parser.add_argument("--data-root", type=Path, help="folder that relative data paths start at")
    parser.add_argument("--device", help="cpu, cuda, cuda:1 … (default: cuda if it works)")
    parser.add_argument("--scheduler", metavar="tcp://…", help="train the heads by the workers of a Dask cluster")
    parser.add_argument("--low-shot", action="store_true", help="train on a share of each class's training samples")
    parser.add_argument("--percentage", type=float, default=0.1, help="that share (default: %(default)s)")
    parser.add_argument("--setting", type=str.lower, choices=("zsl", "gzsl", "both"))
    parser.add_argument("--protocol", choices=("held-out", "both"), help="both: also as published, best on test")
    parser.add_argument("--seeds", type=int, nargs="+")


def run(arguments: argparse.Namespace) -> int:
    with console_job() as job:
        result = training.run(job, training.Request.of(**options(arguments)))
    print_result(result)
    return 0


def options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The arguments of a training's request from the command line."""
    names = "config resume out features_root data_root device setting protocol seeds project preparation frames"
    options = {name: getattr(arguments, name) for name in [*names.split(), "recordings", "scheduler"]}
    options["checkpoint"] = arguments.encoder
    return options | {"low_shot": arguments.percentage if arguments.low_shot else None}


def add_encoder(parser: argparse._ArgumentGroup | argparse.ArgumentParser, names: tuple[str, ...], **more: Any) -> None:
    """The options that name an encoder and how recordings are prepared for it."""
    what = "the encoder: a checkpoint, a published .pt or a run, one for each stream"
    parser.add_argument(
        *names, dest="encoder", type=Path, nargs="+", action="extend", metavar="PATH", help=what, **more
    )
    parser.add_argument("--preparation", help="of recordings for the encoder (default: as its run says, or published)")
    parser.add_argument("--frames", type=int, help="of a clip (default: as its run says, or published)")
    parser.add_argument(
        "--recordings",
        type=Path,
        metavar="PATH",
        help="some that the feature file holds (project or folder), to compare",
    )


def print_result(result: AnyResult) -> None:
    """What came out, and where the model that labels and the run are."""
    print(result_table(result))
    bundle = result.bundle if isinstance(result, FloraResult | PipelineResult | DescriptorsResult) else None
    if bundle and result.run is not None:
        print(f"model: {result.run / bundle}")
    print(f"run: {result.run}")
