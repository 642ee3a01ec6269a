"""What a training keeps beside its numbers: decisions about single recordings, classes, latents (runs/analysis.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.datasets.clips import Clips
from flora_engine.evaluation.protocols import Experiment, Setting
from flora_engine.heads.learning.model import FloraModel
from flora_engine.project.splits import Parts
from flora_engine.runs.analysis import (
    Decisions,
    Recording,
    components,
    write_classes,
    write_decisions,
    write_latents,
    write_recordings,
)
from flora_engine.semantics.class_texts import class_vectors

_MOST_LATENTS = 2000  # recordings of a map: more points cover each other


@dataclass(frozen=True)
class Kept:
    """What one head of a run or split decides. folder: of the run or split."""

    folder: Path
    head: str
    experiment: Experiment

    def decisions(self, seed: int, setting: Setting, decisions: Decisions) -> None:
        """Keep the decisions of one seed."""
        write_decisions(self.folder, self.head, setting, seed, decisions)

    def model(self, setting: Setting, model: FloraModel) -> None:
        """Keep the latents of the test part; those of the setting gzsl count if there are both."""
        data = self.experiment.features.gzsl_data
        rows = np.unique(np.linspace(0, len(data) - 1, min(len(data), _MOST_LATENTS)).astype(np.int64))
        recordings, texts = model.latents(data[rows])
        write_latents(self.folder, self.head, components(rows, recordings, texts))


def keep_classes(folder: Path, names: Sequence[str], experiment: Experiment) -> None:
    """Keep the classes and how alike their texts are."""
    vectors = class_vectors(experiment.states)
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    write_classes(folder, names, experiment.unseen.tolist(), vectors @ vectors.T)


def keep_recordings(folder: Path, clips: Clips, parts: Parts) -> None:
    """Keep which recordings are tested."""

    def of(rows: NDArray[np.int64]) -> list[Recording]:
        return [Recording(clips.names[row], clips.sources[row] if clips.sources else "") for row in rows.tolist()]

    write_recordings(folder, of(parts.zsl), of(parts.gzsl))
