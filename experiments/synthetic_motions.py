"""Do synthetic motions help the built-in model? Its training with and without them, chosen on training people alone.

    OMP_NUM_THREADS=1 python experiments/synthetic_motions.py FOLDER [--draws 2] [--out FILE]

FOLDER holds utd_mhad and nw_ucla. The recipe is configs/demo/two_sets.yaml's but for --frames and --epochs; its unseen
classes and its test people are left out altogether. In each draw eight other classes are unseen, and the encoder and
the heads train on what remains, with and without the recordings that `flora demo` would write. Synthetic actions like
one of the unseen ones (cosine of their pooled texts above --alike) are left out. Accuracy is among the eight classes,
on real recordings.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.config import PipelineConfig, load_config
from flora_engine.datasets.features import Features
from flora_engine.demo import ACTIONS, synthesise
from flora_engine.evaluation.protocols import Experiment, run_protocol
from flora_engine.jobs import Job
from flora_engine.preprocessing import prepare
from flora_engine.recipes.pipeline import load_material
from flora_engine.recipes.starting import with_absolute_paths
from flora_engine.resources import CONFIGS
from flora_engine.semantics.class_texts import ClassText, class_states
from flora_engine.semantics.text_encoder import load_text_encoder
from flora_engine.training.encoder.trainer import train_encoder
from flora_engine.training.extraction import extract_streams


@dataclass(frozen=True)
class Recordings:
    """joints float32 (N, 3, T, V, M), labels int64 (N,) over the rows of states (K, L+1, 2d)."""

    joints: NDArray[np.float32]
    labels: NDArray[np.int64]
    states: NDArray[np.float32]


def real_recordings(config: PipelineConfig) -> Recordings:
    """Training people and seen classes of the built-in model."""
    material, split = load_material(Job(), config), config.splits[0]
    clips = material.clips
    kept = np.isin(clips.subjects, split.train.values) & ~np.isin(clips.labels, split.unseen)
    classes, labels = np.unique(clips.labels[kept], return_inverse=True)
    return Recordings(np.ascontiguousarray(clips.joints[kept]), labels, material.states[classes])


def synthetic_recordings(config: PipelineConfig, takes: int) -> Recordings:
    """`takes` recordings of each synthetic action: as many subjects, three views."""
    texts = [ClassText(one.name, one.description, one.description) for one in ACTIONS]
    states = class_states(load_text_encoder(config.texts.encoder), texts, config.texts.tokens)
    data, joints, labels = config.data[0], [], []
    for action in range(len(ACTIONS)):
        for take in range(takes):
            sequence = synthesise(action, subject=take + 1, camera=1 + take % 3)
            joints.append(prepare(sequence, data.preparation, data.frames)[..., : data.persons])
            labels.append(action)
    return Recordings(np.stack(joints), np.array(labels), states)


def unlike(states: NDArray[np.float32], others: NDArray[np.float32], alike: float) -> NDArray[np.int64]:
    """Rows of `states` whose pooled text is not like any of `others`."""
    a, b = (x[:, -1] / np.linalg.norm(x[:, -1], axis=1, keepdims=True) for x in (states, others))
    return np.flatnonzero((a @ b.T).max(axis=1) <= alike)


def of_classes(recordings: Recordings, classes: NDArray[np.int64]) -> Recordings:
    """Only the recordings of `classes` (sorted), numbered anew."""
    rows = np.isin(recordings.labels, classes)
    labels = np.searchsorted(classes, recordings.labels[rows])
    return Recordings(recordings.joints[rows], labels, recordings.states[classes])


def measure(
    config: PipelineConfig, real: Recordings, added: Recordings | None, unseen: NDArray[np.int64], seed: int
) -> dict[str, float]:
    """head → accuracy among the unseen classes."""
    held = np.isin(real.labels, unseen)
    joints, labels, states = real.joints[~held], real.labels[~held], real.states
    if added is not None:
        joints = np.concatenate([joints, added.joints])
        labels = np.concatenate([labels, added.labels + len(states)])
        states = np.concatenate([states, added.states])
    with tempfile.TemporaryDirectory() as folder:
        known = np.unique(labels, return_inverse=True)[1]
        settings = config.encoder.model_copy(update={"seed": seed})
        trained = train_encoder(Job(), settings, joints, known, Path(folder))["streams"]
        checkpoints = {"joint": Path(folder) / trained["joint"]["checkpoint"]}
        data = extract_streams(Job(), checkpoints, np.concatenate([joints, real.joints[held]]))
    train, test = data[: len(joints)], data[len(joints) :]
    features = Features(train, labels, test, real.labels[held], test, real.labels[held])
    experiment = Experiment(features, states, unseen)
    flora = config.flora.model_copy(update={"seeds": (seed,)})
    found: dict[str, float] = {}
    for name in config.heads:
        outcome = run_protocol(Job(), name, experiment, flora, "held-out", ("zsl",))
        found[name] = float(outcome["zsl"]["accuracy"]["mean"])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--first-draw", type=int, default=0)
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--takes", type=int, default=18, help="synthetic recordings of each action")
    parser.add_argument("--alike", type=float, default=0.6)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    config = load_config(CONFIGS / "demo" / "two_sets.yaml")
    assert isinstance(config, PipelineConfig)
    data = [one.model_copy(update={"frames": given.frames}) for one in config.data]
    encoder = config.encoder.model_copy(update={"epochs": given.epochs})
    config = with_absolute_paths(config.model_copy(update={"data": data, "encoder": encoder}), given.folder, None)
    real, synthetic = real_recordings(config), synthetic_recordings(config, given.takes)
    rows = []
    for draw in range(given.first_draw, given.first_draw + given.draws):
        unseen = np.sort(np.random.default_rng(draw).choice(len(real.states), 8, replace=False))
        added = of_classes(synthetic, unlike(synthetic.states, real.states[unseen], given.alike))
        for one in (None, added):
            start = time.monotonic()
            found = measure(config, real, one, unseen, draw)
            rows.append({"draw": draw, "synthetic recordings": len(one.labels) if one else 0, **found})
            print(rows[-1], f"{time.monotonic() - start:.0f} s", flush=True)
    if given.out:
        given.out.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
