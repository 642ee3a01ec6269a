"""Our preparation: invariances that the built-in model relies on, and no recording that breaks it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from flora_engine.errors import FloraError
from flora_engine.preprocessing import clip, prepare
from flora_engine.skeleton import SkeletonSequence

# Prepared values are a few torso lengths in float32 (steps of 2e-7): the same clip, computed in another order of sums.
SAME = 1e-5


def walker(frames: int = 40, persons: int = 1, seed: int = 0) -> SkeletonSequence:
    """Random but body-like: a fixed random pose that sways and walks along x."""
    random = np.random.default_rng(seed)
    size = 0.3 * 0.7 ** np.arange(persons)[:, None, None]  # the first person outweighs the others
    pose = size * random.normal(0, 1, (persons, 25, 3)) + np.array([0, 0, 3])
    phase = random.uniform(0, 6, (persons, 25, 3))
    time = np.linspace(0, 1, frames)[:, None, None, None]
    joints = pose + 0.1 * np.sin(4 * time + phase) + time * np.array([0.5, 0, 0])
    return SkeletonSequence(joints.astype(np.float32), fps=30.0)


def test_person_one_starts_at_the_origin_and_still_walks() -> None:
    x = clip.prepare(walker(), 64, clip.Options(turn=False, scale=False))
    middle = x[:, :, clip.SPINE_MID, 0]
    np.testing.assert_allclose(middle[:, 0], 0, atol=1e-6)
    assert middle[0, -1] > 0.3


def test_centring_frame_by_frame_takes_the_walk_away() -> None:
    x = clip.prepare(walker(), 64, clip.Options(centre="frame"))
    np.testing.assert_allclose(x[:, :, clip.SPINE_MID, 0], 0, atol=1e-6)


def test_camera_position_and_direction_do_not_matter() -> None:
    sequence = walker(persons=2)
    angle = 1.1
    turn = np.array([[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]])
    seen_elsewhere = replace(sequence, joints=(sequence.joints @ turn.T + [1, -0.5, 2]).astype(np.float32))
    np.testing.assert_allclose(clip.prepare(sequence), clip.prepare(seen_elsewhere), atol=1e-5)


def test_shoulders_lie_on_x() -> None:
    x = clip.prepare(walker(), 64)
    line = (x[:, :, clip.RIGHT_SHOULDER, 0] - x[:, :, clip.LEFT_SHOULDER, 0]).mean(axis=1)
    assert line[0] > 0
    assert abs(line[2]) < 1e-5


def test_body_size_and_units_do_not_matter() -> None:
    sequence = walker(persons=2)
    in_centimetres = replace(sequence, joints=sequence.joints * 100)
    np.testing.assert_allclose(clip.prepare(sequence), clip.prepare(in_centimetres), atol=1e-4)


def test_frame_rate_does_not_matter() -> None:
    slow, fast = walker(frames=60), walker(frames=240)
    np.testing.assert_allclose(clip.prepare(slow), clip.prepare(fast), atol=2e-3)


def test_absent_frames_around_the_action_are_trimmed() -> None:
    sequence = walker()
    empty = np.zeros((9, 1, 25, 3), np.float32)
    padded = replace(sequence, joints=np.concatenate([empty, sequence.joints, empty]))
    np.testing.assert_allclose(clip.prepare(padded), clip.prepare(sequence), atol=SAME)


def test_a_short_gap_is_bridged_and_a_long_absence_is_not() -> None:
    sequence = walker(frames=121, persons=2)
    whole = clip.prepare(sequence, 121)
    gap = sequence.joints.copy()
    gap[50:55, 1] = 0
    np.testing.assert_allclose(clip.prepare(replace(sequence, joints=gap), 121), whole, atol=0.05)
    away = sequence.joints.copy()
    away[40:80, 1] = 0
    prepared = clip.prepare(replace(sequence, joints=away), 121)
    assert not prepared[:, 45:75, :, 1].any()
    assert prepared[:, 45:75, :, 0].any() and prepared[:, :35, :, 1].any() and prepared[:, 85:, :, 1].any()


def test_a_lost_and_found_person_is_one_person() -> None:
    sequence = walker()
    broken = np.zeros((40, 2, 25, 3), np.float32)
    broken[:25, 0] = sequence.joints[:25, 0]
    broken[25:, 1] = sequence.joints[25:, 0]
    np.testing.assert_allclose(clip.prepare(replace(sequence, joints=broken)), clip.prepare(sequence), atol=SAME)


def test_the_still_third_person_is_left_out() -> None:
    sequence = walker(persons=2)
    bystander = np.broadcast_to(np.float32([0.01, 0.02, 2.0]), (40, 1, 25, 3)) + np.float32(0)
    crowd = replace(sequence, joints=np.concatenate([bystander, sequence.joints], axis=1))
    np.testing.assert_allclose(clip.prepare(crowd), clip.prepare(sequence), atol=SAME)


def test_single_person_leaves_the_second_half_zero() -> None:
    assert not clip.prepare(walker())[..., 1].any()


@pytest.mark.parametrize("up", ["+y", "-y", "+z", "-z", "+x", "-x"])
def test_upright_is_a_rotation(up: str) -> None:
    matrix = clip.upright(np.eye(3), up).T
    assert np.linalg.det(matrix) == pytest.approx(1)
    axis = {"x": 0, "y": 1, "z": 2}[up[1]]
    towards = np.eye(3)[axis] * (1 if up[0] == "+" else -1)
    np.testing.assert_allclose(matrix @ towards, [0, 1, 0])


@settings(max_examples=60, deadline=None)
@given(
    joints=hnp.arrays(
        np.float32,
        st.tuples(st.integers(0, 6), st.integers(0, 4), st.just(25), st.just(3)),
        elements=st.one_of(st.just(0.0), st.floats(width=32, allow_nan=True, allow_infinity=True)),
        fill=st.just(0.0),
    ),
    frames=st.integers(1, 9),
)
def test_anything_gives_finite_numbers(joints: np.ndarray, frames: int) -> None:
    x = clip.prepare(SkeletonSequence(joints, fps=30.0), frames)
    assert x.shape == (3, frames, 25, 2)
    assert x.dtype == np.float32
    assert np.isfinite(x).all()


def test_one_frame_and_nobody() -> None:
    one = clip.prepare(walker(frames=1), 16)
    assert one.any()
    np.testing.assert_allclose(one[:, 0], one[:, -1], atol=SAME)
    assert not clip.prepare(SkeletonSequence(np.zeros((5, 2, 25, 3), np.float32), 30.0)).any()


def test_a_joint_that_is_not_a_number_takes_its_neighbour_in_time() -> None:
    sequence = walker()
    broken = sequence.joints.copy()
    broken[20, 0, 7] = np.nan
    np.testing.assert_allclose(clip.prepare(replace(sequence, joints=broken)), clip.prepare(sequence), atol=0.06)


def test_unknown_preparation_is_refused() -> None:
    with pytest.raises(FloraError, match="no preparation"):
        prepare(walker(), "nonsense", 64)
