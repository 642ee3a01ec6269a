"""The published zero-shot benchmarks (docs/method.md, section 8) as data: unseen classes, settings, feature files."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from flora_engine.datasets.catalogue import load_dataset
from flora_engine.errors import FloraError
from flora_engine.project.splits import Split, TrainRule
from flora_engine.resources import RESOURCES

FOLDER = RESOURCES / "benchmarks"


class Benchmark(BaseModel):
    """One row of docs/method.md, section 8.

    name: "FILE/ENTRY", as in resources/benchmarks. unseen: 0-based labels of `dataset`. protocol: xsub, xview or xset,
    a train rule of the data set. neighbours, weight_zsl, weight_gzsl, calibration: published settings. tokens: L.
    features: where the published feature file lies below the folder of all features. test_size: published number of
    unseen test samples. published: accuracies in per cent, if a source gives them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    title: str
    encoder: str
    dataset: str
    protocol: str
    unseen: tuple[int, ...] = Field(min_length=1)
    neighbours: int = Field(ge=0)
    weight_zsl: float
    weight_gzsl: float
    calibration: float = Field(gt=0)
    tokens: int = Field(ge=1)
    features: Path
    test_size: int | None = None
    published: dict[str, float] = {}

    @model_validator(mode="after")
    def _fits_data_set(self) -> Benchmark:
        problem = unseen_problem(self.unseen, len(load_dataset(self.dataset).classes))
        if problem:
            raise ValueError(problem)
        if self.protocol not in load_dataset(self.dataset).train_rules:
            raise ValueError(f"{self.dataset} has no train rule {self.protocol}")
        return self

    @property
    def classes(self) -> int:
        """K, seen and unseen."""
        return len(load_dataset(self.dataset).classes)

    @property
    def seen(self) -> tuple[int, ...]:
        return tuple(label for label in range(self.classes) if label not in self.unseen)

    def split(self, low_shot: float | None = None, seed: int = 0) -> Split:
        """The split that makes this benchmark's features from recordings."""
        return Split(name=self.name, unseen=self.unseen, train=self.train_rule(), low_shot=low_shot, seed=seed)

    def train_rule(self) -> TrainRule:
        """The data set's own rule that `protocol` names."""
        return load_dataset(self.dataset).train_rules[self.protocol]


def unseen_problem(unseen: tuple[int, ...], classes: int) -> str:
    """What is wrong with unseen labels among `classes` classes; empty if nothing."""
    outside = [label for label in unseen if not 0 <= label < classes]
    if outside:
        return f"the unseen classes {outside} do not exist; labels go from 0 to {classes - 1}"
    twice = sorted({label for label in unseen if unseen.count(label) > 1})
    if twice:
        return f"the unseen classes {twice} are named twice"
    if len(unseen) >= classes:
        return "every class is unseen, so there is nothing to train on"
    return ""


def all_benchmarks() -> list[Benchmark]:
    """Every benchmark that ships with the program, by name."""
    return [benchmark for path in sorted(FOLDER.glob("*.yaml")) for benchmark in _read(path).values()]


def load_benchmark(name: str) -> Benchmark:
    """The benchmark “FILE/ENTRY”, for example synse/ntu60_xsub_unseen5. Raises FloraError if there is none."""
    file, _, entry = name.partition("/")
    known = {path.stem: path for path in FOLDER.glob("*.yaml")}
    if file not in known:
        raise FloraError(f"the benchmark “{name}” is unknown", remedy=f"Known folders: {', '.join(sorted(known))}.")
    entries = _read(known[file])
    if name not in entries:
        names = ", ".join(key.partition("/")[2] for key in entries)
        raise FloraError(f"the benchmark “{entry}” is unknown", where=file, remedy=f"Known ones: {names}.")
    return entries[name]


@lru_cache(maxsize=32)
def _read(path: Path) -> dict[str, Benchmark]:
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    result = {}
    for entry, values in data["benchmarks"].items():
        name = f"{path.stem}/{entry}"
        shared = {"name": name, "title": data["title"], "encoder": data["encoder"]}
        features = Path(data["features_folder"]) / values["features"]
        try:
            result[name] = Benchmark.model_validate({**values, **shared, "features": features})
        except ValidationError as error:
            raise FloraError(f"not a description of a benchmark: {error}", path=path, where=entry) from None
    return result
