"""From scores of windows to segments, against cases worked by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flora_engine.labelling.segments import Segment
from flora_engine.labelling.smoothing import (
    emissions,
    fuse,
    long_absences,
    on_cells,
    runs,
    segments_of,
    viterbi,
    without_short,
)
from flora_engine.labelling.windows import lengths_for, scale_weights, scales, window_starts

NAN = float("nan")


def test_windows_cover_the_recording_and_stay_inside() -> None:
    assert window_starts(100, 30, 15).tolist() == [0, 15, 30, 45, 60, 70]
    assert window_starts(90, 30, 30).tolist() == [0, 30, 60]
    assert window_starts(20, 30, 15).tolist() == [0]
    short = scales(20, 30.0, (4.0, 1.0, 2.0), 0.5)  # all three cover everything: one is enough
    assert [(s.frames, s.starts.tolist()) for s in short] == [(20, [0])]
    assert [s.frames for s in scales(100, 30.0, (1.0, 2.0, 4.0), 0.5)] == [30, 60, 100]
    assert [s.frames for s in scales(1, 30.0, (1.0,), 0.5)] == [1]


def test_window_lengths_follow_known_durations() -> None:
    assert lengths_for([None, None]) == (1.0, 2.0, 4.0)
    assert lengths_for([2.0, 2.2]) == (2.0,)
    assert lengths_for([0.1, 3.0, 60.0]) == (0.5, 3.0, 10.0)
    assert lengths_for([]) == (1.0, 2.0, 4.0)


def test_a_class_prefers_windows_of_its_own_duration() -> None:
    weights = scale_weights((1.0, 2.0, 4.0), [1.0, None, 4.0, 1000.0])
    assert weights.sum(axis=0) == pytest.approx(np.ones(4))
    assert weights[:, 1] == pytest.approx(np.full(3, 1 / 3))
    assert weights[:, 0].argmax() == 0 and weights[:, 2].argmax() == 2 and weights[:, 3].argmax() == 2
    assert weights[0, 0] / weights[1, 0] == pytest.approx(np.exp(0.5 * (np.log(2) / 0.5) ** 2))


def test_cells_take_the_mean_of_their_windows_by_nearness() -> None:
    """Windows of 4 frames at 0 and 2, cells of 2: the cell in the middle is as near to both."""
    cells = on_cells(np.array([[1.0], [0.0]]), np.array([0, 2]), 4, 4, 2)
    assert cells[:, 0] == pytest.approx([1.0, 0.5, 0.0, NAN], nan_ok=True)
    # windows that begin before the first cell, and windows without a score
    assert on_cells(np.array([[1.0], [NAN]]), np.array([-2, 0]), 4, 2, 2)[:, 0] == pytest.approx([1, NAN], nan_ok=True)


def test_fusing_weighs_scales_per_class_and_forgives_holes() -> None:
    a, b = np.array([[0.8, 0.2], [NAN, NAN], [NAN, NAN]]), np.array([[0.4, 0.6], [0.4, 0.6], [NAN, NAN]])
    even = fuse([a, b], np.full((2, 2), 0.5))
    assert even[0] == pytest.approx([0.6, 0.4]) and even[1] == pytest.approx([0.4, 0.6]) and np.isnan(even[2]).all()
    own = fuse([a, b], np.array([[1.0, 0.0], [0.0, 1.0]]))  # class 0 by scale 0, class 1 by scale 1: 0.8 and 0.6
    assert own[0] == pytest.approx([0.8 / 1.4, 0.6 / 1.4])


def test_evidence_of_a_cell() -> None:
    scores, none = np.array([[0.5, 0.5], [0.8, 0.2], [0.5, 0.5], [NAN, NAN]]), np.array([NAN, 0.3, 0.2, NAN])
    found = emissions(scores, none, np.array([False, False, True, False]), 0.1)
    assert found[0] == pytest.approx([0.1 * np.log(0.5), 0.1 * np.log(0.5), -np.inf])
    assert found[1] == pytest.approx([0.1 * np.log(0.7), 0.1 * np.log(0.7 * 0.25), 0.1 * np.log(0.3)])
    for forced in (found[2], found[3]):
        assert forced == pytest.approx([-np.inf, -np.inf, 0])


def test_viterbi_by_hand() -> None:
    """One cell against the rest: to go and come back costs 2, so a gain of 1.5 is not worth it and one of 3 is."""
    evidence = np.zeros((5, 2))
    evidence[:, 0] = 1
    evidence[2] = [0, 1.5]
    assert viterbi(evidence, 1.0).tolist() == [0, 0, 0, 0, 0]
    evidence[2] = [0, 3.0]
    assert viterbi(evidence, 1.0).tolist() == [0, 0, 1, 0, 0]
    assert viterbi(evidence[:1], 1.0).tolist() == [0]
    assert viterbi(evidence[:0], 1.0).tolist() == []


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(1, 3), st.floats(0, 2), st.integers(0, 2**31))
def test_viterbi_finds_the_best_of_all_paths(cells: int, states: int, cost: float, seed: int) -> None:
    evidence = np.random.default_rng(seed).normal(size=(cells, states))

    def worth(path: tuple[int, ...]) -> float:
        return sum(evidence[i, s] for i, s in enumerate(path)) - cost * sum(a != b for a, b in itertools.pairwise(path))

    best = max(worth(path) for path in itertools.product(range(states), repeat=cells))
    assert worth(tuple(viterbi(evidence, cost).tolist())) == pytest.approx(best)


def test_short_stretches_go_to_the_neighbour_with_more_evidence() -> None:
    path = np.array([0, 0, 0, 1, 2, 2, 2])
    evidence = np.zeros((7, 3))
    evidence[3] = [-1, 0, -2]
    assert without_short(path, evidence, 2).tolist() == [0, 0, 0, 0, 2, 2, 2]
    evidence[3] = [-2, 0, -1]
    assert without_short(path, evidence, 2).tolist() == [0, 0, 0, 2, 2, 2, 2]
    assert without_short(path, evidence, 1).tolist() == path.tolist()
    # no neighbour can have it: nobody is there in the middle
    evidence[3] = [-np.inf, 0, -np.inf]
    assert without_short(path, evidence, 2).tolist() == path.tolist()
    assert without_short(np.array([1]), evidence[:1], 9).tolist() == [1]


def test_segments_of_a_path_end_with_the_recording() -> None:
    scores = np.array([[0.6, 0.4], [0.8, 0.2], [0.5, 0.5], [0.1, 0.9]])
    found = segments_of(np.array([0, 0, 2, 1]), scores, ["a", "b"], 3, 11)
    assert found == (Segment("a", 0, 5, pytest.approx(0.7)), Segment("b", 9, 10, 0.9))
    assert segments_of(np.array([1]), scores[3:], ["a", "b"], 3, 11, first=3)[0].start == 9
    assert segments_of(np.array([2, 2]), scores[:2], ["a", "b"], 3, 6) == ()


def test_long_absences_alone_count() -> None:
    present = np.array([1, 0, 0, 1, 0, 0, 0, 1], bool)
    assert long_absences(present, 2).tolist() == [False] * 4 + [True] * 3 + [False]
    assert runs(np.array([], np.int64)) == []
