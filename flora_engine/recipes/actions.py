"""The registry of recipes: what the worker, the command line and the window can ask for, by name.

A recipe is a module with a class `Request` and a function `run(job, request)` that returns a JSON-ready result (plain
data, a dataclass or a pydantic model). It is imported when it is asked for, so that importing recordings does not pay
for torch; a `Request` never needs torch.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel

from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.recipes.request import Request

# action → module, or module:NAME of an object with the same two parts
ACTIONS: dict[str, str] = {
    "import": "flora_engine.recipes.importing",
    "prepare": "flora_engine.recipes.preparing",
    "export": "flora_engine.recipes.export",
    "verify": "flora_engine.recipes.verify",
    "check-lexicon": "flora_engine.recipes.lexicon",
    "train": "flora_engine.recipes.training",
    "train-encoder": "flora_engine.recipes.encoder",
    "estimate": "flora_engine.recipes.estimate",
    "extract": "flora_engine.recipes.extract",
    "compare": "flora_engine.recipes.compare",
    "bundle": "flora_engine.recipes.bundle",
    "evaluate": "flora_engine.recipes.evaluate",
    "map": "flora_engine.recipes.latent_map",
    "label-folder": "flora_engine.recipes.label",
    "label-timeline": "flora_engine.recipes.timeline",
    "label-batch": "flora_engine.recipes.batch",
    "find-segments": "flora_engine.recipes.find_segments",
}


class Recipe(Protocol):
    """One use case."""

    Request: type[Request]

    def run(self, job: Job, request: Any, /) -> Any: ...


def recipe(action: str) -> Recipe:
    """The recipe behind an action, imported now; raises FloraError if there is none."""
    if action not in ACTIONS:
        raise FloraError(f"unknown action {action!r}", remedy=f"Known: {', '.join(sorted(ACTIONS))}.")
    module, _, name = ACTIONS[action].partition(":")
    found: Any = importlib.import_module(module)
    result: Recipe = getattr(found, name) if name else found
    return result


def checked(action: str, arguments: dict[str, Any]) -> Callable[[Job], Any]:
    """The action, with its arguments checked, as a function that gives its result as JSON values. FloraError."""
    found = recipe(action)
    request = found.Request.of(**arguments)
    return lambda job: as_json(found.run(job, request))


def perform(job: Job, action: str, arguments: dict[str, Any]) -> Any:
    """Do an action; returns its result as JSON values. Raises FloraError, Cancelled."""
    return checked(action, arguments)(job)


def as_json(value: Any) -> Any:
    """A result as JSON values; TypeError if it holds anything else than `plain` knows."""
    return json.loads(json.dumps(value, default=plain))


def plain(value: Any) -> Any:
    """Models and dataclasses as dicts, paths as text, NumPy scalars as numbers: the `default` of `json.dumps`."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not JSON")
