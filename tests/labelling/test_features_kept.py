"""Features on disk: made once per recording and model, found by every way of labelling, and the same as made anew."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_bundle

from flora_engine.array_cache import ArrayCache
from flora_engine.cli import main
from flora_engine.demo import synthesise, synthesise_stream
from flora_engine.jobs import Job
from flora_engine.labelling import labeller as module
from flora_engine.labelling.features import content_key
from flora_engine.labelling.labeller import Labeller
from flora_engine.labelling.timeline import Options, timeline
from flora_engine.readers import write_ntu
from flora_engine.semantics.class_texts import parse_typed

TEXTS = parse_typed("wave hand; sit down; jump up")


@pytest.fixture
def cache(tmp_path: Path) -> ArrayCache:
    return ArrayCache("features", tmp_path / "features.sqlite", 10**7)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many recordings each call had to encode."""
    calls: list[int] = []
    original = Labeller._encoded

    def counted(self: Labeller, sequences: list) -> object:
        calls.append(len(sequences))
        return original(self, sequences)

    monkeypatch.setattr(module.Labeller, "_encoded", counted)
    return calls


def test_features_are_made_once_and_are_the_same(cache: ArrayCache, made: list[int]) -> None:
    recordings = [synthesise(0), synthesise(3), synthesise(0)]
    first = Labeller(features=cache)
    latents, _ = first.latents(recordings)
    again = Labeller(features=cache)
    kept, _ = again.latents([*recordings, synthesise(6)])
    assert made == [2, 1]
    np.testing.assert_array_equal(kept[:3], latents)
    assert again.spaces == first.spaces and sum(first.spaces) == latents.shape[1]
    np.testing.assert_allclose(Labeller().latents(recordings)[0], latents, rtol=1e-5, atol=1e-5)


def test_another_model_or_another_recording_has_its_own(cache: ArrayCache, made: list[int], tmp_path: Path) -> None:
    tiny_bundle.write(tmp_path / "bundle")
    one = synthesise(0)
    for folder in (module.BUILTIN, tmp_path / "bundle"):
        labeller = Labeller(folder, features=cache)
        before = labeller.rank(labeller.latents([one])[0], TEXTS)
        after = labeller.rank(labeller.latents([one])[0], TEXTS)
        assert before[0].labels == after[0].labels
    assert made == [1, 1]
    changed = [replace(one, fps=25.0), replace(one, joints=one.joints + 0.001), replace(one, joints=one.joints[:-1])]
    tracked = replace(one, tracking=np.full(one.joints.shape[:3], 1, np.uint8))
    assert len({content_key(c) for c in (one, *changed, tracked)}) == 5


def test_damaged_features_are_made_again(cache: ArrayCache, made: list[int]) -> None:
    latents, _ = Labeller(features=cache).latents([synthesise(0)])
    with closing(sqlite3.connect(cache.path)) as database, database:
        database.execute("UPDATE arrays SET data = zeroblob(length(data))")
    again, _ = Labeller(features=cache).latents([synthesise(0)])
    np.testing.assert_array_equal(again, latents)
    assert made == [1, 1]


def test_a_timeline_with_other_actions_finds_its_windows(cache: ArrayCache, made: list[int]) -> None:
    sequence, _ = synthesise_stream([0, 3, 6], seed=2)
    options = Options(lengths=(1.5,))
    found = timeline(Job(), Labeller(features=cache), sequence, TEXTS, options)
    count = len(made)
    again = timeline(Job(), Labeller(features=cache), sequence, TEXTS, options)
    assert again.annotation == found.annotation and len(made) == count > 0
    timeline(Job(), Labeller(features=cache), sequence, parse_typed("kick; bow"), options)
    assert len(made) == count


def test_flora_label_on_a_folder(made: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flora_engine.labelling import features

    kept = ArrayCache("features", tmp_path / "features.sqlite", 10**7)
    monkeypatch.setattr(features, "ArrayCache", lambda _name: kept)
    (tmp_path / "recordings").mkdir()
    for action in range(3):
        write_ntu(synthesise(action), tmp_path / "recordings" / f"{action}.skeleton")
    table = tmp_path / "out.csv"
    arguments = ["label", str(tmp_path / "recordings"), "--classes", "wave; sit down", "--out", str(table)]
    assert main(arguments) == 0
    said = table.read_text()
    assert made == [1, 1, 1]
    assert main(arguments) == 0
    assert made == [1, 1, 1] and table.read_text() == said
