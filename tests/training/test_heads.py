"""What the small heads share and draw."""

from __future__ import annotations

import numpy as np
import torch

from flora_engine.training.heads import smie
from flora_engine.training.heads.optimise import EVALUATIONS, bounds_of


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
