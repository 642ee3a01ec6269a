"""Configuration files: typed, validated whole before anything starts, all errors at once, unknown keys refused."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from flora_engine.datasets.splits import Split
from flora_engine.errors import FloraError

Stream = Literal["joint", "bone", "joint_motion", "bone_motion"]
Augmentation = Literal["rotate", "scale", "jitter", "crop", "mirror", "drop_joints"]
Preparation = Literal["ctrgcn", "agcn", "pku64", "clip"]
Head = Literal["flora", "nearest_mean", "eszsl", "cada_vae", "smie"]
ProtocolName = Literal["held-out", "published"]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSettings(Section):
    """Where recordings come from: a raw folder read by the registry, or a project.

    dataset names resources/datasets/NAME.yaml (classes, texts). preparation "clip" is ours: see preprocessing.clip.
    """

    dataset: str
    raw: Path | None = None
    project: Path | None = None
    preparation: Preparation = "clip"
    frames: int = Field(64, ge=4, le=2000)


class TextSettings(Section):
    """The text encoder ("minilm", or a local Hugging Face folder of a CLIP or BERT text model) and the class texts.

    tokens is L of the method; texts names a folder of `{dataset}.csv` and `{dataset}_llm.txt`, None for our own.
    """

    encoder: str = "minilm"
    tokens: int = Field(32, ge=1, le=512)
    texts: Path | None = None


class EncoderSettings(Section):
    """Shift-GCN training (method section 4); defaults are the published ones."""

    streams: tuple[Stream, ...] = ("joint",)
    base_channels: int = Field(64, ge=8)
    epochs: int = Field(100, ge=1)
    batch_size: int = Field(32, ge=1)
    accumulate: int = Field(1, ge=1)
    learning_rate: float = Field(0.1, gt=0)
    milestones: tuple[int, ...] = (60, 80)
    schedule: Literal["steps", "cosine"] = "steps"
    warmup_epochs: int = Field(0, ge=0)
    momentum: float = 0.9
    weight_decay: float = 1e-4
    linear_weight_decay: float = 1e-3
    dropout: float = Field(0.0, ge=0, lt=1)
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    shift_gradient: Literal["normalised", "true"] = "normalised"
    augmentations: tuple[Augmentation, ...] = ()
    held_out: float = Field(0.1, ge=0, lt=1, description="share of training recordings that choose the best epoch")
    keep: Literal["best", "last"] = "best"
    precision: Literal["float32", "bfloat16", "auto"] = "auto"
    compile: bool = False
    seed: int = 0


class FloraSettings(Section):
    """Flora (method sections 5 to 7); defaults are the published ones."""

    hidden: int = Field(768, ge=12)
    velocity_layers: int = Field(1, ge=1)
    velocity_heads: int = Field(12, ge=1)
    neighbours: int = Field(2, ge=0)
    weight_zsl: float = 1.0
    weight_gzsl: float = 0.4
    calibration: float = 0.75
    align_iterations: int = Field(2000, ge=1)
    total_iterations: int = Field(4000, ge=1)
    evaluations: int = Field(20, ge=1)
    batch_size: int = Field(64, ge=2)
    learning_rate: float = 1e-4
    weight_decay: float = 0.01
    align_weight: float = 0.1
    contrast_weight: float = 0.1
    sigma_min: float = 1e-5
    decision_time: float = Field(0.5, gt=0, lt=1)
    protocols: tuple[ProtocolName, ...] = ("held-out",)
    validation_classes: int = Field(5, ge=1, description="pseudo-unseen classes of one held-out fold")
    folds: int = Field(3, ge=1)
    seeds: tuple[int, ...] = (0,)
    tokens_per_step: int = Field(8, ge=0, description="text tokens drawn anew for each training step; 0 takes all")
    attunements: tuple[tuple[int, float], ...] = Field(
        ((0, 0.0), (1, 0.3), (2, 0.4), (2, 1.0)), description="(neighbours, weight) among which held-out folds choose"
    )
    held_out: float = Field(0.2, gt=0, lt=1, description="share of seen samples that a held-out fold does not train on")
    precision: Literal["float32", "bfloat16"] = "float32"
    graph: bool = Field(True, description="capture the training step as a CUDA graph; ignored on the CPU")


class EncoderConfig(Section):
    """`flora train-encoder --config …`. Either `benchmark` (FOLDER/NAME under resources/benchmarks) or `split`."""

    kind: Literal["encoder"]
    data: DataSettings
    benchmark: str | None = None
    split: Split | None = None
    encoder: EncoderSettings = EncoderSettings()


class FloraConfig(Section):
    """`flora train --config …` from a unified feature file."""

    kind: Literal["flora"]
    benchmark: str
    features: Path
    texts: TextSettings = TextSettings()
    setting: Literal["zsl", "gzsl", "both"] = "both"
    low_shot: float | None = Field(None, gt=0, le=1)
    heads: tuple[Head, ...] = ("flora",)
    flora: FloraSettings = FloraSettings()


class PipelineConfig(Section):
    """`flora train --config …` from raw recordings to a bundle: encoder, features, Flora, evaluation, per split."""

    kind: Literal["pipeline"]
    data: tuple[DataSettings, ...] = Field(min_length=1)
    splits: tuple[Split, ...] = Field(min_length=1)
    texts: TextSettings = TextSettings()
    encoder: EncoderSettings = EncoderSettings()
    flora: FloraSettings = FloraSettings()
    heads: tuple[Head, ...] = ("flora", "nearest_mean")


Config = Annotated[EncoderConfig | FloraConfig | PipelineConfig, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[EncoderConfig | FloraConfig | PipelineConfig] = TypeAdapter(Config)


def parse_config(data: Any, path: Path | None = None) -> EncoderConfig | FloraConfig | PipelineConfig:
    """Validate a plain mapping; FloraError lists every problem, one a line."""
    try:
        return _ADAPTER.validate_python(data)
    except ValidationError as error:
        problems = [f"{'.'.join(str(part) for part in e['loc']) or 'file'}: {e['msg']}" for e in error.errors()]
        raise FloraError("\n  ".join(["the configuration is not valid:", *problems]), path=path) from None


def load_config(path: Path) -> EncoderConfig | FloraConfig | PipelineConfig:
    """Read and validate a YAML file; raises FloraError."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise FloraError(f"cannot read the configuration: {error}", path=path) from None
    return parse_config(data, path)
