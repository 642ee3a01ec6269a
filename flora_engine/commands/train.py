"""`flora train`: train Flora from a feature file, or everything from raw recordings, as the configuration says."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from flora_engine.commands.console import console_job
from flora_engine.config import EncoderConfig, FloraConfig, PipelineConfig, load_config, parse_config
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.runs.tables import result_table

RUNS = Path("runs")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--config", type=Path, help="a configuration of kind flora, pipeline or encoder")
    source.add_argument("--resume", type=Path, metavar="RUN", help="go on with this run")
    parser.add_argument("--out", type=Path, default=RUNS, help="folder of runs (default: %(default)s)")
    own = parser.add_argument_group("features straight from recordings, instead of a feature file (kind flora)")
    own.add_argument("--project", type=Path, help="a project of the benchmark's recordings")
    own.add_argument(
        "--checkpoint", type=Path, nargs="+", metavar="PATH", help="the encoder: a checkpoint or a run for each stream"
    )
    own.add_argument("--preparation", help="how the encoder wants them prepared (default: as its run says, or clip)")
    own.add_argument("--frames", type=int, help="frames of a clip (default: as its run says, or 64)")
    parser.add_argument("--features-root", type=Path, help="folder that a relative feature path starts at")
    parser.add_argument("--data-root", type=Path, help="folder that relative data paths start at")
    parser.add_argument("--device", help="cpu, cuda, cuda:1 … (default: cuda where it works)")
    parser.add_argument("--low-shot", action="store_true", help="train on a share of each class's training samples")
    parser.add_argument("--percentage", type=float, default=0.1, help="that share (default: %(default)s)")
    parser.add_argument("--setting", type=str.lower, choices=("zsl", "gzsl", "both"))
    parser.add_argument("--protocol", choices=("held-out", "both"), help="both: also as published, best on test")
    parser.add_argument("--seeds", type=int, nargs="+")


def run(arguments: argparse.Namespace) -> int:
    with console_job() as job:
        result = train_action(job, **options(arguments))
    print_result(result)
    return 0


def options(arguments: argparse.Namespace) -> dict[str, Any]:
    """The arguments of `train_action` from the command line."""
    names = "resume out features_root data_root device setting protocol seeds project checkpoint preparation frames"
    return {
        **{name: getattr(arguments, name) for name in names.split()},
        "config": None if arguments.config is None else str(arguments.config),
        "low_shot": arguments.percentage if arguments.low_shot else None,
    }


def print_result(result: dict[str, Any]) -> None:
    """What came out, and where the run is."""
    print(result_table(result))
    print(f"run: {result['run']}")


def train_action(
    job: Job,
    config: str | dict[str, Any] | None = None,
    resume: Path | str | None = None,
    out: Path | str = RUNS,
    features_root: Path | str | None = None,
    data_root: Path | str | None = None,
    device: str | None = None,
    low_shot: float | None = None,
    setting: str | None = None,
    protocol: str | None = None,
    seeds: list[int] | None = None,
    heads: list[str] | None = None,
    project: Path | str | None = None,
    checkpoint: list[Path] | list[str] | None = None,
    preparation: str | None = None,
    frames: int | None = None,
) -> dict[str, Any]:
    """Train as a configuration (a file's path, or its content) says in a new run below `out`, or go on with `resume`.

    low_shot, setting, protocol ("both" for both), seeds and heads replace what the configuration says. project and
    checkpoint, given together, replace its features; preparation and frames go with them. Returns what result.json
    holds, and ``run``, the folder. Raises FloraError, Cancelled.
    """
    from flora_engine.runs.folder import RunFolder

    folder = None if resume is None else RunFolder.open(Path(resume))
    if folder is not None:
        settings = parse_config(folder.config(), folder.path)
    elif config is not None:
        found = load_config(Path(config)) if isinstance(config, str) else parse_config(config)
        settings = _changed(found, low_shot, setting, protocol, seeds, heads)
        settings = _with_project(settings, project, checkpoint, preparation, frames)
    else:
        raise FloraError("train needs a configuration or a run to resume")
    name = Path(config).stem if isinstance(config, str) else settings.kind
    if isinstance(settings, EncoderConfig):
        from flora_engine.commands.train_encoder import train_encoder_action

        found_encoder = train_encoder_action(job, config, data_root, resume, out, device)
        return {"kind": "encoder", **found_encoder}
    if isinstance(settings, PipelineConfig):
        from flora_engine.recipes.pipeline import pipeline_action

        root = None if data_root is None else Path(data_root)
        path = None if resume is None else Path(resume)
        return pipeline_action(job, settings, name=name, out=Path(out), resume=path, data_root=root, device=device)
    from flora_engine.recipes.flora import run_flora

    if folder is None:
        roots = [None if root is None else Path(root) for root in (features_root, data_root)]
        settings = resolve_paths(settings, *roots)
        folder = RunFolder.create(Path(out), name, settings.model_dump(mode="json"))
    return {**run_flora(job, settings, folder, device or best_device()), "run": str(folder.path)}


def best_device() -> str:
    """cuda where it works, else cpu."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _changed(
    config: EncoderConfig | FloraConfig | PipelineConfig,
    low_shot: float | None,
    setting: str | None,
    protocol: str | None,
    seeds: list[int] | None,
    heads: list[str] | None,
) -> EncoderConfig | FloraConfig | PipelineConfig:
    """The configuration with the command line's changes, validated again; FloraError where one does not apply."""
    data = config.model_dump(mode="json")
    for name, value in (("low_shot", low_shot), ("setting", setting), ("heads", heads)):
        if value is not None:
            data[name] = value
    if protocol is not None:
        data.setdefault("flora", {})["protocols"] = ["held-out", "published"] if protocol == "both" else [protocol]
    if seeds is not None:
        data.setdefault("flora", {})["seeds"] = seeds
    return parse_config(data)


def _with_project(
    config: EncoderConfig | FloraConfig | PipelineConfig,
    project: Path | str | None,
    checkpoint: list[Path] | list[str] | None,
    preparation: str | None,
    frames: int | None,
) -> EncoderConfig | FloraConfig | PipelineConfig:
    if project is None and not checkpoint:
        if preparation is not None or frames is not None:
            raise FloraError("--preparation and --frames go with --project and --checkpoint")
        return config
    if project is None or not checkpoint:
        raise FloraError("--project and --checkpoint go together")
    if not isinstance(config, FloraConfig):
        raise FloraError(f"--project and --checkpoint are for configurations of kind flora, not {config.kind}")
    from flora_engine.recipes.features import with_project

    return with_project(config, Path(project), [Path(path) for path in checkpoint], preparation, frames)


def resolve_paths(config: FloraConfig, features_root: Path | None, data_root: Path | None) -> FloraConfig:
    """The configuration with its relative paths starting at these folders where they are given.

    Paths of recordings and checkpoints become absolute, so that a run can be resumed from anywhere.
    """
    if config.data is None:
        if features_root is None or config.features is None or config.features.is_absolute():
            return config
        return config.model_copy(update={"features": features_root / config.features})
    from flora_engine.commands.train_encoder import rooted

    data = rooted(config.data, data_root)
    source = {name: path.absolute() for name in ("raw", "project") if (path := getattr(data, name)) is not None}
    encoder = tuple(path.expanduser().absolute() for path in config.encoder)
    return config.model_copy(update={"data": data.model_copy(update=source), "encoder": encoder})
