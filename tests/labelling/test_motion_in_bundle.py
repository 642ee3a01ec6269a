"""A motion encoder in a bundle: it takes part in every score, reasons stay those of descriptors, clips must fit."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_motion_encoder import random_encoder

from flora_engine.demo import synthesise
from flora_engine.descriptors import catalogue
from flora_engine.errors import FloraError
from flora_engine.labelling.bundle import (
    BUILTIN,
    DESCRIPTORS,
    MANIFEST,
    MOTION,
    Manifest,
    load_manifest,
    write_manifest,
)
from flora_engine.labelling.labeller import Labeller
from flora_engine.models.motion_encoder import MotionEncoder
from flora_engine.semantics.class_texts import parse_typed

TEXTS = parse_typed("wave right hand; sit down; shake hands")


def _bundle(folder: Path, encoder: MotionEncoder | None) -> Path:
    folder.mkdir()
    shutil.copyfile(BUILTIN / DESCRIPTORS, folder / DESCRIPTORS)
    if encoder is not None:
        encoder.save(folder / MOTION)
    write_manifest(folder, Manifest.model_validate_json((BUILTIN / MANIFEST).read_text(encoding="utf-8")))
    return folder


def _quiet() -> MotionEncoder:
    """One that says nothing."""
    return replace(random_encoder(), share=np.array(0.0))


def test_without_a_say_it_changes_nothing_but_the_softness(tmp_path: Path) -> None:
    plain, quiet = Labeller(_bundle(tmp_path / "a", None)), Labeller(_bundle(tmp_path / "b", _quiet()))
    assert (plain.manifest.version, quiet.manifest.version) == (3, 5)
    softness = float(plain._measured.model.temperature) if plain._measured else 0.0
    one, other = (
        {label.name: np.log(label.score) for label in labeller.label(synthesise(3), TEXTS).labels}
        for labeller in (plain, quiet)
    )
    for text in TEXTS[1:]:
        between = one[text.name] - one[TEXTS[0].name]
        assert other[text.name] - other[TEXTS[0].name] == pytest.approx(between * softness, rel=1e-3)


def test_it_takes_part_and_reasons_stay_those_of_descriptors(tmp_path: Path) -> None:
    loud = Labeller(_bundle(tmp_path / "a", replace(random_encoder(), share=np.array(5.0))))
    quiet = Labeller(_bundle(tmp_path / "b", _quiet()))
    one, other = (labeller.label(synthesise(20), TEXTS, why=True) for labeller in (loud, quiet))
    assert {label.name: label.score for label in one.labels} != {label.name: label.score for label in other.labels}
    assert sum(label.score for label in one.labels) == pytest.approx(1) and 0 <= (one.none or 0) <= 1
    assert all(reason.descriptor in catalogue() for label in one.labels for reason in label.why)
    assert loud.spaces == (2 * len(catalogue()),)


def test_recordings_are_ranked_alone_as_in_a_batch(tmp_path: Path) -> None:
    labeller = Labeller(_bundle(tmp_path / "a", random_encoder()))
    recordings = [synthesise(action) for action in (0, 3, 20)]
    together = labeller.rank(labeller.latents(recordings)[0], TEXTS)
    for recording, ranking in zip(recordings, together, strict=True):
        alone = {label.name: label.score for label in labeller.label(recording, TEXTS).labels}
        assert {label.name: label.score for label in ranking.labels} == pytest.approx(alone, abs=1e-4)


def test_clips_of_another_preparation_and_a_lost_file_are_refused(tmp_path: Path) -> None:
    other = replace(random_encoder(), fingerprint=random_encoder().fingerprint + 1)
    with pytest.raises(FloraError, match="another version of the preparation"):
        Labeller(_bundle(tmp_path / "a", other))
    folder = _bundle(tmp_path / "b", random_encoder())
    (folder / MOTION).unlink()
    with pytest.raises(FloraError, match=r"lacks motion\.npz"):
        load_manifest(folder)
