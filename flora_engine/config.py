"""Configuration files: typed, validated whole before anything starts, all errors at once, unknown keys refused.

Problems come from three places and are told together: the types of the sections (pydantic), what a section's own keys
must be to each other (validators of the section), and what sections must be to each other (`_between_sections`).
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from flora_engine.datasets.benchmarks import Benchmark, load_benchmark, unseen_problem
from flora_engine.datasets.catalogue import dataset_names, load_dataset
from flora_engine.datasets.splits import Split
from flora_engine.errors import FloraError

Stream = Literal["joint", "bone", "joint_motion", "bone_motion"]
Augmentation = Literal["rotate", "scale", "jitter", "crop", "mirror", "drop_joints"]
Preparation = Literal["ctrgcn", "agcn", "pku64", "clip", "matched_clip"]
HeadName = Literal["flora", "nearest_mean", "eszsl", "cada_vae", "smie", "ensemble"]
ProtocolName = Literal["held-out", "published"]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataSettings(Section):
    """Where recordings come from: a raw folder read by the registry, or a project.

    dataset names resources/datasets/NAME.yaml (classes, texts). preparations "clip" and
    "matched_clip" (for a model that is to read several sensors) are ours: see preprocessing.clip.
    persons 1 keeps the first person alone, which halves the work where nobody else is ever there.
    """

    dataset: str
    raw: Path | None = None
    project: Path | None = None
    preparation: Preparation = "clip"
    frames: int = Field(64, ge=4, le=2000)
    persons: Literal[1, 2] = 2

    @model_validator(mode="after")
    def _one_source(self) -> DataSettings:
        if self.raw is not None and self.project is not None:
            raise ValueError("give raw or project, not both")
        return self


class TextSettings(Section):
    """The text encoder ("minilm", or a local Hugging Face folder of a CLIP or BERT text model) and the class texts.

    tokens is L of the method; texts names a folder of `{dataset}.csv` and `{dataset}_llm.txt`, None for our own.
    """

    encoder: str = "minilm"
    tokens: int = Field(32, ge=3, le=512)
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
    unmirrored: tuple[int, ...] = Field((), description="classes with a left or right in their meaning: never mirrored")
    held_out: float = Field(0.1, ge=0, lt=1, description="share of training recordings that choose the best epoch")
    keep: Literal["best", "last"] = "best"
    precision: Literal["float32", "bfloat16", "auto"] = "auto"
    compile: bool = False
    seed: int = 0

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
        return self


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

    encoder: checkpoints or run folders, one stream each; the features are then extracted on the benchmark's split.
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
        if self.features is not None and (self.data is not None or self.encoder):
            raise ValueError("give features, or data and encoder, not both")
        if self.features is None and (self.data is None or not self.encoder):
            raise ValueError("give features (a feature file), or data and encoder (checkpoints or runs)")
        if self.data is not None and self.data.raw is None and self.data.project is None:
            raise ValueError("data names neither raw nor project")
        return self


class PipelineConfig(Section):
    """`flora train --config …` from raw recordings to a bundle: encoder, features, heads, evaluation, per split.

    The bundle holds the ensemble, or Flora alone where heads does not name the ensemble. final: after
    the splits, train once more on every class and recording and bundle that model; final_epochs of its encoder where
    more recordings need fewer passes (None: as many as the splits).
    """

    kind: Literal["pipeline"]
    data: tuple[DataSettings, ...] = Field(min_length=1)
    splits: tuple[Split, ...] = Field(min_length=1)
    texts: TextSettings = TextSettings()
    encoder: EncoderSettings = EncoderSettings()
    flora: FloraSettings = FloraSettings()
    heads: tuple[HeadName, ...] = ("flora", "nearest_mean", "ensemble")
    final: bool = False
    final_epochs: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _something_to_bundle(self) -> PipelineConfig:
        if self.final and not {"flora", "ensemble"} & set(self.heads):
            raise ValueError("final bundles a model, so heads must name flora or ensemble")
        return self


Config = Annotated[EncoderConfig | FloraConfig | PipelineConfig, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[EncoderConfig | FloraConfig | PipelineConfig] = TypeAdapter(Config)
Location = tuple[int | str, ...]  # keys and list places from the top of the file
Problem = tuple[Location, str]
_S = TypeVar("_S", bound=BaseModel)


def parse_config(data: Any, path: Path | None = None) -> EncoderConfig | FloraConfig | PipelineConfig:
    """Validate a plain mapping; FloraError lists every problem, one a line, with the path of its key."""
    config, problems = _validate(data)
    if config is None:
        raise _error([f"{_dotted(location)}: {text}" for location, text in problems], path)
    return config


def load_config(path: Path) -> EncoderConfig | FloraConfig | PipelineConfig:
    """Read and validate a YAML file; FloraError lists every problem with its line."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except OSError as error:
        raise FloraError(f"cannot read the configuration: {error.strerror}", path=path) from None
    except (UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise FloraError(f"not readable as YAML: {' '.join(str(error).split())}", path=path) from None
    config, problems = _validate(data)
    problems = [*_repeated_keys(tree, ()), *problems]
    if config is None or problems:
        lines = [(_line(tree, location), f"{_dotted(location)}: {text}") for location, text in problems]
        raise _error([f"line {line}, {text}" for line, text in sorted(lines)], path)
    return config


def _error(problems: list[str], path: Path | None) -> FloraError:
    return FloraError("\n  ".join(["the configuration is not valid:", *problems]), path=path)


def _validate(data: Any) -> tuple[EncoderConfig | FloraConfig | PipelineConfig | None, list[Problem]]:
    """The configuration, or None and all problems."""
    if not isinstance(data, dict):
        return None, [((), "expected keys and values")]
    problems: list[Problem] = []
    config = None
    try:
        config = _ADAPTER.validate_python(data)
    except ValidationError as error:
        problems = [(_location(detail), _plain(detail)) for detail in error.errors(include_url=False)]
    problems += _between_sections(data)
    return (None if problems else config), problems


def _location(detail: ErrorDetails) -> Location:
    """Where in the file; pydantic puts the kind in front."""
    return () if detail["type"].startswith("union_tag") else detail["loc"][1:]


def _dotted(location: Location) -> str:
    return ".".join(str(part) for part in location) or "file"


_LIMITS = {"greater_than": "more than {gt}", "greater_than_equal": "at least {ge}"}
_LIMITS |= {"less_than": "less than {lt}", "less_than_equal": "at most {le}"}
_KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "string": "text", "path": "a path"}
_KINDS |= {"tuple": "a list", "list": "a list", "model": "keys and values", "dict": "keys and values"}


