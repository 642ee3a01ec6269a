"""The kinds of configuration: descriptors, encoder, flora, pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from flora_engine.config.sections import EncoderSettings, FloraSettings, HeadName, Section, TextSettings
from flora_engine.datasets.benchmarks import load_benchmark
from flora_engine.datasets.settings import DataSettings, RecordingSettings
from flora_engine.errors import FloraError
from flora_engine.project.splits import Split


def _known_benchmark(name: str | None) -> str | None:
    if name is not None:
        try:
            load_benchmark(name)
        except FloraError as error:
            raise ValueError(str(error)) from None
    return name


class EncoderConfig(Section):
    """`flora train-encoder --config …`. Either `benchmark` (FOLDER/NAME under resources/benchmarks) or `split`."""

    kind: Literal["encoder"]
    data: DataSettings
    benchmark: str | None = None
    split: Split | None = None
    encoder: EncoderSettings = EncoderSettings()

    _known = field_validator("benchmark")(_known_benchmark)

    @model_validator(mode="after")
    def _one_split(self) -> EncoderConfig:
        if (self.benchmark is None) == (self.split is None):
            raise ValueError("give either benchmark or split")
        return self


class FloraConfig(Section):
    """`flora train --config …` from a unified feature file, or from recordings and an encoder's checkpoints.

    encoder: checkpoints or run folders, one stream each. Without features, they are extracted on the benchmark's split.
    With a feature file, it is the encoder that made it: the run then ends with a model that labels, and `data` says how
    recordings are prepared (None: as its run says, or as published). If data names recordings too, their features are
    compared with those of the file.
    """

    kind: Literal["flora"]
    benchmark: str
    features: Path | None = None
    data: DataSettings | None = None
    encoder: tuple[Path, ...] = ()
    texts: TextSettings = TextSettings()
    setting: Literal["zsl", "gzsl", "both"] = "both"
    low_shot: float | None = Field(None, gt=0, le=1)
    heads: tuple[HeadName, ...] = ("flora",)
    flora: FloraSettings = FloraSettings()

    _known = field_validator("benchmark")(_known_benchmark)

    @model_validator(mode="after")
    def _one_origin(self) -> FloraConfig:
        if self.features is not None:
            if self.data is not None and not self.encoder:
                raise ValueError("data without encoder has no meaning beside features; name the encoder that made them")
            return self
        if self.data is None or not self.encoder:
            raise ValueError("give features (a feature file), or data and encoder (checkpoints or runs)")
        if self.data.raw is None and self.data.project is None:
            raise ValueError("data names neither raw nor project")
        return self


class PipelineConfig(Section):
    """`flora train --config …` from raw recordings to a bundle: encoder, features, heads, evaluation, per split.

    The bundle holds the ensemble, or Flora alone where heads does not name the ensemble. final: after
    the splits, train once more on every class and recording and bundle that model; final_epochs of its encoder where
    more recordings need fewer passes (None: as many as the splits). checkpoints: encoders that are trained already, one
    stream each; then none is trained. They may not have learned an unseen class.
    """

    kind: Literal["pipeline"]
    data: tuple[DataSettings, ...] = Field(min_length=1)
    splits: tuple[Split, ...] = Field(min_length=1)
    texts: TextSettings = TextSettings()
    encoder: EncoderSettings = EncoderSettings()
    checkpoints: tuple[Path, ...] = Field((), description="checkpoints or runs of encoders, in place of training one")
    flora: FloraSettings = FloraSettings()
    heads: tuple[HeadName, ...] = ("flora", "nearest_mean", "ensemble")
    final: bool = False
    final_epochs: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _something_to_bundle(self) -> PipelineConfig:
        if self.final and not {"flora", "ensemble"} & set(self.heads):
            raise ValueError("final bundles a model, so heads must name flora or ensemble")
        return self


class DescriptorsConfig(Section):
    """`flora train --config …` without an encoder: measurements of the recordings of all `data`, and linear maps from
    them to words (docs/method.md, section 9). The bundle that ships is made so. Class names alone are read.
    """

    kind: Literal["descriptors"]
    data: tuple[RecordingSettings, ...] = Field(min_length=1, description="labelled recordings, one data set each")
    text_encoder: str = Field("minilm", description="minilm, or a local folder, as `texts.encoder` of other kinds")


AnyConfig = EncoderConfig | FloraConfig | PipelineConfig | DescriptorsConfig
Config = Annotated[AnyConfig, Field(discriminator="kind")]
