"""What the demo recipe's short training costs in accuracy: variants of its encoder on UTD-MHAD, split 1.

    OMP_NUM_THREADS=1 python benchmarks/demo_choices.py FOLDER [--variants 64x50,32x50,64x25] [--base 32] [--persons 1]
        [--choose] [--seeds 1]

FOLDER holds utd_mhad. A variant is FRAMESxEPOCHS. Accuracy is of the 22 seen classes on the people that did not train:
what a choice costs. With --choose, training people alone are used (1, 3, 5 train, 7 is asked): what may choose.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from flora_engine.config import PipelineConfig, load_config
from flora_engine.datasets.loading import load_clips
from flora_engine.datasets.splits import divide
from flora_engine.jobs import Job
from flora_engine.resources import CONFIGS
from flora_engine.training.encoder import load_encoder, train_encoder


def measure(
    config: PipelineConfig, folder: Path, frames: int, epochs: int, persons: int, base: int, choose: bool, seed: int
) -> tuple[float, float]:
    """Accuracy and minutes of training."""
    update = {"raw": folder / "utd_mhad", "frames": frames, "persons": persons}
    clips = load_clips(Job(), config.data[0].model_copy(update=update))
    parts = divide(config.splits[0], clips.labels, clips.subjects, clips.cameras, clips.setups)
    seen = np.unique(clips.labels[parts.train])
    last = clips.subjects[parts.train] == clips.subjects[parts.train].max()
    train = parts.train[~last] if choose else parts.train
    test = parts.train[last] if choose else parts.gzsl[np.isin(clips.labels[parts.gzsl], seen)]
    settings = config.encoder.model_copy(update={"epochs": epochs, "base_channels": base, "seed": seed})
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as run:
        joints = np.ascontiguousarray(clips.joints[train])
        labels = np.searchsorted(seen, clips.labels[train])
        found = train_encoder(Job(), settings, joints, labels, Path(run))["streams"]["joint"]
        minutes = (time.monotonic() - start) / 60
        model, _ = load_encoder(Path(run) / found["checkpoint"])
    with torch.inference_mode():
        batches = torch.from_numpy(np.ascontiguousarray(clips.joints[test])).split(64)
        predicted = torch.cat([model(batch).argmax(1) for batch in batches]).numpy()
    return float(np.mean(seen[predicted] == clips.labels[test])), minutes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--variants", default="64x50,32x50,64x25")
    parser.add_argument("--base", type=int, default=32)
    parser.add_argument("--persons", type=int, choices=(1, 2), default=1)
    parser.add_argument("--choose", action="store_true")
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    config = load_config(CONFIGS / "demo" / "utd_mhad.yaml")
    assert isinstance(config, PipelineConfig)
    people = "training people" if arguments.choose else "new people"
    print(
        f"| frames | persons | base channels | epochs | seen classes, {people} | minutes |\n|---|---|---|---|---|---|"
    )
    for variant in arguments.variants.split(","):
        frames, epochs = (int(part) for part in variant.split("x"))
        recipe = (frames, epochs, arguments.persons, arguments.base, arguments.choose)
        runs = [measure(config, arguments.folder, *recipe, seed) for seed in range(arguments.seeds)]
        accuracies = ", ".join(f"{accuracy:.1%}" for accuracy, _ in runs)
        minutes = f"{np.mean([one for _, one in runs]):.1f}"
        cells = (frames, arguments.persons, arguments.base, epochs, accuracies, minutes)
        print(f"| {' | '.join(str(cell) for cell in cells)} |", flush=True)


if __name__ == "__main__":
    main()
