"""The registry of preparations: names, axes, fingerprints."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from flora_engine.datasets.settings import DataSettings
from flora_engine.errors import FloraError
from flora_engine.labelling.bundle import PreparationReference
from flora_engine.preprocessing import PREPARATIONS, clip, preparation
from flora_engine.preprocessing.probe import agrees, probe_recording


@pytest.mark.parametrize("name", PREPARATIONS)
def test_the_spine_of_every_clip_lies_along_the_axis_that_the_preparation_names(name: str) -> None:
    one = preparation(name)
    joints = one(probe_recording(), 24)
    spine = (joints[:, 0, 20, 0] - joints[:, 0, 0, 0]).astype(float)
    assert "xyz"[int(np.abs(spine).argmax())] == one.up
    assert spine["xyz".index(one.up)] > 0


@pytest.mark.parametrize("name", PREPARATIONS)
def test_configurations_know_every_preparation(name: str) -> None:
    assert DataSettings(dataset="d", preparation=name).preparation == name


def test_fingerprints_tell_preparations_apart_and_stay_the_same() -> None:
    prints = [one.fingerprint for one in PREPARATIONS.values()]
    for place, one in enumerate(prints):
        assert [agrees(one, other) for other in prints].index(True) == place
    assert agrees(PREPARATIONS["clip"].fingerprint, replace(PREPARATIONS["clip"]).fingerprint)


def test_a_bundle_of_a_changed_preparation_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    reference = PreparationReference.of("clip", 32, 1)
    assert reference.matching(tmp_path) is PREPARATIONS["clip"]
    centred = replace(PREPARATIONS["clip"], function=partial(clip.prepare, options=clip.Options(centre="frame")))
    monkeypatch.setitem(PREPARATIONS, "clip", centred)
    with pytest.raises(FloraError, match="another version of the preparation “clip”"):
        reference.matching(tmp_path)
    monkeypatch.setitem(PREPARATIONS, "clip", replace(centred, function=clip.prepare, version=2))
    with pytest.raises(FloraError, match="this program has 2"):
        reference.matching(tmp_path)


def test_an_unknown_preparation_is_named_with_those_that_exist() -> None:
    with pytest.raises(FloraError, match="no preparation “nothing”"):
        preparation("nothing")
