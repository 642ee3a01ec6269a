"""Two processes on the CPU give what one process gives with the same global batch (in float64: double_precision)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from double_precision import TOLERANCE, in_float64
from patience import PATIENCE
from test_encoder import SMALL, clips

from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.runs import checkpoint
from flora_engine.runs.folder import RunFolder
from flora_engine.training.distributed import world
from flora_engine.training.encoder.trainer import train_encoder

PLAIN = SMALL.model_copy(
    update={"epochs": 2, "augmentations": ("rotate", "jitter", "mirror"), "batch_size": 10, "held_out": 0.5}
)
VARIANTS = {"plain": PLAIN, "accumulated": PLAIN.model_copy(update={"accumulate": 2, "batch_size": 6})}


def in_each_process(folder: Path) -> None:
    """What torchrun runs: every variant, and a batch size that two processes cannot share."""
    with world("cpu") as here:
        assert here.size == 2
        assert here.from_first(str(here.rank)) == "0"
        with in_float64():
            for name, settings in VARIANTS.items():
                train_encoder(Job(), settings, *clips(), folder / name)
        with pytest.raises(FloraError, match="cannot be shared by 2 processes"):
            train_encoder(Job(), PLAIN.model_copy(update={"batch_size": 9}), *clips(), folder / "plain")


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of two processes."""
    folder = tmp_path_factory.mktemp("two")
    for name in VARIANTS:
        RunFolder.at(folder / name, {})  # as the command does: one process makes the folder
    program = folder / "program.py"
    program.write_text(
        f"import sys\nfrom pathlib import Path\nsys.path[:0] = {[str(p) for p in Path(__file__).parents[:2]]!r}\n"
        f"from test_distributed import in_each_process\nin_each_process(Path({str(folder)!r}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(program)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.parametrize("variant", VARIANTS)
def test_two_processes_equal_one(variant: str, together: Path, tmp_path: Path) -> None:
    with in_float64():
        train_encoder(Job(), VARIANTS[variant], *clips(), tmp_path)
    one, two = RunFolder.open(tmp_path), RunFolder.open(together / variant)
    for name in ("joint.last", "joint.best"):
        ours, theirs = checkpoint.load(two.checkpoint(name))["model"], checkpoint.load(one.checkpoint(name))["model"]
        torch.testing.assert_close(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE)
    curves, expected = two.curves(), one.curves()
    assert curves.keys() == expected.keys()
    for name in ("joint/loss", "joint/accuracy", "joint/held_out_loss", "joint/held_out_accuracy"):
        assert [v for _, v in curves[name]] == pytest.approx([v for _, v in expected[name]], rel=TOLERANCE)
