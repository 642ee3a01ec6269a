"""Typed phrases: spellings that are one name, clauses, sides, negation, words that nobody can know."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_engine.semantics import phrases


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("wave a hand", "Waving your hand"),
        ("kicking the ball", "kick ball"),
        ("sit down", "sitting down"),
        ("jumping jacks", "jumping jack"),
        ("clapped", "clap"),
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
