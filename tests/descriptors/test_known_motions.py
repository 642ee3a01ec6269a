"""Motions of a synthetic person whose values can be told beforehand."""

from __future__ import annotations

import numpy as np
import pytest
from bodies import TORSO, person, recording, rotation

from flora_engine.descriptors import analyse, catalogue, measure
from flora_engine.errors import FloraError
from flora_engine.skeleton import KINECT_V2, LAYOUTS, SkeletonSequence

SECONDS = np.arange(90) / 30


def values(*persons: np.ndarray, fps: float = 30.0) -> dict[str, float]:
    return dict(zip(catalogue(), measure(recording(*persons, fps=fps)).tolist(), strict=True))


def test_heights_and_reaches_of_a_raised_arm() -> None:
    v = values(person(right_arm=(180.0, 0.0), left_arm=(90.0, 0.0)))
    # The hand is 0.56 m (mean of wrist and hand) above the shoulder, which is 0.02 m below the chest joint.
    assert v["right_hand_height_max"] == pytest.approx((0.56 - 0.02) / TORSO, abs=0.02)
    assert v["left_hand_height_max"] == pytest.approx(-0.02 / TORSO, abs=0.02)
    assert v["left_hand_forward_max"] == pytest.approx(0.56 / TORSO, abs=0.02)
    assert v["right_hand_forward_max"] == pytest.approx(0, abs=0.02)
    assert v["any_hand_height_max"] == v["right_hand_height_max"]
    assert v["both_hands_height_max"] == v["left_hand_height_max"]
    assert v["left_hand_outward_max"] == pytest.approx(0.18 / TORSO, abs=0.02)
    assert v["both_hands_above_head_share"] == 0 and v["still_share"] == 1
    assert v["pelvis_height_typical"] == pytest.approx((0.95 - 0.05) / TORSO, abs=0.03)


def test_sideways_and_across() -> None:
    v = values(person(right_arm=(90.0, 90.0), left_arm=(90.0, -90.0)))
    assert v["right_hand_outward_max"] == pytest.approx((0.18 + 0.56) / TORSO, abs=0.02)
    assert v["left_hand_across_max"] == pytest.approx((0.56 - 0.18) / TORSO, abs=0.02)


def test_waving_repeats_the_active_hand_only() -> None:
    lift = np.full(90, 150.0)
    v = values(person(right_arm=(lift, 90 + 40 * np.sin(2 * np.pi * 2 * SECONDS))))
    # Two waves a second change direction four times a second.
    assert v["active_hand_repetition_rate"] == pytest.approx(4, abs=0.7)
    assert v["active_hand_repetition_strength"] > 0.8 and v["body_repetition_rate"] == pytest.approx(2, abs=0.2)
    assert v["right_hand_motion_share"] > 0.9 and v["one_hand_dominance"] > 0.9
    assert v["active_hand_raised_share"] == 1 and v["active_hand_circling"] < 0.3
    assert v["step_rate"] == v["pelvis_repetition_rate"] == v["jump_rate"] == 0


@pytest.mark.parametrize("sense", [1.0, -1.0])
def test_circling_and_its_sense(sense: float) -> None:
    turn = 2 * np.pi * SECONDS * sense
    # Small angles about the level arm: sideways and up make a circle, outward at the top for sense 1.
    v = values(person(right_arm=(90 + 25 * np.cos(turn), 25 * np.sin(turn))))
    assert v["active_hand_circling"] > 0.7
    assert v["active_hand_circling_outward"] * sense > 0.7


def test_standing_up_and_sitting_down() -> None:
    height = np.interp(SECONDS, [0, 1, 2, 3], [0, 0, 1, 1])
    points = person(right_leg=90 * (1 - height), left_leg=90 * (1 - height))
    # Sitting lowers everything above the knees, and puts the shins below the knees again.
    drop = (0.45 * (1 - height))[:, None]
    points[..., 1] -= drop
    for part, up in (("ankle", 0.42), ("foot", 0.47)):
        for side in ("left", "right"):
            joint, knee = (KINECT_V2.joints.index(f"{side} {name}") for name in (part, "knee"))
            points[:, joint] = points[:, knee] - [0, up, 0]
    up, down = values(points), values(points[::-1])
    assert up["pelvis_height_change"] == pytest.approx(0.9, abs=0.05)
    assert down["pelvis_height_change"] == pytest.approx(-0.9, abs=0.05)
    assert up["head_height_change"] > 0.8 and down["head_height_change"] < -0.8
    assert up["seated_share"] == pytest.approx(0.4, abs=0.15) and up["upright_share"] > 0.3
    assert up["both_knees_bend_max"] == pytest.approx(90, abs=8) and up["hip_bend_max"] > 80


