"""`flora label FILE… --classes "drink water; wave hand" [--timeline | --batch JOURNAL] [--json | --out FILE]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from flora_engine.commands import batch, timeline
from flora_engine.commands.console import console_job
from flora_engine.commands.info import add_choice
from flora_engine.labelling.bundle import BUILTIN
from flora_engine.labelling.ranking import LabelledFile, json_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, help="recordings, or folders of them")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--classes", help='actions: "drink water; wave hand: one hand swings | greet somebody" (| between descriptions)'
    )
    which.add_argument(
        "--classes-file", type=Path, help="a text file, one action per line, or YAML with two texts each"
    )
    parser.add_argument(
        "--model",
        type=Path,
        default=BUILTIN,
        help="a model bundle, or the run that made it (default: the built-in one)",
    )
    parser.add_argument(
        "--learn-from",
        type=Path,
        metavar="PROJECT",
        help="correct rankings by the recordings that were confirmed in a project",
    )
    parser.add_argument("--top", type=int, default=5, help="labels shown per recording (default 5; --json gives all)")
    parser.add_argument(
        "--out", type=Path, help="write a table (.csv) or JSON lines (.jsonl) of all recordings instead"
    )
    parser.add_argument(
        "--why",
        action="store_true",
        help="the measurements that spoke most for and against each label, with their times",
    )
    parser.add_argument("--without-none", action="store_true", help="leave out the probability of none of the actions")
    add_choice(parser)
    batch.add_arguments(parser)
    timeline.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object per line, see docs/labels.md")


def run(arguments: argparse.Namespace) -> int:
    if arguments.batch is not None:
        return batch.run(arguments)
    batch.refuse_alone(arguments)
    if arguments.timeline:
        return timeline.run(arguments)
    timeline.refuse_alone(arguments)
    from flora_engine.recipes import label

    request = label.Request.of(
        files=arguments.files,
        classes=arguments.classes,
        classes_file=arguments.classes_file,
        model=arguments.model,
        learn_from=arguments.learn_from,
        out=arguments.out,
        why=arguments.why,
        none=not arguments.without_none,
        recipe=arguments.recipe,
    )
    if arguments.out is not None:
        with console_job() as job:
            result = label.run(job, request)
        print(f"{result.out}: {result.labelled} recordings labelled, {result.failed} failed")
        return 1 if result.failed else 0
    failed = 0
    with console_job() as job:
        for one in label.label_all(job, request, label.candidate_texts(request.classes, request.classes_file)):
            failed += one.ranking is None
            if arguments.json:
                print(json_line(one), flush=True)
            else:
                _show(one, arguments.top)
    return 1 if failed else 0


def _show(one: LabelledFile, top: int) -> None:
    if one.ranking is None:
        return  # the job has said why
    print(one.file)
    for label in one.ranking.labels[:top]:
        print(f"  {label.score:6.1%}  {label.name}")
        for reason in label.why:
            print(f"          {'+' if reason.weight > 0 else '−'} {reason.text}")
    if one.ranking.none is not None:
        print(f"  {one.ranking.none:6.1%}  is the probability of none of these")
    for notice in dict.fromkeys(label.notice for label in one.ranking.labels if label.notice):
        print(f"flora: {notice}", file=sys.stderr)
