"""The temporal shift against the sum it is defined by, one element at a time."""

import math

import pytest
import torch
from torch import Tensor

from flora_engine.models.shift_gcn.temporal_shift import temporal_shift


def by_definition(x: Tensor, xpos: Tensor, ypos: Tensor, stride: int) -> Tensor:
    bodies, channels, joints, frames = x.shape
    out = torch.zeros(bodies, channels, joints, frames // stride, dtype=x.dtype)
    for c in range(channels):
        y = float(ypos[c]) + (0.5 if stride == 2 else 0)
        for v in range(joints):
            for t in range(frames // stride):
                for i, wy in ((0, 1 - (y - math.floor(y))), (1, y - math.floor(y))):
                    for j, wx in ((0, 1 - (xpos[c] - xpos[c].floor())), (1, xpos[c] - xpos[c].floor())):
                        at_t, at_v = t * stride + math.floor(y) + i, v + int(xpos[c].floor()) + j
                        if 0 <= at_t < frames and 0 <= at_v < joints:
                            out[:, c, v, t] += wy * wx * x[:, c, at_v, at_t]
    return out


EDGES = {
    "plain": [0.3, -0.7, 1.4, -2.6],
    "exactly integer": [0.0, 1.0, -1.0, 2.0],
    "beyond the clip": [30.5, -30.5, 6.2, -7.9],
    "half frames": [0.5, -0.5, 1.5, -1.5],
}


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("frames", [1, 2, 7, 8])
@pytest.mark.parametrize("ypos", EDGES.values(), ids=EDGES.keys())
def test_forward_is_the_defining_sum(ypos: list[float], frames: int, stride: int) -> None:
    x = torch.randn(2, 4, 5, frames, dtype=torch.float64)
    y = torch.tensor(ypos, dtype=torch.float64)
    for xpos in (torch.zeros(4, dtype=torch.float64), torch.tensor([0.4, -1.3, 2.0, -0.2], dtype=torch.float64)):
        out = temporal_shift(x, xpos, y, stride)
        assert out.shape == (2, 4, 5, frames // stride)
        torch.testing.assert_close(out, by_definition(x, xpos, y, stride))


def test_published_spatial_offsets_change_nothing_that_float32_sees() -> None:
    x = torch.randn(2, 6, 5, 9)
    y = torch.linspace(-2, 2, 6) + 0.1
    tiny = torch.linspace(-1e-8, 1e-8, 6)
    expected = by_definition(x.double(), tiny.double(), y.double(), 1)
    torch.testing.assert_close(temporal_shift(x, tiny, y).double(), expected, atol=1e-6, rtol=1e-6)


def test_spatial_offsets_just_above_the_limit_count() -> None:
    x = torch.ones(1, 2, 4, 3, dtype=torch.float64)
    xpos = torch.tensor([0.9e-6, 2e-6], dtype=torch.float64)
    out = temporal_shift(x, xpos, torch.zeros(2, dtype=torch.float64))
    assert float(out[0, 1, -1, 0]) == pytest.approx(1 - 2e-6, abs=1e-12)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("frames", [1, 6, 7])
def test_true_gradient(frames: int, stride: int) -> None:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(2, 4, 3, frames, dtype=torch.float64, generator=generator).requires_grad_()
    xpos = torch.tensor([0.3, -0.6, 1.2, -1.7], dtype=torch.float64, requires_grad=True)
    ypos = torch.tensor([0.2, -0.9, 2.3, -3.3], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *a: temporal_shift(*a, stride=stride, gradient="true"), (x, xpos, ypos))


@pytest.mark.parametrize("stride", [1, 2])
def test_true_gradient_without_spatial_offsets(stride: int) -> None:
    x = torch.randn(2, 3, 4, 9, dtype=torch.float64, requires_grad=True)
    xpos = torch.zeros(3, dtype=torch.float64)
    ypos = torch.tensor([0.25, -2.6, 40.3], dtype=torch.float64, requires_grad=True)
    shift = lambda x, y: temporal_shift(x, xpos, y, stride, "true")  # noqa: E731
    assert torch.autograd.gradcheck(shift, (x, ypos))


def test_normalised_gradient_keeps_only_the_sign() -> None:
    x = torch.randn(3, 4, 5, 8, dtype=torch.float64, requires_grad=True)
    offsets = [torch.tensor(v, dtype=torch.float64) for v in ([0.3, 0, -0.1, 0], [0.4, -1.2, 2.5, 50.0])]
    weight = torch.randn(3, 4, 5, 8, dtype=torch.float64)
    results = {}
    for gradient in ("true", "normalised"):
        xpos, ypos = (o.clone().requires_grad_() for o in offsets)
        (temporal_shift(x, xpos, ypos, 1, gradient) * weight).sum().backward()
        results[gradient] = (x.grad.clone(), xpos.grad, ypos.grad)
        x.grad = None
    true, normalised = results["true"], results["normalised"]
    torch.testing.assert_close(normalised[0], true[0])
    assert normalised[1].tolist() == [0, 0, 0, 0]
    assert true[2][3] == 0  # the last channel reads nothing but zeros
    assert normalised[2].tolist() == [*(0.01 * true[2][:3].sign()).tolist(), 0.0001]


def test_wrong_shapes_are_refused() -> None:
    x, offsets = torch.zeros(1, 3, 4, 5), torch.zeros(3)
    with pytest.raises(ValueError, match="expected"):
        temporal_shift(x, offsets, torch.zeros(4))
    with pytest.raises(ValueError, match="stride"):
        temporal_shift(x, offsets, offsets, 3)
