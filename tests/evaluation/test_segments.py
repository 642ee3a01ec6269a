"""Segment measures against cases worked by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flora_engine.evaluation.segments import (
    average_precision,
    edit_score,
    frame_accuracy,
    mean_average_precision,
    segment_measures,
    segmental_f1,
    tiou,
)
from flora_engine.labelling.segments import Segment


def segment(name: str, start: int, end: int, score: float | None = None) -> Segment:
    return Segment(name, start, end, score)


# 30 frames: a in 0 to 9, nothing in 10 to 14, b in 15 to 24, a in 25 to 29
TRUTH = [segment("a", 0, 9), segment("b", 15, 24), segment("a", 25, 29)]
# the first a is late by 2 (8 of 12 frames shared), b is cut in two, the last a is missed
FOUND = [segment("a", 2, 11, 0.9), segment("b", 15, 18, 0.8), segment("b", 19, 24, 0.6)]


def test_overlap_counts_both_ends() -> None:
    assert tiou(TRUTH[0], FOUND[0]) == pytest.approx(8 / 12)
    assert tiou(segment("a", 3, 3), segment("a", 3, 3)) == 1
    assert tiou(segment("a", 0, 4), segment("a", 5, 9)) == 0


def test_average_precision_by_hand() -> None:
    """b at 0.5: the 0.8 one has tIoU 4/10 and is wrong, the 0.6 one 6/10 and is right: precision 1/2 at recall 1."""
    b_truth, b_found = TRUTH[1:2], FOUND[1:]
    assert average_precision(b_found, b_truth, 0.5) == pytest.approx(0.5)
    # At 0.4 both would do, and only the surer one takes the true segment: precision 1 at recall 1.
    assert average_precision(b_found, b_truth, 0.4) == pytest.approx(1.0)
    # a: one of two found, precision 1 at recall 1/2.
    a_truth = [TRUTH[0], TRUTH[2]]
    assert average_precision(FOUND[:1], a_truth, 0.5) == pytest.approx(0.5)
    assert average_precision(FOUND[:1], a_truth, 0.7) == 0
    assert average_precision([], a_truth, 0.5) == 0
    assert math.isnan(average_precision(FOUND, [], 0.5))


def test_interpolated_precision_is_the_best_at_that_recall_or_later() -> None:
    """Right, wrong, right, right of three: precisions 1, 1/2, 2/3, 3/4; interpolated 1, 3/4, 3/4 at the right ones."""
    truth = [segment("a", 10 * i, 10 * i + 4) for i in range(3)]
    found = [segment("a", 0, 4, 0.9), segment("a", 90, 94, 0.8), segment("a", 10, 14, 0.7), segment("a", 20, 24, 0.6)]
    assert average_precision(found, truth, 0.5) == pytest.approx((1 + 0.75 + 0.75) / 3)


def test_mean_average_precision_is_over_the_classes_of_the_truth() -> None:
    found = [*FOUND, segment("c", 10, 14, 1.0)]
    assert mean_average_precision(found, TRUTH, 0.5) == pytest.approx((0.5 + 0.5) / 2)


def test_frame_accuracy_by_hand() -> None:
    """Right: 8 frames of a (2 to 9), 3 of nothing (12 to 14), 10 of b (15 to 24): 21 of 30."""
    assert frame_accuracy(FOUND, TRUTH, 30) == pytest.approx(21 / 30)


def test_edit_score_by_hand() -> None:
    """a b b against a b a: one replaced of three."""
    assert edit_score(FOUND, TRUTH) == pytest.approx(2 / 3)
    assert edit_score([], TRUTH) == 0
    assert edit_score([], []) == 1
    four = [segment(name, i, i) for i, name in enumerate("abca")]
    assert edit_score(four, [four[0], four[2], four[3]]) == pytest.approx(3 / 4)  # one too many


def test_f1_by_hand() -> None:
    """At 0.5: a (8/12) and the second b (6/10) are right: 2·2 of 3 + 3. At 0.1 the first b takes it: the same count."""
    assert segmental_f1(FOUND, TRUTH, 0.5) == pytest.approx(4 / 6)
    assert segmental_f1(FOUND, TRUTH, 0.1) == pytest.approx(4 / 6)
    assert segmental_f1(FOUND, TRUTH, 0.7) == 0
    assert segmental_f1([], [], 0.5) == 1
    assert segmental_f1([], TRUTH, 0.5) == 0


def test_all_measures_of_a_recording() -> None:
    found = segment_measures(FOUND, TRUTH, 30)
    assert found["mAP@0.5"] == pytest.approx(0.5) and found["F1@50"] == pytest.approx(4 / 6)
    # by hand, threshold by threshold: a 1/2 up to 0.6 and 0 at 0.7; b 1 up to 0.4, 1/2 to 0.6, 0 at 0.7
    assert found["mAP"] == pytest.approx((4 * 0.75 + 2 * 0.5) / 7)
    assert {"frame_accuracy", "edit", "F1@10", "F1@25"} <= found.keys()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50), st.integers(0, 20)), min_size=1, max_size=8))
def test_truth_found_as_it_is_has_full_marks_wherever_it_is_disjoint(drawn: list[tuple[str, int, int]]) -> None:
    truth, end = [], -1
    for name, gap, length in drawn:
        truth.append(segment(name, end + 1 + gap, end + 1 + gap + length, 0.5))
        end = truth[-1].end
    assert all(value == pytest.approx(1) for value in segment_measures(truth, truth, end + 1).values())
