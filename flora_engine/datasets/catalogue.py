"""What the program knows of public data sets: classes with our texts, train rules, file names. Data, not code."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from flora_engine.errors import FloraError
from flora_engine.project.splits import TrainRule
from flora_engine.resources import RESOURCES

FOLDER = RESOURCES / "datasets"


@dataclass(frozen=True)
class Text:
    """One way to say a class: how the body moves, and what the action is."""

    motion: str
    definition: str


@dataclass(frozen=True)
class ClassText:
    """One class in words: its name, how the body moves, and what the action is. more: further ways to say it."""

    name: str
    motion: str
    definition: str
    more: tuple[Text, ...] = ()

    @property
    def versions(self) -> tuple[ClassText, ...]:
        """Each way to say it as a class of its own, the first one last."""
        further = (ClassText(self.name, one.motion, one.definition) for one in self.more)
        return (*further, replace(self, more=()))

    def as_data(self) -> dict[str, Any]:
        """Plain values, as `texts_from_data` reads them."""
        found = asdict(self)
        return found if self.more else {key: value for key, value in found.items() if key != "more"}


class Dataset(BaseModel):
    """One data set. `classes` in label order (0-based); `train_rules` by their usual names (xsub, xview, xset).

    source, terms: where it comes from and what its owners allow, in words. names_in_files: class names as its files say
    them, if they differ, and the class that each means.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    title: str
    layout: str
    file_names: str
    frames_per_second: float = Field(30.0, gt=0)
    train_rules: dict[str, TrainRule]
    notes: str = ""
    source: str = ""
    terms: str = ""
    names_in_files: dict[str, str] = {}
    classes: tuple[ClassText, ...] = Field(min_length=1)

    @field_validator("classes", mode="before")
    @classmethod
    def _read_classes(cls, value: Any) -> Any:
        return tuple(texts_from_data(value, Path("classes"))) if isinstance(value, list) else value

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(text.name for text in self.classes)

    @property
    def places(self) -> dict[str, int]:
        """Class names, also as its files say them, in small letters, and the number of the class."""
        own = {name.casefold(): number for number, name in enumerate(self.class_names)}
        return own | {other.casefold(): own[name.casefold()] for other, name in self.names_in_files.items()}


def dataset_names() -> list[str]:
    """All data sets that ship with the program."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_dataset(name: str) -> Dataset:
    """resources/datasets/NAME.yaml. Raises FloraError if there is none."""
    path = FOLDER / f"{name}.yaml"
    if name not in dataset_names():
        raise FloraError(f"the data set “{name}” is unknown", remedy=f"Known ones: {', '.join(dataset_names())}.")
    return _load(path)


@lru_cache(maxsize=32)
def _load(path: Path) -> Dataset:
    """`classes` may be a list, or `{from: OTHER, first: N}` or `{from: OTHER, labels: [...]}` for a part of another."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    classes = data["classes"]
    if isinstance(classes, dict):
        others = load_dataset(classes["from"]).classes
        labels = classes.get("labels") or range(classes["first"])
        data["classes"] = tuple(others[label] for label in labels)
    try:
        return Dataset(name=path.stem, **data)
    except ValidationError as error:
        raise FloraError(f"not a description of a data set: {error}", path=path) from None


def texts_from_data(data: Any, path: Path) -> list[ClassText]:
    """Check a parsed list of classes. `motion` and `definition` may be left out: then they are the name.

    `more` lists further texts, each with both keys.
    """
    if not isinstance(data, list) or not data:
        raise FloraError("expected a list of classes, each with a name", path=path)
    texts: list[ClassText] = []
    for number, entry in enumerate(data, start=1):
        if not isinstance(entry, dict) or not {"name"} <= entry.keys() <= {"name", "motion", "definition", "more"}:
            raise FloraError(
                "expected the keys name, motion, definition and perhaps more, and no others",
                path=path,
                where=f"class {number}",
            )
        further = _further(entry.get("more"), path, number)
        values = {key: " ".join(str(value).split()) for key, value in entry.items() if value is not None}
        name = values.get("name", "")
        if not name:
            raise FloraError("a class has no name", path=path, where=f"class {number}")
        texts.append(ClassText(name, values.get("motion") or name, values.get("definition") or name, further))
    return texts


def _further(data: Any, path: Path, number: int) -> tuple[Text, ...]:
    """The value of `more` of one class."""
    found = []
    for entry in [] if data is None else data if isinstance(data, list) else [None]:
        if not isinstance(entry, dict) or entry.keys() != {"motion", "definition"} or not all(entry.values()):
            raise FloraError(
                "expected under more a list of texts, each with motion and definition",
                path=path,
                where=f"class {number}",
            )
        found.append(Text(*(" ".join(str(entry[key]).split()) for key in ("motion", "definition"))))
    return tuple(found)