def _plain(detail: ErrorDetails) -> str:
    """A problem in plain words."""
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    expected = _KINDS.get(kind.split("_")[0])
    text = f"is {value!r}; expected {expected}" if expected else detail["msg"]
    if kind in _LIMITS:
        text = f"is {value}; must be {_LIMITS[kind].format(**context)}"
    elif kind.startswith("union_tag"):
        text = "kind must be encoder, flora or pipeline"
    elif kind == "missing":
        text = "is missing"
    elif kind == "extra_forbidden":
        text = "is not a known key" + _did_you_mean(detail)
    elif kind == "literal_error":
        text = f"is {value!r}; expected {context['expected']}"
    elif kind == "too_short":
        text = "must not be empty"
    elif kind == "value_error":
        text = str(context["error"])
    return text


def _did_you_mean(detail: ErrorDetails) -> str:
    """A hint where the key is close to a known one of the same section."""
    model: Any = {"encoder": EncoderConfig, "flora": FloraConfig, "pipeline": PipelineConfig}[str(detail["loc"][0])]
    for part in detail["loc"][1:-1]:
        if isinstance(part, str):
            model = _section_type(model.model_fields[part].annotation)
    close = difflib.get_close_matches(str(detail["loc"][-1]), list(model.model_fields), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _section_type(annotation: Any) -> Any:
    """The section inside `Section`, `Section | None` or `tuple[Section, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(found for part in get_args(annotation) if (found := _section_type(part)) is not None)


# Between sections. Each check looks at the sections that are valid by themselves, so that a mistake in one section
# hides nothing about another.


def _between_sections(data: dict[Any, Any]) -> list[Problem]:
    problems: list[Problem] = []
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
    """Classes of all data sets together; None where one of them is not in the catalogue (or not valid)."""
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
) -> list[Problem]:
    problems: list[Problem] = []
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


def _fold_problems(flora: FloraSettings, seen: int) -> list[Problem]:
    """A held-out fold must leave at least two classes to train on."""
    if "held-out" in flora.protocols and flora.validation_classes > seen - 2:
        text = (
            f"is {flora.validation_classes}, but there are only {seen} seen classes; at least 2 must stay to train on"
        )
        return [(("flora", "validation_classes"), text)]
    return []


def _same_dataset(data: DataSettings | None, name: Any) -> list[Problem]:
    benchmark = _benchmark(name)
    if data is None or benchmark is None:
        return []
    if benchmark.dataset != data.dataset:
        return [(("data", "dataset"), f"is {data.dataset}, but the benchmark is one of {benchmark.dataset}")]
    return []


# Lines of a YAML file


def _line(tree: yaml.Node | None, location: Location) -> int:
    """The line, from 1, of the deepest part of `location` that the file has."""
    node, line = tree, 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(part)]
            if not found:
                break
            line, node = found[-1][0].start_mark.line + 1, found[-1][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _repeated_keys(node: yaml.Node | None, location: Location) -> list[Problem]:
    """YAML keeps the last of two equal keys silently; here that is a problem."""
    problems: list[Problem] = []
    if isinstance(node, yaml.MappingNode):
        keys = [str(key.value) for key, _ in node.value]
        problems += [((*location, key), "is given twice") for key in sorted(set(keys)) if keys.count(key) > 1]
        for key, value in node.value:
            problems += _repeated_keys(value, (*location, str(key.value)))
    elif isinstance(node, yaml.SequenceNode):
        for place, value in enumerate(node.value):
            problems += _repeated_keys(value, (*location, place))
    return problems
