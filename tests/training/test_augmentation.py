"""Augmentation: what each option may change, and that draws depend on (seed, epoch, recording) alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from flora_engine.skeleton.layouts import KINECT_V2
from flora_engine.training.augmentation import ORDER, augment, crop, mirror, present, rotate
from flora_engine.training.seeding import epoch_order, hold_out, normal, sample_keys, uniform

SAMPLES = torch.tensor([3, 1, 4, 15, 9])


def batch(persons: int = 2) -> torch.Tensor:
    x = torch.randn(5, 3, 12, 25, persons, generator=torch.Generator().manual_seed(0))
    x[1, ..., 1] = 0  # an absent person
    x[2, :, 8:] = 0  # padding
    return x


@pytest.mark.parametrize("name", ORDER)
def test_each_changes_clips_but_nothing_that_is_absent(name: str) -> None:
    x = batch()
    out = augment(x, [name], 0, 0, SAMPLES)
    assert out.shape == x.shape
    assert not torch.equal(out, x)
    assert not out[1, ..., 1].any()
    if name != "crop":  # which moves the padding in time
        assert not out[2, :, 8:].any()


def test_draws_do_not_depend_on_the_batch() -> None:
    x = batch()
    whole = augment(x, ORDER, 7, 2, SAMPLES)
    alone = augment(x[3:4], ORDER, 7, 2, SAMPLES[3:4])
    torch.testing.assert_close(whole[3:4], alone)
    torch.testing.assert_close(whole, augment(x, ORDER[::-1], 7, 2, SAMPLES))
    for seed, epoch in ((7, 3), (8, 2)):
        assert (whole - augment(x, ORDER, seed, epoch, SAMPLES)).abs().max() > 0.1


def test_unknown_names_are_refused() -> None:
    with pytest.raises(KeyError):
        augment(batch(), ["warp"], 0, 0, SAMPLES)


@pytest.mark.parametrize(("up", "axis"), [("y", 1), ("z", 2)])
def test_rotation_keeps_heights_and_bone_lengths(up: str, axis: int) -> None:
    x = batch()
    angles = torch.linspace(-1, 1, 5)
    out = rotate(x, angles, up)
    torch.testing.assert_close(out[:, axis], x[:, axis])
    torch.testing.assert_close(out.norm(dim=1), x.norm(dim=1))
    torch.testing.assert_close(rotate(out, -angles, up), x)
    quarter = rotate(torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1, 1), torch.tensor([math.pi / 2]), up)
    # Right-handed about the vertical: x goes to −z about y, and to y about z.
    expected = [0.0, 0, -1] if up == "y" else [0.0, 1, 0]
    torch.testing.assert_close(quarter.flatten(), torch.tensor(expected))


def test_mirror_swaps_sides_twice_is_nothing_and_spares_the_protected() -> None:
    x = batch()
    everyone = torch.ones(5, dtype=torch.bool)
    out = mirror(x, everyone, KINECT_V2.mirror)
    left, right = KINECT_V2.joints.index("left hand"), KINECT_V2.joints.index("right hand")
    torch.testing.assert_close(out[:, 0, :, left], -x[:, 0, :, right])
    torch.testing.assert_close(out[:, 1:, :, right], x[:, 1:, :, left])
    torch.testing.assert_close(mirror(out, everyone, KINECT_V2.mirror), x)
    never = augment(x, ["mirror"], 0, 0, SAMPLES, may_mirror=~everyone)
    assert torch.equal(never, x)


def test_crop_of_everything_is_nothing_and_of_a_line_stays_on_it() -> None:
    x = batch()
    torch.testing.assert_close(crop(x, torch.zeros(5, 2), 1.0), x)
    line = torch.linspace(1, 2, 12).view(1, 1, 12, 1, 1).expand(5, 3, 12, 25, 2)
    out = crop(line, torch.rand(5, 2), 0.5)[:, 0, :, 0, 0]
    steps = out.diff(dim=1)
    torch.testing.assert_close(steps, steps[:, :1].expand_as(steps), rtol=1e-3, atol=1e-5)
    assert (out >= 1).all()
    assert (out <= 2).all()


def test_crop_does_not_draw_joints_towards_the_origin() -> None:
    x = torch.full((4, 3, 12, 25, 1), 5.0)
    x[:, :, 5:7] = 0
    out = crop(x, torch.rand(4, 2, generator=torch.Generator().manual_seed(1)), 0.6)
    assert set(out.unique().tolist()) == {0.0, 5.0}
    assert present(out).shape == (4, 1, 12, 25, 1)


def test_numbers_are_uniform_normal_and_uncorrelated() -> None:
    keys = sample_keys(0, 0, torch.arange(400))
    u = uniform(keys, 0, 500).numpy()
    assert u.min() >= 0
    assert u.max() < 1
    assert abs(np.histogram(u, 10, (0, 1))[0] / u.size - 0.1).max() < 0.003
    n = normal(keys, 1, 500).numpy()
    assert abs(n.mean()) < 0.01
    assert abs(n.std() - 1) < 0.01
    for a, b in ((u[:-1], u[1:]), (u[:, :-1], u[:, 1:]), (u, uniform(keys, 2, 500).numpy()),
                 (u, uniform(sample_keys(0, 1, torch.arange(400)), 0, 500).numpy())):  # fmt: skip
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.012


def test_orders_and_held_out_shares() -> None:
    assert sorted(epoch_order(0, 1, 9)) == list(range(9))
    assert not np.array_equal(epoch_order(0, 1, 9), epoch_order(0, 2, 9))
    labels = np.repeat(np.arange(4), [1, 2, 10, 30])
    train, held = hold_out(labels, 0.2, 0)
    assert sorted([*train, *held]) == list(range(43))
    assert np.bincount(labels[held], minlength=4).tolist() == [0, 1, 2, 6]
    assert len(hold_out(labels, 0.0, 0)[1]) == 0
