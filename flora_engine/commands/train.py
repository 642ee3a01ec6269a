"""`flora train`: train Flora from a feature file, or everything from raw recordings, as the configuration says."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from flora_engine.commands.console import console_job
from flora_engine.config import EncoderConfig, FloraConfig, PipelineConfig, load_config, parse_config
from flora_engine.errors import FloraError
from flora_engine.jobs import Job

RUNS = Path("runs")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--config", type=Path, help="a configuration of kind flora, pipeline or encoder")
    source.add_argument("--resume", type=Path, metavar="RUN", help="go on with this run")
    parser.add_argument("--out", type=Path, default=RUNS, help="folder of runs (default: %(default)s)")
    parser.add_argument("--features-root", type=Path, help="folder that a relative feature path starts at")
    parser.add_argument("--data-root", type=Path, help="folder that relative data paths start at")
    parser.add_argument("--device", help="cpu, cuda, cuda:1 … (default: cuda where it works)")
    parser.add_argument("--low-shot", action="store_true", help="train on a share of each class's training samples")
    parser.add_argument("--percentage", type=float, default=0.1, help="that share (default: %(default)s)")
    parser.add_argument("--setting", type=str.lower, choices=("zsl", "gzsl", "both"))
    parser.add_argument("--protocol", choices=("held-out", "published", "both"))
    parser.add_argument("--seeds", type=int, nargs="+")


def run(arguments: argparse.Namespace) -> int:
    with console_job() as job:
        result = train_action(
            job,
            config=None if arguments.config is None else str(arguments.config),
            resume=arguments.resume,
            out=arguments.out,
            features_root=arguments.features_root,
            data_root=arguments.data_root,
            device=arguments.device,
            low_shot=arguments.percentage if arguments.low_shot else None,
            setting=arguments.setting,
            protocol=arguments.protocol,
            seeds=arguments.seeds,
        )
    print_result(result)
    return 0


def print_result(result: dict[str, Any]) -> None:
    """The table of a flora or pipeline result, and where the run is."""
    if result["kind"] == "flora":
        from flora_engine.evaluation.experiments import table

        print(table(result))
    elif result["kind"] == "pipeline":
        from flora_engine.training.pipeline import table as pipeline_table

        print(pipeline_table(result))
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
) -> dict[str, Any]:
    """Train as a configuration (a file's path, or its content) says in a new run below `out`, or go on with `resume`.

    low_shot, setting, protocol ("both" for both), seeds and heads replace what the configuration says. Returns what
    result.json holds, and ``run``, the folder. Raises FloraError, Cancelled.
    """
    from flora_engine.training.run_folder import RunFolder

    folder = None if resume is None else RunFolder.open(Path(resume))
    if folder is not None:
        settings = parse_config(folder.config(), folder.path)
    elif config is not None:
        found = load_config(Path(config)) if isinstance(config, str) else parse_config(config)
        settings = _changed(found, low_shot, setting, protocol, seeds, heads)
    else:
        raise FloraError("train needs a configuration or a run to resume")
    name = Path(config).stem if isinstance(config, str) else settings.kind
    if isinstance(settings, EncoderConfig):
        from flora_engine.commands.train_encoder import train_encoder_action

        found_encoder = train_encoder_action(job, config, data_root, resume, out, device)
        return {"kind": "encoder", **found_encoder}
    if isinstance(settings, PipelineConfig):
        from flora_engine.training.pipeline import pipeline_action

        root = None if data_root is None else Path(data_root)
        path = None if resume is None else Path(resume)
        return pipeline_action(job, settings, name=name, out=Path(out), resume=path, data_root=root, device=device)
    from flora_engine.evaluation.experiments import resolve_features, run_flora

    if folder is None:
        settings = resolve_features(settings, None if features_root is None else Path(features_root))
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
