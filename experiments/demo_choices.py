"""What the demo recipe's short training costs in accuracy: variants of its encoder on UTD-MHAD, split 1.

    OMP_NUM_THREADS=1 python experiments/demo_choices.py FOLDER [--variants 64x50,32x50,64x25] [--base 32] [--persons 1]
    OMP_NUM_THREADS=1 python experiments/demo_choices.py FOLDER --choose [--draws 3] […]

FOLDER holds utd_mhad. A variant is FRAMESxEPOCHS. Without --choose: accuracy of the 22 seen classes on the people that
did not train, which is what a choice costs. With --choose nothing is used but the split's training part, so that it may
choose: in each draw five more classes are unseen and one person more does not train; accuracy of the 17 seen classes
on that person, and of the five unseen ones among themselves, by nearest mean and by ridge regression on the features.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from flora_engine.config import PipelineConfig, load_config
from flora_engine.datasets.clips import Clips
from flora_engine.datasets.features import Features
from flora_engine.datasets.loading import load_clips
from flora_engine.evaluation.protocols import Experiment, run_protocol
from flora_engine.jobs import Job
from flora_engine.project.splits import divide
from flora_engine.resources import CONFIGS
from flora_engine.semantics.class_texts import class_states, load_class_texts
from flora_engine.semantics.text_encoder import load_text_encoder
from flora_engine.training.encoder.state import load_encoder
from flora_engine.training.encoder.trainer import train_encoder
from flora_engine.training.extraction import extract_streams

HEADS = ("nearest_mean", "eszsl")
Rows = NDArray[np.int64]


def drawn(clips: Clips, train: Rows, draw: int) -> tuple[Rows, Rows, Rows]:
    """(rows that train, rows of seen classes to ask, rows of unseen classes to ask), all from `train`."""
    random = np.random.default_rng(draw)
    new = random.choice(np.unique(clips.labels[train]), 5, replace=False)
    person = random.choice(np.unique(clips.subjects[train]))
    unseen, away = np.isin(clips.labels[train], new), clips.subjects[train] == person
    return train[~unseen & ~away], train[~unseen & away], train[unseen]


def zero_shot(clips: Clips, checkpoint: Path, train: Rows, unseen: Rows, config: PipelineConfig) -> dict[str, float]:
    """head → accuracy among the classes of the rows `unseen`."""
    both = np.concatenate([train, unseen])
    data = extract_streams(Job(), {"joint": checkpoint}, np.ascontiguousarray(clips.joints[both]))
    test = data[len(train) :], clips.labels[unseen]
    features = Features(data[: len(train)], clips.labels[train], *test, *test)
    encoder = load_text_encoder(config.texts.encoder)
    states = class_states(encoder, load_class_texts("utd_mhad"), config.texts.tokens)
    experiment = Experiment(features, states, np.unique(clips.labels[unseen]))
    found = {}
    for name in HEADS:
        outcome = run_protocol(Job(), name, experiment, config.flora, "held-out", ("zsl",))
        found[name] = float(outcome["zsl"]["accuracy"]["mean"])
    return found


def measure(config: PipelineConfig, folder: Path, variant: tuple[int, int, int, int], draw: int | None) -> list[float]:
    """Minutes of training, accuracy of seen classes, then of unseen ones by each head if a draw is given."""
    frames, epochs, persons, base = variant
    update = {"raw": folder / "utd_mhad", "frames": frames, "persons": persons}
    clips = load_clips(Job(), config.data[0].model_copy(update=update))
    parts = divide(config.splits[0], clips.labels, clips.subjects, clips.cameras, clips.setups)
    train, test, unseen = parts.train, parts.gzsl, None
    if draw is not None:
        train, test, unseen = drawn(clips, parts.train, draw)
    seen = np.unique(clips.labels[train])
    test = test[np.isin(clips.labels[test], seen)]
    settings = config.encoder.model_copy(update={"epochs": epochs, "base_channels": base, "seed": draw or 0})
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as run:
        joints = np.ascontiguousarray(clips.joints[train])
        found = train_encoder(Job(), settings, joints, np.searchsorted(seen, clips.labels[train]), Path(run))
        minutes = (time.monotonic() - start) / 60
        checkpoint = Path(run) / found["streams"]["joint"]["checkpoint"]
        model, _ = load_encoder(checkpoint)
        with torch.inference_mode():
            batches = torch.from_numpy(np.ascontiguousarray(clips.joints[test])).split(64)
            predicted = torch.cat([model(batch).argmax(1) for batch in batches]).numpy()
        result = [minutes, float(np.mean(seen[predicted] == clips.labels[test]))]
        if unseen is not None:
            result += zero_shot(clips, checkpoint, train, unseen, config).values()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--variants", default="64x50,32x50,64x25")
    parser.add_argument("--base", type=int, default=32)
    parser.add_argument("--persons", type=int, choices=(1, 2), default=1)
    parser.add_argument("--choose", action="store_true")
    parser.add_argument("--draws", type=int, default=3)
    given = parser.parse_args()
    config = load_config(CONFIGS / "demo" / "utd_mhad.yaml")
    assert isinstance(config, PipelineConfig)
    heads = " | unseen, ".join(("", *HEADS)) if given.choose else ""
    print(f"| frames | persons | base channels | epochs | minutes | seen classes{heads} |", flush=True)
    print("|---" * (6 + given.choose * len(HEADS)) + "|")
    for text in given.variants.split(","):
        frames, epochs = (int(part) for part in text.split("x"))
        variant = (frames, epochs, given.persons, given.base)
        draws = range(given.draws) if given.choose else [None]
        rows = np.array([measure(config, given.folder, variant, draw) for draw in draws])
        cells = [f"{rows[:, 0].mean():.1f}", *(", ".join(f"{x:.1%}" for x in column) for column in rows[:, 1:].T)]
        print(f"| {frames} | {given.persons} | {given.base} | {epochs} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
