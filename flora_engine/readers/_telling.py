"""What the user says of the file that is being read, for all readers alike.

A reader does not pass it on: `assembly` asks for it, so that readers of other packages need to know nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

from flora_engine.readers.reading_recipes import ReadingRecipe, matching_recipe

Kind = Literal["columns", "arrays", "joints", "count"]
_NOTHING = ReadingRecipe()
MAX_NAMES = 2000  # of a table with more columns no recipe is sought


@dataclass
class Telling:
    """One file that is being read. recipe: what is said; None: none is known yet. suffix: of the file.

    names: what the file names, see `LooksLike`; empty until a reader knows. kind: of these names. joints: what the file
    calls its joints; empty until a reader has found them. used: the axes were told to `assembly`.
    """

    recipe: ReadingRecipe | None
    suffix: str
    names: tuple[str, ...] = ()
    kind: Kind = "joints"
    joints: tuple[str, ...] = ()
    used: bool = False


_now: ContextVar[Telling | None] = ContextVar("telling", default=None)


@contextmanager
def telling(recipe: ReadingRecipe | None, suffix: str) -> Iterator[Telling]:
    """Say this of the file that is read meanwhile; None: what a saved recipe for such files says."""
    one = Telling(recipe, suffix.lower())
    token = _now.set(one)
    try:
        yield one
    finally:
        _now.reset(token)


def saw(names: Sequence[str], kind: Kind = "joints") -> ReadingRecipe:
    """Report what the file names; what is said of such a file. A recipe for it goes by what was reported first."""
    one = _now.get()
    if one is not None and kind == "joints":
        one.joints = tuple(names)
    if one is not None and not one.names and len(names) <= MAX_NAMES:
        one.names, one.kind = tuple(names), kind
        if one.recipe is None:
            one.recipe = matching_recipe(one.suffix, one.names)
    return said()


def said() -> ReadingRecipe:
    """What is said of the file that is being read."""
    one = _now.get()
    return one.recipe if one is not None and one.recipe is not None else _NOTHING


def use() -> ReadingRecipe:
    """The same, once the axes, the unit and the frame rate follow it."""
    one = _now.get()
    if one is not None:
        one.used = True
    return said()
