"""`flora lexicon check|show|suggest|list|add|remove`: lexicon files, and what the program makes of an action's name."""

from __future__ import annotations

import argparse
from pathlib import Path

from flora_engine.commands.console import console_job
from flora_engine.descriptors.catalogue import catalogue
from flora_engine.recipes import lexicon as recipe
from flora_engine.resources import lexicon_folder
from flora_engine.semantics import lexicon_checks
from flora_engine.semantics.class_texts import parse_typed
from flora_engine.semantics.expectations import Expectation, Reader
from flora_engine.semantics.lexicon import (
    FOLDER,
    Lexicon,
    add_file,
    own_files,
    plain_entries,
    read_entries,
    remove_file,
    users_lexicon,
)
from flora_engine.semantics.text_encoder import load_text_encoder

SHOWN = 12  # expectations per action


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    check = verbs.add_parser("check", help="list every problem of lexicon files (default: the shipped ones)")
    check.add_argument("files", nargs="*", type=Path)
    show = verbs.add_parser("show", help="show which movements an action is expected to make")
    show.add_argument("action", help='as after --classes: "wave", or "wave: one hand swings beside the head"')
    show.add_argument("--own", nargs="+", type=Path, default=[], metavar="FILE", help="further lexicon files")
    suggest = verbs.add_parser("suggest", help="write the beginning of an entry for an action that has none")
    suggest.add_argument("action")
    compare = verbs.add_parser("compare", help="list what the recordings of a project say against the lexicon")
    compare.add_argument("project", type=Path, help="project folder; its labelled recordings are measured")
    compare.add_argument("--at-most", type=int, default=30, metavar="N", help="per class (default: %(default)s)")
    verbs.add_parser("list", help="list your own lexicon files")
    add = verbs.add_parser("add", help="check lexicon files and use them from now on, before the shipped ones")
    add.add_argument("files", nargs="+", type=Path)
    remove = verbs.add_parser("remove", help="no longer use one of your own lexicon files")
    remove.add_argument("name")


def run(arguments: argparse.Namespace) -> int:
    if arguments.verb == "check":
        return _check(arguments.files)
    if arguments.verb in ("list", "add", "remove"):
        return _own(arguments)
    if arguments.verb == "compare":
        return _compare(arguments)
    lexicon = users_lexicon(tuple(arguments.own) if arguments.verb == "show" else ())
    (text, *_) = parse_typed(arguments.action)
    found = Reader(lexicon, load_text_encoder()).read(text)
    if arguments.verb == "show":
        _show(text.name, found, lexicon)
    else:
        _suggest(text.name, text.motion, found)
    return 0


def _compare(arguments: argparse.Namespace) -> int:
    with console_job() as job:
        result = recipe.run(job, recipe.Request.of(project=arguments.project, at_most=arguments.at_most))
    descriptors = catalogue()
    for name, found in result.classes.items():
        print(f"{name}: {len(found) or 'no'} expectations contradicted")
        for one in found:
            about = descriptors[one.descriptor]
            wrong = about.low if one.expected > 0 else about.high
            print(f"  {one.descriptor}: {one.expected:+.0f}, but in {one.against} of {one.recordings} {wrong}")
    if result.left_out:
        print(f"not compared (unknown to the lexicon, or too few recordings): {', '.join(result.left_out)}")
    return 0


def _own(arguments: argparse.Namespace) -> int:
    if arguments.verb == "add":
        for path in arguments.files:
            print(f"{len(read_entries(path))} actions of {path} are used from now on: {add_file(path)}")
    elif arguments.verb == "remove":
        print(f"removed {remove_file(arguments.name)}")
    else:
        for path in own_files():
            print(f"{path.stem}: {len(read_entries(path))} actions ({path})")
        if not own_files():
            print(f"none in {lexicon_folder()}; “flora lexicon add FILE” adds one")
    return 0


def _check(files: list[Path]) -> int:
    paths = files or sorted(FOLDER.glob("*.yaml"))
    lexicon = Lexicon(tuple(entry for path in paths for entry in read_entries(path)))
    found = list(lexicon_checks.problems([(p, plain_entries(p)) for p in paths], lexicon, whole=not files))
    for problem in found:
        print(problem)
    names = sum(len(entry.names) for entry in lexicon.entries)
    print(f"{len(lexicon.entries)} actions, {names} names, {len(found) or 'no'} problems")
    return 1 if found else 0


def _strongest(found: Expectation) -> list[tuple[str, float]]:
    """(descriptor, expectation), the strongest first."""
    pairs = zip(catalogue(), found.values.tolist(), strict=True)
    return sorted((pair for pair in pairs if abs(pair[1]) > 0.1), key=lambda pair: -abs(pair[1]))


def _show(name: str, found: Expectation, lexicon: Lexicon) -> None:
    place = lexicon.find(name)
    if place is not None:
        entry = lexicon.entries[place]
        print(f"{name}: {entry.motion} {entry.meaning}")
        print(f"also called {', '.join(n for n in entry.names if n != name)}")
    else:
        print(f"{name}: not in the lexicon; read from {', '.join(found.entries)} (sure: {found.sure:.2f})")
    if found.notice:
        print(found.notice)
    descriptors = catalogue()
    for descriptor, value in _strongest(found)[:SHOWN]:
        one = descriptors[descriptor]
        print(f"  {value:+.1f}  {one.high if value > 0 else one.low}  ({descriptor})")


def _suggest(name: str, motion: str, found: Expectation) -> None:
    sentence = motion if motion != name else "DESCRIBE HOW THE BODY MOVES"
    expect = {d: 2 if v > 1 else 1 if v > 0 else -2 if v < -1 else -1 for d, v in _strongest(found)[:10]}
    print(f"# a start, taken from: {', '.join(found.entries)}; correct every line")
    print(f"- names: [{name}, ANOTHER NAME]")
    print(f"  motion: {sentence[:1].upper()}{sentence[1:].rstrip('.')}.")
    print("  meaning: SAY WHAT THE ACTION IS.")
    print("  persons: 1")
    print("  seconds: [1, 5]")
    print(f"  expect: {{{', '.join(f'{d}: {v}' for d, v in expect.items())}}}")
