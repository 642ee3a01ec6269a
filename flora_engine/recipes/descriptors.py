"""A model that measures recordings, from labelled data sets: no encoder, no torch, seconds to minutes.

The built-in model is made so (configs/builtin.yaml). Every recording is measured once, and what was measured is kept in
the user's cache folder, so that a run which was stopped continues with the next data set.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flora_engine.config import DescriptorsConfig, TextSettings
from flora_engine.datasets.catalogue import ClassText, dataset_names, load_dataset
from flora_engine.datasets.describing import Described, load_described
from flora_engine.datasets.settings import RecordingSettings
from flora_engine.errors import FloraError
from flora_engine.files import write_text
from flora_engine.jobs import Job
from flora_engine.labelling.bundle import (
    DESCRIPTORS,
    DescriptorReference,
    Manifest,
    TextEncoderReference,
    bundle_title,
    write_manifest,
)
from flora_engine.labelling.bundle_file import CARD
from flora_engine.recipes.descriptor_model import HELD, Evidence, Learned, learn
from flora_engine.recipes.starting import Start, run_folder
from flora_engine.runs.results import DescriptorsResult, SetFacts, SetOutcome, read_result
from flora_engine.semantics.class_texts import typed_name
from flora_engine.semantics.expectations import Reader
from flora_engine.semantics.lexicon import users_lexicon
from flora_engine.semantics.text_encoder import load_text_encoder
from flora_engine.semantics.text_vectors import text_vectors

_LEARN = "learn"  # the part of a run after its data sets


@dataclass(frozen=True)
class _Set:
    """What was read of one data set. texts: of the classes that have recordings; labels over them."""

    settings: RecordingSettings
    described: Described
    texts: list[ClassText]


def train(job: Job, start: Start, config: DescriptorsConfig) -> DescriptorsResult:
    """Measure all recordings, learn, and write the model that labels, in a new run or one that is resumed. Raises
    FloraError for unusable data, Cancelled when stopped.
    """
    with run_folder(job, start) as folder:
        done = read_result(folder.result() or {})
        if isinstance(done, DescriptorsResult):
            return done.model_copy(update={"run": folder.path})
        started = time.monotonic()
        sets: dict[str, _Set] = {}
        for name, settings in named(config.data).items():
            with job.part(name):
                sets[name] = _read(job, settings)
        with job.part(_LEARN):
            learned = _learn(job, config, sets)
            result = _result(sets, learned, folder.path)
            _write_bundle(folder.bundle, config, learned, result)
        result = result.model_copy(update={"minutes": (time.monotonic() - started) / 60})
        folder.write_result(result.stored())
    return result


def named(data: Sequence[RecordingSettings]) -> dict[str, RecordingSettings]:
    """The data sets by a name of each: its own, with a number from the second of the same name on."""
    found: dict[str, RecordingSettings] = {}
    for one in data:
        count = sum(other.dataset == one.dataset for other in found.values())
        found[one.dataset if not count else f"{one.dataset} {count + 1}"] = one
    return found


def _read(job: Job, settings: RecordingSettings) -> _Set:
    described = load_described(job, settings)
    used, labels = np.unique(described.labels, return_inverse=True)
    texts = [typed_name(described.class_names[number]) for number in used]
    return _Set(settings, Described(described.values, labels.astype(np.int64), described.class_names), texts)


def _learn(job: Job, config: DescriptorsConfig, sets: Mapping[str, _Set]) -> Learned:
    if sum(len(one.texts) for one in sets.values()) < 2:
        raise FloraError("all recordings are of one class", remedy="Give recordings of two classes or more.")
    encoder = load_text_encoder(config.text_encoder, job)
    reader = Reader(users_lexicon(), encoder)
    evidence = {}
    for done, (name, one) in enumerate(sets.items()):
        job.progress("reading class names", done, len(sets))
        expected = np.stack([part.values for part in reader.read_all(one.texts)])
        vectors = text_vectors(encoder, [text.motion for text in one.texts])
        evidence[name] = Evidence(one.described.values, one.described.labels, expected, vectors)
    learned = learn(job, evidence, reader.actions())
    if not learned.calibrated:
        job.warn("with so few classes the probabilities are calibrated as those of the built-in model are")
    return learned


def _result(sets: Mapping[str, _Set], learned: Learned, run: Path) -> DescriptorsResult:
    facts = {
        name: SetFacts(
            dataset=one.settings.dataset, recordings=len(one.described.labels), classes=len(one.texts), **_owner(one)
        )
        for name, one in sets.items()
    }
    outcomes = {
        name: SetOutcome(five=found.five, every=found.every, most=found.most, classes=found.classes)
        for name, found in learned.left_out.items()
    }
    return DescriptorsResult(sets=facts, left_out=outcomes, calibrated=learned.calibrated, minutes=0, run=run)


def _owner(one: _Set) -> dict[str, str]:
    """The title and the terms of a data set: those of the catalogue, or of a project its folder."""
    if one.settings.dataset in dataset_names():
        known = load_dataset(one.settings.dataset)
        return {"title": known.title, "terms": known.terms}
    place = one.settings.project or one.settings.raw
    return {"title": place.name if place is not None else one.settings.dataset, "terms": "your own recordings"}


# The model that labels


def _write_bundle(folder: Path, config: DescriptorsConfig, learned: Learned, result: DescriptorsResult) -> None:
    """Write the bundle in one step, with its card."""
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    learned.model.save(fresh / DESCRIPTORS)
    write_text(fresh / CARD, card(bundle_title(folder), result))
    encoder = load_text_encoder(config.text_encoder)
    manifest = Manifest(
        name=bundle_title(folder),
        text_encoder=TextEncoderReference(
            name=config.text_encoder, sha256=encoder.sha256, tokens=TextSettings().tokens
        ),
        descriptors=DescriptorReference(graphs=0.0),
        files={},
    )
    write_manifest(fresh, manifest)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.replace(folder)


def card(title: str, result: DescriptorsResult) -> str:
    """The model card of a run: what it learned from, under which terms, and what was measured."""
    lines = [f"# {title}", "", "It holds what typed words make expect against measurements of the recording."]
    lines += ["There is no network in it.", "", "## Data", "", "| data set | recordings | classes | terms |"]
    lines += ["|---|---|---|---|"]
    for one in result.sets.values():
        lines.append(f"| {one.title} | {one.recordings:,} | {one.classes} | {one.terms or 'unknown'} |")
    lines += ["", HELD, "", "## What was measured", ""]
    if not result.left_out:
        lines.append("Nothing: there are too few classes to leave some out.")
    else:
        lines += ["Each part was left out once and ranked by a model of the others, typed by name.", ""]
        lines += ["| left out | of its classes, up to five | all its classes | chance |", "|---|---|---|---|"]
    for name, left in result.left_out.items():
        row = (name, f"{left.five[0]:.1f} %", f"{left.every[0]:.1f} % of {left.classes}", f"{left.chance:.1f} %")
        lines.append(f"| {' | '.join(row)} |")
    said = "on what was left out" if result.calibrated else "as those of the built-in model"
    return "\n".join([*lines, "", f"Shares and the probability of none of these are calibrated {said}.", ""])
