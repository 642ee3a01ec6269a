"""Sections that configurations share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, model_validator

from flora_engine.choices import modules_of, one_of
from flora_engine.datasets.catalogue import ClassText
from flora_engine.models.shift_gcn.backends import BackendName
from flora_engine.models.shift_gcn.streams import Stream

# In the order of application. The place of a name numbers its random draws: a new name comes last.
Augmentation = Literal["crop", "mirror", "rotate", "scale", "jitter", "drop_joints"]
HeadName = Annotated[str, *one_of(modules_of("flora_engine.heads"))]
ProtocolName = Literal["held-out", "published"]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TextSettings(Section):
    """The text encoder and the class texts: those of a file, those given here, or else our own or the project's."""

    encoder: str = Field("minilm", description="minilm, or a local Hugging Face folder of a CLIP or BERT text model")
    tokens: int = Field(32, ge=3, le=512, description="tokens kept of each text: L of the method")
    texts: Path | None = Field(None, description="folder of {dataset}.csv and {dataset}_llm.txt")
    classes: tuple[ClassText, ...] | None = Field(None, description="name, motion and definition of every class")
    more: tuple[Path, ...] = Field(
        (), description="further texts of the same classes: such folders, YAML files, or `shipped` for our own"
    )
    several: Literal["mean", "kept"] = Field(
        "mean",
        description="with `more`: mean averages the states of a class; kept gives it the tokens of all texts",
    )

    @model_validator(mode="after")
    def _one_source(self) -> TextSettings:
        if self.texts is not None and self.classes is not None:
            raise ValueError("give texts (a folder) or classes, not both")
        names = [text.name.casefold() for text in self.classes or ()]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"classes names “{twice}” twice")
        return self


class EncoderSettings(Section):
    """Shift-GCN training (docs/method.md, section 4); defaults are the published ones."""

    streams: tuple[Stream, ...] = Field(
        ("joint",), description="what is read of the skeleton; a network is trained for each"
    )
    base_channels: int = Field(64, ge=8, description="width of the network; half of it takes a quarter of the time")
    epochs: int = Field(100, ge=1, description="passes over the training recordings")
    batch_size: int = Field(32, ge=1, description="recordings of one batch; a smaller one needs less memory")
    accumulate: int = Field(1, ge=1, description="batches that make one step")
    learning_rate: float = Field(0.1, gt=0, description="at the start; lower it if the loss does not fall")
    milestones: tuple[int, ...] = Field((60, 80), description="epochs at which schedule steps divides the rate by ten")
    schedule: Literal["steps", "cosine"] = Field("steps", description="how the learning rate falls")
    warmup_epochs: int = Field(0, ge=0, description="epochs in which the learning rate rises first")
    momentum: float = Field(0.9, ge=0, lt=1, description="of the gradient descent")
    weight_decay: float = Field(1e-4, ge=0, description="of all weights")
    linear_weight_decay: float = Field(1e-3, ge=0, description="of the weights of spatial linear maps, as published")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of features left out at random before the last layer")
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="share of the answer that goes to all classes alike")
    shift_gradient: Literal["normalised", "true"] = Field(
        "normalised", description="of the temporal shifts: by its sign, as published, or as it is"
    )
    augmentations: tuple[Augmentation, ...] = Field(
        (), description="random changes of a training recording, drawn anew for every epoch"
    )
    unmirrored: tuple[int, ...] = Field((), description="classes with a left or right in their meaning: never mirrored")
    held_out: float = Field(0.1, ge=0, lt=1, description="share of training recordings that choose the best epoch")
    keep: Literal["best", "last"] = Field("best", description="the epoch that is kept")
    precision: Literal["float32", "bfloat16", "auto"] = Field(
        "auto", description="of the network; auto: bfloat16 if the device multiplies it"
    )
    compile: bool = Field(False, description="compile the network first (torch.compile)")
    backend: BackendName = Field(
        "auto", description="what computes the blocks in training, and features: see docs/training.md"
    )
    seed: int = Field(0, ge=0, description="of weights, order and augmentations")

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

    hidden: int = Field(768, ge=12, description="width of the common space of texts and skeletons")
    velocity_layers: int = Field(1, ge=1, description="layers of the flow's network")
    velocity_heads: int = Field(12, ge=1, description="attention heads of the flow's network; hidden is a multiple")
    neighbours: int = Field(2, ge=0, description="similar classes that a text looks at, under protocol published")
    weight_zsl: float = Field(1.0, ge=0, description="of the neighbours for ZSL, under protocol published")
    weight_gzsl: float = Field(0.4, ge=0, description="of the neighbours for GZSL, under protocol published")
    calibration: float = Field(0.75, gt=0, description="factor on errors of unseen classes if folds choose none")
    align_iterations: int = Field(2000, ge=1, description="steps that align texts and skeletons")
    total_iterations: int = Field(4000, ge=1, description="steps of both phases; the rest learn the flow")
    evaluations: int = Field(20, ge=1, description="looks at the model while the flow is learned")
    batch_size: int = Field(64, ge=2, description="recordings of one step")
    learning_rate: float = Field(1e-4, gt=0, description="of AdamW")
    weight_decay: float = Field(0.01, ge=0, description="of AdamW")
    align_weight: float = Field(0.1, ge=0, description="of the distance of text and skeleton, in phase 1")
    contrast_weight: float = Field(0.1, ge=0, description="of pairs of different classes, in phase 2")
    sigma_min: float = Field(1e-5, ge=0, description="noise that stays at the end of the flow")
    decision_time: float = Field(0.5, gt=0, lt=1, description="time of the flow at which classes are compared")
    protocols: tuple[ProtocolName, ...] = Field(
        ("held-out",), description="held-out: chosen without the test part; published: best on it, for comparison"
    )
    validation_classes: int = Field(5, ge=2, description="pseudo-unseen classes of one held-out fold")
    folds: int = Field(3, ge=1, description="held-out folds that choose the settings")
    seeds: tuple[int, ...] = Field((0,), description="one training each; three or more give standard errors")
    tokens_per_step: int = Field(8, ge=0, description="text tokens drawn anew for each training step; 0 takes all")
    attunements: tuple[tuple[int, float], ...] = Field(
        ((0, 0.0), (1, 0.3), (2, 0.4), (2, 1.0)), description="(neighbours, weight) among which held-out folds choose"
    )
    held_out: float = Field(0.2, gt=0, lt=1, description="share of seen samples that a held-out fold does not train on")
    add_streams: tuple[PositiveFloat, ...] = Field(
        (),
        description="a Flora per stream of the features, whose scores are added with these weights (published: 0.6 0.6 "
        "0.4 0.4 for joint, bone and their motions); empty: one Flora on all streams side by side",
    )
    attention: bool = Field(
        True,
        description="heads star and purls attend to joints if recordings and an encoder are at hand, as published; "
        "off: they read one vector per recording, which was better with few recordings",
    )
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
