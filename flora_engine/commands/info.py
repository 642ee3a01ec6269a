"""`flora info FILE… [--json]`: what a recording holds."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from flora_engine.errors import FloraError
from flora_engine.project import is_project
from flora_engine.readers import read_sequence
from flora_engine.readers.inspection import inspect
from flora_engine.readers.reading_recipes import find_recipe
from flora_engine.skeleton import Note, SkeletonSequence


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, help="recordings")
    add_choice(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of text")


def add_choice(parser: argparse.ArgumentParser) -> None:
    """The option `--as` of commands that read recordings."""
    parser.add_argument(
        "--as", dest="recipe", metavar="NAME", help="read by this recipe, see `flora recipe`; a name or a YAML file"
    )


def describe(sequence: SkeletonSequence) -> dict[str, object]:
    """JSON-ready facts of a recording."""
    present = sequence.present()
    tracking = sequence.tracking
    return {
        "file": str(sequence.source) if sequence.source else sequence.name,
        "name": sequence.name,
        "layout": sequence.layout,
        "frames": sequence.frames,
        "fps": round(sequence.fps, 4),
        "seconds": round(sequence.seconds, 3),
        "persons": sequence.persons,
        "frames_per_person": [int(n) for n in present.sum(axis=0)],
        "tracked_share": None if tracking is None else round(float(np.mean(tracking[present] == 2)), 4),
        "metadata": sequence.metadata,
        "notes": [asdict(note) for note in sequence.notes],
        "doubts": [
            {"about": check.name, "text": check.finding, "advice": check.advice}
            for check in inspect(sequence).checks
            if check.verdict != "good"
        ],
    }


def run(arguments: argparse.Namespace) -> int:
    failed = 0
    recipe = None if arguments.recipe is None else find_recipe(arguments.recipe)
    for path in arguments.files:
        try:
            if is_project(path):
                raise FloraError("is a project, not a recording", path=path, remedy=f"Open it: `flora gui {path}`.")
            facts = describe(read_sequence(path, recipe=recipe))
        except FloraError as error:
            failed += 1
            print(json.dumps({"file": str(path), "error": str(error)}) if arguments.json else f"flora: {error}",
                  file=sys.stdout if arguments.json else sys.stderr)  # fmt: skip
            continue
        if arguments.json:
            print(json.dumps(facts, ensure_ascii=False))
        else:
            print(f"{facts['name']}: {facts['frames']} frames at {facts['fps']} per second ({facts['seconds']} s), "
                  f"{facts['persons']} person(s), {facts['layout']}")  # fmt: skip
            for key, value in sequence_details(facts):
                print(f"  {key}: {value}")
            for line in reading_lines(facts):
                print(f"  {line}")
    return 1 if failed else 0


def sequence_details(facts: dict[str, object]) -> list[tuple[str, object]]:
    metadata = facts["metadata"]
    details: list[tuple[str, object]] = [("frames per person", facts["frames_per_person"])]
    if facts["tracked_share"] is not None:
        details.append(("joints tracked", f"{float(str(facts['tracked_share'])):.1%}"))
    if isinstance(metadata, dict):
        details.extend(metadata.items())
    return details


def reading_lines(facts: dict[str, object]) -> list[str]:
    """What was guessed, how sure it is, and what looks wrong."""
    notes, doubts = facts["notes"], facts["doubts"]
    assert isinstance(notes, list) and isinstance(doubts, list)
    lines = note_lines([Note(**note) for note in notes])
    return lines + [f"? {doubt['about']}: {doubt['text']}. {doubt['advice']}" for doubt in doubts]


def note_lines(notes: Sequence[Note]) -> list[str]:
    """A line per guess; one that contradicts the file begins with "!"."""
    sure = {"sure": "", "likely": " (likely)", "unsure": " (not sure)"}
    return [f"{'! ' if note.conflict else ''}{note.about}: {note.text}{sure[note.sure]}" for note in notes]
