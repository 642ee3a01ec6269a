"""Training Flora: conformance with the plain version, learning, resuming, the random token subset."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch

from flora_engine.config import FloraSettings
from flora_engine.errors import Cancelled, FloraError
from flora_engine.heads import Choice, Fit, Problem
from flora_engine.heads.learning import flora
from flora_engine.heads.learning.flora import train_added, train_flora
from flora_engine.heads.learning.method import prepare
from flora_engine.heads.learning.model import FloraModel, load_model, save_model
from flora_engine.jobs import Event, Job
from flora_engine.models.flora.network import Flora, Scorer, align_loss, flow_loss
from flora_engine.training.precision import uses_bfloat16

sys.path.insert(0, str(Path(__file__).parents[1] / "reference"))
import flora_plain as plain


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Models this small lose more by waiting for threads than they gain."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


SETTINGS = FloraSettings(
    hidden=48,
    velocity_heads=4,
    align_iterations=120,
    total_iterations=240,
    evaluations=4,
    tokens_per_step=3,
    batch_size=32,
    learning_rate=1e-3,
)


UNATTUNED, ATTUNED = {"neighbours": 0, "weight": 0.0}, {"neighbours": 1, "weight": 0.3}


def task(
    given: Problem, choice: Choice = UNATTUNED, settings: FloraSettings = SETTINGS, job: Job | None = None, **more: Any
) -> Fit:
    return Fit(job or Job(), given, choice, settings, **more)


def problem(seed: int = 0, classes: int = 8, samples: int = 12) -> tuple[Problem, np.ndarray, np.ndarray]:
    """Synthetic: class means are a linear function of the class's text. The last two classes have no samples here."""
    random = np.random.default_rng(1)
    core = random.normal(size=(classes, 1, 3))
    states = core @ random.normal(size=(3, 20)) + 0.1 * random.normal(size=(classes, 5, 20))
    means = core[:, 0] @ random.normal(size=(3, 16))
    labels = np.repeat(np.arange(classes), samples)
    data = (means[labels] + 0.3 * random.normal(size=(len(labels), 16))).astype(np.float32)
    train = labels < classes - 2
    return Problem(data[train], labels[train], states.astype(np.float32), seed), data[~train], labels[~train]


def randomised_model() -> Flora:
    torch.manual_seed(0)
    model = Flora(16, 20, 48, 1, 4)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    return model


def test_losses_and_gradients_equal_the_plain_ones() -> None:
    given, _, _ = problem()
    model = randomised_model()
    rows = torch.tensor([0, 1, 13, 40, 41, 70])
    x, labels = torch.from_numpy(given.data)[rows], torch.from_numpy(given.labels)[rows]
    texts = torch.from_numpy(given.states)
    noise = torch.randn(4, 6, 5, 48)
    fast = align_loss(model, x, texts, labels, noise[0], noise[1], 0.1).total
    slow = plain.align_loss(model, x, texts[labels], noise[0], noise[1], 0.1)
    torch.testing.assert_close(fast, slow)
    parameters = [p for name, p in model.named_parameters() if not name.startswith("velocity")]
    for ours, theirs in zip(torch.autograd.grad(fast, parameters), torch.autograd.grad(slow, parameters), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    pair = plain.latents(model, x, texts[labels], noise[0], noise[1])
    partner = plain.latents(model, x.flip(0), texts[labels.flip(0)], noise[2], noise[3])
    time = torch.rand(6)
    ours = flow_loss(model.velocity, pair, partner, time, 0.1, 1e-5).total
    torch.testing.assert_close(ours, plain.flow_loss(model, pair, partner, time, 0.1, 1e-5))


def test_scoring_equals_the_plain_one() -> None:
    given, x, _ = problem()
    model = randomised_model()
    found = FloraModel(model, given.states, 0, 0.0, 0.5, 1e-5).errors(x, np.array([6, 7, 1]))
    texts = torch.from_numpy(given.states[[6, 7, 1]])
    expected = plain.errors(model, torch.from_numpy(x), texts, torch.zeros(1), torch.zeros(1))
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-6)


def test_merging_equal_tokens_is_exact_and_merging_like_ones_is_close() -> None:
    given, x, _ = problem()
    model = randomised_model()
    padded = given.states[:, [0, 1, 2, 2, 2, 2, 3, 2, 4]]
    scored = FloraModel(model, padded, 0, 0.0, 0.5, 1e-5)
    exact = scored.errors(x)
    np.testing.assert_allclose(scored.errors(x, merged=5), exact, rtol=1e-4)
    np.testing.assert_allclose(scored.errors(x, merged=7), exact, rtol=1e-4)
    assert 1e-4 < np.abs(scored.errors(x, merged=2) / exact - 1).max() < 0.3


