"""Two processes on the CPU give what one process gives with the same global batch.

In float64: a step of so small a network doubles rounding errors many times, so after six steps in float32 two orders
of summation differ in the second digit, and nothing could be told from that.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from test_encoder import SMALL, clips

from flora_engine.config import EncoderSettings
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.training import checkpoint, encoder
from flora_engine.training.encoder import train_encoder
from flora_engine.training.run_folder import RunFolder

SETTINGS = SMALL.model_copy(update={"epochs": 2, "augmentations": ("rotate", "jitter", "mirror"), "batch_size": 10})


def in_float64(folder: Path, settings: EncoderSettings) -> None:
    """Train with float64 weights and clips."""
    take = encoder._Rows.take
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoder._Rows, "take", lambda rows, indices: take(rows, indices).double())
        torch.set_default_dtype(torch.float64)
        try:
            train_encoder(Job(), settings, *clips(), folder)
        finally:
            torch.set_default_dtype(torch.float32)


PROGRAM = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_distributed import *
settings = SETTINGS.model_copy(update=eval(sys.argv[2]))
in_float64(Path(sys.argv[1]), settings)
"""


def launch(folder: Path, changes: dict[str, int], processes: int = 2) -> subprocess.CompletedProcess[str]:
    """The recipe under torchrun."""
    program = folder.parent / "program.py"
    program.write_text(PROGRAM)
    RunFolder.at(folder, {})  # as the command does: one process makes the folder
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            f"--nproc-per-node={processes}",
            str(program),
            str(folder),
            repr(changes),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("accumulate", [1, 2])
def test_two_processes_equal_one(tmp_path: Path, accumulate: int) -> None:
    changes = {"accumulate": accumulate, "held_out": 0.5}
    done = launch(tmp_path / "two", changes)
    assert done.returncode == 0, done.stderr[-2000:]
    in_float64(tmp_path / "one", SETTINGS.model_copy(update=changes))
    one, two = (RunFolder.open(tmp_path / name) for name in ("one", "two"))
    for name in ("joint.last", "joint.best"):
        ours, theirs = checkpoint.load(two.checkpoint(name))["model"], checkpoint.load(one.checkpoint(name))["model"]
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6)
    curves, expected = two.curves(), one.curves()
    assert curves.keys() == expected.keys()
    for name in ("joint/loss", "joint/accuracy", "joint/held_out_loss", "joint/held_out_accuracy"):
        assert [v for _, v in curves[name]] == pytest.approx([v for _, v in expected[name]], rel=1e-6)


def test_a_batch_that_cannot_be_shared_is_named(tmp_path: Path) -> None:
    done = launch(tmp_path / "two", {"batch_size": 9})
    assert done.returncode != 0
    assert FloraError.__name__ in done.stderr
    assert "cannot be shared by 2 processes" in done.stderr