def test_lying_kneeling_and_bending() -> None:
    lying = person() @ np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]).T
    v = values(lying)
    assert v["lying_share"] == 1 and v["trunk_bend_typical"] == pytest.approx(90, abs=2) and v["upright_share"] == 0
    bent = person()
    above = [
        k for k, name in enumerate(KINECT_V2.joints) if not name.endswith(("hip", "knee", "ankle", "foot", "base"))
    ]
    lean = np.radians(60)
    tilt = np.array([[1, 0, 0], [0, np.cos(lean), -np.sin(lean)], [0, np.sin(lean), np.cos(lean)]])
    bent[:, above] = (bent[:, above] - bent[:, :1]) @ tilt + bent[:, :1]
    v = values(bent)
    assert v["trunk_forward_max"] == pytest.approx(60, abs=2) and v["trunk_backward_max"] == pytest.approx(-60, abs=2)
    assert v["hip_bend_typical"] == pytest.approx(60, abs=4) and v["head_height_min"] < 2.6


@pytest.mark.parametrize("tilt", [-15.0, 8.0, 20.0])
def test_a_tilted_sensor_is_levelled_by_who_stands_straight(tilt: float) -> None:
    points = person(right_arm=(90 + 40 * np.sin(2 * np.pi * SECONDS), 45.0))
    a = np.radians(tilt)
    pitch = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    v, expected = values(points @ pitch), values(points)
    for name in ("trunk_bend_max", "trunk_forward_max", "head_forward_typical", "right_hand_height_max", "travel_path"):
        assert v[name] == pytest.approx(expected[name], abs=0.02), name
    # Nobody stands straight: nothing is known of the sensor.
    seated = person(right_leg=90.0, left_leg=90.0)
    seated[:, [KINECT_V2.joints.index(f"{side} ankle") for side in ("left", "right")], 1] -= 0.4
    assert values(seated @ pitch)["trunk_bend_typical"] == pytest.approx(abs(tilt), abs=0.5)


def test_turning_to_the_right() -> None:
    turn = np.interp(SECONDS, [0, 0.5, 2.5, 3], [0, 0, 150, 150])
    points = np.stack([frame @ rotation(degrees) for frame, degrees in zip(person(), turn, strict=True)])
    v = values(points)
    assert v["right_turn_net"] == pytest.approx(150, abs=4) and v["left_turn_net"] == -v["right_turn_net"]
    assert v["turn_net"] == pytest.approx(150, abs=4) and v["turn_total"] == pytest.approx(150, abs=15)
    assert v["turn_speed_peak"] == pytest.approx(75, abs=8) and v["active_hand_speed_peak"] < 0.3


def test_walking_forward_and_backward() -> None:
    swing = 25 * np.sin(2 * np.pi * SECONDS)
    away = np.zeros((90, 1, 3))
    away[:, 0, 2] = -SECONDS
    v, back = values(person(right_leg=swing, left_leg=-swing) + away), values(person() - away)
    assert v["travel_forward"] == pytest.approx(2.97 / TORSO, abs=0.3) and v["travel_distance"] > 5
    assert back["travel_forward"] == pytest.approx(-2.97 / TORSO, abs=0.3)
    assert v["step_rate"] == pytest.approx(2, abs=0.4) and v["feet_symmetry"] < -0.7
    assert v["step_asymmetry"] < 0.15 and np.isnan(back["step_asymmetry"])
    assert v["travel_path"] == pytest.approx(2, abs=0.3) and v["travel_sideways"] < 0.1


def test_jumping_and_kicking() -> None:
    hop = np.zeros((90, 1, 3))
    for start in (20, 60):
        hop[start : start + 12, 0, 1] = 0.3 * np.sin(np.linspace(0, np.pi, 12))
    v = values(person() + hop)
    assert v["jump_height_max"] > 0.4 and v["jump_rate"] == pytest.approx(2 / 3, abs=0.05)
    kick = np.interp(SECONDS, [0, 1, 1.3, 1.7, 3], [0, 0, 80, 0, 0])
    v = values(person(left_leg=kick))
    assert v["left_foot_height_max"] > 1 and v["right_foot_height_max"] < 0.1
    assert v["left_foot_motion_share"] > 0.8 and v["active_foot_thrust_peak"] > 3 and v["jump_rate"] == 0


