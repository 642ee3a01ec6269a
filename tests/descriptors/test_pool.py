"""Values become ranks in a pool; the shipped pool fits the catalogue."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bodies import person, recording

from flora_engine.descriptors import build_pool, catalogue, load_pool, measure, reference_pool, save_pool
from flora_engine.descriptors.pool import POOL
from flora_engine.errors import FloraError

COUNT = len(catalogue())


def _column(numbers: np.ndarray) -> np.ndarray:
    """(N, D) float32 with these numbers in every column."""
    return np.repeat(np.asarray(numbers, np.float32)[:, None], COUNT, axis=1)


def test_scores_are_ranks_from_minus_one_to_one() -> None:
    pool = build_pool({"one": _column(np.random.default_rng(0).permutation(1001))})
    scores = pool.scores(_column(np.array([-5.0, 0.0, 250.0, 500.0, 1000.0, 2000.0, np.nan])))
    np.testing.assert_allclose(scores[:-1, 0], [-1, -1, -0.5, 0, 1, 1], atol=1e-6)
    assert np.isnan(scores[-1]).all() and scores.dtype == np.float32
    assert pool.scores(_column(np.array([250.0]))[0]).shape == (COUNT,)


def test_a_value_that_most_recordings_share_has_the_middle_of_their_ranks() -> None:
    scores = build_pool({"one": _column(np.r_[np.zeros(800), np.linspace(1, 2, 200)])}).scores(
        _column(np.array([0.0, 1.5, 2.0]))
    )
    np.testing.assert_allclose(scores[:, 3], [-0.2, 0.8, 1], atol=0.05)


def test_a_large_set_counts_by_the_square_root() -> None:
    pool = build_pool({"large": _column(np.zeros(2500) + 1), "small": _column(np.zeros(100) + 3)})
    # 50 against 10: the small set holds the upper sixth of the ranks.
    assert (pool.quantiles[:, 0] < 2).mean() == pytest.approx(5 / 6, abs=0.04)
    assert pool.sets == ("large", "small")


def test_few_recordings_are_ranked_among_those_of_a_reference_and_many_are_not() -> None:
    reference = build_pool({"others": _column(np.linspace(0, 100, 500))})
    few = build_pool({"own": _column(np.array([40.0, 50, 60]))}, reference)
    np.testing.assert_allclose(few.scores(_column(np.array([10.0, 50, 90])))[:, 0], [-0.8, 0, 0.8], atol=0.1)
    many = _column(np.random.default_rng(0).uniform(40, 60, 5000))
    alone, blended = build_pool({"own": many}), build_pool({"own": many}, reference)
    tried = _column(np.array([42.0, 50, 55]))
    np.testing.assert_allclose(blended.scores(tried), alone.scores(tried), atol=0.03)
    values = many.copy()
    values[:, 5] = np.nan  # nobody shows it here: the reference alone ranks it
    np.testing.assert_array_equal(
        build_pool({"own": values}, reference).scores(tried)[:, 5] > 0, reference.scores(tried)[:, 5] > 0
    )
    assert blended.sets == ("own", "others") and build_pool({}, reference) == reference


def test_what_too_few_recordings_have_gets_no_score() -> None:
    values = _column(np.arange(50))
    values[7:, 5] = np.nan
    scores = build_pool({"one": values}).scores(values)
    assert np.isnan(scores[:, 5]).all() and np.isfinite(scores[:, 6]).all()
    assert np.isnan(build_pool({}).scores(values)).all()


def test_a_pool_is_stored_and_a_wrong_one_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = build_pool({"one": _column(np.arange(50))})
    save_pool(tmp_path / "pool.npz", pool)
    loaded = load_pool(tmp_path / "pool.npz")
    np.testing.assert_array_equal(loaded.quantiles, pool.quantiles)
    assert loaded.sets == ("one",)
    content = (tmp_path / "pool.npz").read_bytes()
    for broken in (b"", content[: len(content) // 2], b"rubbish"):
        (tmp_path / "broken.npz").write_bytes(broken)
        with pytest.raises(FloraError, match="cannot be read"):
            load_pool(tmp_path / "broken.npz")
    with pytest.raises(FloraError, match="cannot be read"):
        load_pool(tmp_path / "absent.npz")
    np.savez(tmp_path / "other.npz", names=np.array(["a"]), quantiles=np.zeros((33, 1)), sets=np.array(["one"]))
    with pytest.raises(FloraError, match="other descriptors"):
        load_pool(tmp_path / "other.npz")


def test_the_shipped_pool_scores_a_recording() -> None:
    pool = reference_pool()
    assert POOL.stat().st_size < 200_000 and len(pool.sets) == 8
    raised = measure(recording(person(right_arm=(180.0, 0.0))))
    scores = dict(zip(catalogue(), pool.scores(raised).tolist(), strict=True))
    assert scores["right_hand_height_max"] > 0.7 and scores["left_hand_height_typical"] < 0
    assert np.isfinite(pool.quantiles).all()
    assert (np.diff(pool.quantiles, axis=0) >= 0).all()
