"""From the encoder, the preparation, a trained head and class texts to a bundle: the one way for every training."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flora_engine.config import FloraSettings
from flora_engine.datasets.settings import DataSettings
from flora_engine.evaluation.calibration import best_temperature
from flora_engine.evaluation.protocols import Experiment
from flora_engine.evaluation.selection import make_folds
from flora_engine.files import write_text
from flora_engine.heads import Array, Fit, head
from flora_engine.heads.learning.model import FloraModel
from flora_engine.jobs import Job
from flora_engine.labelling.bundle import (
    BUILTIN,
    DESCRIPTORS,
    Attunement,
    Decision,
    DescriptorReference,
    Manifest,
    PreparationReference,
    SeenClass,
    TextEncoderReference,
    bundle_title,
)
from flora_engine.labelling.bundle_file import CARD
from flora_engine.models.shift_gcn.several import Networks
from flora_engine.recipes.descriptor_model import HELD
from flora_engine.recipes.weighing import Weighed, weigh
from flora_engine.runs.progress import Memory
from flora_engine.runs.results import Outcome
from flora_engine.semantics.class_texts import ClassText
from flora_engine.semantics.text_encoder import MINILM_SHA256, load_text_encoder
from flora_engine.semantics.text_vectors import text_vectors


def summary(outcome: Outcome) -> dict[str, float]:
    """The numbers of one head under the held-out protocol, flat, for the bundle's manifest."""
    numbers = {"chance": outcome["chance"]}
    if "zsl" in outcome:
        numbers["zsl"] = outcome["zsl"]["accuracy"]
    if "gzsl" in outcome:
        numbers |= {f"gzsl_{key}": outcome["gzsl"][key] for key in ("seen", "unseen", "harmonic")}
    if "nearest_aligned" in outcome:
        numbers["zsl_nearest_mean_in_aligned_space"] = outcome["nearest_aligned"]["accuracy"]
    return {key: float(value["mean"] if isinstance(value, dict) else value) for key, value in numbers.items()}


UNWEIGHED = "the built-in model's measurements count as much as the graphs, for no recordings were at hand to choose by"


@dataclass(frozen=True)
class Words:
    """The text encoder, and the texts of all classes in the numbering of the features."""

    encoder: TextEncoderReference
    texts: Sequence[ClassText]


@dataclass(frozen=True)
class Trained:
    """A trained head. chosen: what the folds chose, by setting. seed: of its training. accuracy: see `summary`. memory:
    of the run, with what its folds scored.
    """

    head: str
    model: FloraModel
    experiment: Experiment
    settings: FloraSettings
    chosen: Mapping[str, Any]
    seed: int
    accuracy: Mapping[str, float]
    memory: Memory = field(default_factory=Memory)


def write_bundle(job: Job, folder: Path, encoder: Networks, data: DataSettings, words: Words, trained: Trained) -> str:
    """Write the model that labels into `folder`. encoder: one network, or one per stream; data: how recordings are
    prepared for it. Returns how much its graphs and its measurements count, in a sentence. Raises FloraError if the
    parts do not fit, Cancelled.
    """
    from flora_engine.labelling.export_bundle import export_bundle

    model = trained.model
    weighed = _weighed(job, words, trained)
    manifest = _manifest(job, folder, data, words, trained, weighed)
    same_words = words.encoder.sha256 == MINILM_SHA256  # with the built-in bundle, whose descriptors serve
    stored = BUILTIN / DESCRIPTORS
    with tempfile.TemporaryDirectory(prefix="flora-") as place:
        if weighed is not None:
            stored = Path(place) / DESCRIPTORS
            weighed.model.save(stored)
        export_bundle(
            folder,
            encoder,
            model.network.cpu().eval(),
            manifest,
            direct=None if model.direct is None else model.direct.cpu(),
            descriptors=stored if (weighed is not None or same_words) and stored.is_file() else None,
        )
    said = UNWEIGHED if weighed is None else weighed.said
    held = "" if weighed is None else HELD
    write_text(folder / CARD, card(bundle_title(folder), words, trained, said, held))
    return said


def card(title: str, words: Words, trained: Trained, weights: str, held: str) -> str:
    """The model card of a training with an encoder. held: what its measurements keep of the recordings."""
    labels = trained.experiment.features.train_label
    names = ", ".join(words.texts[label].name for label in np.unique(labels))
    numbers = [f"- {name.replace('_', ' ')}: {value:.1%}" for name, value in trained.accuracy.items()]
    lines = [f"# {title}", "", f"Trained on {len(labels):,} recordings of these classes: {names}.", ""]
    lines += [f"In its ranking {weights}.", "", f"Of the head {trained.head}, on classes that it never saw:", ""]
    return "\n".join([*lines, *numbers, "", *([held, ""] if held else [])])


def _weighed(job: Job, words: Words, trained: Trained) -> Weighed | None:
    """Descriptors learned on the training part, and the weights; None if its recordings are not at hand."""
    if trained.experiment.described is None:
        job.log(UNWEIGHED)
        return None
    pick = trained.chosen.get("zsl") or trained.chosen["gzsl"]
    vectors = text_vectors(load_text_encoder(words.encoder.name), [text.motion for text in words.texts])
    with job.part("weights"):
        how = (trained.experiment, trained.settings, pick, trained.seed)
        found = weigh(job, trained.head, *how, vectors, trained.memory)
    if found is not None:
        job.log(found.said)
    return found


def _manifest(
    job: Job, folder: Path, data: DataSettings, words: Words, trained: Trained, weighed: Weighed | None
) -> Manifest:
    model, chosen = trained.model, trained.chosen
    seen = [words.texts[label] for label in np.unique(trained.experiment.features.train_label)]
    return Manifest(
        name=bundle_title(folder),
        text_encoder=words.encoder,
        preparation=PreparationReference.of(data.preparation, data.frames, data.persons),
        attunement=Attunement(neighbours=model.neighbours, weight=model.weight),
        decision=Decision(
            time=model.decision_time,
            sigma_min=model.sigma_min,
            calibration=float(chosen.get("gzsl", {}).get("calibration_factor", trained.settings.calibration)),
            temperature=_temperature(job, trained) if weighed is None else weighed.temperature,
        ),
        descriptors=None if weighed is None else DescriptorReference(**vars(weighed.weights), chosen=True),
        seen_classes=tuple(SeenClass(**t.as_data()) for t in seen),
        files={},
        accuracy=dict(trained.accuracy),
    )


def _temperature(job: Job, trained: Trained) -> float:
    """The softness of scores that fits pseudo-unseen classes best, as the first fold found it; one more is trained as
    picked if a run of an earlier version did not keep it.
    """
    settings, pick = trained.settings, trained.chosen.get("zsl") or trained.chosen["gzsl"]
    if "temperature" in pick:
        return float(pick["temperature"])
    fold = make_folds(trained.experiment.problem(trained.seed), settings)[0]
    rows = np.isin(fold.labels, fold.unseen)
    scores: list[Array] = []

    def watch(evaluation: int, score: Callable[[Array, NDArray[np.int64]], Array], _baseline: object) -> None:
        if evaluation == pick["evaluations"]:
            scores.append(score(fold.data[rows], fold.unseen))

    head(trained.head).fit(Fit(job, fold.problem, pick["choice"], settings, watch, pick["evaluations"]))
    return best_temperature(scores[0], np.searchsorted(fold.unseen, fold.labels[rows]))
