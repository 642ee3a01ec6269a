"""What the demo recipe's short training costs in accuracy: variants of its encoder on UTD-MHAD, split 1.

    OMP_NUM_THREADS=1 python benchmarks/demo_choices.py FOLDER [--variants 64x50,32x50,64x25] [--base 32] [--persons 1]

FOLDER holds utd_mhad. A variant is FRAMESxEPOCHS. Accuracy is of the 22 seen classes on the people that did not train,
one seed; the recipe was not chosen by it.
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
    config: PipelineConfig, folder: Path, frames: int, epochs: int, persons: int, base: int
) -> tuple[float, float]:
    """Test accuracy and minutes of training."""
    update = {"raw": folder / "utd_mhad", "frames": frames, "persons": persons}
    clips = load_clips(Job(), config.data[0].model_copy(update=update))
    parts = divide(config.splits[0], clips.labels, clips.subjects, clips.cameras, clips.setups)
    seen = np.unique(clips.labels[parts.train])
    settings = config.encoder.model_copy(update={"epochs": epochs, "base_channels": base})
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as run:
        joints = np.ascontiguousarray(clips.joints[parts.train])
        labels = np.searchsorted(seen, clips.labels[parts.train])
        found = train_encoder(Job(), settings, joints, labels, Path(run))["streams"]["joint"]
        minutes = (time.monotonic() - start) / 60
        model, _ = load_encoder(Path(run) / found["checkpoint"])
    test = parts.gzsl[np.isin(clips.labels[parts.gzsl], seen)]
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
    arguments = parser.parse_args()
    config = load_config(CONFIGS / "demo" / "utd_mhad.yaml")
    assert isinstance(config, PipelineConfig)
    print(
        "| frames | persons | base channels | epochs | seen classes, new people | minutes |\n|---|---|---|---|---|---|"
    )
    for variant in arguments.variants.split(","):
        frames, epochs = (int(part) for part in variant.split("x"))
        accuracy, minutes = measure(config, arguments.folder, frames, epochs, arguments.persons, arguments.base)
        cells = (frames, arguments.persons, arguments.base, epochs, f"{accuracy:.1%}", f"{minutes:.1f}")
        print(f"| {' | '.join(str(cell) for cell in cells)} |", flush=True)


if __name__ == "__main__":
    main()
