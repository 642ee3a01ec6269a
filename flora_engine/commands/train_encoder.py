"""`flora train-encoder`: train Shift-GCN on the seen classes of a split.

On several GPUs or machines the same under torchrun: ``torchrun --nproc-per-node 4 -m flora_engine.cli train-encoder …``
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flora_engine.commands.console import console_job
from flora_engine.config import EncoderConfig, load_config, parse_config
from flora_engine.datasets.settings import DataSettings
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.project.splits import Split, divide

if TYPE_CHECKING:
    from flora_engine.training.distributed import World

RUNS = Path("runs")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, help="a configuration of kind encoder (not needed with --resume)")
    parser.add_argument("--data-root", type=Path, help="folder that relative data paths of the configuration start at")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="go on with this run")
    parser.add_argument("--out", type=Path, default=RUNS, help="folder of runs (default: %(default)s)")
    parser.add_argument("--device", help="cpu, cuda, cuda:1 … (default: cuda where it works)")


def run(arguments: argparse.Namespace) -> int:
    with console_job() as job:
        result = train_encoder_action(
            job,
            config=None if arguments.config is None else str(arguments.config),
            data_root=arguments.data_root,
            resume=arguments.resume,
            out=arguments.out,
            device=arguments.device,
        )
    for stream, found in result["streams"].items():
        accuracy = "" if found["accuracy"] is None else f", held-out accuracy {found['accuracy']:.4f}"
        print(f"{stream}: epoch {found['epoch'] + 1}{accuracy}, {Path(result['run']) / found['checkpoint']}")
    return 0


def train_encoder_action(
    job: Job,
    config: str | dict[str, Any] | None = None,
    data_root: Path | str | None = None,
    resume: Path | str | None = None,
    out: Path | str = RUNS,
    device: str | None = None,
) -> dict[str, Any]:
    """Train as a configuration (a file's path, or its content) says, in a new run below `out`, or go on with `resume`.

    Returns what `train_encoder` does and ``run``, the run's folder. Under torchrun every process calls this.
    Raises FloraError, Cancelled.
    """
    from flora_engine.runs.folder import RunFolder
    from flora_engine.training.distributed import world

    if resume is not None:
        folder = RunFolder.open(Path(resume))
        settings = _encoder_config(folder.config(), folder.path)
    elif config is not None:
        settings = _encoder_config(config)
        settings = settings.model_copy(update={"data": rooted(settings.data, data_root)})
    else:
        raise FloraError("train-encoder needs a configuration or a run to resume")
    with world(device) as here:
        if resume is None:
            name = Path(config).stem if isinstance(config, str) else settings.data.dataset
            made = RunFolder.create(Path(out), name, settings.model_dump(mode="json")).path if here.first else None
            folder = RunFolder.open(Path(here.from_first(str(made))))
        if not here.first:
            return _train(Job(), settings, folder, here, device)
        with folder.recording(job):
            result = {"run": str(folder.path), **_train(job, settings, folder, here, device)}
            folder.write_result(result)
        return result


def _train(job: Job, config: EncoderConfig, folder: Any, here: World, device: str | None) -> dict[str, Any]:
    from flora_engine.datasets.loading import class_names, load_clips
    from flora_engine.recipes.leaks import check_no_leak
    from flora_engine.training.encoder.trainer import train_encoder

    split = split_of(config)
    if not here.first:
        here.barrier()  # the first process prepares the clips; the others then map its cache file
    clips = load_clips(job, config.data)
    if here.first:
        here.barrier()
    parts = divide(split, clips.labels, clips.subjects, clips.cameras, clips.setups)
    check_no_leak(split, clips, parts, class_names(config.data.dataset) or clips.class_names)
    train = parts.train
    seen = np.unique(clips.labels[train])
    job.log(f"{len(train)} recordings of {len(seen)} seen classes train the encoder")
    return train_encoder(
        job,
        config.encoder,
        clips.joints,
        np.searchsorted(seen, clips.labels).clip(max=len(seen) - 1),
        folder,
        rows=train,
        class_ids=seen.tolist(),
        class_names=[clips.class_names[i] for i in seen],
        device=device,
        up="z" if config.data.preparation == "agcn" else "y",
    )


def _encoder_config(config: str | dict[str, Any], path: Path | None = None) -> EncoderConfig:
    found = load_config(Path(config)) if isinstance(config, str) else parse_config(config, path)
    if not isinstance(found, EncoderConfig):
        raise FloraError(
            f"this configuration is of kind {found.kind}, not encoder",
            path=config if isinstance(config, str) else path,
            remedy="Use `flora train` for it.",
        )
    return found


def rooted(data: DataSettings, root: Path | str | None) -> DataSettings:
    """Let relative paths of the data settings start at `root` where it is given, with ``~`` understood."""
    changed: dict[str, Path] = {}
    for name in ("raw", "project"):
        path = getattr(data, name)
        if path is not None:
            path = path.expanduser()
            changed[name] = path if root is None or path.is_absolute() else Path(root) / path
    return data.model_copy(update=changed)


def split_of(config: EncoderConfig) -> Split:
    """The split of an encoder configuration: its own, or its benchmark's."""
    if config.split is not None:
        return config.split
    if config.benchmark is None:
        raise FloraError("the configuration names neither a benchmark nor a split")
    from flora_engine.datasets.benchmarks import load_benchmark

    return load_benchmark(config.benchmark).split()
