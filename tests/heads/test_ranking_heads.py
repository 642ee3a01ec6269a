"""Heads that rank the own class first (DeViSE, ReViSE, JPoSE): their losses against plain loops and worked cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from flora_engine.config import FloraSettings
from flora_engine.errors import FloraError
from flora_engine.heads import Fit, Problem, Scorer, devise, head, jpose, reads_parts, revise
from flora_engine.heads.learning.losses import discrepancy, divergence, hardest_triplet, ranking_hinge
from flora_engine.heads.learning.tensors import Tensors, seeded
from flora_engine.jobs import Job
from flora_engine.semantics.class_parts import PARTS


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def problem(seed: int = 0) -> Problem:
    random = np.random.default_rng(seed)
    labels = np.array([1, 4, 1, 2, 4, 2, 2, 1], np.int64)
    parts = random.normal(size=(6, len(PARTS), 5)).astype(np.float32)
    states = random.normal(size=(6, 3, 8)).astype(np.float32)
    return Problem(random.normal(size=(8, 7)).astype(np.float32), labels, states, seed, parts=parts)


def test_the_hinge_of_a_worked_case() -> None:
    similarity = torch.tensor([[0.9, 0.85, 0.2], [0.1, 0.0, 0.3]])
    expected = torch.tensor([[0.0, 0.05, 0.0], [0.2, 0.0, 0.4]])
    torch.testing.assert_close(ranking_hinge(similarity, torch.tensor([0, 1]), 0.1), expected)


def test_devise_takes_the_first_class_that_is_too_close() -> None:
    hinge = torch.tensor([[0.0, 0.3, 0.5], [0.2, 0.0, 0.4], [0.0, 0.0, 0.0]])
    order = torch.tensor([[0.9, 0.1, 0.8], [0.7, 0.9, 0.2], [0.5, 0.6, 0.7]])
    assert devise.first_too_close(hinge, order).tolist() == pytest.approx([0.5, 0.2, 0.0])
    drawn = [devise.first_too_close(hinge[:1], normal(1, 3, seed=i).sigmoid()).item() for i in range(400)]
    assert {round(one, 1) for one in drawn} == {0.3, 0.5}
    assert np.mean(np.isclose(drawn, 0.3)) == pytest.approx(0.5, abs=0.1)


def test_the_discrepancy_against_loops() -> None:
    a, b = normal(4, 3), normal(6, 3, seed=1)

    def mean(u: Tensor, v: Tensor) -> float:
        return float(np.mean([np.exp(-0.5 * float((x - y).square().sum())) for x, y in product(u, v)]))

    assert discrepancy(a, b, 0.5).item() == pytest.approx(mean(a, a) + mean(b, b) - 2 * mean(a, b), rel=1e-5)
    assert discrepancy(a, a, 32.0).item() == pytest.approx(0, abs=1e-6)


def test_the_hardest_triplet_against_loops() -> None:
    embedded = torch.nn.functional.normalize(normal(7, 3), dim=1)
    groups = torch.tensor([0, 0, 1, 1, 1, 2, 0])
    losses = []
    for i, group in enumerate(groups):
        similar = [float(embedded[i] @ other) for other in embedded]
        partner = min(s for s, g in zip(similar, groups, strict=True) if g == group)
        other = max(s for s, g in zip(similar, groups, strict=True) if g != group)
        losses.append(max(0.0, 0.3 - partner + other))
    assert hardest_triplet(embedded, groups, 0.3).item() == pytest.approx(np.mean(losses), rel=1e-5)
    assert hardest_triplet(embedded, torch.zeros(7), 0.3).item() == 0


def test_the_divergence_of_a_worked_case() -> None:
    mean, variance = torch.tensor([[1.0, -2.0], [0.0, 0.0]]), torch.tensor([[1.0, 1.0], [4.0, 1.0]])
    own = 0.5 * (1 + 4) / 2 + 0.5 * (4 - 1 - np.log(4)) / 2
    assert divergence(mean, variance.log()).item() == pytest.approx(own)


def test_revise_contracts_by_the_jacobian_of_its_encoder() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = revise.Autoencoder(6)
    x = normal(5, 6)
    squares = []
    for row in x:
        jacobian = torch.autograd.functional.jacobian(lambda one: model(one[None])[0][0], row)
        squares.append(jacobian.square().sum())
    assert model.contraction(model(x)[0]).item() == pytest.approx(torch.stack(squares).mean().item(), rel=1e-4)


def test_jpose_does_not_tell_classes_with_one_verb_apart() -> None:
    verbs = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    groups = jpose.groups_of(verbs)
    assert groups[0] == groups[2] != groups[1]
    similarity = torch.tensor([[0.5, 0.4, 0.9]])
    own = torch.tensor([0])
    assert jpose.part_hinge(similarity, own, groups, 0.3).item() == pytest.approx(0.2)
    assert jpose.part_hinge(similarity, own, torch.arange(3), 0.3).item() == pytest.approx(0.2 + 0.7)


def test_tensors_are_standardised_and_scored_in_chunks() -> None:
    given = problem()
    tensors = Tensors.of(given)
    np.testing.assert_allclose(tensors.x.mean(dim=0), 0, atol=1e-6)
    np.testing.assert_allclose(tensors.x.std(dim=0, correction=0), 1, atol=1e-4)
    assert tensors.seen.tolist() == [1, 2, 4] and tensors.own.tolist() == [0, 2, 0, 1, 2, 1, 1, 0]
    weight = normal(7, 6)
    whole, parts = (
        tensors.scorer(lambda x, classes: (x @ weight)[:, classes], rows)(given.data, np.array([5, 0]))
        for rows in (100, 3)
    )
    assert whole.shape == (8, 2)
    np.testing.assert_allclose(whole, parts, rtol=1e-5)
    np.testing.assert_allclose(whole, (tensors.x @ weight)[:, [5, 0]], rtol=1e-5)


def test_seeds_decide_weights_and_leave_other_draws_alone() -> None:
    def make() -> torch.nn.Linear:
        return torch.nn.Linear(3, 3)

    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    one, same, other = (seeded(problem(seed), make).weight for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(one, same) and not torch.equal(one, other)


def scores(name: str, given: Problem, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    module, found = head(name), []
    monkeypatch.setattr(module, "STEPS", 12)

    def watch(number: int, score: Scorer, baseline: Scorer | None) -> None:
        found.append(score(given.data, np.array([0, 5, 1])))

    settings = FloraSettings()
    module.fit(Fit(Job(), given, module.choices(settings)[0], settings, watch))
    return found[-1]


@pytest.mark.parametrize("name", ["devise", "revise", "jpose"])
def test_a_seed_repeats_a_training_and_texts_of_unseen_classes_do_not_enter_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = problem()
    first = scores(name, given, monkeypatch)
    assert first.shape == (8, 3) and np.isfinite(first).all()
    np.testing.assert_allclose(scores(name, given, monkeypatch), first, rtol=1e-4, atol=1e-5)
    assert np.abs(scores(name, replace(given, seed=1), monkeypatch) - first).max() > 1e-3
    change: Callable[[np.ndarray], np.ndarray] = lambda one: np.concatenate([-one[:1], one[1:]])  # noqa: E731
    assert given.parts is not None
    changed = replace(given, states=change(given.states), parts=change(given.parts))
    again = scores(name, changed, monkeypatch)
    np.testing.assert_allclose(again[:, 1:], first[:, 1:], rtol=1e-4, atol=1e-5)
    assert np.abs(again[:, 0] - first[:, 0]).max() > 1e-3


def test_parts_are_asked_for_and_missed_in_a_sentence() -> None:
    assert reads_parts(["flora", "jpose"]) and not reads_parts(["flora", "devise"])
    whole = replace(problem(), parts=None)
    with pytest.raises(FloraError, match="parts of the class texts"):
        jpose.fit(Fit(Job(), whole, {"margin": 0.3}, FloraSettings()))
