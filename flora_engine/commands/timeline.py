"""The part of `flora label` that finds which action happens when: `--timeline` and the options that belong to it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from flora_engine.commands.console import console_job
from flora_engine.errors import FloraError

if TYPE_CHECKING:
    from flora_engine.recipes.timeline import TimelineOfFile

_OPTIONS = ("export", "truth", "lengths", "hop", "cost", "least_seconds", "background")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("which action happens when (docs/timeline.md)")
    group.add_argument(
        "--timeline", action="store_true", help="find segments; --out is then a file of them, or a folder"
    )
    group.add_argument("--export", metavar="FORMAT", help="format of --out: audacity, boris, csv, elan, json, pku")
    group.add_argument("--truth", type=Path, help="true segments of the recording, to compare with")
    group.add_argument("--lengths", type=float, nargs="+", metavar="SECONDS", help="window lengths")
    group.add_argument("--hop", type=float, metavar="SHARE", help="step between windows as a share of their length")
    group.add_argument("--cost", type=float, help="cost of a change of action; more gives fewer, longer segments")
    group.add_argument("--least-seconds", type=float, metavar="SECONDS", help="length of the shortest segment")
    group.add_argument(
        "--background", action="store_true", help="leave stretches without a segment where the model says none of these"
    )


def refuse_alone(arguments: argparse.Namespace) -> None:
    """FloraError if an option of `--timeline` stands without it."""
    alone = [name for name in _OPTIONS if getattr(arguments, name) not in (None, False)]
    if alone:
        raise FloraError(f"--{alone[0].replace('_', '-')} belongs to --timeline", remedy="Add --timeline.")


def run(arguments: argparse.Namespace) -> int:
    """Find and show the segments; the status is 1 if a recording has a problem."""
    from flora_engine.recipes import timeline

    given = {name: getattr(arguments, name) for name in ("export", "truth", "lengths", "hop", "cost", "least_seconds")}
    request = timeline.Request.of(
        files=arguments.files,
        classes=arguments.classes,
        classes_file=arguments.classes_file,
        model=arguments.model,
        learn_from=arguments.learn_from,
        out=arguments.out,
        why=arguments.why,
        none=not arguments.without_none,
        background=arguments.background,
        recipe=arguments.recipe,
        **{name: value for name, value in given.items() if value is not None},
    )
    failed = 0
    with console_job() as job:
        for one, out in timeline.timelines(job, request):
            failed += one.annotation is None
            if arguments.json:
                print(json.dumps(one.as_json(), ensure_ascii=False), flush=True)
            else:
                _show(one, out)
    return 1 if failed else 0


def _show(one: TimelineOfFile, out: Path | None) -> None:
    if one.annotation is None:
        return  # the job has said why
    found, fps = one.annotation, one.annotation.fps
    print(f"{one.file}: {len(found.segments)} segments" + ("" if out is None else f" → {out}"))
    if out is None:
        for s in found.segments:
            print(f"  {s.start / fps:9.2f} s to {(s.end + 1) / fps:9.2f} s  {s.score or 0:6.1%}  {s.name}")
    for name, value in (one.measures or {}).items():
        print(f"  {name:<14} {value:6.1%}")