def test_two_persons() -> None:
    away = rotation(180)
    still = person() @ away + np.array([0, 0, -1.5])
    moved = person(right_arm=(90 * np.clip(SECONDS, 0, 1), 0.0))
    v = values(still, moved)
    assert v["persons_distance_typical"] == pytest.approx(1.5 / TORSO, abs=0.02)
    assert v["persons_facing_typical"] == pytest.approx(1, abs=0.01) and v["second_person_share"] == 1
    # The moving person is the one that is measured.
    assert v["right_hand_forward_max"] == pytest.approx(0.56 / TORSO, abs=0.03) and v["one_actor_share"] > 0.4
    apart, near = v["hand_to_other_trunk_min"], values(still + np.array([0, 0, 0.9]), moved)
    assert near["hand_to_other_trunk_min"] < 0.45 < apart and near["touch_share"] > 0.2
    back = values(person() + np.array([0, 0, -1.5]), moved)
    assert back["persons_facing_typical"] == pytest.approx(0, abs=0.01)
    assert back["persons_same_heading_typical"] == pytest.approx(1, abs=0.01)
    assert values(moved)["second_person_share"] == 0 and np.isnan(values(moved)["touch_share"])


def test_the_moment_and_joints_of_a_value() -> None:
    lift = np.interp(SECONDS, [0, 1, 1.2, 1.8, 2, 3], [5, 5, 170, 170, 5, 5])
    found = analyse(recording(person(left_arm=(lift, 45.0))))
    moment = found.moment(catalogue()["active_hand_height_max"])
    assert moment.joints == ("left hand",) and 1.1 < moment.start < moment.end < 1.9
    assert found.moment(catalogue()["active_hand_raised_share"]).start == pytest.approx(1.1, abs=0.15)
    assert found.moment(catalogue()["active_hand_to_hip_min"]).joints == ("left hand", "left hip")
    moment = found.moment(catalogue()["right_hand_height_max"])
    assert moment.joints == ("right hand",)
    assert found.moment(catalogue()["persons_distance_min"]).end == 0


# Their trunks have joints between those of Kinect v2, or markers; tests/skeleton checks them on a reference person.
OWN_TRUNKS = ("cmu_31", "optitrack_21", "plug_in_gait_30", "plug_in_gait_bones_19", "xsens_23")


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name not in ("kinect_v2", *OWN_TRUNKS)])
def test_every_layout_is_measured(layout: str) -> None:
    target = LAYOUTS[layout]
    v2 = {name: k for k, name in enumerate(KINECT_V2.joints)}
    points = recording(person(right_arm=(170.0, 20.0), left_arm=(90.0, 90.0))).joints
    guess = {
        "hip centre": "spine base",
        "spine": "spine mid",
        "shoulder centre": "spine shoulder",
        "torso": "spine mid",
    }

    def source(name: str) -> int:
        side = name.split(maxsplit=1)[0] if name.startswith(("left", "right")) else ""
        found = [n for n in v2 if n == guess.get(name, name)]
        if not found and side:
            part = "foot" if "heel" in name or "foot" in name else "hand"
            part = "head" if any(word in name for word in ("eye", "ear", "mouth")) else part
            found = [part if part == "head" else f"{side} {part}"]
        return v2[(found or ["head"])[0]]

    joints = points[:, :, [source(name) for name in target.joints]]
    v = dict(zip(catalogue(), measure(SkeletonSequence(joints, 30.0, layout)), strict=True))
    assert v["right_hand_height_max"] > 0.7 and abs(v["left_hand_height_max"]) < 0.25
    assert v["left_hand_outward_max"] > 1.2 and v["upright_share"] == 1


def test_a_frame_rate_that_is_none_is_refused() -> None:
    with pytest.raises(FloraError, match="frame rate"):
        measure(recording(person(), fps=0.0))


def test_dips_and_bumps_tell_a_way_there_and_back_from_one_way() -> None:
    there = np.concatenate([np.linspace(5, 170, 30), np.full(30, 170.0), np.linspace(170, 5, 30)])
    up_and_down, up = (values(person(right_arm=(lift, 0.0))) for lift in (there, np.linspace(5, 170, 90)))
    travelled = 0.56 / TORSO * (np.cos(np.radians(38)) + np.cos(np.radians(10)))  # the ends are a mean over 0.4 s
    assert up_and_down["active_hand_height_bump"] == pytest.approx(travelled, abs=0.1)
    assert abs(up["active_hand_height_bump"]) < 0.1 and abs(up["active_hand_height_dip"]) < 0.1
    down = values(person(right_arm=(175 - there, 0.0)))
    assert down["active_hand_height_dip"] == pytest.approx(travelled, abs=0.1)
    assert up_and_down["active_hand_forward_bump"] > 0.3  # it passes level on its way
    assert up_and_down["hands_height_difference_max"] == pytest.approx(2 * 0.56 / TORSO, abs=0.1)


def test_the_moment_of_a_dip_is_where_it_is_deepest() -> None:
    there = np.concatenate([np.full(20, 170.0), np.linspace(170, 5, 25), np.linspace(5, 170, 25), np.full(20, 170.0)])
    found = analyse(recording(person(right_arm=(there, 0.0))))
    moment = found.moment(catalogue()["active_hand_height_dip"])
    assert moment.start < 45 / 30 < moment.end
