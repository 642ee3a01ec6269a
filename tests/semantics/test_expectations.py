"""From words to expected descriptors: the entry itself, its neighbours, sides, denials, unknown words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flora_engine.datasets.catalogue import ClassText
from flora_engine.descriptors import catalogue
from flora_engine.errors import FloraError
from flora_engine.semantics.expectations import Reader
from flora_engine.semantics.lexicon import Lexicon, load_lexicon, read_entries
from flora_engine.semantics.text_encoder import load_text_encoder
from flora_engine.semantics.text_vectors import TABLE, text_vectors

PLACE = {name: d for d, name in enumerate(catalogue())}


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(load_lexicon(), load_text_encoder())


def value(reader: Reader, text: str, descriptor: str) -> float:
    return float(reader.phrase(text).values[PLACE[descriptor]])


def test_a_name_gets_its_entry(reader: Reader) -> None:
    found = reader.phrase("Sitting down")
    entry = load_lexicon().find("sit down")
    assert entry is not None and found.sure == 1 and found.notice is None
    expected = load_lexicon().expectations[entry]
    np.testing.assert_allclose(found.values, 3 * expected / np.linalg.norm(expected))


def test_every_text_of_the_shipped_lexicon_lies_in_the_table() -> None:
    encoder = load_text_encoder()
    with np.load(TABLE) as table:
        assert str(table["encoder"]) == encoder.sha256
        stored = len(table["digests"])
    entries = load_lexicon().entries
    texts = {text for entry in entries for text in (*entry.names, entry.motion, entry.meaning)}
    assert stored == len(texts), "run experiments/lexicon_vectors.py after an edit of resources/lexicon"
    some = sorted(texts)[::997]
    exact = encoder.encode(some, 64)[:, -1]
    assert ((text_vectors(encoder, some) * exact).sum(axis=1) > 0.995).all()


def test_a_phrase_that_is_no_name_is_like_its_neighbours(reader: Reader) -> None:
    found = reader.phrase("hop up and down on the spot like mad")
    assert 0 < found.sure < 1 and np.linalg.norm(found.values) == pytest.approx(3)
    assert value(reader, "hop up and down on the spot like mad", "jump_height_max") > 0.5


def test_sides(reader: Reader) -> None:
    for side, other in (("left", "right"), ("right", "left")):
        text = f"front kick with the {side} leg"
        assert value(reader, text, f"{side}_foot_speed_peak") > value(reader, text, f"{other}_foot_speed_peak")
        assert value(reader, text, f"{side}_foot_motion_share") > 0 > value(reader, text, f"{other}_foot_motion_share")


def test_a_denied_clause_turns_its_expectations_round(reader: Reader) -> None:
    plain = reader.read(ClassText("something odd", "jump", "something odd"))
    denied = reader.read(ClassText("something odd", "stand still, do not jump", "something odd"))
    assert plain.values[PLACE["jump_height_max"]] > 0 > denied.values[PLACE["jump_height_max"]]


def test_the_other_person_is_expected_to_be_there(reader: Reader) -> None:
    assert value(reader, "poke the other person with a stick", "second_person_share") > 0.3


def test_words_that_the_encoder_cannot_know_get_a_notice(reader: Reader) -> None:
    for text in ("挥手", "xqzkrw"):
        found = reader.phrase(text)
        assert found.notice is not None and text in found.notice and found.sure == 0
    described = reader.read(ClassText("挥手", "wave one hand", "挥手: wave one hand"))
    assert described.notice is None and described.sure > 0.5


def test_an_entry_can_be_left_out() -> None:
    lexicon = load_lexicon()
    fewer = lexicon.without(["sit down", "no such action"])
    assert fewer.find("sit down") is None and len(fewer.entries) == len(lexicon.entries) - 1


def test_own_entries_win_and_their_faults_are_said(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("- {names: [sit down], motion: M., meaning: N., expect: {jump_height_max: 2}}", encoding="utf-8")
    lexicon = load_lexicon((own,))
    number = lexicon.find("sitting down")
    assert number == 0 and lexicon.entries[0].persons == 1
    for text, problem in (
        ("- {names: [], motion: M, meaning: N, expect: {jump_height_max: 2}}", "names"),
        ("- {names: [a], motion: M, meaning: N, expect: {jump_height: 2}}", "no descriptor “jump_height”"),
        ("- {names: [a], motion: M, meaning: N, expect: {jump_height_max: 3}}", "less than or equal to 2"),
        ("names: [a]", "a list of actions"),
        ("- [", "not readable as YAML"),
    ):
        own.write_text(text, encoding="utf-8")
        with pytest.raises(FloraError, match=problem):
            read_entries(own)


def test_an_empty_lexicon_is_no_error_to_make() -> None:
    assert Lexicon(()).find("sit down") is None
