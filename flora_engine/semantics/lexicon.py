"""The action lexicon: names of actions, how the body moves, and which descriptors it makes high or low.

Files are resources/lexicon/*.yaml and the user's own. An entry: names (the first is the main one), motion, meaning,
persons (1 or 2), seconds [from, to], expect {descriptor: -2 … 2}; see docs/lexicon.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flora_engine.datasets.catalogue import ClassText
from flora_engine.descriptors.catalogue import catalogue
from flora_engine.errors import FloraError
from flora_engine.files import write_text
from flora_engine.resources import RESOURCES, cache_folder, lexicon_folder
from flora_engine.semantics import phrases

FOLDER = RESOURCES / "lexicon"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Floats = NDArray[np.float64]
_REMEDY = "docs/lexicon.md describes an entry; “flora lexicon check” lists what the shipped ones keep to."


class Entry(BaseModel):
    """One action. seconds: its usual duration. expect: descriptor → clearly low (-2) … clearly high (2)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    names: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)
    motion: str
    meaning: str
    persons: Annotated[int, Field(ge=1, le=2)] = 1
    seconds: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (1.0, 5.0)
    expect: Mapping[str, Annotated[float, Field(ge=-2, le=2)]] = Field(min_length=1)


@dataclass(frozen=True)
class Lexicon:
    """Entries in the order of their files."""

    entries: tuple[Entry, ...]

    @cached_property
    def places(self) -> dict[str, int]:
        """Entry by the key (`phrases.key`) of each of its names; the first entry that has a key counts."""
        found: dict[str, int] = {}
        for number, entry in enumerate(self.entries):
            for name in entry.names:
                found.setdefault(phrases.key(name), number)
        found.pop("", None)
        return found

    @cached_property
    def expectations(self) -> Floats:
        """(E, D): expected descriptors in the catalogue's order, 0 for what an entry says nothing about."""
        place = {name: d for d, name in enumerate(catalogue())}
        matrix = np.zeros((len(self.entries), len(place)))
        for number, entry in enumerate(self.entries):
            for name, value in entry.expect.items():
                matrix[number, place[name]] = value
        return matrix

    def find(self, name: str) -> int | None:
        """The entry that has this name, whatever its letter case, articles, endings and what it adds in parentheses or
        after a slash; None if there is none.
        """
        keys = (phrases.key(one) for one in phrases.readings(name))
        return next((self.places[key] for key in keys if key in self.places), None)

    def without(self, names: Iterable[str]) -> Lexicon:
        """The lexicon without the entries of these names, for evidence on words that it does not hold."""
        dropped = {self.find(name) for name in names} | {self.find(phrases.without_side(name)) for name in names}
        return Lexicon(tuple(entry for number, entry in enumerate(self.entries) if number not in dropped))


@lru_cache(maxsize=8)
def load_lexicon(own: tuple[Path, ...] = ()) -> Lexicon:
    """The shipped lexicon with the user's `own` files before it, so that their entries win. Raises FloraError."""
    paths = [*own, *sorted(FOLDER.glob("*.yaml"))]
    return Lexicon(tuple(entry for path in paths for entry in read_entries(path)))


def own_files() -> list[Path]:
    """The user's lexicon files (`lexicon_folder`), in the order of their names."""
    return sorted(lexicon_folder().glob("*.yaml"))


def users_lexicon(more: tuple[Path, ...] = ()) -> Lexicon:
    """The shipped lexicon with `more` files and the user's own before it. Raises FloraError as `load_lexicon`."""
    return load_lexicon((*more, *own_files()))


def add_file(path: Path) -> Path:
    """Check a lexicon file and copy it to the user's own, from where every ranking uses it; returns its place there.

    Raises FloraError: the first thing that is wrong, or that the name is taken.
    """
    read_entries(path)
    place = lexicon_folder() / f"{path.stem}.yaml"
    if place.exists():
        raise FloraError(
            "there is a lexicon file of this name already", path=place, remedy="Rename yours, or remove that one first."
        )
    write_text(place, path.read_text(encoding="utf-8-sig"))
    load_lexicon.cache_clear()
    return place


def remove_file(name: str) -> Path:
    """Remove one of the user's own files by name, with or without its ending. FloraError if there is none."""
    place = lexicon_folder() / f"{name.removesuffix('.yaml')}.yaml"
    if place not in own_files():
        have = ", ".join(path.stem for path in own_files()) or "none"
        raise FloraError(f"there is no lexicon file “{name}” of yours", path=lexicon_folder(), remedy=f"Yours: {have}.")
    place.unlink()
    load_lexicon.cache_clear()
    return place


def with_lexicon_texts(texts: Sequence[ClassText], lexicon: Lexicon) -> list[ClassText]:
    """Give classes without a description the motion and the meaning of the entry that has their name; others stay."""
    found = []
    for text in texts:
        place = lexicon.find(text.name) if text.motion in ("", text.name) else None
        entry = None if place is None else lexicon.entries[place]
        found.append(text if entry is None else replace(text, motion=entry.motion, definition=entry.meaning))
    return found


def plain_entries(path: Path) -> list[dict[str, Any]]:
    """The entries of one file as they stand there, unchecked. Raises FloraError if it is not a list of entries."""
    try:
        data = _parsed(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise FloraError(f"cannot read the lexicon: {error.strerror}", path=path) from None
    except UnicodeDecodeError:
        raise FloraError("the lexicon is not UTF-8", path=path, remedy="Save the file as UTF-8.") from None
    except yaml.YAMLError as error:
        raise FloraError(f"not readable as YAML: {' '.join(str(error).split())}", path=path) from None
    if not isinstance(data, list) or not data or not all(isinstance(one, dict) for one in data):
        raise FloraError("expected a list of actions", path=path, remedy=_REMEDY)
    return data


def read_entries(path: Path) -> list[Entry]:
    """The entries of one file. Raises FloraError: the first thing that is wrong, and where."""
    return [_entry(one, path, number, _REMEDY) for number, one in enumerate(plain_entries(path), start=1)]


def _parsed(text: str) -> Any:
    """The YAML of a file, from the cache if it was parsed before: a tenth of the time."""
    kept = cache_folder() / "lexicon" / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.json"
    try:
        return json.loads(kept.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        data = yaml.load(text, _LOADER)
    with contextlib.suppress(OSError, TypeError, ValueError):  # a full or read-only disk, or dates: then without cache
        write_text(kept, json.dumps(data, ensure_ascii=False))
    return data


def _entry(data: Any, path: Path, number: int, remedy: str) -> Entry:
    where = f"entry {number}"
    if isinstance(data, dict) and isinstance(data.get("names"), Sequence) and data["names"]:
        where += f" “{data['names'][0]}”"
    try:
        entry = Entry.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise FloraError(f"{place}: {first['msg']}", path=path, where=where, remedy=remedy) from None
    unknown = sorted(set(entry.expect) - set(catalogue()))
    if unknown:
        raise FloraError(f"there is no descriptor “{unknown[0]}”", path=path, where=where, remedy=remedy)
    return entry
