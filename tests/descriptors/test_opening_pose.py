"""A T-pose with which a recording begins is left out; one that belongs to the action is not."""

from __future__ import annotations

import numpy as np
import pytest
from bodies import TORSO, person, recording, rotation

from flora_engine.descriptors import analyse, catalogue, measure

HANGS, LEVEL = 5.0, 90.0


def lifts(*parts: tuple[float, float, int]) -> np.ndarray:
    """The lift of an arm per frame, from parts (from, to, frames)."""
    return np.concatenate([np.linspace(start, end, frames) for start, end, frames in parts])


CALIBRATION = lifts((LEVEL, LEVEL, 20), (LEVEL, HANGS, 15))
REST = np.full(90, HANGS)
WAVE = lifts((HANGS, 150, 20), (150, 150, 50), (150, HANGS, 20))


def body(right: np.ndarray, left: np.ndarray) -> np.ndarray:
    return person(len(right), right_arm=(right, 90.0), left_arm=(left, 90.0))


def values(points: np.ndarray, fps: float = 30.0) -> dict[str, float]:
    return dict(zip(catalogue(), measure(recording(points, fps=fps)).tolist(), strict=True))


@pytest.mark.parametrize("turned", [0.0, 120.0])
def test_what_the_arms_do_in_it_is_not_measured(turned: float) -> None:
    begun = np.concatenate([CALIBRATION, WAVE]), np.concatenate([CALIBRATION, REST])
    with_pose = values(body(*begun) @ rotation(turned).T)
    without = values(body(WAVE, REST))
    assert with_pose["both_hands_outward_max"] == pytest.approx(without["both_hands_outward_max"], abs=0.1)
    for name in ("one_hand_dominance", "left_hand_height_max", "hands_distance_max", "right_hand_height_max"):
        assert with_pose[name] == pytest.approx(without[name], abs=0.1), name


def test_a_recording_may_begin_while_the_arms_are_lowered() -> None:
    late = CALIBRATION[23:]
    found = values(body(np.concatenate([late, WAVE]), np.concatenate([late, REST])))
    assert found["both_hands_outward_max"] == pytest.approx(0.18 / TORSO, abs=0.2)


def test_moments_count_from_the_start_of_the_recording() -> None:
    found = analyse(recording(body(np.concatenate([CALIBRATION, WAVE]), np.concatenate([CALIBRATION, REST]))))
    moment = found.moment(catalogue()["right_hand_height_max"])
    assert moment.start > len(CALIBRATION) / 30


@pytest.mark.parametrize(
    "arms",
    [
        np.full(90, LEVEL),  # the pose is all that there is
        np.concatenate([CALIBRATION, REST[:10]]),  # nothing remains
        np.concatenate([CALIBRATION, lifts((HANGS, LEVEL, 15), (LEVEL, LEVEL, 20), (LEVEL, HANGS, 15)), REST]),  # again
        np.concatenate([lifts((LEVEL, 150, 10), (150, HANGS, 20)), REST]),  # the arms rise first
    ],
)
def test_a_pose_of_the_action_stays(arms: np.ndarray) -> None:
    assert values(body(arms, arms))["both_hands_outward_max"] > (0.18 + 0.5) / TORSO


def test_another_pose_at_the_start_stays() -> None:
    lowered = np.concatenate([lifts((LEVEL, LEVEL, 20), (LEVEL, HANGS, 15)), REST])
    forward = person(len(lowered), right_arm=(lowered, 0.0), left_arm=(lowered, 0.0))
    assert values(forward)["both_hands_forward_max"] > 0.5 / TORSO
