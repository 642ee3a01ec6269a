"""Sections that configurations share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from flora_engine.choices import modules_of, one_of
from flora_engine.models.shift_gcn.backends import BackendName
from flora_engine.models.shift_gcn.streams import Stream

# In the order of application. The place of a name numbers its random draws: a new name comes last.
Augmentation = Literal["crop", "mirror", "rotate", "scale", "jitter", "drop_joints"]
HeadName = Annotated[str, *one_of(modules_of("flora_engine.heads"))]
ProtocolName = Literal["held-out", "published"]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TextSettings(Section):
    """The text encoder ("minilm", or a local Hugging Face folder of a CLIP or BERT text model) and the class texts.

    tokens is L of the method; texts names a folder of `{dataset}.csv` and `{dataset}_llm.txt`, None for our own.
    """

    encoder: str = "minilm"
    tokens: int = Field(32, ge=3, le=512)
    texts: Path | None = None


class EncoderSettings(Section):
    """Shift-GCN training (docs/method.md, section 4); defaults are the published ones."""

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
    unmirrored: tuple[int, ...] = Field((), description="classes with a left or right in their meaning: never mirrored")
    held_out: float = Field(0.1, ge=0, lt=1, description="share of training recordings that choose the best epoch")
    keep: Literal["best", "last"] = "best"
    precision: Literal["float32", "bfloat16", "auto"] = "auto"
    compile: bool = False
    backend: BackendName = Field(
        "auto", description="what computes the blocks in training, and features: see docs/training.md"
    )
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> EncoderSettings:
        if not self.streams:
            raise ValueError("streams names no stream")
        if len(set(self.streams)) < len(self.streams):
            raise ValueError("streams names a stream twice")
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError("milestones must rise from one to the next")
        if self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs ({self.warmup_epochs}) must be less than epochs ({self.epochs})")
        if self.compile and self.backend not in ("auto", "torch"):
            raise ValueError(f"compile needs backend torch; {self.backend} is not code that torch.compile can read")
        return self


class FloraSettings(Section):
    """Flora (docs/method.md, sections 5 to 7); defaults are the published ones."""

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
    scoring_tokens: int = Field(
        0, ge=0, description="merge the tokens of a class into so many when scoring with means; 0 scores exactly"
    )
    precision: Literal["float32", "bfloat16", "auto"] = Field(
        "auto", description="of matrix products in training and scoring; auto: bfloat16 where the device multiplies it"
    )
    published_training: Literal["exact", "fast"] = Field(
        "exact", description="exact: protocol published trains on all tokens in float32; fast: as tokens_per_step says"
    )
    graph: bool = Field(True, description="capture the training step as a CUDA graph; ignored on the CPU")

    @model_validator(mode="after")
    def _consistent(self) -> FloraSettings:
        if self.hidden % self.velocity_heads:
            raise ValueError(f"hidden ({self.hidden}) must be a multiple of velocity_heads ({self.velocity_heads})")
        if self.align_iterations >= self.total_iterations:
            raise ValueError(
                f"total_iterations ({self.total_iterations}) counts both phases and must be more than "
                f"align_iterations ({self.align_iterations})"
            )
        if not self.seeds:
            raise ValueError("seeds names no seed")
        if "held-out" not in self.protocols:
            raise ValueError("protocols must name held-out; published is only ever shown beside it")
        return self
