"""A finished run that trained from a feature file gets its encoder, and with it the model that labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from flora_engine.config import FloraConfig, parse_config
from flora_engine.datasets.benchmarks import load_benchmark
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.recipes import request
from flora_engine.recipes.request import UserPath
from flora_engine.recipes.starting import check_sources, place_of, prepared_for, with_absolute_paths
from flora_engine.runs.folder import CONFIG, RunFolder, list_runs


class Request(request.Request):
    """run: of kind flora, finished; or a folder of runs, whose newest is meant. encoder: checkpoints, published files
    or runs, one per stream. preparation, frames: of recordings for the encoder; None: as its run says, or as published.
    recordings: a project or a folder of some that the feature file holds, to compare.
    """

    run: UserPath
    encoder: tuple[UserPath, ...] = Field(min_length=1)
    preparation: str | None = None
    frames: int | None = None
    recordings: UserPath | None = None
    device: str | None = None


@dataclass(frozen=True)
class Result:
    """bundle: the folder that `flora label --model` takes."""

    bundle: str
    streams: tuple[str, ...]
    preparation: str
    frames: int
    persons: int


def _run_in(folder: Path) -> RunFolder:
    runs = list_runs(folder) if folder.is_dir() and not (folder / CONFIG).is_file() else []
    return runs[-1] if runs else RunFolder.open(folder)


def run(job: Job, request: Request) -> Result:
    """Write the bundle into the run; one that is there already is replaced. Raises FloraError, Cancelled."""
    folder = _run_in(request.run.resolve())
    config = parse_config(folder.config(), folder.path)
    if not isinstance(config, FloraConfig):
        raise FloraError(
            f"this run is of kind {config.kind}; only runs of kind flora lack an encoder",
            path=folder.path,
            remedy="A pipeline has its model already.",
        )
    from flora_engine.recipes.flora import add_bundle

    dataset = load_benchmark(config.benchmark).dataset
    given = {"preparation": request.preparation, "frames": request.frames}
    data, said = prepared_for(dataset, request.encoder[0], **given)
    data = data.model_copy(update={} if request.recordings is None else place_of(request.recordings))
    job.log(f"recordings are prepared as {data.preparation}, {data.frames} frames: {said}")
    config = config.model_copy(update={"encoder": request.encoder, "data": data})
    config = with_absolute_paths(config, None, None)
    assert isinstance(config, FloraConfig)
    check_sources(config)
    with folder.hold():
        encoding = add_bundle(job, folder, config, request.device)
    data = encoding.data
    return Result(str(folder.bundle), tuple(encoding.networks), data.preparation, data.frames, data.persons)
