"""What runs of each kind found, as typed data: result.json is written from these and read back into them. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

Outcome = dict[str, Any]  # of one head under one protocol, see evaluation.protocols
Heads = dict[str, dict[str, Outcome]]  # head → protocol → outcome


class Stream(BaseModel):
    """The encoder of one stream. epoch: from 0, the one that was kept; accuracy, loss: on the clips that chose it.

    checkpoint: its path in the run's folder. history: the metrics of each epoch.
    """

    epoch: int
    accuracy: float | None = None
    loss: float | None = None
    checkpoint: str
    history: list[dict[str, float]] = []

    def brief(self) -> Stream:
        """Without its history."""
        return self.model_copy(update={"history": []})


class _Result(BaseModel):
    """run: the folder; it is not stored in the folder itself."""

    run: Path | None = None

    def stored(self) -> dict[str, Any]:
        """The content of result.json."""
        return self.model_dump(mode="json", exclude={"run"})


class EncoderResult(_Result):
    kind: Literal["encoder"] = "encoder"
    streams: dict[str, Stream]


class FloraResult(_Result):
    """samples: of the parts train, zsl and gzsl. bundle: the path of the model that labels, in the run's folder.

    to_label: in one sentence what is missing if there is no bundle. weights: in a sentence, see `SplitResult`.
    """

    kind: Literal["flora"] = "flora"
    benchmark: str
    texts: dict[str, Any]
    low_shot: float | None
    samples: dict[str, int]
    heads: Heads
    minutes: float
    bundle: str | None = None
    to_label: str = ""
    weights: str = ""


class SplitResult(_Result):
    """One split of a pipeline. counts: recordings of the parts train, zsl and gzsl. minutes: encoder, all. weights: how
    much graphs and measurements count in the bundle, and what held-out folds said of it, in a sentence.
    """

    kind: Literal["split"] = "split"
    unseen: list[int]
    chance: float
    counts: dict[str, int]
    encoder: dict[str, Stream]
    heads: Heads
    minutes: dict[str, float]
    weights: str = ""


class FinalResult(_Result):
    """The model that a pipeline trains on everything. accuracy_of_splits: mean of the splits', trained as it was."""

    kind: Literal["final"] = "final"
    clips: int
    classes: int
    accuracy_of_splits: dict[str, float]
    encoder: dict[str, Stream]
    weights: str = ""


class PipelineResult(_Result):
    """bundle: the path of the model that labels, in the run's folder."""

    kind: Literal["pipeline"] = "pipeline"
    splits: dict[str, SplitResult]
    final: FinalResult | None = None
    bundle: str
    minutes: float


class SetFacts(BaseModel):
    """One data set that a model learned from. title: what people call it; of a project, its folder."""

    dataset: str
    title: str
    terms: str = ""
    recordings: int
    classes: int


class SetOutcome(BaseModel):
    """What a model reached on a part that was left out of its training, in per cent, with the ends of a 95 % interval:
    among up to five of its classes (the mean of fifty draws), and among all. most: share of the most predicted class.
    """

    five: tuple[float, float, float]
    every: tuple[float, float, float]
    most: float
    classes: int

    @property
    def chance(self) -> float:
        """Of all classes, in per cent."""
        return 100 / self.classes


class DescriptorsResult(_Result):
    """Of a training without an encoder. left_out: by the name of the part. calibrated: on these parts."""

    kind: Literal["descriptors"] = "descriptors"
    sets: dict[str, SetFacts]
    left_out: dict[str, SetOutcome]
    calibrated: bool
    minutes: float
    bundle: str = "bundle"


AnyResult = EncoderResult | FloraResult | SplitResult | FinalResult | PipelineResult | DescriptorsResult
_ADAPTER: TypeAdapter[AnyResult] = TypeAdapter(Annotated[AnyResult, Field(discriminator="kind")])
_MARKS = {"streams": "encoder", "accuracy_of_splits": "final", "chance": "split"}  # of results without a kind


def read_result(data: Mapping[str, Any]) -> AnyResult | None:
    """The result that result.json holds; None if it is not one of this program."""
    kind = next((kind for mark, kind in _MARKS.items() if mark in data), "")
    try:
        return _ADAPTER.validate_python({"kind": kind, **data})
    except ValidationError:
        return None
