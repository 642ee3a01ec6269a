"""The encoder behind the features of a run: its networks, how their recordings are prepared, and whether it made them.

A model labels only with the encoder that made its features. What can be told from both is therefore compared: the
numbers per recording, the classes, and, if recordings of the feature file are at hand, the features themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.datasets.benchmarks import Benchmark
from flora_engine.datasets.catalogue import load_dataset
from flora_engine.datasets.clips import Clips
from flora_engine.datasets.features import Features
from flora_engine.datasets.settings import DataSettings
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.models.shift_gcn import several
from flora_engine.models.shift_gcn.network import ShiftGCN
from flora_engine.recipes.leaks import check_trained_apart
from flora_engine.recipes.starting import prepared_for
from flora_engine.training.extraction import extract_streams, find_checkpoints, load_any_encoder

MOST = 32  # recordings that are compared
# Largest distance of two features of one recording, as a share of the spread of all. Rounding gives 1e-5. By published
# weights (X-Sub) no two of 32 recordings of NTU RGB+D are nearer than 0.34, and ctrgcn in place of agcn gives 0.76.
_SAME = 0.05

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Encoding:
    """From a recording to features. networks, checkpoints: one per stream. data: how recordings are prepared."""

    networks: dict[str, ShiftGCN]
    checkpoints: dict[str, Path]
    data: DataSettings

    @property
    def size(self) -> int:
        """Numbers of a recording's features."""
        return several.feature_size(self.networks)


def load_encoding(
    job: Job, encoders: Sequence[Path], dataset: str, data: DataSettings | None = None, learned: Sequence[str] = ()
) -> Encoding:
    """Load checkpoints or runs, one per stream.

    data: how their recordings are prepared; None: as their run says, or as published for the data set, which the log
    then says. The networks say for how many persons. learned: class names that they must know, if they name any.
    FloraError if there is no such encoder, or if it says otherwise.
    """
    checkpoints = find_checkpoints(list(encoders))
    loaded = {stream: load_any_encoder(path) for stream, path in checkpoints.items()}
    networks = several.each({stream: network for stream, (network, _) in loaded.items()})
    persons = next(iter(networks.values())).persons
    if data is None:
        data, said = prepared_for(dataset, encoders[0])
        job.log(f"recordings are prepared for the encoder as {data.preparation}, {data.frames} frames, {said}")
    for stream, (_, about) in loaded.items():
        path = checkpoints[stream]
        if about.get("frames", data.frames) != data.frames:
            raise FloraError(
                f"this encoder was trained on {about['frames']} frames, and the recordings would have {data.frames}",
                path=path,
            )
        names = {str(name).casefold() for name in about.get("class_names") or ()}
        unknown = [name for name in learned if names and name.casefold() not in names]
        if unknown:
            raise FloraError(
                f"this encoder has not learned “{unknown[0]}”, which the features train on, so it did not make them",
                path=path,
                remedy="Name the encoder that made the features.",
            )
    return Encoding(networks, checkpoints, data.model_copy(update={"persons": persons}))


def check_made_by(job: Job, encoding: Encoding, features: Features, benchmark: Benchmark, path: Path | None) -> None:
    """FloraError if the encoder cannot have made the features of a split. path: their file.

    A warning if it has learned more than the seen classes: the numbers of the run are then untrue.
    """
    width, streams = features.train_data.shape[1], ", ".join(encoding.networks)
    if width != encoding.size:
        raise FloraError(
            f"holds {width} numbers per recording, and the encoder ({streams}) gives {encoding.size}",
            path=path,
            remedy=_streams_wanted(width, encoding),
        )
    names = load_dataset(benchmark.dataset).class_names
    check_trained_apart(job, encoding.checkpoints, [names[label] for label in benchmark.unseen], benchmark.name)
    for stream, network in encoding.networks.items():
        file = encoding.checkpoints[stream]
        if network.classes == benchmark.classes and file.suffix == ".pt":
            job.warn(
                f"{file.name} tells all {network.classes} classes of {benchmark.dataset} apart, the unseen ones among "
                f"them: it labels, but no zero-shot number may come from it"
            )
        elif file.suffix == ".pt" and network.classes != len(benchmark.seen):
            raise FloraError(
                f"this encoder tells {network.classes} classes apart, and {benchmark.name} has {len(benchmark.seen)} "
                "seen ones, so it did not make these features",
                path=file,
                remedy="Name the encoder of this split.",
            )


def _streams_wanted(width: int, encoding: Encoding) -> str:
    """Which encoders give features of this width, in one sentence.

    SynSE's files, “4s” by name, too: their authors used the joint stream alone (github.com/skelemoa/synse-zsl,
    issue 11, answer of 2021-08-04).
    """
    one = next(iter(encoding.networks.values())).feature_size
    if width % one:
        return f"Each stream gives {one}, so another encoder made these features: name that one."
    if width == one:
        return "These are of one stream, in SynSE's files that of joints, also if they are called 4s: name it alone."
    return f"These are of {width // one} streams side by side: name the encoder of each, and no other."


def check_recordings_agree(job: Job, encoding: Encoding, features: Features, clips: Clips, path: Path | None) -> int:
    """How many of `clips` are in the feature file as the encoder makes them, with the class that it says.

    FloraError if none is: then encoder, preparation or stream is another one. FloraError if the classes of those that
    are there differ: then the file numbers its classes in another way. path: the feature file.
    """
    with job.part("comparing features"):
        made = extract_streams(job, encoding.checkpoints, clips.joints)
    data = np.concatenate([features.train_data, features.zsl_data, features.gzsl_data])
    labels = np.concatenate([features.train_label, features.zsl_label, features.gzsl_label])
    nearest, distance = _nearest(made, data)
    there = distance <= _SAME
    if not there.any():
        how = f"{encoding.data.preparation}, {encoding.data.frames} frames"
        raise FloraError(
            f"none of {len(made)} recordings has in this file the features that the encoder gives it ({how}); the "
            f"nearest is {float(distance.min()):.0%} off",
            path=path,
            remedy="Name the encoder and the preparation that made the file.",
        )
    other = there & (labels[nearest] != clips.labels)
    if other.any():
        one = int(np.flatnonzero(other)[0])
        raise FloraError(
            f"the file says class {labels[nearest[one]]} of the recording {clips.names[one]}, which is of class "
            f"{clips.labels[one]} (from 0)",
            path=path,
            remedy="Number the classes of the file as the data set does, from 0.",
        )
    job.log(f"{int(there.sum())} of {len(made)} recordings have in the feature file what the encoder gives them")
    return int(there.sum())


def _nearest(made: Array, data: Array) -> tuple[NDArray[np.int64], Array]:
    """For each row of `made` (n, F) the nearest of `data` (N, F), and how far it is in units of their spread."""
    spread = max(float(np.sqrt(data.var(axis=0, dtype=np.float64).sum())), 1e-12)
    nearest = np.empty(len(made), np.int64)
    distance = np.empty(len(made), np.float32)
    for row, feature in enumerate(made):
        apart = np.linalg.norm(data - feature, axis=1)
        nearest[row] = apart.argmin()
        distance[row] = apart[nearest[row]] / spread
    return nearest, distance
