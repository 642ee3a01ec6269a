"""Typed phrases: spellings that are one name, clauses, sides, negation, words that nobody can know."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_engine.semantics import phrases
from flora_engine.semantics.lexicon import Entry, Lexicon


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("wave a hand", "Waving your hand"),
        ("kicking the ball", "kick ball"),
        ("sit down", "sitting down"),
        ("jumping jacks", "jumping jack"),
        ("clapped", "clap"),
        ("using a wheelchair", "use the wheelchair"),
        ("going up stairs", "goes up stairs"),
        ("lying on the back", "lie on the back"),
        ("tied shoelaces", "tying the shoelaces"),
    ],
)
def test_spellings_of_one_name_have_one_key(one: str, other: str) -> None:
    assert phrases.key(one) == phrases.key(other)


@pytest.mark.parametrize(
    ("one", "other"), [("sit down", "stand up"), ("pick up with one hand", "pick up with two hands"), ("pass", "pas")]
)
def test_names_of_two_actions_have_two_keys(one: str, other: str) -> None:
    assert phrases.key(one) != phrases.key(other)


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("kick with the left leg", ("left", "leg")),
        ("raise your right hand", ("right", "hand")),
        ("left punch", ("left", "hand")),
        ("right kick", ("right", "leg")),
        ("swipe from left to right", None),
        ("turn to the left", None),
        ("left hand to right foot", None),
        ("wave", None),
    ],
)
def test_the_side_of_a_limb_is_told_from_a_direction(text: str, side: tuple[str, str] | None) -> None:
    assert phrases.side_of(text) == side


def test_a_description_falls_into_clauses_and_denials() -> None:
    found = phrases.clauses("bend the left knee, then jump without moving the arms; do not turn")
    assert [(c.text, c.denied) for c in found] == [
        ("bend the left knee", False),
        ("jump", False),
        ("moving the arms", True),
        ("turn", True),
    ]
    assert found[0].side == "left" and found[0].limb == "leg" and found[1].side is None
    assert phrases.clauses("push the other person")[0].two


def test_scripts_and_crumbs_are_seen() -> None:
    assert phrases.foreign("挥手") and phrases.foreign("махать рукой") and not phrases.foreign("wave, Öl")
    assert phrases.broken("xqzkrw", 5) and not phrases.broken("waving", 1) and not phrases.broken("charleston", 2)


@given(st.text(max_size=60))
def test_nothing_typed_breaks_the_rules(text: str) -> None:
    phrases.key(text), phrases.side_of(text), phrases.without_side(text), phrases.foreign(text)
    assert all(phrases.key(clause.text) for clause in phrases.clauses(text))


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("put on a hat/cap", "put on a cap"),
        ("put on a hat / cap", "put on a hat"),
        ("touch head (headache)", "touch head"),
        ("use a fan (with hand or paper)/feeling warm", "feeling warm"),
        ("nod head/bow", "nod head"),
        ("finger-guessing game (playing rock-paper-scissors)", "playing rock-paper-scissors"),
    ],
)
def test_parentheses_and_slashes_are_other_words_for_the_same(typed: str, wanted: str) -> None:
    assert phrases.readings(typed)[0] == typed
    assert wanted in phrases.readings(typed)


@pytest.mark.parametrize("typed", ["", "()", "/", "( / )", "(((", "wave", "a//b", "(()"])
def test_readings_of_odd_texts_are_words_or_nothing(typed: str) -> None:
    assert all(phrases.key(reading) for reading in phrases.readings(typed))


def test_the_whole_name_counts_before_its_parts() -> None:
    """An entry may itself be called by a name with a slash."""
    entries = tuple(
        Entry(names=(name,), motion="m", meaning="m", expect={"travel_path": 1})
        for name in ("push/pull", "push", "pull")
    )
    lexicon = Lexicon(entries)
    assert [lexicon.find(name) for name in ("push/pull", "pull", "pull (a rope)", "pull/drag")] == [0, 2, 2, 2]
    assert lexicon.find("lift (heavy)/carry") is None
    assert len(lexicon.without(["pull (a rope)"]).entries) == 2
