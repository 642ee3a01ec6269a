"""Supervised accuracy of the skeleton encoder on UTD-MHAD and NW-UCLA: mean ± standard error over seeds.

    python experiments/encoder_accuracy.py --utd-mhad DIR --nw-ucla DIR --seeds 3 --jobs 8 --out accuracy.json

UTD-MHAD: 27 classes, odd subjects train, even ones test. NW-UCLA: 10 classes, views 1 and 2 train, view 3 tests. Each
stream trains a network of its own; the test part is looked at once, by the epoch that a held-out share of the
training part chose, and the learning curves are of that share. "4 streams" is the published weighting of the four
softmax scores.

`--save-clips DIR` prepares the clips and stops; `--clips DIR` starts from them, on a machine that has only torch,
NumPy, pydantic, PyYAML and safetensors. `--jobs` trainings run at once: one small network does not fill a GPU.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from flora_engine.config import EncoderSettings
from flora_engine.jobs import Job
from flora_engine.models.shift_gcn.streams import STREAMS, ensemble, make_stream
from flora_engine.training.distributed import choose_device
from flora_engine.training.encoder.state import load_encoder
from flora_engine.training.encoder.trainer import train_encoder

DATA_SETS = {"utd_mhad": "UTD-MHAD, cross-subject", "nw_ucla": "NW-UCLA, cross-view"}
# Training rule: which array, and which of its values train.
RULES = {"utd_mhad": ("subjects", (1, 3, 5, 7)), "nw_ucla": ("cameras", (1, 2))}


def save_clips(name: str, folder: Path, frames: int, persons: Literal[1, 2], out: Path) -> None:
    """Prepare a data set's clips and store what training needs."""
    from flora_engine.datasets.loading import load_clips
    from flora_engine.datasets.settings import DataSettings

    clips = load_clips(Job(), DataSettings(dataset=name, raw=folder, frames=frames, persons=persons))
    train = np.isin(getattr(clips, RULES[name][0]), RULES[name][1])
    out.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(out / f"{name}.npz", joints=clips.joints, labels=clips.labels, train=train)
    print(f"{name}: {int(train.sum())} train, {int((~train).sum())} test, {clips.joints.shape[1:]}", flush=True)


def settings(arguments: argparse.Namespace, seed: int, stream: str) -> EncoderSettings:
    epochs = arguments.epochs
    return EncoderSettings(
        streams=(stream,),
        base_channels=arguments.base_channels,
        epochs=epochs,
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate,
        milestones=(round(0.6 * epochs), round(0.8 * epochs)),
        schedule=arguments.schedule,
        warmup_epochs=arguments.warmup,
        dropout=arguments.dropout,
        label_smoothing=arguments.label_smoothing,
        augmentations=tuple(name for name in arguments.augment.split(",") if name),
        held_out=arguments.held_out,
        precision=arguments.precision,
        seed=seed,
    )


def train_one(arguments: argparse.Namespace, name: str, seed: int, stream: str) -> dict[str, Any]:
    """Train one network; returns its curve and its softmax scores of the test part."""
    torch.set_num_threads(arguments.threads)
    data = np.load(arguments.clips / f"{name}.npz")
    joints, labels, train = data["joints"], data["labels"], data["train"]
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        chosen = settings(arguments, seed, stream)
        rows = np.flatnonzero(train)
        result = train_encoder(
            Job(), chosen, joints, labels, Path(folder), rows=rows, device=arguments.device, save_seconds=1e9
        )["streams"][stream]
        seconds = time.monotonic() - start
        device = choose_device(arguments.device)
        model, _ = load_encoder(Path(folder) / result["checkpoint"], device)
    scores = []
    with torch.inference_mode():
        for batch in torch.from_numpy(joints[~train]).split(64):
            scores.append(model(make_stream(batch.to(device), stream)).float().softmax(1).cpu())
    return {
        "data": name,
        "seed": seed,
        "stream": stream,
        "epoch": result["epoch"],
        "seconds": seconds,
        "curve": result["history"],
        "scores": torch.cat(scores).numpy(),
        "labels": labels[~train],
    }


