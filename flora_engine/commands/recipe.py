"""`flora recipe list|show|test|new|add`: reading recipes, which say how a file is to be read (docs/formats.md)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from flora_engine.commands.info import note_lines
from flora_engine.errors import FloraError
from flora_engine.readers import Attempt, attempt_sequence
from flora_engine.readers.corrections import TURNS
from flora_engine.readers.reading_recipes import (
    ReadingRecipe,
    columns_in_order,
    find_recipe,
    parse_recipe,
    read_recipe,
    recipe_files,
    save_recipe,
)
from flora_engine.skeleton import LAYOUTS
from flora_engine.skeleton.orientation import UNITS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="list the recipes of this computer")
    show = verbs.add_parser("show", help="print a recipe; its text is a file to share")
    show.add_argument("name", metavar="NAME")
    test = verbs.add_parser("test", help="say what files look like if they are read by a recipe")
    test.add_argument("name", metavar="NAME", help="a recipe, or a file with one")
    test.add_argument("files", nargs="+", type=Path, metavar="FILE")
    new = verbs.add_parser("new", help="make a recipe for files like this one")
    new.add_argument("name", metavar="NAME")
    new.add_argument("file", type=Path, metavar="FILE")
    new.add_argument("--layout", choices=sorted(LAYOUTS), help="the layout of the joints")
    new.add_argument("--array", help="which array of an archive")
    new.add_argument("--first-column", type=int, metavar="N", help="of a table: where the first joint begins, from 1")
    new.add_argument("--per-joint", type=int, default=3, metavar="N", help="columns per joint (default 3)")
    new.add_argument("--up", choices=sorted(TURNS), help="the axis that points up in the file")
    new.add_argument("--mirrored", action=argparse.BooleanOptionalAction, help="whether the axes are left-handed")
    new.add_argument("--unit", help=f"{', '.join(list(UNITS)[:5])}, or metres per unit")
    new.add_argument("--fps", type=float, help="frames per second")
    new.add_argument("--about", default="", help="a sentence for whoever lists it")
    add = verbs.add_parser("add", help="take a recipe that somebody shared")
    add.add_argument("file", type=Path, metavar="FILE.yaml")


def run(arguments: argparse.Namespace) -> int:
    if arguments.verb == "list":
        return _list()
    if arguments.verb == "show":
        recipe = find_recipe(arguments.name)
        print(f"# reading recipe “{recipe.name}” of Flora Studio\n{recipe.text()}", end="")
        return 0
    if arguments.verb == "test":
        return _test(find_recipe(arguments.name), arguments.files)
    if arguments.verb == "new":
        return _new(arguments)
    recipe = read_recipe(arguments.file)
    print(save_recipe(recipe, recipe.name))
    return 0


def _list() -> int:
    broken = 0
    files = recipe_files()
    for name, path in files.items():
        try:
            print(f"{name}: {_line(read_recipe(path))}")
        except FloraError as error:
            broken += 1
            print(f"! {error}", file=sys.stderr)
    if not files:
        print("there are no reading recipes yet; `flora recipe new NAME FILE` makes one")
    return 1 if broken else 0


def _line(recipe: ReadingRecipe) -> str:
    """What a recipe says, and for which files, in one line."""
    looks = recipe.for_files
    whose = f"for {looks.suffix} files with {', '.join(looks.names[:3])}" if looks else "only if it is named"
    if looks and len(looks.names) > 3:
        whose += f" … ({len(looks.names)} names)"
    said = {key: value for key, value in recipe.model_dump(exclude_none=True).items() if key not in _LONG and value}
    parts = [*(f"{key} {value}" for key, value in said.items()), *(key for key in _LONG[:2] if getattr(recipe, key))]
    return f"{recipe.about + '; ' if recipe.about else ''}{', '.join(parts) or 'says nothing'}; {whose}"


_LONG = ("joints", "columns", "for_files", "about")


def _test(recipe: ReadingRecipe, files: list[Path]) -> int:
    failed = 0
    for path in files:
        found = attempt_sequence(path, recipe=recipe)
        failed += found.sequence is None
        _show(found)
        alike = bool(found.names) and recipe.for_files == found.looks
        print(f"  used for such files: {'always' if alike else f'only with --as {recipe.name}'}")
    return 1 if failed else 0


def _show(found: Attempt) -> None:
    sequence = found.sequence
    if sequence is None:
        print(f"flora: {found.problem}", file=sys.stderr)
        return
    print(f"{found.path}: {sequence.frames} frames at {sequence.fps:g} per second, {sequence.persons} person(s), "
          f"{sequence.layout}")  # fmt: skip
    for line in note_lines(sequence.notes):
        print(f"  {line}")


def _new(arguments: argparse.Namespace) -> int:
    if arguments.name in recipe_files():
        raise FloraError(f"there is a reading recipe “{arguments.name}” already", remedy="Choose another name.")
    seen = attempt_sequence(arguments.file, recipe=ReadingRecipe())
    if not seen.names:
        problem = seen.problem or f"{arguments.file}: this format says all of it, so that no recipe is needed"
        raise FloraError(problem)
    unit = arguments.unit
    if unit is not None and unit not in UNITS:
        try:
            unit = float(unit)
        except ValueError:
            raise FloraError(f"the unit {unit!r} is not known", remedy=f"Known are {', '.join(UNITS)}.") from None
    first, step = arguments.first_column, arguments.per_joint
    if first is not None and (arguments.layout is None or first < 1 or step < 3):
        raise FloraError("--first-column needs --layout, a number from 1, and three or more columns per joint")
    recipe = ReadingRecipe.model_construct(
        about=arguments.about,
        for_files=seen.looks,
        layout=arguments.layout,
        array=arguments.array,
        columns={} if first is None else columns_in_order(arguments.layout, first, step),
        up=arguments.up,
        mirrored=arguments.mirrored,
        unit=unit,
        fps=arguments.fps,
    )
    recipe = parse_recipe(recipe.text(), Path(arguments.name), arguments.name)
    print(save_recipe(recipe, arguments.name))
    found = attempt_sequence(arguments.file)
    _show(found)
    return 0 if found.sequence is not None else 1
