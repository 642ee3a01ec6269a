"""Training of the encoder on small made-up clips."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from double_precision import TOLERANCE, in_float64

from flora_engine.config import EncoderSettings
from flora_engine.errors import Cancelled, FloraError
from flora_engine.jobs import Event, Job
from flora_engine.models.shift_gcn.backends import cpu
from flora_engine.models.shift_gcn.network import SpatialShift
from flora_engine.runs.checkpoint import load
from flora_engine.runs.folder import RunFolder
from flora_engine.training.encoder.schedule import learning_rate
from flora_engine.training.encoder.state import load_encoder
from flora_engine.training.encoder.trainer import train_encoder
from flora_engine.training.seeding import epoch_order, step_seed

# In float32 on every processor: bfloat16, which some choose by themselves, is compared nowhere here.
SMALL = EncoderSettings(base_channels=8, epochs=3, batch_size=8, learning_rate=0.02, held_out=0.2, precision="float32")


def clips(count: int = 40, classes: int = 4, frames: int = 8, persons: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Each class swings another joint; noise over all."""
    random = np.random.default_rng(0)
    labels = np.arange(count) % classes
    x = random.normal(0, 0.05, (count, 3, frames, 25, persons)).astype(np.float32)
    for i, label in enumerate(labels):
        x[i, label % 3, :, 3 * label : 3 * label + 3] += np.sin(np.linspace(0, 3, frames))[:, None, None]
    return x, labels.astype(np.int64)


def test_it_learns_and_keeps_best_and_last(tmp_path: Path) -> None:
    events: list[Event] = []
    settings = SMALL.model_copy(update={"epochs": 12})
    result = train_encoder(Job(events.append), settings, *clips(), tmp_path / "run", class_ids=[2, 5, 7, 9])
    joint = result["streams"]["joint"]
    assert joint["accuracy"] >= 0.75
    assert joint["history"][-1]["loss"] < 0.6 * joint["history"][0]["loss"]
    model, about = load_encoder(tmp_path / "run" / joint["checkpoint"])
    assert about["class_ids"] == [2, 5, 7, 9]
    assert about["epoch"] == joint["epoch"]
    assert not model.training
    run = RunFolder.open(tmp_path / "run")
    assert run.checkpoint("joint.last").is_file()
    curve = run.curves()["joint/loss"]
    assert [value for _, value in curve] == [epoch["loss"] for epoch in joint["history"]]
    assert {e["kind"] for e in events} == {"metric", "progress", "log", "part"}
    told = next(e["text"] for e in run.events() if e["kind"] == "log")
    assert told.startswith("joint: back end cpu_kernels for 10 of 10 blocks; within ")
    assert told in (tmp_path / "run" / "log.txt").read_text(encoding="utf-8")


def test_best_is_the_epoch_with_the_highest_held_out_accuracy(tmp_path: Path) -> None:
    joint = train_encoder(Job(), SMALL, *clips(), tmp_path)["streams"]["joint"]
    best = max(
        range(3), key=lambda i: (joint["history"][i]["held_out_accuracy"], -joint["history"][i]["held_out_loss"])
    )
    assert joint["epoch"] == best


def test_validation_arrays_choose_instead_of_held_out_clips(tmp_path: Path) -> None:
    """All clips are trained on, and the accuracy of each epoch is that of the 3 other clips: thirds, not eighths."""
    x, y = clips(43)
    events: list[Event] = []
    result = train_encoder(Job(events.append), SMALL, x[:40], y[:40], tmp_path, validation=(x[40:], y[40:]))
    joint = result["streams"]["joint"]
    assert [e["total"] for e in events if e["kind"] == "progress"][-1] == SMALL.epochs * 40 // SMALL.batch_size
    right = [3 * epoch["held_out_accuracy"] for epoch in joint["history"]]
    assert right == pytest.approx([round(value) for value in right])
    model, _ = load_encoder(tmp_path / joint["checkpoint"])
    with torch.no_grad():
        losses = torch.nn.functional.cross_entropy(model(torch.from_numpy(x[40:])), torch.from_numpy(y[40:]))
    assert float(losses) == pytest.approx(joint["history"][joint["epoch"]]["held_out_loss"], rel=1e-3)


def test_without_held_out_clips_the_last_epoch_is_kept(tmp_path: Path) -> None:
    joint = train_encoder(Job(), SMALL.model_copy(update={"held_out": 0.0}), *clips(), tmp_path)["streams"]["joint"]
    assert joint["epoch"] == SMALL.epochs - 1
    assert joint["accuracy"] is None


def test_accumulated_parts_step_like_their_sum(tmp_path: Path) -> None:
    """Each batch of 8 is the same 4 clips twice, so that batch normalisation sees the same in both halves: two batches
    of 4 must move the weights as the batch of 8 does. The running variances alone count clips, and are left out.
    """
    x, y = clips(16)
    order = epoch_order(SMALL.seed, 0, 16)
    for second in (4, 12):
        for one, other in zip(order[second - 4 : second], order[second : second + 4], strict=True):
            x[other], y[other] = x[one], y[one]
    weights, steps = [], []
    for batch_size, accumulate in ((8, 1), (4, 2), (4, 1)):
        changes = {"batch_size": batch_size, "accumulate": accumulate, "held_out": 0.0, "epochs": 1}
        events: list[Event] = []
        folder = tmp_path / f"{batch_size} {accumulate}"
        with in_float64():
            train_encoder(Job(events.append), SMALL.model_copy(update=changes), x, y, folder)
        steps.append([e["total"] for e in events if e["kind"] == "progress"][-1])
        state = load(folder / "checkpoints" / "joint.last.safetensors")["model"]
        weights.append({name: value for name, value in state.items() if "running" not in name and "num" not in name})
    assert steps == [2, 2, 4]
    torch.testing.assert_close(weights[1], weights[0], rtol=TOLERANCE, atol=TOLERANCE)
    assert max(float((weights[2][name] - value).abs().max()) for name, value in weights[0].items()) > 1e-3


