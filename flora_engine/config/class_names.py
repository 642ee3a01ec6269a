"""Class names in a configuration, in place of numbers: a split that a project exports names its unseen classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flora_engine.config.messages import Fault, Location
from flora_engine.datasets.catalogue import dataset_names, load_dataset


def with_class_numbers(data: dict[Any, Any]) -> tuple[dict[Any, Any], list[Fault]]:
    """The configuration with numbers in place of the class names under `unseen` and `unmirrored`; names that fit no
    class, or two, are problems. Whatever else is wrong is left for the other checks.
    """
    sets = data.get("data") if isinstance(data.get("data"), list) else [data.get("data")]
    names = _class_names(sets if isinstance(sets, list) else [])
    problems: list[Fault] = []
    changed = dict(data)
    if isinstance(data.get("split"), dict):
        changed["split"] = _numbered(data["split"], "unseen", names, ("split",), problems)
    if isinstance(data.get("splits"), list):
        changed["splits"] = [
            _numbered(split, "unseen", names, ("splits", place), problems) for place, split in enumerate(data["splits"])
        ]
    if data.get("kind") in ("encoder", "pipeline"):
        changed["encoder"] = _numbered(data.get("encoder", {}), "unmirrored", names, ("encoder",), problems)
    return changed, problems


def _class_names(sets: Sequence[Any]) -> list[str] | None:
    """The class names of all data sets, one after the other; None if one of them is not in the catalogue."""
    found: list[str] = []
    for one in sets:
        name = one.get("dataset") if isinstance(one, dict) else None
        if name not in dataset_names():
            return None
        found += [text.casefold() for text in load_dataset(str(name)).class_names]
    return found


def _numbered(section: Any, key: str, names: list[str] | None, where: Location, problems: list[Fault]) -> Any:
    """The section with numbers under `key`; what is not a list, or not a text, stays."""
    entries = section.get(key) if isinstance(section, dict) else None
    if not isinstance(entries, list) or not any(isinstance(entry, str) for entry in entries):
        return section
    numbers: list[Any] = []
    for place, entry in enumerate(entries):
        if not isinstance(entry, str) or entry.isdigit():
            numbers.append(entry)
            continue
        fitting = [] if names is None else [i for i, name in enumerate(names) if name == entry.casefold()]
        if len(fitting) != 1:
            what = "is not a class of the data set" if not fitting else "is a class of two data sets; give its number"
            text = "class names need a data set of the catalogue" if names is None else f"“{entry}” {what}"
            problems.append(((*where, key, place), text))
        numbers += fitting[:1]
    return section | {key: numbers}
