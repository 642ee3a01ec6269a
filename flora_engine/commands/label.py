"""`flora label FILE… --classes "drink water; wave hand" [--json | --out FILE]`: rank your own actions."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from flora_engine.commands.console import console_job
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.labelling.bundle import BUILTIN, find_bundle
from flora_engine.labelling.folder import label_folder, plain, recordings
from flora_engine.labelling.labeller import Labeller, Ranking
from flora_engine.readers import read_sequence
from flora_engine.semantics.class_texts import ClassText, parse_typed, read_texts, with_known_texts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, help="recordings, or folders of them")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--classes", help='actions: "drink water; wave hand: one hand swings beside the head"')
    which.add_argument("--classes-file", type=Path, help="a text file, an action a line, or YAML with two texts each")
    parser.add_argument(
        "--model",
        type=Path,
        default=BUILTIN,
        help="a model bundle, or the run that made it (default: the built-in one)",
    )
    parser.add_argument("--top", type=int, default=5, help="labels shown a recording (default 5; --json gives all)")
    parser.add_argument(
        "--out", type=Path, help="write a table (.csv) or JSON lines (.jsonl) of all recordings instead"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of text")


def candidate_texts(classes: str | None, file: Path | None) -> list[ClassText]:
    """The candidates that the user typed, or those of a file; raises FloraError where there is none."""
    if file is None:
        texts = parse_typed(classes or "")
    elif file.suffix in (".yaml", ".yml"):
        texts = read_texts(file)
    else:
        try:
            texts = parse_typed(file.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError) as error:
            raise FloraError(f"cannot read the actions: {error}", path=file) from None
    if not texts:
        raise FloraError("no action is named", remedy='Give some, as in --classes "drink water; wave hand".')
    return with_known_texts(texts)


def _show(path: Path, ranking: Ranking, top: int) -> None:
    print(path)
    for label in ranking.labels[:top]:
        print(f"  {label.score:6.1%}  {label.name}")


def run(arguments: argparse.Namespace) -> int:
    texts = candidate_texts(arguments.classes, arguments.classes_file)
    files = recordings(arguments.files)
    labeller = Labeller(find_bundle(arguments.model))
    if arguments.out is not None:
        with console_job() as job:
            counts = label_folder(job, labeller, files, texts, arguments.out)
        print(f"{arguments.out}: {counts['labelled']} recordings labelled, {counts['failed']} failed")
        return 1 if counts["failed"] else 0
    failed = 0
    for path in files:
        start = time.perf_counter()
        try:
            sequence = read_sequence(path)
            seconds = {"read": time.perf_counter() - start}
            ranking = labeller.label(sequence, texts)
        except FloraError as error:
            failed += 1
            if arguments.json:
                print(json.dumps({"file": str(path), "error": str(error)}))
            else:
                print(f"flora: {error}", file=sys.stderr)
            continue
        if arguments.json:
            stages = {name: round(value, 6) for name, value in (seconds | ranking.seconds).items()}
            print(json.dumps({"file": str(path), "labels": plain(ranking), "seconds": stages}, ensure_ascii=False))
        else:
            _show(path, ranking, arguments.top)
    return 1 if failed else 0


def label_folder_action(
    job: Job,
    folder: Path | str,
    out: Path | str,
    classes: str | None = None,
    classes_file: Path | str | None = None,
    model: Path | str | None = None,
) -> dict[str, Any]:
    """The worker's "label-folder": all recordings below `folder` into `out` (see `label_folder`).

    classes: actions as typed on the command line; or a file of them. model: a bundle or the run that made it, None for
    the built-in one. Returns the counts and ``out``. Raises FloraError, Cancelled.
    """
    texts = candidate_texts(classes, None if classes_file is None else Path(classes_file))
    files = recordings([Path(folder)])
    labeller = Labeller(BUILTIN if model is None else find_bundle(Path(model)))
    return {"out": str(out), **label_folder(job, labeller, files, texts, Path(out))}
