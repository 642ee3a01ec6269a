"""One part of a pipeline in a run folder of its own: encoder, features, heads, and the model that labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flora_engine.config import PipelineConfig
from flora_engine.datasets.clips import Clips
from flora_engine.datasets.features import Features
from flora_engine.datasets.published_files import read_features
from flora_engine.evaluation.protocols import Experiment, Setting, described_by, local_by
from flora_engine.heads import Fit, head, reads_local
from flora_engine.heads.learning.model import FloraModel, load_model, save_model
from flora_engine.jobs import Job
from flora_engine.labelling.bundle import TextEncoderReference, bundled
from flora_engine.preprocessing import preparation
from flora_engine.project.splits import Parts
from flora_engine.recipes.bundling import Trained, Words, write_bundle
from flora_engine.recipes.encoder import train_on
from flora_engine.recipes.evaluating import evaluate_heads
from flora_engine.recipes.features import Extraction
from flora_engine.recipes.kept import keep_classes, keep_recordings
from flora_engine.runs.folder import RunFolder
from flora_engine.runs.progress import Memory
from flora_engine.runs.results import Heads, Stream
from flora_engine.semantics.class_texts import ClassText
from flora_engine.training.extraction import extract_streams, load_any_encoder, split_features

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Material:
    """What all splits share: clips of all data sets with one numbering of classes, their texts and text states.

    encoders: stream → checkpoint of encoders that are trained already. parts: of the texts, for heads that read them.
    descriptors: float32 (N, D) of the clips, and expectations: (K, D) of the texts, likewise.
    """

    clips: Clips
    texts: list[ClassText]
    states: Array
    text_encoder: TextEncoderReference
    encoders: Mapping[str, Path] = field(default_factory=dict)
    parts: Array | None = None
    descriptors: Array | None = None
    expectations: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class SplitRun:
    """What every step of one split (or of the final model) works with. Its steps may be interrupted and repeated.

    scheduler: of a Dask cluster whose workers train the heads.
    """

    job: Job
    config: PipelineConfig
    material: Material
    folder: RunFolder
    device: str
    scheduler: str | None = None

    @property
    def head(self) -> str:
        """The head that is bundled; "" if none of the configuration's can be."""
        return bundled(self.config.heads) or ""

    @property
    def seed(self) -> int:
        """Of the model that is bundled."""
        return self.config.flora.seeds[0]

    def encoders(self, rows: NDArray[np.int64]) -> tuple[dict[str, Stream], dict[str, Path]]:
        """One network per stream, trained on these recordings, and its checkpoint; those that the configuration names
        are taken as they are, and nothing is known of their training.
        """
        if self.material.encoders:
            return {}, dict(self.material.encoders)
        up = preparation(self.config.data[0].preparation).up
        streams = train_on(
            self.job, self.config.encoder, self.material.clips, rows, self.folder, up=up, device=self.device
        )
        return streams, {name: self.folder.path / stream.checkpoint for name, stream in streams.items()}

    def features(self, checkpoints: dict[str, Path], parts: Parts) -> Features:
        """Features of the recordings that the split uses, kept in the unified layout.

        They are written once the encoder is finished, so a run that is resumed reads them.
        """
        path = self.folder.path / "features.npz"
        if path.is_file():
            return read_features(path)
        with self.job.part("features"):
            return Extraction(checkpoints, self.material.clips, parts).run(self.job, path, self.device)

    def local(self, checkpoints: dict[str, Path], parts: Parts) -> Features | None:
        """Local features of the recordings that the split uses, kept likewise, if a head attends to them."""
        if not reads_local(self.config.heads, self.config.flora):
            return None
        path = self.folder.path / "local.npz"
        if path.is_file():
            return read_features(path)
        with self.job.part("local features"):
            return Extraction(checkpoints, self.material.clips, parts).run_local(self.job, path, self.device)

    def features_of_all(self, checkpoints: dict[str, Path]) -> Features:
        """Every recording trains; the test parts are empty."""
        clips = self.material.clips
        with self.job.part("features"):
            data = extract_streams(self.job, checkpoints, clips.joints, device=self.device)
        return _all_train(data, clips.labels)

    def experiment(
        self,
        features: Features,
        unseen: tuple[int, ...],
        parts: Parts | None = None,
        local: Features | None = None,
    ) -> Experiment:
        """Features and class states, for the heads. parts: of the split; None if every recording trains. local: see
        `local`.
        """
        material, values = self.material, None
        if material.descriptors is not None:
            if parts is None:
                values = _all_train(material.descriptors, material.clips.labels)
            else:
                values = split_features(material.descriptors, material.clips.labels, parts)
        described = described_by(self.job, values, material.expectations, [one.dataset for one in self.config.data])
        classes = np.array(unseen, np.int64)
        return Experiment(
            *(features, material.states, classes, self.device, material.parts, described),
            local=local_by(local, features),
        )

    def keep_facts(self, experiment: Experiment, parts: Parts) -> None:
        """What the run's page needs to know of classes and test recordings."""
        keep_classes(self.folder.path, [text.name for text in self.material.texts], experiment)
        keep_recordings(self.folder.path, self.material.clips, parts)

    def kept_model(self, setting: str) -> Path:
        """Where the first seed's model of the held-out protocol is kept for the bundle."""
        return self.folder.checkpoint(f"{self.head}-{setting}-seed{self.seed}")

    def evaluate(self, experiment: Experiment) -> Heads:
        """Every head under every protocol. Finished folds and seeds are kept, and so is the model to bundle."""

        def keep(name: str, seed: int, setting: Setting, model: FloraModel) -> None:
            if seed == self.seed and name == self.head:
                save_model(self.kept_model(setting), model)

        return evaluate_heads(
            *(self.job, self.config.heads, experiment, self.config.flora, self.folder.path, keep),
            scheduler=self.scheduler,
        )

    def final_model(self, experiment: Experiment, pick: dict[str, Any]) -> FloraModel:
        """The bundled head, trained as picked, without a look at anything."""
        kept = self.folder.checkpoint(self.head)
        if not kept.exists():
            problem, settings = experiment.problem(self.seed), self.config.flora
            task = Fit(self.job, problem, pick["choice"], settings, evaluations=pick["evaluations"])
            with self.job.part(self.head):
                save_model(kept, head(self.head).fit(task))
        return load_model(kept, self.device)

    def write_bundle(
        self,
        experiment: Experiment,
        model: FloraModel,
        checkpoints: dict[str, Path],
        chosen: dict[str, Any],
        accuracy: dict[str, float],
    ) -> str:
        """Write the model that labels, and return how its parts count. chosen: what the folds chose, by setting."""
        encoder = {stream: load_any_encoder(path)[0] for stream, path in checkpoints.items()}
        words = Words(self.material.text_encoder, self.material.texts)
        memory = Memory(self.folder.path / "checkpoints")
        trained = Trained(self.head, model, experiment, self.config.flora, chosen, self.seed, accuracy, memory)
        return write_bundle(self.job, self.folder.bundle, encoder, self.config.data[0], words, trained)


def _all_train(data: Array, labels: NDArray[np.int64]) -> Features:
    """Every recording trains; the test parts are empty."""
    nothing = np.empty((0, data.shape[1]), np.float32), np.empty(0, np.int64)
    return Features(data, labels, *nothing, *nothing)
