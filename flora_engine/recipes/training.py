"""Train as a configuration says: an encoder, Flora from features, everything from raw recordings, or measurements."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from flora_engine.config import AnyConfig, DescriptorsConfig, EncoderConfig, FloraConfig, PipelineConfig, parse_config
from flora_engine.datasets.benchmarks import load_benchmark
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.recipes import encoder
from flora_engine.recipes.request import UserPath
from flora_engine.recipes.starting import RunRequest, place_of, prepared_for, start_of
from flora_engine.runs.results import AnyResult


class Request(RunRequest):
    """low_shot, setting, protocol ("both": also as published), seeds and heads replace what the configuration says.

    project and checkpoint, given together, replace the features of kind flora. checkpoint alone is the encoder that
    made the features: the run then ends with a model that labels. preparation and frames go with both, and are else
    those of the encoder's run, or the published ones. recordings: some that the feature file holds, to compare.
    A run that is resumed keeps its configuration. scheduler: of a Dask cluster whose workers train the heads.
    """

    low_shot: float | None = Field(None, gt=0, le=1)
    setting: Literal["zsl", "gzsl", "both"] | None = None
    protocol: Literal["held-out", "both"] | None = None
    seeds: tuple[int, ...] | None = None
    heads: tuple[str, ...] | None = None
    project: UserPath | None = None
    checkpoint: tuple[UserPath, ...] | None = None
    preparation: str | None = None
    frames: int | None = None
    recordings: UserPath | None = None
    scheduler: str | None = None

    @model_validator(mode="after")
    def _together(self) -> Request:
        if not self.checkpoint and any(x is not None for x in (self.project, self.preparation, self.frames)):
            raise ValueError("--project, --preparation and --frames go with --encoder")
        if self.recordings is not None and (self.project is not None or not self.checkpoint):
            raise ValueError("--recordings go with --encoder and a feature file")
        if self.resume is not None:
            own = Request.model_fields.keys() - RunRequest.model_fields.keys() - {"scheduler"}
            given = sorted(name for name in own if getattr(self, name) is not None)
            if given:
                raise ValueError(f"a run that is resumed keeps its configuration; leave out {', '.join(given)}")
        return self


def run(job: Job, request: Request) -> AnyResult:
    """Train in a new run, or resume one. Raises FloraError (a start that fails leaves no folder), Cancelled."""
    return train(job, request, changed)


def train(job: Job, request: Request, change: Callable[[AnyConfig, Request], AnyConfig]) -> AnyResult:
    """As `run`; `change` makes of the configuration what the request wants."""
    start = start_of(request, lambda config: change(config, request))
    if isinstance(start.settings, EncoderConfig):
        if request.scheduler is not None:
            raise FloraError("an encoder is trained on one machine", remedy="Leave out --scheduler.")
        return encoder.train(job, start, start.settings, request.device)
    if isinstance(start.settings, DescriptorsConfig):
        from flora_engine.recipes import descriptors

        return descriptors.train(job, start, start.settings)
    if isinstance(start.settings, PipelineConfig):
        from flora_engine.recipes import pipeline

        return pipeline.train(job, start, start.settings, request.device, request.scheduler)
    from flora_engine.recipes import flora

    return flora.train(job, start, start.settings, request.device, request.scheduler)


def changed(config: AnyConfig, request: Request) -> AnyConfig:
    """The configuration with the request's changes, validated again; FloraError if one does not apply."""
    changes: dict[str, Any] = {}
    for name in ("low_shot", "setting", "heads"):
        if getattr(request, name) is not None:
            changes[name] = getattr(request, name)
    if isinstance(config, DescriptorsConfig):
        return _unchanged(config, request)
    flora: dict[str, Any] = {}
    if request.protocol is not None:
        flora["protocols"] = ["held-out", "published"] if request.protocol == "both" else [request.protocol]
    if request.seeds is not None:
        flora["seeds"] = list(request.seeds)
    if request.checkpoint:
        if not isinstance(config, FloraConfig):
            raise FloraError(f"--project and --encoder are for configurations of kind flora, not {config.kind}")
        changes |= _with_encoder(config, request, request.checkpoint)
    if not changes and not flora:
        return config
    data = config.model_dump(mode="json")
    if flora:
        changes["flora"] = data.get("flora", {}) | flora
    return parse_config(data | changes)


def _unchanged(config: DescriptorsConfig, request: Request) -> DescriptorsConfig:
    """FloraError for options that a training without an encoder does not have."""
    options = ("low_shot", "setting", "protocol", "seeds", "heads", "checkpoint", "scheduler")
    given = next((name for name in options if getattr(request, name) is not None), None)
    if given is not None:
        raise FloraError(
            f"{given.replace('_', '-')} has no meaning for a configuration of kind descriptors", remedy="Leave it out."
        )
    return config


def _with_encoder(config: FloraConfig, request: Request, encoder: tuple[Path, ...]) -> dict[str, Any]:
    """The encoder, and how recordings are prepared for it; those of a project replace the feature file."""
    dataset = load_benchmark(config.benchmark).dataset
    data, _ = prepared_for(dataset, encoder[0], preparation=request.preparation, frames=request.frames)
    place = {} if request.recordings is None else place_of(request.recordings)
    place = {"project": request.project} if request.project is not None else place
    data = data.model_copy(update={name: path.absolute() for name, path in place.items()})
    plain = {key: value for key, value in data.model_dump(mode="json").items() if value is not None}
    changes = {"data": plain, "encoder": [str(path.absolute()) for path in encoder]}
    return changes | ({} if request.project is None else {"features": None})
