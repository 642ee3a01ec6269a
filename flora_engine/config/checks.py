"""What the sections of a configuration require of each other.

Each check looks at the sections that are valid by themselves, so that a mistake in one section hides nothing about
another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from flora_engine.config.messages import Fault
from flora_engine.config.sections import FloraSettings
from flora_engine.datasets.benchmarks import Benchmark, load_benchmark, unseen_problem
from flora_engine.datasets.catalogue import dataset_names, load_dataset
from flora_engine.datasets.settings import DataSettings
from flora_engine.errors import FloraError
from flora_engine.project.splits import Split

_S = TypeVar("_S", bound=BaseModel)


def between_sections(data: dict[Any, Any]) -> list[Fault]:
    problems: list[Fault] = []
    kind, flora = data.get("kind"), _valid(FloraSettings, data.get("flora", {}))
    if kind == "pipeline":
        sets = [_valid(DataSettings, entry) for entry in _entries(data.get("data"))]
        splits = [_valid(Split, entry) for entry in _entries(data.get("splits"))]
        problems += _split_problems(sets, splits, flora)
    elif kind == "encoder":
        sets, split = [_valid(DataSettings, data.get("data"))], _valid(Split, data.get("split"))
        problems += [(("split", "unseen"), text) for text in _unseen_problems(sets, split)]
        problems += [(("split", "train"), text) for text in _rule_problems(split)]
        problems += _same_dataset(sets[0], data.get("benchmark"))
    elif kind == "flora":
        benchmark = _benchmark(data.get("benchmark"))
        if benchmark is not None and flora is not None:
            problems += _fold_problems(flora, len(benchmark.seen))
        problems += _same_dataset(_valid(DataSettings, data.get("data")), data.get("benchmark"))
    return problems


def _valid(section: type[_S], data: Any) -> _S | None:
    try:
        return section.model_validate(data)
    except ValidationError:
        return None


def _entries(data: Any) -> list[Any]:
    return data if isinstance(data, list) else []


def _benchmark(name: Any) -> Benchmark | None:
    try:
        return load_benchmark(name) if isinstance(name, str) else None
    except FloraError:
        return None


def _class_count(sets: Sequence[DataSettings | None]) -> int | None:
    """Classes of all data sets together; None if one of them is not in the catalogue (or not valid)."""
    if not sets or any(one is None or one.dataset not in dataset_names() for one in sets):
        return None
    return sum(len(load_dataset(one.dataset).classes) for one in sets if one is not None)


def _unseen_problems(sets: Sequence[DataSettings | None], split: Split | None) -> list[str]:
    classes = _class_count(sets)
    problem = "" if split is None or classes is None else unseen_problem(split.unseen, classes)
    return [problem] if problem else []


def _rule_problems(split: Split | None) -> list[str]:
    if split is None or split.train.by == "fraction" or split.train.values:
        return []
    return [f"values must name the {split.train.by}s that train"]


def _split_problems(
    sets: Sequence[DataSettings | None], splits: Sequence[Split | None], flora: FloraSettings | None
) -> list[Fault]:
    problems: list[Fault] = []
    names = [split.name for split in splits if split is not None]
    for place, split in enumerate(splits):
        if split is None:
            continue
        problems += [(("splits", place, "unseen"), text) for text in _unseen_problems(sets, split)]
        problems += [(("splits", place, "train"), text) for text in _rule_problems(split)]
        if not split.unseen:
            problems.append((("splits", place, "unseen"), "names no class"))
        if names.count(split.name) > 1:
            problems.append((("splits", place, "name"), f"“{split.name}” is the name of another split too"))
    classes = _class_count(sets)
    if flora is not None and classes is not None and names:
        seen = classes - max(len(set(split.unseen)) for split in splits if split is not None)
        problems += _fold_problems(flora, seen)
    return problems


def _fold_problems(flora: FloraSettings, seen: int) -> list[Fault]:
    """A held-out fold must leave at least two classes to train on."""
    if "held-out" in flora.protocols and flora.validation_classes > seen - 2:
        text = (
            f"is {flora.validation_classes}, but there are only {seen} seen classes; at least 2 must stay to train on"
        )
        return [(("flora", "validation_classes"), text)]
    return []


def _same_dataset(data: DataSettings | None, name: Any) -> list[Fault]:
    benchmark = _benchmark(name)
    if data is None or benchmark is None:
        return []
    if benchmark.dataset != data.dataset:
        return [(("data", "dataset"), f"is {data.dataset}, but the benchmark is one of {benchmark.dataset}")]
    return []
