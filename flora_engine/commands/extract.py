"""`flora extract`: the features of a split's recordings, as the unified feature file that `flora train` reads."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from flora_engine.commands.console import console_job
from flora_engine.commands.train_encoder import _encoder_config, rooted, split_of
from flora_engine.datasets.settings import DataSettings
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.project.splits import Split, divide


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoint",
        type=Path,
        action="append",
        required=True,
        help="a checkpoint or a run; give several for several streams",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--config", type=Path, help="the encoder configuration: its data and its split")
    source.add_argument("--project", type=Path, help="a project; its split is named by --split")
    parser.add_argument("--split", help="a split of the project")
    parser.add_argument("--preparation", default="clip", help="with --project (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=64, help="with --project (default: %(default)s)")
    parser.add_argument("--data-root", type=Path, help="folder that relative data paths of the configuration start at")
    parser.add_argument("--batch-size", type=int, default=16, help="recordings at a time (default: %(default)s)")
    parser.add_argument("--device", help="cpu, cuda, cuda:1 … (default: cuda where it works)")
    parser.add_argument("--out", type=Path, required=True, help="the npz to write")


def run(arguments: argparse.Namespace) -> int:
    with console_job() as job:
        result = extract_action(
            job,
            checkpoints=arguments.checkpoint,
            out=arguments.out,
            config=None if arguments.config is None else str(arguments.config),
            project=arguments.project,
            split=arguments.split,
            preparation=arguments.preparation,
            frames=arguments.frames,
            data_root=arguments.data_root,
            batch_size=arguments.batch_size,
            device=arguments.device,
        )
    print(
        f"{result['out']}: train {result['train']}, zsl {result['zsl']}, gzsl {result['gzsl']} × {result['channels']}"
    )
    return 0


def extract_action(
    job: Job,
    checkpoints: list[Path] | list[str],
    out: Path | str,
    config: str | dict[str, Any] | None = None,
    project: Path | str | None = None,
    split: str | None = None,
    preparation: str = "clip",
    frames: int = 64,
    data_root: Path | str | None = None,
    batch_size: int = 16,
    device: str | None = None,
) -> dict[str, Any]:
    """Write the features of a split to `out` (npz).

    Stopped, it goes on where it was: finished parts wait in ``OUT.parts`` until all are done. Raises FloraError,
    Cancelled.
    """
    from flora_engine.datasets.loading import class_names, load_clips
    from flora_engine.datasets.published_files import write_features
    from flora_engine.recipes.leaks import check_no_leak, check_trained_apart
    from flora_engine.training.extraction import extract_streams, find_checkpoints, split_features

    out = Path(out)
    found = find_checkpoints([Path(path) for path in checkpoints])
    data, chosen = _data_and_split(config, project, split, preparation, frames, data_root)
    clips = load_clips(job, data)
    parts = divide(chosen, clips.labels, clips.subjects, clips.cameras, clips.setups)
    names = class_names(data.dataset) or clips.class_names
    check_no_leak(chosen, clips, parts, names)
    check_trained_apart(job, found, [names[label] for label in chosen.unseen], chosen.name)
    wanted = np.union1d(parts.train, parts.gzsl)
    partial = out.with_name(out.name + ".parts")
    joints = clips.joints if len(wanted) == len(clips.labels) else clips.joints[wanted]
    features = extract_streams(job, found, joints, batch_size=batch_size, partial=partial, device=device)
    whole = np.zeros((len(clips.labels), features.shape[1]), np.float32)
    whole[wanted] = features
    write_features(split_features(whole, clips.labels, parts), out)
    shutil.rmtree(partial, ignore_errors=True)
    return {
        "out": str(out),
        "train": len(parts.train),
        "zsl": len(parts.zsl),
        "gzsl": len(parts.gzsl),
        "channels": features.shape[1],
    }


def _data_and_split(
    config: str | dict[str, Any] | None,
    project: Path | str | None,
    split: str | None,
    preparation: str,
    frames: int,
    data_root: Path | str | None,
) -> tuple[DataSettings, Split]:
    if config is not None:
        settings = _encoder_config(config)
        return rooted(settings.data, data_root), split_of(settings)
    if project is None or split is None:
        raise FloraError("extraction needs a configuration, or a project and the name of a split")
    from flora_engine.project import Project

    with Project.open(Path(project), "read") as opened:
        splits = opened.splits.all()
    if split not in splits:
        raise FloraError(
            f"the project has no split “{split}”", path=project, remedy=f"It has: {', '.join(splits) or 'none'}."
        )
    data = DataSettings(dataset="project", project=Path(project), preparation=preparation, frames=frames)
    return data, splits[split]
