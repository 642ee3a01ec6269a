"""Resuming after a stop or a crash equals never having stopped.

Compared in float64 at 1e-6 (see double_precision). What a resume could lose (momentum, the position, the order of an
epoch, the draws of augmentation and dropout) changes weights by more than 1e-3.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from double_precision import TOLERANCE, assert_close, in_float64
from test_encoder import SMALL, clips

from flora_engine.config import EncoderSettings
from flora_engine.errors import Cancelled, FloraError
from flora_engine.jobs import Event, Job
from flora_engine.runs import checkpoint
from flora_engine.runs.folder import RunFolder
from flora_engine.training.encoder.trainer import train_encoder

SETTINGS = SMALL.model_copy(
    update={"dropout": 0.2, "augmentations": ("rotate", "jitter", "crop"), "streams": ("joint", "bone")}
)


@pytest.fixture(scope="module", autouse=True)
def float64() -> Iterator[None]:
    """And in one thread, which is quicker for models this small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with in_float64():
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def uninterrupted(float64: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Path]:
    folder = tmp_path_factory.mktemp("whole")
    result = train_encoder(Job(), SETTINGS, *clips(), folder)
    weights = checkpoint.load(RunFolder.open(folder).checkpoint("joint.last"))["model"].values()
    assert {value.dtype for value in weights if value.is_floating_point()} == {torch.float64}
    return result, folder


CLOCKS = ("seconds_left", "samples_per_second")  # of the machine, not of the training


def equal(folder: Path, result: dict[str, Any], whole: tuple[dict[str, Any], Path]) -> None:
    assert_close(result, whole[0])
    for name in ("joint.best", "joint.last", "bone.last"):
        ours, theirs = (checkpoint.load(RunFolder.open(path).checkpoint(name)) for path in (folder, whole[1]))
        torch.testing.assert_close(ours["model"], theirs["model"], rtol=TOLERANCE, atol=TOLERANCE)
    curves, expected = RunFolder.open(folder).curves(), RunFolder.open(whole[1]).curves()
    for name in expected:
        if not name.endswith(CLOCKS):
            assert_close(curves[name], expected[name])


def stopped_at_check(number: int, settings: EncoderSettings, folder: Path) -> None:
    """Train, and ask to stop at the `number`-th check: at a step's end, inside a step, or inside an evaluation."""

    class Stopping(Job):
        checks = 0

        def check(self) -> None:
            self.checks += 1
            if self.checks == number:
                self.stop()
            super().check()

    with pytest.raises(Cancelled):
        train_encoder(Stopping(), settings, *clips(), folder)


@pytest.mark.parametrize("number", [3, 60, 300])
def test_a_stop_anywhere_costs_nothing(number: int, tmp_path: Path, uninterrupted: tuple[dict[str, Any], Path]) -> None:
    stopped_at_check(number, SETTINGS, tmp_path)
    equal(tmp_path, train_encoder(Job(), SETTINGS, *clips(), tmp_path), uninterrupted)


def test_a_crash_goes_on_from_the_last_checkpoint(tmp_path: Path, uninterrupted: tuple[dict[str, Any], Path]) -> None:
    """Dies without a chance to save; save_seconds=0 wrote the state after each step."""
    epochs = 0

    def die(event: Event) -> None:
        nonlocal epochs
        epochs += event.get("name") == "joint/loss"
        if epochs == 2:
            raise MemoryError

    with pytest.raises(MemoryError):
        train_encoder(Job(die), SETTINGS, *clips(), tmp_path, save_seconds=0)
    assert RunFolder.open(tmp_path).checkpoint("joint.last").is_file()
    equal(tmp_path, train_encoder(Job(), SETTINGS, *clips(), tmp_path), uninterrupted)


def test_a_killed_process_leaves_a_usable_checkpoint(
    tmp_path: Path, uninterrupted: tuple[dict[str, Any], Path]
) -> None:
    program = (
        f"import sys; sys.path[:0] = {[str(folder) for folder in Path(__file__).parents[:2]]!r}\n"
        "from pathlib import Path; from test_resume import *\n"
        "torch.set_num_threads(1)\n"
        "def tell(event):\n    print(event['kind'], flush=True)\n"
        "with in_float64():\n"
        "    train_encoder(Job(tell), SETTINGS, *clips(), Path(sys.argv[1]), save_seconds=0)"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("metric"):
            break
    process.kill()
    process.wait()
    process.stdout.close()
    equal(tmp_path, train_encoder(Job(), SETTINGS, *clips(), tmp_path), uninterrupted)


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    result = train_encoder(Job(), SMALL, *clips(), tmp_path)
    events: list[Event] = []
    assert train_encoder(Job(events.append), SMALL, *clips(), tmp_path) == result
    assert {event["kind"] for event in events} == {"part"}  # what a page of the run shows; nothing is trained


def test_another_experiment_is_refused(tmp_path: Path) -> None:
    stopped_at_check(60, SMALL, tmp_path)
    with pytest.raises(FloraError, match="settings: learning_rate, seed"):
        train_encoder(Job(), SMALL.model_copy(update={"seed": 1, "learning_rate": 0.5}), *clips(), tmp_path)
    with pytest.raises(FloraError, match="settings: backend"):
        train_encoder(Job(), SMALL.model_copy(update={"backend": "torch"}), *clips(), tmp_path)
    with pytest.raises(FloraError, match="other training clips"):
        train_encoder(Job(), SMALL, *clips(44), tmp_path)


def test_a_checkpoint_from_before_a_setting_existed_can_be_resumed(tmp_path: Path) -> None:
    """What it lacks had the default; another value than that is another experiment."""
    stopped_at_check(60, SMALL, tmp_path)
    path = RunFolder.open(tmp_path).checkpoint("joint.last")
    state = checkpoint.load(path)
    del state["about"]["settings"]["backend"]
    checkpoint.save(path, state)
    with pytest.raises(FloraError, match="settings: backend"):
        train_encoder(Job(), SMALL.model_copy(update={"backend": "torch"}), *clips(), tmp_path)
    assert train_encoder(Job(), SMALL, *clips(), tmp_path)["streams"]["joint"]["epoch"] >= 0
    state["about"]["settings"]["forgotten"] = 1  # a setting that this version does not know
    checkpoint.save(path, state)
    with pytest.raises(FloraError, match="settings: forgotten"):
        train_encoder(Job(), SMALL, *clips(), tmp_path)