def test_scoring_with_fewer_digits_is_close() -> None:
    given, x, _ = problem()
    scored = FloraModel(randomised_model(), given.states, 0, 0.0, 0.5, 1e-5)
    exact, rough = scored.errors(x), scored.errors(x, bfloat16=True)
    assert rough.dtype == np.float32
    assert 0 < np.abs(rough / exact - 1).max() < 0.02


def test_half_the_digits_only_where_the_device_multiplies_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "avx512_bf16": False}, raising=False)
    assert not uses_bfloat16("auto", "cpu") and uses_bfloat16("bfloat16", "cpu")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    assert uses_bfloat16("auto", "cpu") and not uses_bfloat16("float32", "cpu")
    monkeypatch.delattr(torch.cpu, "get_capabilities")  # torch before 2.13
    assert not uses_bfloat16("auto", "cpu")


def test_a_token_subset_of_the_first_phase_is_unbiased() -> None:
    """Averaged over all subsets, loss and gradient are those of all tokens."""
    given, _, _ = problem()
    model = randomised_model()
    x, labels = torch.from_numpy(given.data[:6]), torch.from_numpy(given.labels[:6])
    texts, noise = torch.from_numpy(given.states), torch.randn(2, 6, 5, 48)
    weights = [model.text_encoder.mean.weight, model.text_decoder.backbone[0].weight]

    def gradients(tokens: list[int]) -> list[torch.Tensor]:
        loss = align_loss(model, x, texts[:, tokens], labels, noise[0][:, tokens], noise[1][:, tokens], 0.1).total
        return [loss.detach(), *torch.autograd.grad(loss, weights)]

    pairs = [[a, b] for a in range(5) for b in range(a)]
    subsets = [gradients(pair) for pair in pairs]
    for number, expected in enumerate(gradients([0, 1, 2, 3, 4])):
        torch.testing.assert_close(torch.stack([s[number] for s in subsets]).mean(0), expected, rtol=1e-4, atol=1e-6)


def test_partners_are_uniform_over_samples_of_other_classes() -> None:
    given, _, _ = problem()
    uneven = Problem(given.data[:-9], given.labels[:-9], given.states)
    trainer = prepare(SETTINGS, uneven, uneven.states)
    trainer.generator.manual_seed(0)
    row = len(uneven.labels) // 2
    own = trainer.labels[row]
    partners = trainer._partners(torch.full((200_000,), row))
    counts = torch.bincount(partners, minlength=len(uneven.labels)).double()
    others = trainer.labels != own
    assert counts[~others].sum() == 0
    expected = 200_000 / int(others.sum())
    assert (counts[others] - expected).abs().max() < 6 * expected**0.5


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_it_learns_unseen_classes_and_tells_its_losses(precision: Literal["float32", "bfloat16"]) -> None:
    given, x, labels = problem()
    told: list[Event] = []
    model = train_flora(
        task(given, settings=SETTINGS.model_copy(update={"precision": precision}), job=Job(told.append))
    )
    assert all(weight.dtype == torch.float32 for weight in model.network.parameters())
    losses = [event["value"] for event in told if event["kind"] == "metric" and event["name"] == "align_loss"]
    assert losses[-1] < 0.6 * losses[0]
    chosen = model.errors(x, np.array([6, 7])).argmin(axis=1) + 6
    assert np.mean(chosen == labels) > 0.8


