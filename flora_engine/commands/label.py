"""`flora label FILE… --classes "drink water; wave hand" [--json]`: rank your own actions for recordings."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from flora_engine.errors import FloraError
from flora_engine.labelling.bundle import BUILTIN
from flora_engine.labelling.labeller import Labeller, Ranking
from flora_engine.readers import can_read, read_sequence
from flora_engine.semantics.class_texts import ClassText, parse_typed, read_texts, with_known_texts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, help="recordings, or folders of them")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--classes", help='actions: "drink water; wave hand: one hand swings beside the head"')
    which.add_argument("--classes-file", type=Path, help="a text file, an action a line, or YAML with two texts each")
    parser.add_argument("--model", type=Path, default=BUILTIN, help="a model bundle (default: the built-in one)")
    parser.add_argument("--top", type=int, default=5, help="labels shown a recording (default 5; --json gives all)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of text")


def candidate_texts(arguments: argparse.Namespace) -> list[ClassText]:
    """The candidates that the user named; raises FloraError where there is none."""
    file: Path | None = arguments.classes_file
    if file is None:
        texts = parse_typed(arguments.classes)
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


def recordings(paths: list[Path]) -> list[Path]:
    """Files as they are; of folders every file that a reader takes, in name order."""
    found: list[Path] = []
    for path in paths:
        found += sorted(p for p in path.rglob("*") if p.is_file() and can_read(p)) if path.is_dir() else [path]
    if not found:
        raise FloraError("no recording here", path=paths[0], remedy="See docs/formats.md for what can be read.")
    return found


def _show(path: Path, ranking: Ranking, top: int) -> None:
    print(path)
    for label in ranking.labels[:top]:
        print(f"  {label.score:6.1%}  {label.name}")


def run(arguments: argparse.Namespace) -> int:
    texts, files = candidate_texts(arguments), recordings(arguments.files)
    labeller = Labeller(arguments.model)
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
            labels = [{"name": x.name, "score": round(x.score, 6), "error": x.error} for x in ranking.labels]
            stages = {name: round(value, 6) for name, value in (seconds | ranking.seconds).items()}
            print(json.dumps({"file": str(path), "labels": labels, "seconds": stages}, ensure_ascii=False))
        else:
            _show(path, ranking, arguments.top)
    return 1 if failed else 0
