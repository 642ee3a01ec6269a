"""Reading recipes: small named files that say how a recording is to be read if the file itself does not say it.

A recipe is one YAML file, NAME.yaml, in the user's folder of recipes; docs/formats.md describes its keys. It is used
for every file that looks like the one that it was made for (`LooksLike`), or for any file if it is named.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from flora_engine.errors import FloraError
from flora_engine.files import write_text
from flora_engine.readers._archive import MAX_FPS
from flora_engine.resources import recipes_folder
from flora_engine.skeleton import LAYOUTS
from flora_engine.skeleton.orientation import UNITS, Told

Axis = Literal["+x", "-x", "+y", "-y", "+z", "-z"]
Column = Annotated[int, Field(ge=1)] | str  # its number from 1, or its name
NAME = re.compile(r"[\w][\w .-]{0,60}")
SUFFIX = ".yaml"
_MAX_BYTES = 2**20
_NAME_HELP = "Use letters, digits, blanks, dots and hyphens."


class LooksLike(BaseModel):
    """The files that a recipe is for. suffix: ".csv". names: what a file names, in its order: the columns of a table,
    the joints or markers, or the arrays with their numbers of joints.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    suffix: str
    names: tuple[str, ...] = ()


class ReadingRecipe(BaseModel):
    """How a file is to be read; what is left out is guessed as usual.

    layout: a name of LAYOUTS. joints: joint of the layout → its name in the file; joints that are left out are found by
    their own names. columns: joint of the layout → its columns x, y and z, for tables. array: which one of an archive.
    up: the axis of the file that points up. mirrored: whether its axes are left-handed. unit: a key of UNITS, or metres
    per unit. fps: frames per second. name: of the recipe; not a part of its file.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field("", exclude=True)
    about: str = ""
    for_files: LooksLike | None = None
    layout: str | None = None
    array: str | None = None
    joints: dict[str, str] = {}
    columns: dict[str, tuple[Column, Column, Column]] = {}
    up: Axis | None = None
    mirrored: bool | None = None
    unit: str | Annotated[float, Field(gt=0)] | None = None
    fps: Annotated[float, Field(gt=0, le=MAX_FPS)] | None = None

    @model_validator(mode="after")
    def _known(self) -> ReadingRecipe:
        if self.layout is not None and self.layout not in LAYOUTS:
            raise ValueError(f"the layout {self.layout!r} is not known; known are {', '.join(LAYOUTS)}")
        if isinstance(self.unit, str) and self.unit not in UNITS:
            raise ValueError(f"the unit {self.unit!r} is not known; known are {', '.join(UNITS)}, or metres per unit")
        named = {*self.joints, *self.columns}
        if named and self.layout is None:
            raise ValueError("joints and columns need a layout")
        strange = sorted(named - set(LAYOUTS[self.layout].joints)) if self.layout else []
        if strange:
            raise ValueError(f"the layout {self.layout} has no joint {strange[0]!r}")
        return self

    @property
    def says_nothing(self) -> bool:
        return not self.model_dump(exclude_defaults=True, exclude={"name", "about", "for_files"})

    def told(self) -> Told:
        """What it says of axes and unit."""
        metres = UNITS[self.unit] if isinstance(self.unit, str) else self.unit
        return Told(self.up, self.mirrored, metres)

    def text(self) -> str:
        """Its file: YAML without what is left out."""
        content = self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        return yaml.dump(content, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)


def columns_in_order(layout: str, first: int, step: int = 3) -> dict[str, tuple[Column, Column, Column]]:
    """The columns of a table whose joints stand in the order of a layout: `step` columns for each, from `first` on."""
    starts = ((joint, first + step * i) for i, joint in enumerate(LAYOUTS[layout].joints))
    return {joint: (start, start + 1, start + 2) for joint, start in starts}


def parse_recipe(text: str, path: Path, name: str = "") -> ReadingRecipe:
    """The recipe in a file's text; FloraError with everything that is wrong in one sentence."""
    try:
        content: Any = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}" if mark else ""
        raise FloraError("is not valid YAML", path=path, where=where, remedy="Correct it in an editor.") from None
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise FloraError("is not a reading recipe: it should hold keys such as `layout:` and `up:`", path=path)
    try:
        return ReadingRecipe.model_validate({**content, "name": name or path.stem})
    except ValidationError as error:
        problems = "; ".join(dict.fromkeys(_problem(detail) for detail in error.errors(include_url=False)))
        raise FloraError(f"is not a usable reading recipe: {problems}", path=path) from None


def _problem(detail: Any) -> str:
    where = ".".join(str(part) for part in detail["loc"][:2])
    text = str(detail["ctx"]["error"]) if detail["type"] == "value_error" else str(detail["msg"])
    return f"{where}: {text[:1].lower()}{text[1:]}" if where else text


def read_recipe(path: Path) -> ReadingRecipe:
    """The recipe in a file; FloraError if it cannot be read or used."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise FloraError("is too long for a reading recipe", path=path)
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FloraError(f"cannot be read ({error.strerror or error})", path=path) from None
    except UnicodeDecodeError:
        raise FloraError("is not UTF-8 text", path=path) from None
    return parse_recipe(text, path)


def recipe_files() -> dict[str, Path]:
    """Name → file of every recipe of the user's folder, sorted by name; broken ones too."""
    try:
        files = [path for path in recipes_folder().iterdir() if path.suffix == SUFFIX and not path.name.startswith(".")]
    except OSError:
        return {}
    return {path.stem: path for path in sorted(files)}


def find_recipe(name: str) -> ReadingRecipe:
    """The recipe of that name in the user's folder, or the one in a file; FloraError if there is none."""
    known = recipe_files()
    if name in known:
        return read_recipe(known[name])
    path = Path(name).expanduser()
    if path.suffix.lower() in (SUFFIX, ".yml") or path.is_file():
        return read_recipe(path)
    shown = f"Known are {', '.join(known)}." if known else "There are none yet; `flora recipe new` makes one."
    raise FloraError(f"there is no reading recipe “{name}”", remedy=shown)


def save_recipe(recipe: ReadingRecipe, name: str) -> Path:
    """Keep a recipe under a name, in place of the one that has it; its file. FloraError for a name that cannot be."""
    name = name.strip()
    if not NAME.fullmatch(name) or name.endswith("."):
        raise FloraError(f"“{name}” cannot be the name of a reading recipe", remedy=_NAME_HELP)
    path = recipes_folder() / f"{name}{SUFFIX}"
    try:
        write_text(path, recipe.text())
    except OSError as error:
        raise FloraError(f"cannot be written ({error.strerror or error})", path=path) from None
    return path


def matching_recipe(suffix: str, names: Sequence[str]) -> ReadingRecipe | None:
    """The first recipe, by name, that is for files with this suffix that name this."""
    looks = LooksLike(suffix=suffix.lower(), names=tuple(names))
    return next((recipe for recipe in _usable(_stamps()) if recipe.for_files == looks), None)


def _stamps() -> tuple[tuple[Path, int], ...]:
    found = []
    for path in recipe_files().values():
        try:
            found.append((path, path.stat().st_mtime_ns))
        except OSError:
            continue
    return tuple(found)


@lru_cache(4)
def _usable(stamps: tuple[tuple[Path, int], ...]) -> tuple[ReadingRecipe, ...]:
    """The recipes in these files as they were at these times; a broken one is left out with a warning."""
    recipes = []
    for path, _ in stamps:
        try:
            recipes.append(read_recipe(path))
        except FloraError as error:
            warnings.warn(f"a reading recipe is left out: {error}", RuntimeWarning, stacklevel=2)
    return tuple(recipes)
