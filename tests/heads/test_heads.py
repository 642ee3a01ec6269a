"""What the small heads share and draw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from flora_engine.config import FloraSettings
from flora_engine.descriptors import catalogue
from flora_engine.heads import (
    Fit,
    Problem,
    Scorer,
    as_chosen,
    descriptors,
    ensemble,
    ensemble_descriptors,
    eszsl,
    flora,
    smie,
    training_of,
)
from flora_engine.heads.learning.model import load_model, save_model
from flora_engine.heads.learning.optimise import EVALUATIONS, bounds_of
from flora_engine.jobs import Job
from flora_engine.models.together import GRID


def test_evaluations_begin_early_and_end_with_the_last_step() -> None:
    for steps in (100, 1000, 1500):
        bounds = bounds_of(steps)
        assert len(bounds) == EVALUATIONS + 1 and bounds[-1] == steps
        stretches = np.diff(bounds)
        assert (stretches > 0).all() and bounds[1] < steps / 30
        assert stretches[-1] > steps / 4


def test_a_negative_is_any_class_but_the_own() -> None:
    own = torch.arange(5).repeat_interleave(4000)
    drawn = smie.others(own, 5, torch.Generator().manual_seed(0))
    assert drawn.shape == (20_000, smie.NEGATIVES)
    counts = torch.stack([torch.bincount(drawn[own == c].flatten(), minlength=5) for c in range(5)])
    assert counts.diagonal().sum() == 0
    shares = counts[~torch.eye(5, dtype=torch.bool)] / (4000 * smie.NEGATIVES)
    assert (shares - 1 / 4).abs().max() < 0.02


def test_the_ensemble_adds_what_its_three_heads_score(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    states = random.normal(size=(6, 3, 10)).astype(np.float32)
    labels = np.arange(40, dtype=np.int64) % 4
    data = random.normal(size=(6, 16)).astype(np.float32)[labels] + random.normal(size=(40, 16)).astype(np.float32)
    problem, classes = Problem(data, labels, states), np.array([4, 5, 1])
    settings = FloraSettings(
        hidden=12, velocity_heads=2, align_iterations=4, total_iterations=8, evaluations=2, precision="float32"
    )
    choice = {"neighbours": 1, "weight": 0.3}
    watched: list[np.ndarray] = []
    model = ensemble.fit(
        Fit(Job(), problem, choice, settings, lambda n, score, baseline: watched.append(score(data, classes)))
    )
    alone = flora.fit(Fit(Job(), problem, choice, settings))
    direct = ensemble.fit_direct(Fit(Job(), problem, choice, settings))
    vectors = torch.from_numpy(problem.vectors)
    with torch.no_grad():
        x = torch.from_numpy(data)
        parts = torch.stack([direct.shares[0] * direct.projection(x), direct.shares[1] * direct.ridge(x)])
        scores = parts @ vectors.T
    centred = scores[:, :, problem.seen] - scores[:, :, problem.seen].mean(dim=2, keepdim=True)
    assert centred.square().mean(dim=(1, 2)).sqrt().tolist() == pytest.approx([1, 1], rel=1e-4)
    wanted = -np.log(alone.errors(data, classes)) + scores.sum(dim=0)[:, classes].numpy()
    np.testing.assert_allclose(flora.FlowScorer(model)(data, classes), wanted, atol=1e-4)
    # Both trainings draw the same numbers; their sums may be rounded in another order, 1e-7 of a value at a time.
    np.testing.assert_allclose(model.errors(data, classes), alone.errors(data, classes), rtol=1e-4)
    np.testing.assert_allclose(watched[-1], wanted, atol=1e-4)
    save_model(tmp_path / "m.safetensors", model)
    loaded = load_model(tmp_path / "m.safetensors")
    # Weights are copied, so they are equal to the bit; what is computed from them in other memory is only close.
    torch.testing.assert_close(loaded.network.state_dict(), model.network.state_dict(), rtol=0, atol=0)
    scores = flora.FlowScorer(loaded)(data, classes)
    np.testing.assert_allclose(scores, flora.FlowScorer(model)(data, classes), rtol=1e-5, atol=1e-5)


def _described_problem(random: np.random.Generator) -> Problem:
    """Synthetic: six classes, four of them seen, with features (16 columns) and descriptors beside them."""
    width = len(catalogue())
    expected = random.normal(size=(6, width))
    labels = np.arange(40, dtype=np.int64) % 4
    data = np.concatenate([random.normal(size=(40, 16)), expected[labels] + random.normal(size=(40, width))], axis=1)
    states = random.normal(size=(6, 3, 10)).astype(np.float32)
    return Problem(data.astype(np.float32), labels, states, expectations=expected)


def test_descriptors_alone_are_the_cosine_to_what_is_expected() -> None:
    """One class at a time, so that a plain loop is the other way to compute it."""
    problem = _described_problem(np.random.default_rng(1))
    problem = replace(problem, data=np.ascontiguousarray(problem.data[:, 16:]))
    watched: list[np.ndarray] = []
    classes = np.array([4, 0, 5])
    task = Fit(Job(), problem, {"learned": False}, FloraSettings())
    model = descriptors.fit(replace(task, watch=lambda n, score, _: watched.append(score(problem.data, classes))))
    z, expected = model.standardise(problem.data), problem.expectations
    assert expected is not None
    for column, label in enumerate(classes):
        wanted = z @ expected[label] / np.linalg.norm(expected[label])
        np.testing.assert_allclose(watched[0][:, column], wanted, rtol=1e-4, atol=1e-4)


def test_weights_after_a_training_are_those_of_the_choice() -> None:
    """One training serves every pair of weights, and 0 leaves a part out."""
    problem, classes = _described_problem(np.random.default_rng(2)), np.array([4, 5, 1])
    task = Fit(Job(), problem, {"features": 1.0, "texts": 1.0}, FloraSettings())
    found: dict[tuple[float, float], np.ndarray] = {}

    def watch(_: int, score: Scorer, baseline: Scorer | None) -> None:
        for weights in GRID:
            again = as_chosen(score, vars(weights))
            found[weights.graphs, weights.descriptors] = again(problem.data, classes)

    ensemble_descriptors.fit_beside(eszsl.fit, replace(task, watch=watch))
    one, other = found[1, 0], found[0, 1]
    np.testing.assert_allclose(found[0.25, 1], 0.25 * one + other, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found[1, 0.5], one + 0.5 * other, rtol=1e-4, atol=1e-4)
    assert np.abs(one - other).max() > 0.1
    assert training_of(ensemble_descriptors, {"features": 1.0, "graphs": 0.5, "descriptors": 1}) == {"features": 1.0}
    assert training_of(eszsl, {"features": 1.0}) == {"features": 1.0}


def test_the_sum_with_descriptors_is_the_sum_of_both_heads() -> None:
    problem, classes = _described_problem(np.random.default_rng(2)), np.array([4, 5, 1])
    settings = FloraSettings(
        hidden=12, velocity_heads=2, align_iterations=4, total_iterations=8, evaluations=2, precision="float32"
    )
    task = Fit(Job(), problem, {"neighbours": 1, "weight": 0.3}, settings)
    summed: list[np.ndarray] = []
    ensemble_descriptors.fit(
        replace(task, watch=lambda n, score, baseline: summed.append(score(problem.data, classes)))
    )
    features = replace(problem, data=np.ascontiguousarray(problem.data[:, :16]), expectations=None)
    one: list[np.ndarray] = []
    ensemble.fit(replace(task, problem=features, watch=lambda n, score, _: one.append(score(features.data, classes))))
    values = problem.data[:, 16:]
    model = descriptors.train(problem, values)
    known = descriptors.scores(model, problem, values, problem.seen, learned=True)
    added = descriptors.scores(model, problem, values, classes, learned=True)
    spread = (known - known.mean(axis=1, keepdims=True)).std()
    np.testing.assert_allclose(summed[-1], one[-1] + added / spread, rtol=1e-3, atol=1e-3)
