"""The body says which way is up, how long a metre is and which side is left; a format is believed within reason."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_body import raising

from flora_engine.skeleton import LAYOUTS
from flora_engine.skeleton.orientation import TURNS, UNITS, Claim, align, look

EYE = np.eye(3)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("up", "mirrored"), list(product(TURNS, (False, True))))
def test_a_person_in_any_axes_and_unit_comes_back(layout: str, up: str, mirrored: bool) -> None:
    """But for the place of the origin; a body without feet or a nose is mirrored back only where it is sure."""
    joints = raising(LAYOUTS[layout], 20)[:, None]
    turn = np.array(TURNS[up], float).T @ np.diag([-1 if mirrored else 1, 1, 1])
    seen = look(joints @ turn.T / UNITS["millimetres"], layout)
    assert (seen.up, seen.unit) == (up, "millimetres")
    if layout in ("sbu_15", "opencap_20") and seen.handed_sure == "unsure":
        return
    assert seen.left_handed == mirrored
    back = (joints @ turn.T / UNITS["millimetres"]) @ align(seen).turn.T
    np.testing.assert_allclose(back, joints, atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(angle=st.floats(0, 2 * np.pi), up=st.sampled_from(list(TURNS)), unit=st.sampled_from(list(UNITS)[:4]))
def test_any_heading(angle: float, up: str, unit: str) -> None:
    """The person is made to face the viewer to within an eighth of a turn, and is neither mirrored nor stretched."""
    cos, sin = np.cos(angle), np.sin(angle)
    joints = raising(LAYOUTS["smpl_22"], 9)[:, None]
    hidden = joints @ np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]).T @ np.array(TURNS[up], float) / UNITS[unit]
    turn = align(look(hidden, "smpl_22")).turn
    assert np.linalg.det(turn) == pytest.approx(UNITS[unit] ** 3)
    back = hidden @ turn.T
    np.testing.assert_allclose(back[..., 1], joints[..., 1], atol=1e-9)
    left, right = (LAYOUTS["smpl_22"].joints.index(f"{side} hip") for side in ("left", "right"))
    across = back[0, 0, right] - back[0, 0, left]
    assert across[0] >= np.cos(np.pi / 4 + 0.02) * np.linalg.norm(across)


def test_a_claim_is_kept_where_the_body_agrees_and_left_where_it_is_absurd() -> None:
    joints = raising(LAYOUTS["smpl_22"], 20)[:, None]
    sideways = joints @ np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]]).T
    claim = Claim(EYE, "the sensor has +y up")
    kept = align(look(sideways, "smpl_22"), claim)
    np.testing.assert_array_equal(kept.turn, EYE)
    assert not any(note.conflict for note in kept.notes)
    lying = align(look(joints @ np.array(TURNS["+z"], float), "smpl_22"), claim)
    assert [note.text for note in lying.notes if note.conflict] == ["+z points up, although the sensor has +y up"]
    mirrored = align(look(joints * [-1, 1, 1], "smpl_22"), claim)
    np.testing.assert_array_equal(mirrored.turn, np.diag([-1, 1, 1]))
    assert [note.about for note in mirrored.notes if note.conflict] == ["left and right"]


def test_units_that_are_said_and_wrong_or_right() -> None:
    joints = raising(LAYOUTS["smpl_22"], 5)[:, None]
    right = align(look(joints * 100, "smpl_22"), unit="centimetres")
    assert right.turn[1, 1] == 0.01 and not any(note.about == "unit" for note in right.notes)
    wrong = align(look(joints * 100, "smpl_22"), unit="metres")
    assert wrong.turn[1, 1] == 0.01 and any("although the file says metres" in note.text for note in wrong.notes)
    none = align(look(joints / 3, "smpl_22"))
    assert any("fits no unit of length" in note.text and note.sure == "unsure" for note in none.notes)


@pytest.mark.parametrize("joints", [np.zeros((3, 1, 25, 3)), np.ones((3, 1, 25, 3)), np.full((3, 1, 25, 3), np.nan),
                                    np.zeros((0, 1, 25, 3)), np.full((3, 1, 25, 3), 1e300)])  # fmt: skip
def test_nothing_to_see_is_no_error(joints: np.ndarray) -> None:
    seen = look(joints, "kinect_v2")
    assert seen.up_sure != "sure" and np.isfinite(align(seen).turn).all()


def test_a_body_that_swims_or_crawls_may_not_stand() -> None:
    """It moves along its own length, over a ground that is before it; somebody who walks or jumps stands."""
    still = raising(LAYOUTS["kinect_v2"], 60)[:, None]
    steps = np.linspace(0, 1, 60)[:, None, None]
    swimming = look(still + np.array([0, 1.0, 0]) * steps[..., None], "kinect_v2")
    assert (swimming.up, swimming.up_sure) == ("+y", "unsure")
    walking = look(still + np.array([0, 0, -1.5]) * steps[..., None], "kinect_v2")
    jumping = look(still + np.array([0, 0.3, -0.6]) * np.abs(np.sin(9 * steps[..., None])), "kinect_v2")
    assert (walking.up_sure, jumping.up_sure) == ("sure", "sure")
    lying = align(swimming, Claim(np.array(TURNS["+z"], float), "the file says that +z is up"))
    assert lying.turn[1].tolist() == [0, 0, 1], "what the file says is believed"
