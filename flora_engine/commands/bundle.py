"""`flora bundle RUN --encoder PATH`: a run that trained from a feature file gets the model that labels."""

from __future__ import annotations

import argparse
from pathlib import Path

from flora_engine.commands.console import console_job
from flora_engine.commands.train import add_encoder
from flora_engine.recipes import bundle


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=Path, help="a finished run of kind flora")
    add_encoder(parser, ("--encoder",), required=True)
    parser.add_argument("--device", help="cpu, cuda, cuda:1 … (default: cuda if it works)")


def run(arguments: argparse.Namespace) -> int:
    names = ("run", "encoder", "preparation", "frames", "recordings", "device")
    with console_job() as job:
        found = bundle.run(job, bundle.Request.of(**{name: getattr(arguments, name) for name in names}))
    persons = f"{found.persons} person{'s' if found.persons > 1 else ''}"
    print(f"model: {found.bundle}")
    print(f"{', '.join(found.streams)}; {found.preparation}, {found.frames} frames, {persons}")
    return 0