def accuracy(scores: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean(scores.argmax(1) == labels))


def summarise(runs: list[dict[str, Any]]) -> dict[str, dict[str, list[float]]]:
    """data set → stream (and "4 streams") → test accuracy of each seed."""
    table: dict[str, dict[str, list[float]]] = {}
    for name in sorted({run["data"] for run in runs}):
        rows = table.setdefault(name, {})
        for seed in sorted({run["seed"] for run in runs}):
            found = {run["stream"]: run for run in runs if (run["data"], run["seed"]) == (name, seed)}
            for stream in (s for s in STREAMS if s in found):
                rows.setdefault(stream, []).append(accuracy(found[stream]["scores"], found[stream]["labels"]))
            if len(found) == len(STREAMS):
                together = ensemble({stream: run["scores"] for stream, run in found.items()})
                rows.setdefault("4 streams", []).append(accuracy(together, next(iter(found.values()))["labels"]))
    return table


def markdown(table: dict[str, dict[str, list[float]]]) -> str:
    lines = ["| data | stream | test accuracy, % | seeds |", "|---|---|---|---|"]
    for name, rows in table.items():
        for stream, values in rows.items():
            percent = 100 * np.array(values)
            error = f" ± {percent.std(ddof=1) / np.sqrt(len(percent)):.1f}" if len(percent) > 1 else ""
            lines.append(f"| {DATA_SETS[name]} | {stream} | {percent.mean():.1f}{error} | {len(percent)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utd-mhad", type=Path, help="folder of the raw files")
    parser.add_argument("--nw-ucla", type=Path, help="folder of the raw files")
    parser.add_argument("--clips", type=Path, help="folder of prepared clips, instead of the raw files")
    parser.add_argument("--save-clips", type=Path, help="prepare the clips into this folder and stop")
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--persons", type=int, choices=(1, 2), default=2, help="nobody but the first is ever there")
    parser.add_argument("--data", default=",".join(DATA_SETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--streams", default=",".join(STREAMS))
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--base-channels", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--schedule", choices=("steps", "cosine"), default="steps")
    parser.add_argument("--warmup", type=int, default=0)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--label-smoothing", type=float, default=0.0)
    parser.add_argument("--augment", default="", help="comma-separated: rotate,scale,jitter,crop,mirror,drop_joints")
    parser.add_argument("--held-out", type=float, default=0.1)
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    parser.add_argument("--device")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at once")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of one training")
    parser.add_argument("--out", type=Path, default=Path("encoder_accuracy.json"))
    arguments = parser.parse_args()
    chosen = [name for name in DATA_SETS if name in arguments.data.split(",")]
    with tempfile.TemporaryDirectory() as temporary:
        if arguments.clips is None:
            arguments.clips = arguments.save_clips or Path(temporary)
            chosen = [name for name in chosen if getattr(arguments, name) is not None]
            for name in chosen:
                save_clips(name, getattr(arguments, name), arguments.frames, arguments.persons, arguments.clips)
        if arguments.save_clips is None:
            run_all(arguments, chosen)


def run_all(arguments: argparse.Namespace, chosen: list[str]) -> None:
    start = time.monotonic()
    streams = arguments.streams.split(",")
    work = [(arguments, name, seed, stream) for seed in range(arguments.seeds) for stream in streams for name in chosen]
    with ProcessPoolExecutor(arguments.jobs, multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(train_one, *item) for item in work]
        runs = []
        for future in futures:
            run = future.result()
            runs.append(run)
            correct = accuracy(run["scores"], run["labels"])
            print(
                f"{run['data']} {run['stream']} seed {run['seed']}: {correct:.4f} in {run['seconds']:.0f} s", flush=True
            )
    table = summarise(runs)
    print(f"\n{markdown(table)}\n\n{time.monotonic() - start:.0f} s in all")
    curves = [{key: value for key, value in run.items() if key not in ("scores", "labels")} for run in runs]
    options = {key: str(value) if isinstance(value, Path) else value for key, value in vars(arguments).items()}
    content = {"options": options, "device": str(choose_device(arguments.device)), "accuracy": table, "runs": curves}
    arguments.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