@pytest.mark.parametrize("stop_at", [2, 6])
def test_resuming_equals_never_having_stopped(tmp_path: Path, stop_at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in either phase, after `stop_at` of the 4 + 4 stretches."""
    monkeypatch.setattr(flora, "CHECKPOINT_SECONDS", 0.0)
    given, x, _ = problem()
    whole = train_flora(task(given, ATTUNED))
    stretches = 0

    def listener(event: Event) -> None:
        nonlocal stretches
        stretches += event["kind"] == "metric"
        if stretches > stop_at:
            job.stop()

    job = Job(listener)
    path = tmp_path / "half.safetensors"
    with pytest.raises(Cancelled):
        train_flora(task(given, ATTUNED, job=job, checkpoint=path))
    resumed = train_flora(task(given, ATTUNED, checkpoint=path))
    # One step of Adam moves a weight by up to 1e-3 (the learning rate); rounding, over 240 steps, by some 1e-5.
    torch.testing.assert_close(resumed.network.state_dict(), whole.network.state_dict(), rtol=0, atol=2e-4)
    np.testing.assert_allclose(resumed.errors(x), whole.errors(x), rtol=1e-4)
    save_model(tmp_path / "model.safetensors", whole)
    loaded = load_model(tmp_path / "model.safetensors")
    torch.testing.assert_close(loaded.network.state_dict(), whole.network.state_dict(), rtol=0, atol=0)  # copied
    np.testing.assert_allclose(loaded.errors(x), whole.errors(x), rtol=1e-5)  # computed in other memory


def test_stopping_early_gives_the_model_of_that_evaluation() -> None:
    given, x, _ = problem()
    seen: dict[int, np.ndarray] = {}
    train_flora(task(given), lambda n, model: seen.update({n: model.errors(x)}))
    assert sorted(seen) == [1, 2, 3, 4]
    early = train_flora(task(given, evaluations=2))
    np.testing.assert_allclose(early.errors(x), seen[2], rtol=1e-4)  # trained twice: rounding may differ
    for other in (1, 3, 4):
        assert np.abs(seen[other] / seen[2] - 1).max() > 1e-2, "the next evaluation differs by far more than that"


def test_scores_of_streams_are_added_with_their_weights(tmp_path: Path) -> None:
    """Together they decide as each stream trained by itself, its score times its weight."""
    given, x, labels = problem()
    settings = SETTINGS.model_copy(update={"add_streams": (0.6, 0.2)})
    seen: dict[int, np.ndarray] = {}
    model = train_added(task(given, ATTUNED, settings), lambda n, m: seen.update({n: m.errors(x)}))
    assert sorted(seen) == [1, 2, 3, 4]
    np.testing.assert_allclose(seen[4], model.errors(x), rtol=1e-5)
    scores = np.zeros_like(seen[4])
    for stream, weight in enumerate((0.75, 0.25)):
        columns = slice(8 * stream, 8 * stream + 8)
        alone = train_flora(task(replace(given, data=np.ascontiguousarray(given.data[:, columns])), ATTUNED))
        scores += weight * np.log(alone.errors(np.ascontiguousarray(x[:, columns])))
    np.testing.assert_allclose(np.log(model.errors(x)), scores, atol=1e-2)  # trained twice: rounding, amplified
    assert np.mean(model.errors(x, np.array([6, 7])).argmin(axis=1) + 6 == labels) > 0.8
    save_model(tmp_path / "model.safetensors", model)
    np.testing.assert_allclose(load_model(tmp_path / "model.safetensors").errors(x), model.errors(x), rtol=1e-5)
    with pytest.raises(FloraError, match="16 numbers are not 3 streams"):
        train_added(task(given, settings=SETTINGS.model_copy(update={"add_streams": (1.0, 1.0, 1.0)})), lambda *_: None)


@pytest.mark.parametrize("stop_at", [2, 7, 11, 14])
def test_added_streams_resume_in_their_middle(tmp_path: Path, stop_at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped in either phase of either stream; nothing that was seen is seen again, and nothing is left out."""
    monkeypatch.setattr(flora, "CHECKPOINT_SECONDS", 0.0)
    given, x, _ = problem()
    settings = SETTINGS.model_copy(update={"add_streams": (0.6, 0.2)})
    whole: dict[int, np.ndarray] = {}
    train_added(task(given, ATTUNED, settings), lambda n, model: whole.update({n: model.errors(x)}))
    losses: list[Event] = []

    def listener(event: Event) -> None:
        losses.extend([event] if str(event.get("name")).endswith("_loss") else [])
        if len(losses) > stop_at:
            job.stop()

    job, path, seen = Job(listener), tmp_path / "fold.training0.safetensors", dict[int, np.ndarray]()

    def look(n: int, model: FloraModel) -> None:
        assert n not in seen
        seen[n] = model.errors(x)

    with pytest.raises(Cancelled):
        train_added(task(given, ATTUNED, settings, job=job, checkpoint=path), look)
    told: list[Event] = []
    resumed = train_added(task(given, ATTUNED, settings, job=Job(told.append), checkpoint=path), look)
    assert sum(str(event.get("name")).endswith("_loss") for event in told) < 16, "it has begun anew"
    assert sorted(seen) == sorted(whole) == [1, 2, 3, 4]
    for n, errors in whole.items():
        np.testing.assert_allclose(seen[n], errors, rtol=1e-3)
    np.testing.assert_allclose(resumed.errors(x), whole[4], rtol=1e-3)
    again = train_added(task(given, ATTUNED, settings, checkpoint=path), look)  # nothing is left to train
    np.testing.assert_allclose(again.errors(x), whole[4], rtol=1e-3)
    assert all(file.name.startswith("fold.training0.stream") for file in tmp_path.iterdir())


def test_one_class_is_refused() -> None:
    given, _, _ = problem()
    with pytest.raises(FloraError, match="two seen classes"):
        train_flora(task(Problem(given.data[:5], given.labels[:5], given.states)))


def test_sampled_latents_differ_and_repeat_with_the_seed() -> None:
    given, x, _ = problem()
    model = FloraModel(randomised_model(), given.states, 0, 0.0, 0.5, 1e-5)
    draws = [model.errors(x, sampling=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    np.testing.assert_allclose(draws[0], draws[1], rtol=1e-5)
    assert np.abs(draws[0] / draws[2] - 1).max() > 1e-2
    assert Scorer(model.network.velocity)(torch.zeros(2, 5, 48), torch.zeros(3, 48)).shape == (3, 2)
