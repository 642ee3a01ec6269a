"""Heads that read body parts and stretches of time (PURLS, STAR): their losses against plain loops."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from flora_engine.config import FloraSettings
from flora_engine.heads import Fit, Problem, Scorer, purls, star
from flora_engine.heads.learning.tensors import Tensors
from flora_engine.jobs import Job
from flora_engine.semantics.class_parts import BODY, PARTS


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def problem() -> Problem:
    random = np.random.default_rng(0)
    parts = random.normal(size=(5, len(PARTS), 6)).astype(np.float32)
    labels = np.repeat(np.array([0, 2, 3], np.int64), 6)
    data = random.normal(size=(18, 7)).astype(np.float32)
    return Problem(data, labels, random.normal(size=(5, 3, 8)).astype(np.float32), parts=parts)


def entropy(scores: Any, right: int) -> float:
    scores = np.asarray(scores, np.float64)
    return float(np.log(np.exp(scores).sum()) - scores[right])


def test_the_contrast_of_purls_against_loops() -> None:
    similarity, own = normal(5, 4).double(), torch.tensor([1, 3, 1, 1, 0])
    rows = np.mean([entropy(row, label) for row, label in zip(similarity, own, strict=True)])
    columns = []
    for label in (0, 1, 3):
        right = [place for place, one in enumerate(own) if one == label]
        columns.append(np.mean([entropy(similarity[:, label], place) for place in right]))
    assert purls.contrast(similarity, own).item() == pytest.approx(rows + np.mean(columns))


def test_descriptions_join_parts_and_end_with_the_whole() -> None:
    given = problem()
    found = purls.descriptions(given, Tensors.of(given))
    assert len(found) == 8
    hands = given.part("hand") + given.part("arm")
    np.testing.assert_allclose(found[1], hands / np.linalg.norm(hands, axis=1, keepdims=True), rtol=1e-5)
    whole = given.vectors / np.linalg.norm(given.vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(found[-1], whole, rtol=1e-5)
    np.testing.assert_allclose(
        found[4], given.part("start") / np.linalg.norm(given.part("start"), axis=1)[:, None], rtol=1e-5
    )


def test_purls_drops_half_in_training_and_nothing_else() -> None:
    x = torch.ones(1000, 4)
    dropped = purls._dropped(x, torch.Generator().manual_seed(0))
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert dropped.mean().item() == pytest.approx(1, abs=0.1)
    assert purls._dropped(x, None) is x
    model = purls.Projection(7, [3, 2], 5)
    assert [part.shape[1] for part in model.eval()(normal(4, 7))] == [3, 2]


def test_the_loss_of_star_against_loops() -> None:
    found, read, whole = normal(2, 4, 3).double(), normal(2, 5, 3, seed=1).double(), normal(5, 3, seed=2).double()
    seen, own = torch.tensor([0, 2, 3]), torch.tensor([2, 0, 1, 1])

    def cosine(a: Tensor, b: Tensor) -> float:
        return float(a @ b) / float(a.norm() * b.norm())

    parts = [
        entropy([cosine(found[p, n], read[p, c]) / 0.5 for c in seen], int(own[n])) for p in range(2) for n in range(4)
    ]
    summed = found[0] + found[1]
    together = [entropy([cosine(summed[n], whole[c]) / 0.5 for c in seen], int(own[n])) for n in range(4)]
    texts = [entropy([float(read[p, c] @ whole[o]) for o in range(5)], c) for p in range(2) for c in range(5)]
    expected = np.mean(parts) + 0.1 * np.mean(together) + 0.1 * np.mean(texts)
    assert star.loss_of(found, read, whole, seen, own, 0.5).item() == pytest.approx(expected)


def test_attributes_of_a_part_are_bilinear_in_its_prompts() -> None:
    part, x = star.PartAttributes(7), normal(4, 7)
    with torch.no_grad():
        value = part.augment(part.value(x))
        plain = [[float(prompt @ part.weight @ one) for prompt in part.prompts] for one in value]
        torch.testing.assert_close(part(x), torch.tensor(plain), rtol=1e-4, atol=1e-4)


def with_local(stretches: int, joints: int) -> Problem:
    given = problem()
    local = normal(18, stretches * joints * 7, seed=3).numpy()
    return replace(given, data=np.concatenate([given.data, local], axis=1), local=(stretches, joints))


def test_a_prompt_of_star_weighs_the_joints_of_its_part() -> None:
    part, x = star.PartAttributes(7, attends=True), normal(4, 3, 7)
    assert part.key is not None
    with torch.no_grad():
        found = part(x)
        for n in range(4):
            for a in (0, 57):
                prompt = part.prompts[a]
                attention = np.exp([float(part.key(joint) @ prompt) for joint in x[n]])
                values = [float(prompt @ part.weight @ part.augment(part.value(joint))) for joint in x[n]]
                expected = float(attention @ np.array(values)) / attention.sum()
                assert found[n, a].item() == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_a_part_of_star_sees_its_own_joints_alone() -> None:
    model = star.Star(7, 6, 8, 5, local=(3, 25))
    x = normal(2, 7 + 3 * 25 * 7)
    moved = x.clone()
    for stretch in range(3):
        start = 7 + (stretch * 25 + star.JOINTS["foot"][1]) * 7
        moved[:, start : start + 7] += 1.0
    with torch.no_grad():
        changed = (model.attributes(moved) - model.attributes(x)).abs().amax(dim=(1, 2)) > 1e-6
    assert [name for name, one in zip(BODY, changed, strict=True) if one] == ["foot"]
    assert sorted(joint for joints in star.JOINTS.values() for joint in joints) == list(range(25))


def test_a_description_of_purls_takes_local_features_by_softmax() -> None:
    partition, x = purls.Partition(7, 8, (3, 4)), normal(5, 7 + 3 * 4 * 7)
    with torch.no_grad():
        found = partition(x).view(5, 8, 7)
        local = x[:, 7:].view(5, 12, 7)
        local = local / local.norm(dim=2, keepdim=True)
        heads = [slice(0, purls.KEYS), slice(purls.KEYS, 2 * purls.KEYS)]
        for n, d in ((0, 0), (3, 7)):
            keys = partition.keys(local[n])
            scores = [keys[:, one] @ partition.queries[d, one] / purls.KEYS**0.5 for one in heads]
            expected = ((scores[0] + scores[1]) / 2).softmax(dim=0) @ local[n]
            torch.testing.assert_close(found[n, d], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("given", [problem(), with_local(3, 4)], ids=["whole", "local"])
@pytest.mark.parametrize("module", [purls, star])
def test_a_seed_repeats_a_training_and_scoring_leaves_it_alone(
    module: Any, given: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STEPS", 12)

    def scores(seed: int, looks: int = 1) -> np.ndarray[Any, Any]:
        found: list[np.ndarray[Any, Any]] = []

        def watch(number: int, score: Scorer, baseline: Scorer | None) -> None:
            found.extend(score(given.data, np.array([4, 0])) for _ in range(looks))

        drawn = replace(given, seed=seed)
        module.fit(Fit(Job(), drawn, module.choices(FloraSettings())[1], FloraSettings(), watch))
        return found[-1]

    first = scores(0)
    assert first.shape == (18, 2) and np.isfinite(first).all()
    np.testing.assert_allclose(scores(0, looks=3), first, rtol=1e-3, atol=1e-4)
    assert np.abs(scores(1) - first).max() > 1e-3


def test_star_has_a_prompt_for_each_class_and_part() -> None:
    model = star.Star(7, 6, 8, 5)
    parts = normal(len(BODY), 5, 6)
    before = model.read(parts)
    with torch.no_grad():
        model.prompts[2, 4] += 1.0
    changed = (model.read(parts) - before).abs().amax(dim=2) > 1e-6
    assert changed.nonzero().tolist() == [[2, 4]]
