"""The features of a split's recordings, as the unified feature file that a Flora run reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from flora_engine.config import EncoderConfig, load_config, parse_config
from flora_engine.datasets.settings import DataSettings
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.project import Project, Split
from flora_engine.recipes import request
from flora_engine.recipes.encoder import split_of
from flora_engine.recipes.request import UserPath
from flora_engine.recipes.starting import check_recordings, with_absolute_paths


class Request(request.Request):
    """checkpoints: files or runs, one per stream. out: the npz to write.

    config: an encoder configuration (a YAML file, or its content) whose data and split are meant; or project and the
    name of one of its splits, with preparation and frames. scheduler: of a Dask cluster whose workers compute instead.
    """

    checkpoints: tuple[UserPath, ...] = Field(min_length=1)
    out: UserPath
    config: UserPath | dict[str, Any] | None = None
    project: UserPath | None = None
    split: str | None = None
    preparation: str = "clip"
    frames: int = 64
    data_root: UserPath | None = None
    batch_size: int = Field(16, ge=1)
    device: str | None = None
    scheduler: str | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Request:
        if (self.config is None) == (self.project is None) or (self.project is None) != (self.split is None):
            raise ValueError("extraction needs a configuration, or a project and the name of a split")
        return self


@dataclass(frozen=True)
class Result:
    """train, zsl, gzsl: samples of each part. channels: of a feature."""

    out: str
    train: int
    zsl: int
    gzsl: int
    channels: int


def run(job: Job, request: Request) -> Result:
    """Extract. Stopped, it resumes when it is asked for again. Raises FloraError, Cancelled."""
    from flora_engine.recipes.features import open_extraction

    data, split = _data_and_split(request)
    extraction = open_extraction(job, list(request.checkpoints), data, split)
    features = extraction.run(job, request.out, request.device, request.batch_size, request.scheduler)
    counts = (len(features.train_label), len(features.zsl_label), len(features.gzsl_label))
    return Result(str(request.out), *counts, features.train_data.shape[1])


def _data_and_split(request: Request) -> tuple[DataSettings, Split]:
    if request.project is not None:
        return _of_project(request.project.absolute(), str(request.split), request)
    content = isinstance(request.config, dict)
    found = parse_config(request.config) if content else load_config(Path(str(request.config)))
    if not isinstance(found, EncoderConfig):
        raise FloraError(f"this configuration is of kind {found.kind}, not encoder")
    config = with_absolute_paths(found, request.data_root, None)
    assert isinstance(config, EncoderConfig)
    check_recordings(config.data)
    return config.data, split_of(config)


def _of_project(folder: Path, name: str, request: Request) -> tuple[DataSettings, Split]:
    """A split of a project; its class numbers are those of the project."""
    with Project.open(folder, "read") as opened:
        splits = opened.splits.all()
    if name not in splits:
        raise FloraError(
            f"the project has no split “{name}”", path=folder, remedy=f"It has: {', '.join(splits) or 'none'}."
        )
    settings = {"dataset": "project", "project": folder, "preparation": request.preparation, "frames": request.frames}
    return DataSettings.model_validate(settings), splits[name]
