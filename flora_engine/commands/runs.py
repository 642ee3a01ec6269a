"""`flora runs list|show|compare|report|prune`: what has been trained."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from flora_engine.errors import FloraError
from flora_engine.runs.folder import RESULT, RunFolder, list_runs
from flora_engine.runs.report import write_report
from flora_engine.runs.results import read_result
from flora_engine.runs.tables import differences, numbers, result_table

UNFINISHED = ("new", "stopped", "failed", "interrupted")  # and nobody works on them


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of runs (default: %(default)s)")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    verbs.add_parser("list", help="one line for each run")
    show = verbs.add_parser("show", help="what was asked, how it went and what came out")
    show.add_argument("run", type=Path)
    compare = verbs.add_parser(
        "compare", help="last values of curves, results, and differences to the first run, a column for each run"
    )
    compare.add_argument("chosen", type=Path, nargs="+", metavar="RUN")
    report = verbs.add_parser("report", help="results, curves and settings as one HTML file")
    report.add_argument("run", type=Path)
    report.add_argument("-o", "--out", type=Path, required=True, metavar="FILE")
    prune = verbs.add_parser("prune", help="remove runs that did not finish")
    prune.add_argument("--older-than", type=float, default=7.0, metavar="DAYS", help="(default: %(default)s)")
    prune.add_argument("--yes", action="store_true", help="remove them; without it they are only named")


def run(arguments: argparse.Namespace) -> int:
    if arguments.verb == "list":
        return _list(arguments.runs)
    if arguments.verb == "show":
        return _show(_find(arguments.run, arguments.runs))
    if arguments.verb == "report":
        write_report(_find(arguments.run, arguments.runs), arguments.out)
        print(f"wrote {arguments.out}")
        return 0
    if arguments.verb == "compare":
        return _compare([_find(path, arguments.runs) for path in arguments.chosen])
    return _prune(arguments.runs, arguments.older_than, arguments.yes)


def _find(path: Path, parent: Path) -> RunFolder:
    """A run by its path, or by its name below `parent`."""
    return RunFolder.open(path if path.exists() or not (parent / path).exists() else parent / path)


def _list(parent: Path) -> int:
    for found in list_runs(parent):
        print(f"{found.path.name:<50} {found.status():<12} {found.config().get('kind', '')}")
    return 0


def _show(found: RunFolder) -> int:
    print(f"{found.path}: {found.status()}\n")
    print((found.path / "config.yaml").read_text(encoding="utf-8"))
    for name, points in found.curves().items():
        print(f"{name}: {points[-1][1]:.6g} at step {points[-1][0]}")
    result = found.result()
    if result is not None:
        known = read_result(result)
        print("\n" + (json.dumps(result, indent=1, ensure_ascii=False) if known is None else result_table(known)))
        print(f"\neverything, per class and confusion too: {found.path / RESULT}")
    return 0


def _compare(chosen: list[RunFolder]) -> int:
    curves = [found.curves() for found in chosen]
    names = sorted({name for curve in curves for name in curve})
    rows = [["", *(found.path.name for found in chosen)], ["status", *(found.status() for found in chosen)]]
    rows += [[name, *(f"{curve[name][-1][1]:.6g}" if name in curve else "" for curve in curves)] for name in names]
    known = [read_result(found.result() or {}) for found in chosen]
    results = [numbers(result) for result in known]
    rows += [
        [name, *(one.get(name, "") for one in results)] for name in dict.fromkeys(n for one in results for n in one)
    ]
    for number, result in enumerate(known[1:], 1):
        for name, difference in differences(result, known[0]).items():
            cells = [str(difference) if place == number else "" for place in range(len(chosen))]
            rows.append([f"{name}, more than the first run, in points", *cells])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _prune(parent: Path, days: float, yes: bool) -> int:
    if days < 0:
        raise FloraError("--older-than takes a number of days from 0 on")
    for found in list_runs(parent):
        age = (time.time() - max(path.stat().st_mtime for path in [found.path, *found.path.iterdir()])) / 86400
        status = found.status()
        if status in UNFINISHED and age >= days:
            print(f"{'removed' if yes else 'would remove'} {found.path.name} ({status})")
            if yes:
                found.remove()
    return 0
