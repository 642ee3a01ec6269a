"""Heads with variational autoencoders (SynSE, SA-DVAE, CADA-VAE): their losses against plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from flora_engine.config import FloraSettings
from flora_engine.heads import Fit, Problem, Scorer, sa_dvae, synse
from flora_engine.heads.learning import latents
from flora_engine.heads.learning.latents import Cycle, LinearGaussian, latent_classifier
from flora_engine.heads.learning.tensors import Tensors, seeded
from flora_engine.jobs import Job
from flora_engine.semantics.class_parts import PARTS

Array = np.ndarray[Any, np.dtype[np.float64]]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=generator(seed))


def apply(linear: nn.Module, x: Array) -> Array:
    assert isinstance(linear, nn.Linear)
    return x @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()


def gaussian(module: nn.Module, x: Array) -> tuple[Array, Array]:
    assert isinstance(module, LinearGaussian)
    return apply(module.mean, x), apply(module.log_variance, x)


def latent(found: tuple[Array, Array], noise: Tensor) -> Array:
    return found[0] + noise.numpy() * np.exp(found[1] / 2)


def divergence(mean: Array, log_variance: Array) -> float:
    return float(np.mean([0.5 * np.sum(m**2 + np.exp(v) - 1 - v) for m, v in zip(mean, log_variance, strict=True)]))


def squares(a: Array, b: Array) -> float:
    return float(np.mean((a - b) ** 2))


def test_the_weights_of_a_published_cycle() -> None:
    cycle = Cycle(1700, 14 / 17)
    assert cycle.skeleton(1000) == 0 and cycle.skeleton(1300) == pytest.approx(0.01)
    assert cycle.skeleton(1699) == pytest.approx(0.1 * 699 / 3000)
    assert cycle.across(1399) == 0 and cycle.across(1401) == 1 and cycle.across(1700) == 0
    assert cycle.text(1600) == cycle.text(3300) == 0, "the first two cycles leave texts alone"
    assert cycle.text(3400 + 1700 - 1) == pytest.approx(0.1 * 299 / 3000)
    found = {
        "own": torch.tensor(1.0),
        "skeleton": torch.tensor(2.0),
        "text": torch.tensor(5.0),
        "across": torch.tensor(3.0),
    }
    assert cycle.total(found, 900).item() == pytest.approx(1)
    assert cycle.total(found, 1500).item() == pytest.approx(1 + 2 * 0.1 * 500 / 3000 + 3)


def test_synse_against_numpy() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        models = synse.Autoencoders(5, 4, 6)
    x, nouns, verbs = normal(7, 5, seed=1), normal(7, 4, seed=2), normal(7, 4, seed=3)
    found = synse.losses(models, x, [nouns, verbs], generator(4))
    draws = generator(4)
    seen = gaussian(models.skeleton, x.numpy())
    read = [gaussian(one, text.numpy()) for one, text in zip(models.texts, (nouns, verbs), strict=True)]
    both = np.concatenate([read[0][0], read[1][0]], axis=1), np.concatenate([read[0][1], read[1][1]], axis=1)
    z, t = (latent(one, torch.randn((7, 6), generator=draws)) for one in (seen, both))
    decoders = models.text_decoders

    def texts(of: Array) -> float:
        first, second = apply(decoders[0], of[:, :3]), apply(decoders[1], of[:, 3:])
        return squares(first, nouns.numpy()) + squares(second, verbs.numpy())

    assert found["own"].item() == pytest.approx(
        squares(apply(models.skeleton_decoder, z), x.numpy()) + texts(t), rel=1e-4
    )
    assert found["across"].item() == pytest.approx(
        squares(apply(models.skeleton_decoder, t), x.numpy()) + texts(z), rel=1e-4
    )
    assert found["skeleton"].item() == pytest.approx(divergence(*seen), rel=1e-4)
    assert found["text"].item() == pytest.approx(sum(divergence(*one) for one in read), rel=1e-4)


def test_sa_dvae_against_numpy() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        models, judge = sa_dvae.Autoencoders(5, 4, 6, 2), sa_dvae.Discriminator(8)
    x, text = normal(7, 5, seed=1), normal(7, 4, seed=2)
    found = sa_dvae.losses(models, judge, x, text, generator(3))
    draws = generator(3)
    gaussians = [gaussian(one, of.numpy()) for one, of in ((models.meaning, x), (models.text, text), (models.style, x))]
    meaning, read, style = (latent(one, torch.randn(one[0].shape, generator=draws)) for one in gaussians)

    def skeleton(z: Array) -> float:
        return squares(apply(models.skeleton_decoder, np.concatenate([z, style], axis=1)), x.numpy())

    assert found["own"].item() == pytest.approx(
        skeleton(meaning) + squares(apply(models.text_decoder, read), text.numpy()), rel=1e-4
    )
    assert found["across"].item() == pytest.approx(
        skeleton(read) + squares(apply(models.text_decoder, meaning), text.numpy()), rel=1e-4
    )
    assert found["skeleton"].item() == pytest.approx(divergence(*gaussians[0]) + divergence(*gaussians[2]), rel=1e-4)
    hidden = np.maximum(apply(judge.layers[0], np.concatenate([meaning, style], axis=1)), 0)
    sure = 1 / (1 + np.exp(-apply(judge.layers[2], hidden)))
    assert found["text"].item() == pytest.approx(divergence(*gaussians[1]) + sure.mean(), rel=1e-4)


def test_the_discriminator_finds_what_depends_and_not_what_does_not() -> None:
    """Meaning and style that share a sign are told from shuffled ones; independent ones are not."""

    def learned(style: Tensor) -> float:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            judge = sa_dvae.Discriminator(16)
        optimiser, draws = torch.optim.Adam(judge.parameters(), 1e-2), generator()
        found = []
        for _ in range(200):
            optimiser.zero_grad()
            loss = sa_dvae.discriminator_loss(judge, [meaning], style, draws)
            loss.backward()
            optimiser.step()
            found.append(loss.item())
        return float(np.mean(found[-20:]))

    meaning = normal(512, 12)
    assert learned(meaning[:, :4].sign()) < 0.55
    assert learned(normal(512, 4, seed=1)) > 0.65


def test_a_worked_case_of_the_discriminator() -> None:
    judge = sa_dvae.Discriminator(8)
    with torch.no_grad():
        for parameter in judge.parameters():
            parameter.zero_()
        judge.layers[2].bias.fill_(2.0)
    loss = sa_dvae.discriminator_loss(judge, [normal(3, 6), normal(3, 6)], normal(3, 2), generator())
    true, shuffled = np.log(1 + np.exp(-2.0)), np.log(1 + np.exp(2.0))
    assert loss.item() == pytest.approx((true + shuffled) / 2)


def problem() -> Problem:
    random = np.random.default_rng(0)
    labels = np.repeat(np.array([0, 2, 3], np.int64), 10)
    centres = 3 * random.normal(size=(5, 7))
    parts = random.normal(size=(5, len(PARTS), 6)).astype(np.float32)
    data = (centres[labels] + 0.1 * random.normal(size=(30, 7))).astype(np.float32)
    return Problem(data, labels, random.normal(size=(5, 3, 8)).astype(np.float32), parts=parts)


def test_the_classifier_knows_seen_classes_by_features_and_all_by_texts() -> None:
    given = problem()
    tensors = Tensors.of(given)
    texts = 4 * normal(5, 7)
    for label in (0, 2, 3):
        texts[label] = tensors.x[tensors.labels == label].mean(dim=0)
    still = torch.full((30, 7), -20.0), torch.full((5, 7), -20.0)
    task = Fit(Job(), given, {}, FloraSettings())
    linear = latent_classifier(task, tensors, (tensors.x, still[0]), (texts, still[1]))
    assert linear(tensors.x).argmax(dim=1).tolist() == given.labels.tolist()
    assert linear(texts)[[1, 4]].argmax(dim=1).tolist() == [1, 4]


@pytest.mark.parametrize("module", [synse, sa_dvae])
def test_a_seed_repeats_a_training(module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEPS", 40)
    monkeypatch.setattr(latents, "CLASSIFIER_STEPS", 20)
    given = problem()

    def scores(seed: int) -> np.ndarray[Any, Any]:
        found: list[np.ndarray[Any, Any]] = []

        def watch(number: int, score: Scorer, baseline: Scorer | None) -> None:
            found.append(score(given.data, np.array([4, 0])))

        drawn = Problem(given.data, given.labels, given.states, seed, parts=given.parts)
        module.fit(Fit(Job(), drawn, module.choices(FloraSettings())[1], FloraSettings(), watch))
        return found[-1]

    first = scores(0)
    assert first.shape == (30, 2) and np.isfinite(first).all()
    np.testing.assert_allclose(scores(0), first, rtol=1e-3, atol=1e-4)
    assert np.abs(scores(1) - first).max() > 1e-3


def test_a_linear_gaussian_has_a_map_for_each_moment() -> None:
    module = seeded(problem(), lambda: LinearGaussian(3, 2))
    x = normal(4, 3)
    mean, log_variance = module(x)
    assert mean.shape == log_variance.shape == (4, 2) and not torch.equal(mean, log_variance)