@pytest.mark.parametrize(
    ("schedule", "warmup", "expected"),
    [
        ("steps", 0, [1.0, 1.0, 0.1, 0.1, 0.01, 0.01]),
        ("steps", 1, [0.5, 1.0, 0.1, 0.1, 0.01, 0.01]),
        ("cosine", 0, [0.5 * (1 + np.cos(np.pi * i / 6)) for i in range(6)]),
    ],
)
def test_schedules(schedule: str, warmup: int, expected: list[float]) -> None:
    settings = EncoderSettings(epochs=6, learning_rate=1.0, milestones=(2, 4), schedule=schedule, warmup_epochs=warmup)  # type: ignore[arg-type]
    np.testing.assert_allclose([learning_rate(settings, i) for i in range(6)], expected)


def test_a_stop_is_heard_many_times_inside_one_step(tmp_path: Path) -> None:
    """A step of a large batch takes many seconds on a CPU, a stop one at most: each block asks, there and back."""

    class Stopping(Job):
        checks = 0

        def check(self) -> None:
            self.checks += 1
            if self.checks == 15:
                self.stop()
            super().check()

    x, y = clips(32, frames=16, persons=2)
    job = Stopping()
    with pytest.raises(Cancelled):
        train_encoder(job, SMALL.model_copy(update={"batch_size": 32, "held_out": 0.0}), x, y, tmp_path)
    assert job.checks == 15
    assert load(tmp_path / "checkpoints" / "joint.last.safetensors")["position"]["step"] == 0
    assert (tmp_path / "checkpoints" / "joint.last.safetensors").is_file()


def test_unusable_data_is_one_clear_error(tmp_path: Path) -> None:
    x, y = clips()
    with pytest.raises(FloraError, match="without a gap"):
        train_encoder(Job(), SMALL, x, y + 1, tmp_path)
    with pytest.raises(FloraError, match="float32"):
        train_encoder(Job(), SMALL, x.astype(np.float64), y, tmp_path)


def test_a_clip_that_is_not_numbers_is_named(tmp_path: Path) -> None:
    joints, labels = clips()
    joints[7, 0, 3, 5, 0] = np.nan
    with pytest.raises(FloraError, match="clip 7 holds values that are not numbers"):
        train_encoder(Job(), EncoderSettings(epochs=1, base_channels=8), joints, labels, tmp_path / "run")


def test_a_diverging_loss_is_named(tmp_path: Path) -> None:
    with pytest.raises(FloraError, match="no longer a number"):
        train_encoder(Job(), SMALL.model_copy(update={"learning_rate": 1e30}), *clips(), tmp_path)


def weights(folder: Path, settings: EncoderSettings) -> dict[str, torch.Tensor]:
    train_encoder(Job(), settings, *clips(), folder)
    return dict(load(folder / "checkpoints" / "joint.last.safetensors")["model"])


@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_an_edit_of_the_network_changes_training(backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SMALL.model_copy(update={"epochs": 1, "backend": backend})
    before = weights(tmp_path / "before", settings)

    def zeros(layer: SpatialShift, x: torch.Tensor) -> torch.Tensor:
        return x.new_zeros(x.shape[0], layer.weight.shape[1], *x.shape[2:])

    monkeypatch.setattr(SpatialShift, "forward", zeros)
    after = weights(tmp_path / "after", settings)
    assert not torch.allclose(before["classifier.weight"], after["classifier.weight"], atol=1e-3)
    # Nothing reaches the first layer any more, so only its decay moves it.
    mask = after["blocks.0.spatial.mask"]
    assert torch.equal(mask, torch.zeros_like(mask))
    assert not torch.equal(before["blocks.0.spatial.mask"], mask)
    if backend == "auto":
        told = RunFolder.open(tmp_path / "after").events()[0]["text"]
        assert told.startswith("joint: back end cpu_kernels for 0 of 10 blocks, torch for the others")


def test_back_ends_train_alike(tmp_path: Path) -> None:
    """After one step; later ones double the rounding of so small a network many times."""
    found = {}
    for backend in ("torch", "cpu_kernels"):
        settings = SMALL.model_copy(update={"epochs": 1, "batch_size": 40, "held_out": 0.0, "backend": backend})
        found[backend] = weights(tmp_path / backend, settings)
    for name, value in found["torch"].items():
        if not name.endswith("ypos"):  # steps by a sign, which flips near 0
            torch.testing.assert_close(found["cpu_kernels"][name], value, atol=1e-3, rtol=1e-3, msg=name)


def test_a_back_end_that_differs_from_the_network_does_not_train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mix = cpu._mix
    monkeypatch.setattr(cpu, "_mix", lambda weight, x: mix(weight, x) + 0.1)
    with pytest.raises(FloraError, match=r"cpu_kernels does not compute blocks.0 as"):
        train_encoder(Job(), SMALL, *clips(), tmp_path / "auto")
    train_encoder(Job(), SMALL.model_copy(update={"backend": "torch", "epochs": 1}), *clips(), tmp_path / "torch")


def test_draws_of_a_step_have_seeds_of_their_own() -> None:
    seeds = {step_seed(*key) for key in itertools.product(range(3), repeat=4)}
    assert len(seeds) == 81
    assert all(0 <= seed < 2**32 for seed in seeds)
