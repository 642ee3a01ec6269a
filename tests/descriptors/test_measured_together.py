"""Recordings that are measured together have the values that each has by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bodies import person, recording, rotation

from flora_engine.demo import synthesise_stream
from flora_engine.descriptors import catalogue, measure, measure_all
from flora_engine.labelling.windows import cut
from flora_engine.skeleton import SkeletonSequence


def _alike(sequences: list[SkeletonSequence]) -> None:
    together = measure_all(sequences)
    alone = np.stack([measure(one) for one in sequences])
    np.testing.assert_array_equal(np.isnan(together), np.isnan(alone))
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-4)


def _stream(persons: int) -> SkeletonSequence:
    sequence, _ = synthesise_stream([0, 3, 6], seed=4)
    beside = [sequence.joints + np.array([k, 0, 0], np.float32) for k in range(persons)]
    return replace(sequence, joints=np.concatenate(beside, axis=1))


@pytest.mark.parametrize("persons", [1, 2, 3])
@pytest.mark.parametrize("frames", [12, 51, 130])
def test_windows_of_a_recording(persons: int, frames: int) -> None:
    sequence = _stream(persons)
    _alike([cut(sequence, start, frames) for start in range(0, sequence.frames - frames, frames // 2)])


def test_windows_in_which_somebody_is_away_or_jumps_or_lacks_a_joint() -> None:
    sequence, random = _stream(2), np.random.default_rng(1)
    joints = sequence.joints.copy()
    joints[40:55, 1] = 0  # a short gap
    joints[90:130, 0] = 0  # a long one
    joints[140:200, 1] = 0
    joints[60:110, 0, 3] = 0  # no head
    for frame in range(5, len(joints), 17):
        joints[frame, 0, random.integers(25)] += 3
    holed = replace(sequence, joints=joints)
    _alike([cut(holed, start, 50) for start in range(0, holed.frames - 50, 10)])


def test_whichever_of_two_acts() -> None:
    lift = 70 + 60 * np.sin(np.arange(60) / 5)
    acting, still = person(60, right_arm=(lift, 45.0)), person(60)
    turned = rotation(180), np.array([0.0, 0.0, -1.5])
    both = [recording(acting, still @ turned[0] + turned[1]), recording(still, acting @ turned[0] + turned[1])]
    _alike([*both, recording(acting, acting @ turned[0] + turned[1]), recording(still, np.zeros((60, 25, 3)))])
    height = list(catalogue()).index("any_hand_height_max")
    values = measure_all(both)
    np.testing.assert_allclose(values[0, height], values[1, height], atol=1e-3)


def test_recordings_of_all_kinds_and_none_at_all() -> None:
    one, fast = recording(person(40)), recording(person(90), fps=60.0)
    _alike([one, fast, recording(person(40)[:0]), recording(person(1)), recording(np.full((40, 25, 3), np.nan)), one])
    assert measure_all([]).shape == (0, len(catalogue()))
