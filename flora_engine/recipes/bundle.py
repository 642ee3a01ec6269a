"""A finished run that trained from a feature file gets its encoder, and with it the model that labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from flora_engine.config import FloraConfig, parse_config
from flora_engine.datasets.benchmarks import load_benchmark
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.labelling.bundle import bundled
from flora_engine.recipes import request
from flora_engine.recipes.request import UserPath
from flora_engine.recipes.starting import check_sources, place_of, prepared_for, with_absolute_paths
from flora_engine.runs.folder import CONFIG, RunFolder, list_runs
from flora_engine.runs.results import FloraResult


class Request(request.Request):
    """run: of kind flora, finished; or a folder of runs, whose newest is meant. encoder: checkpoints, published files
    or runs, one per stream. preparation, frames: of recordings for the encoder; None: as its run says, or as published.
    recordings: a project or a folder of some that the feature file holds, to compare.
    """

    run: UserPath
    encoder: tuple[UserPath, ...] = Field(min_length=1)
    preparation: str | None = None
    frames: int | None = Field(None, ge=1)
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


@dataclass(frozen=True)
class Plan:
    """What is to be done. config: of the run, with the encoder and its recordings. said: how these are prepared."""

    folder: RunFolder
    config: FloraConfig
    said: str


def lacks_encoder(result: FloraResult) -> bool:
    """Whether an encoder is all that a run of this result lacks to label, if it has no model."""
    return bundled(result.heads) is not None


def plan(request: Request) -> Plan:
    """Check everything that needs no look into the encoder. FloraError if it cannot be done."""
    folder = _run_in(request.run.absolute())
    config = parse_config(folder.config(), folder.path)
    if not isinstance(config, FloraConfig):
        raise FloraError(
            f"this run is of kind {config.kind}; only runs of kind flora lack an encoder",
            path=folder.path,
            remedy="A pipeline has its model already.",
        )
    given = {"preparation": request.preparation, "frames": request.frames}
    dataset = load_benchmark(config.benchmark).dataset
    encoders = tuple(path.absolute() for path in request.encoder)
    data, said = prepared_for(dataset, encoders[0], **given)
    if request.recordings is not None:
        if not request.recordings.exists():
            raise FloraError(
                "the recordings to compare are not here",
                path=request.recordings,
                remedy="Name a project or a folder of raw files, or leave the recordings out.",
            )
        data = data.model_copy(update=place_of(request.recordings))
    changed = with_absolute_paths(config.model_copy(update={"encoder": encoders, "data": data}), None, None)
    assert isinstance(changed, FloraConfig)
    if changed.features is not None and not changed.features.exists():
        raise FloraError(
            "the feature file of this run is not here any more", path=changed.features, remedy="Put it back first."
        )
    check_sources(changed)
    return Plan(folder, changed, f"recordings are prepared as {data.preparation}, {data.frames} frames: {said}")


def run(job: Job, request: Request) -> Result:
    """Write the bundle into the run; one that is there already is replaced. What happens is kept in the run's events.

    Raises FloraError, Cancelled: the run is then as it was before.
    """
    found = plan(request)
    from flora_engine.recipes.flora import add_bundle

    with found.folder.recording(job):
        job.log(found.said)
        encoding = add_bundle(job, found.folder, found.config, request.device)
    data = encoding.data
    return Result(str(found.folder.bundle), tuple(encoding.networks), data.preparation, data.frames, data.persons)


def _run_in(folder: Path) -> RunFolder:
    runs = list_runs(folder) if folder.is_dir() and not (folder / CONFIG).is_file() else []
    return runs[-1] if runs else RunFolder.open(folder)
