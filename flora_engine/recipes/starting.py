"""How every training starts: one configuration, loaded once; one rule for its paths; a folder only if it can start."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import model_validator

from flora_engine.config import (
    AnyConfig,
    DescriptorsConfig,
    EncoderConfig,
    FloraConfig,
    PipelineConfig,
    load_config,
    parse_config,
)
from flora_engine.datasets.catalogue import dataset_names, load_dataset
from flora_engine.datasets.motion_archive import SUFFIX, is_archive
from flora_engine.datasets.published_files import PREPARATIONS_OF
from flora_engine.datasets.settings import DataSettings, RecordingSettings
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.project import is_project
from flora_engine.recipes import request
from flora_engine.recipes.request import UserPath
from flora_engine.recipes.texts import SHIPPED
from flora_engine.runs.events import History
from flora_engine.runs.folder import CONFIG, RunFolder
from flora_engine.semantics.text_encoder import MINILM

RUNS = Path("runs")
_Recordings = TypeVar("_Recordings", bound=RecordingSettings)


class RunRequest(request.Request):
    """config: a YAML file, or its content; or resume: a run. out: the folder of runs. name: of a new run (default: that
    of the file, or the kind).

    data_root, features_root: where relative paths of recordings and of feature files start (default: the current
    folder). device: cpu, cuda, cuda:1 … (default: CUDA if it works).
    """

    config: UserPath | dict[str, Any] | None = None
    resume: UserPath | None = None
    out: UserPath = RUNS
    name: str | None = None
    data_root: UserPath | None = None
    features_root: UserPath | None = None
    device: str | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> RunRequest:
        if (self.config is None) == (self.resume is None):
            raise ValueError("give either a configuration or a run to resume")
        return self


@dataclass(frozen=True)
class Start:
    """What is to be trained. settings: all paths absolute. run: the one to resume, None for a new one in `out`."""

    settings: AnyConfig
    name: str
    out: Path
    run: RunFolder | None = None


def start_of(request: RunRequest, change: Callable[[AnyConfig], AnyConfig] = lambda config: config) -> Start:
    """Load and check the configuration, with `change` applied to that of a new run; FloraError.

    Everything that it names exists: the folders of recordings, the feature file.
    """
    if request.resume is not None:
        run = RunFolder.open(request.resume.resolve())
        settings, name = parse_config(run.config(), run.path), run.path.name
    else:
        run = None
        content = isinstance(request.config, dict)
        found = parse_config(request.config) if content else load_config(Path(str(request.config)))
        settings = change(found)
        name = request.name or (settings.kind if content else Path(str(request.config)).stem)
    settings = with_absolute_paths(settings, request.data_root, request.features_root)
    check_sources(settings)
    return Start(settings, name, request.out.absolute(), run)


# Paths


def absolute(path: Path, root: Path | None = None) -> Path:
    """`~` is the home folder; a relative path starts at `root` if it is given, else at the current folder."""
    path = path.expanduser()
    return (path if root is None else root.expanduser() / path).absolute()


def with_absolute_paths(config: AnyConfig, data_root: Path | None, features_root: Path | None) -> AnyConfig:
    """The configuration with every path absolute, so that its run can be resumed from anywhere."""
    texts: dict[str, Any] = {}
    if not isinstance(config, EncoderConfig | DescriptorsConfig):
        texts = {} if config.texts.texts is None else {"texts": absolute(config.texts.texts)}
        if config.texts.more:
            texts["more"] = tuple(path if str(path) == SHIPPED else absolute(path) for path in config.texts.more)
        if config.texts.encoder != MINILM:
            texts["encoder"] = str(absolute(Path(config.texts.encoder)))
    changed: dict[str, Any] = {}
    if texts and not isinstance(config, EncoderConfig | DescriptorsConfig):
        changed["texts"] = config.texts.model_copy(update=texts)
    if isinstance(config, DescriptorsConfig) and config.text_encoder != MINILM:
        changed["text_encoder"] = str(absolute(Path(config.text_encoder)))
    if isinstance(config.data, tuple):
        changed["data"] = tuple(_absolute_data(one, data_root) for one in config.data)
    elif config.data is not None:
        changed["data"] = _absolute_data(config.data, data_root)
    if isinstance(config, FloraConfig):
        changed["encoder"] = tuple(absolute(path) for path in config.encoder)
        if config.features is not None:
            changed["features"] = absolute(config.features, features_root)
    if isinstance(config, PipelineConfig):
        changed["checkpoints"] = tuple(absolute(path) for path in config.checkpoints)
    return config.model_copy(update=changed)


def _absolute_data(data: _Recordings, root: Path | None) -> _Recordings:
    paths = {name: absolute(path, root) for name in ("raw", "project") if (path := getattr(data, name)) is not None}
    return data.model_copy(update=paths)


def check_sources(config: AnyConfig) -> None:
    """FloraError if a feature file or recordings that the configuration names are not there.

    The recordings of a Flora run are not asked for: it may have extracted its features already.
    """
    if isinstance(config, FloraConfig):
        if config.features is not None and not config.features.exists():
            raise FloraError(
                "the feature file is not here",
                path=config.features,
                remedy="Make it with `flora extract`, or name the folder of the published features with "
                "--features-root.",
            )
        _check_encoders(config.encoder if config.features is not None else ())
        return
    _check_encoders(config.checkpoints if isinstance(config, PipelineConfig) else ())
    for data in config.data if isinstance(config.data, tuple) else [config.data]:
        check_recordings(data)


def _check_encoders(paths: tuple[Path, ...]) -> None:
    for path in paths:
        if not path.exists():
            raise FloraError("the encoder is not here", path=path, remedy="Name its checkpoint or its run.")


def check_recordings(data: RecordingSettings) -> None:
    """FloraError if the data settings name no folder or motion archive, or one that is not there."""
    source = data.raw or data.project
    if source is None:
        raise FloraError(f"no folder is given for {data.dataset}", remedy="Set `raw` or `project` under `data`.")
    if source.is_dir() or (source == data.raw and is_archive(source)):
        return
    known = load_dataset(data.dataset) if data.dataset in dataset_names() else None
    what = "a motion archive (docs/formats.md)" if source.suffix.lower() == SUFFIX else "a folder"
    said = f"the recordings of {data.dataset} are not here"
    if known is not None and known.source:
        said = f"the recordings of {known.title} are not here: {what} is expected ({known.file_names}); {known.source}"
        said += f" ({known.terms})"
    raise FloraError(said, path=source, remedy="Give the folder above with --data-root, or leave this data set out.")


def trained_with(encoder: Path) -> dict[str, object]:
    """How the recordings of an encoder's run were prepared: preparation, frames, persons; empty if it is unknown.

    encoder: a run, a split of a pipeline's run, or a file in the checkpoints of one.
    """
    if not encoder.is_dir() and encoder.parent.name != "checkpoints":
        return {}
    folder = encoder if encoder.is_dir() else encoder.parent.parent
    for run in (folder, folder.parent):
        data = RunFolder.open(run).config().get("data") if (run / CONFIG).is_file() else None
        data = data[0] if isinstance(data, list) and data else data
        if isinstance(data, dict):
            names = DataSettings.model_fields.keys() & {"preparation", "frames", "persons"}
            return {name: data[name] for name in sorted(names) if name in data}
    return {}


def prepared_for(dataset: str, encoder: Path, **given: object) -> tuple[DataSettings, str]:
    """How recordings are prepared for an encoder, and who says so, in words: what is `given` (None: nothing), the
    encoder's run, or what was published for the data set. FloraError if nothing says it.
    """
    known, given = trained_with(encoder), {name: value for name, value in given.items() if value is not None}
    published = PREPARATIONS_OF.get(dataset)
    if not known and published is None and not {"preparation", "frames"} <= given.keys():
        raise FloraError(
            "nothing says how recordings are prepared for this encoder",
            path=encoder,
            remedy="Give the preparation and the number of frames.",
        )
    said = "as its run says" if known else f"as published for {dataset}"
    said = "as given" if {"preparation", "frames"} <= given.keys() else said
    first = known or dict(zip(("preparation", "frames"), published or (), strict=False))
    return DataSettings.model_validate({"dataset": dataset, **first, **given}), said


def place_of(recordings: Path) -> dict[str, Path]:
    """The keys of data settings that name a project, or a raw folder."""
    return {"project" if is_project(recordings) else "raw": recordings}


# The run's folder


@contextlib.contextmanager
def run_folder(job: Job, start: Start) -> Iterator[RunFolder]:
    """The run to resume, or a new one, held and recorded while the training lasts.

    A new run in which nothing was trained when a FloraError came is removed again, and so are the folders made for it.
    """
    if start.run is not None:
        with start.run.recording(job):
            yield start.run
        History(start.run.path).refresh()  # keeps what a long run told, so that its page opens at once
        return
    missing = [folder for folder in (start.out, *start.out.parents) if not folder.exists()]
    run = RunFolder.create(start.out, start.name, start.settings.model_dump(mode="json"))
    try:
        with run.recording(job):
            yield run
        History(run.path).refresh()
    except FloraError:
        if not run.has_work():
            run.remove()
            with contextlib.suppress(OSError):  # somebody else uses it by now
                for folder in missing:
                    folder.rmdir()
        raise
