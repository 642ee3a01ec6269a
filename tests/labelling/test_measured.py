"""Descriptors in a bundle: reasons that add up, none of these, notices, and bundles without them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tiny_bundle

from flora_engine.cli import main
from flora_engine.demo import synthesise
from flora_engine.descriptors import catalogue
from flora_engine.errors import FloraError
from flora_engine.labelling.bundle import BUILTIN, DESCRIPTORS, load_manifest
from flora_engine.labelling.export_bundle import export_bundle
from flora_engine.labelling.labeller import Labeller
from flora_engine.readers import write_ntu
from flora_engine.semantics.class_texts import parse_typed

TEXTS = parse_typed("wave right hand; sit down; shake hands")


@pytest.fixture(scope="module")
def builtin() -> Labeller:
    return Labeller()


@pytest.mark.parametrize(("action", "name"), [(0, "wave right hand"), (3, "sit down"), (20, "shake hands")])
def test_the_built_in_model_knows_plain_actions(builtin: Labeller, action: int, name: str) -> None:
    assert builtin.label(synthesise(action), TEXTS).labels[0].name == name


def test_reasons_say_when_where_and_how_much(builtin: Labeller) -> None:
    ranking = builtin.label(synthesise(3), TEXTS, why=True)
    known, seconds = catalogue(), synthesise(3).seconds
    for label in ranking.labels:
        weights = [reason.weight for reason in label.why]
        assert 0 < len(weights) <= 10 and 0 not in weights
        assert [w > 0 for w in weights] == sorted((w > 0 for w in weights), reverse=True), "for, then against"
        assert sum(w > 0 for w in weights) <= 5 and sum(w < 0 for w in weights) <= 5
        for reason in label.why:
            assert reason.descriptor in known and reason.text
            assert 0 <= reason.start <= reason.end <= seconds + 0.05
    best = ranking.labels[0].why[0]
    assert ranking.labels[0].name == "sit down" and best.weight > 0
    assert not builtin.label(synthesise(3), TEXTS).labels[0].why


def test_nothing_that_fits_raises_the_probability_of_none(builtin: Labeller) -> None:
    fitting = builtin.label(synthesise(3), parse_typed("sit down; shake hands")).none
    other = builtin.label(synthesise(3), parse_typed("jumping jack; run fast")).none
    assert fitting is not None and other is not None and 0 <= fitting < other <= 1


def test_several_texts_for_one_action_count_alike(builtin: Labeller) -> None:
    both = parse_typed("up: raise both arms | jump up high")
    rows = builtin.latents([synthesise(0), synthesise(3)])[0].astype(float)
    measured = builtin._measured
    assert measured is not None
    apart = np.stack([measured.scores(rows, [one])[:, 0] for one in both[0].versions])
    assert np.abs(apart[0] - apart[1]).max() > 0.01
    np.testing.assert_allclose(measured.scores(rows, both)[:, 0], apart.mean(axis=0), rtol=1e-6)
    assert measured.read(both)[0].sure == max(measured.read([one])[0].sure for one in both[0].versions)


def test_unknown_words_are_said(builtin: Labeller) -> None:
    labels = {label.name: label for label in builtin.label(synthesise(0), parse_typed("挥手; wave")).labels}
    assert labels["挥手"].notice and labels["挥手"].sure == 0
    assert labels["wave"].notice is None and labels["wave"].sure == 1


def test_the_command_tells_why_and_can_leave_out_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.skeleton"
    write_ntu(synthesise(3), file)
    typed = ["label", str(file), "--classes", "sit down; jump up"]
    assert main([*typed, "--why", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert 0 < row["none_of_these"] < 1 and row["labels"][0]["why"][0]["weight"] > 0
    assert {"descriptor", "text", "weight", "start", "end", "joints"} == set(row["labels"][0]["why"][0])
    assert main([*typed, "--json", "--without-none"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert "none_of_these" not in row and "why" not in row["labels"][0] and row["labels"][0]["sure"] == 1
    assert main([*typed, "--why"]) == 0
    assert "none of these" in (shown := capsys.readouterr().out) and "          + " in shown


def test_a_bundle_may_hold_descriptors_beside_its_own_graphs(tmp_path: Path) -> None:
    encoder, flora = tiny_bundle.models()
    export_bundle(tmp_path / "b", encoder, flora, tiny_bundle.manifest(), descriptors=BUILTIN / DESCRIPTORS)
    manifest = load_manifest(tmp_path / "b")
    assert manifest.version == 3 and manifest.descriptors is not None and manifest.descriptors.graphs == 1
    ranking = Labeller(tmp_path / "b").label(synthesise(3), TEXTS)
    assert ranking.none is not None and sum(label.score for label in ranking.labels) == pytest.approx(1)
    (tmp_path / "b" / DESCRIPTORS).unlink()
    with pytest.raises(FloraError, match="lacks descriptors"):
        load_manifest(tmp_path / "b")


def test_a_bundle_without_descriptors_says_nothing_of_them(tmp_path: Path) -> None:
    tiny_bundle.write(tmp_path / "b")
    ranking = Labeller(tmp_path / "b").label(synthesise(3), TEXTS, why=True)
    assert ranking.none is None and all(label.sure is None and not label.why for label in ranking.labels)
