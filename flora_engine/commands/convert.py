"""`flora convert IN OUT`: recordings into another format, chosen by the suffix of OUT; features into one npz file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from flora_engine.commands.info import add_choice, note_lines
from flora_engine.datasets.feature_sources import read_any_features
from flora_engine.datasets.published_files import write_features
from flora_engine.errors import FloraError
from flora_engine.readers import read_sequence
from flora_engine.readers.reading_recipes import find_recipe
from flora_engine.readers.writing import WRITERS, write_sequence


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source", metavar="IN", type=Path, help="a recording of any known format, or a folder of features"
    )
    parser.add_argument("target", metavar="OUT", type=Path, help=f"its copy: {', '.join(WRITERS)}")
    parser.add_argument("--person", type=int, help="which person to write, from 1 (BVH, TRC and C3D hold one)")
    add_choice(parser)
    parser.add_argument("--force", action="store_true", help="replace OUT if it is there")


def run(arguments: argparse.Namespace) -> int:
    source, target = arguments.source, arguments.target
    if target.exists() and not arguments.force:
        raise FloraError("is there already", path=target, remedy="Choose another name, or add --force.")
    if source.is_dir():
        return _features(source, target)
    sequence = read_sequence(source, recipe=None if arguments.recipe is None else find_recipe(arguments.recipe))
    write_sequence(sequence, target, None if arguments.person is None else arguments.person - 1)
    for line in note_lines(sequence.notes):
        print(f"  {line}", file=sys.stderr)
    print(f"{target}: {sequence.frames} frames at {sequence.fps:g} per second")
    return 0


def _features(source: Path, target: Path) -> int:
    if target.suffix.lower() != ".npz":
        raise FloraError("features are written as .npz", path=target, remedy="Name it so.")
    features = read_any_features(source)
    write_features(features, target)
    train, zsl, gzsl = (len(getattr(features, f"{part}_label")) for part in ("train", "zsl", "gzsl"))
    width = features.train_data.shape[1]
    print(f"{target}: {train} train, {zsl} unseen and {gzsl} test features of {width} numbers")
    return 0
