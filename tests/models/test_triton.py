"""The Triton kernels against float64 PyTorch: in Triton's interpreter where there is no GPU, on the GPU where there is.

Without a GPU, run `TRITON_INTERPRET=1 pytest tests/models/test_triton.py` where Triton is installed.
"""

import os

import pytest
import torch
from torch import Tensor

from flora_engine.models.shift_gcn.temporal_shift import temporal_shift

pytest.importorskip("triton", reason="Triton is not installed")
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
if not INTERPRETED and not torch.cuda.is_available():
    pytest.skip("no NVIDIA GPU, and TRITON_INTERPRET is not 1", allow_module_level=True)

from flora_engine.models.shift_gcn.backends import make_runner  # noqa: E402
from flora_engine.models.shift_gcn.backends import triton as kernels  # noqa: E402
from flora_engine.models.shift_gcn.backends.agreement import check_agreement  # noqa: E402
from flora_engine.models.shift_gcn.network import ShiftGCN  # noqa: E402

DEVICE = "cpu" if INTERPRETED else "cuda"
pytestmark = [] if INTERPRETED else [pytest.mark.cuda]
TOLERANCE = {torch.float64: 1e-9, torch.float32: 2e-5, torch.bfloat16: 2e-2}

# ypos: fractions both ways, exactly integer, beyond the clip both ways, and a half.
YPOS = [0.3, -0.7, 1.0, 0.0, -2.0, 40.5, -40.5, 2.5]
SHAPES = [(2, 8, 5, 16), (1, 8, 3, 7), (3, 8, 25, 1), (2, 8, 4, 2), (1, 8, 1, 33)]


def near(found: Tensor, expected: Tensor, dtype: torch.dtype) -> None:
    scale = max(1.0, float(expected.abs().max())) if expected.numel() else 1.0
    torch.testing.assert_close(found.double().cpu(), expected.cpu(), atol=TOLERANCE[dtype] * scale, rtol=0)


def inputs(shape: tuple[int, ...], dtype: torch.dtype, xpos: str) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
    offsets = torch.zeros(8) if xpos == "none" else torch.linspace(-1.7, 1.9, 8)
    return x.to(DEVICE), offsets.to(DEVICE), torch.tensor(YPOS, device=DEVICE)


def reference_shift(x: Tensor, xpos: Tensor, y: Tensor, stride: int) -> Tensor:
    """Float64 PyTorch by gathers on the CPU, differentiable by autograd itself. y has the 0.5 of stride 2 in it."""
    frames = torch.arange(x.shape[3] // stride) * stride
    for axis, positions, offset in ((3, frames, y), (2, torch.arange(x.shape[2]), xpos)):
        below = offset.detach().floor()
        share = (offset - below).view(1, -1, 1, 1)
        parts = []
        for tap in (0, 1):
            index = positions + below.long()[:, None] + tap
            shape = [1, x.shape[1], 1, 1]
            shape[axis] = len(positions)
            size = [*x.shape]
            size[axis] = len(positions)
            inside = ((index >= 0) & (index < x.shape[axis])).view(shape)
            parts.append(x.gather(axis, index.clamp(0, x.shape[axis] - 1).view(shape).expand(size)) * inside)
        x = parts[0] * (1 - share) + parts[1] * share
    return x


def copies(*tensors: Tensor) -> list[Tensor]:
    return [t.detach().double().cpu().clone().requires_grad_() for t in tensors]


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("xpos", ["none", "some"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shift_and_its_gradients(shape: tuple[int, ...], xpos: str, stride: int, dtype: torch.dtype) -> None:
    x, offsets, y = inputs(shape, dtype, xpos)
    offsets, y = offsets.double() if dtype == torch.float64 else offsets, y.to(offsets.dtype)
    if dtype == torch.float64:
        y = y.double()
    xs, os_, ys = (t.clone().requires_grad_() for t in (x, offsets, y))
    out = kernels.shift(xs, os_, ys, stride, "true")
    xr, orr, yr = copies(x, offsets, y)
    expected = reference_shift(xr, orr, yr, stride)
    assert out.dtype == dtype
    near(out, expected.detach(), dtype)
    if not expected.numel():
        return
    grad = torch.randn(expected.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).to(dtype)
    out.backward(grad.to(DEVICE))
    expected.backward(grad.double())
    near(xs.grad, xr.grad, dtype)
    near(ys.grad, yr.grad, dtype)
    near(os_.grad, orr.grad, dtype)


@pytest.mark.parametrize("stride", [1, 2])
def test_same_as_the_module_function(stride: int) -> None:
    """The published gradient too; the PyTorch side runs on the CPU."""
    x, offsets, y = inputs((2, 8, 5, 15), torch.float32, "none")
    xs, ys = x.clone().requires_grad_(), y.clone().requires_grad_()
    out = kernels.shift(xs, offsets, ys + (0.5 if stride == 2 else 0), stride, "normalised")
    xr, yr = (t.detach().cpu().clone().requires_grad_() for t in (x, y))
    expected = temporal_shift(xr, offsets.cpu(), yr, stride, "normalised")
    weight = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
    (out * weight.to(DEVICE)).sum().backward()
    (expected * weight).sum().backward()
    near(out, expected.detach().double(), torch.float32)
    near(xs.grad, xr.grad.double(), torch.float32)
    assert ys.grad.tolist() == yr.grad.tolist()
    assert {round(abs(value), 6) for value in ys.grad.tolist()} == {0.01, 0.0001}


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_affine_and_relu_before_the_shift(dtype: torch.dtype, affine: bool, relu: bool) -> None:
    x, offsets, y = inputs((2, 8, 5, 13), dtype, "none")
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    scale, bias = (
        torch.linspace(-2, 2, 8, dtype=wide, device=DEVICE),
        torch.linspace(1, -1, 8, dtype=wide, device=DEVICE),
    )
    mine = [t.clone().requires_grad_() for t in (x, scale, bias, y.to(wide))]
    out = kernels.shift(
        mine[0], offsets, mine[3], 2, "true", relu=relu, **({"scale": mine[1], "bias": mine[2]} if affine else {})
    )
    theirs = copies(x, scale, bias, y)
    u = theirs[0] * theirs[1].view(-1, 1, 1) + theirs[2].view(-1, 1, 1) if affine else theirs[0]
    expected = reference_shift(u.relu() if relu else u, offsets.double().cpu(), theirs[3], 2)
    near(out, expected.detach(), dtype)
    grad = torch.randn(expected.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).to(dtype)
    out.backward(grad.to(DEVICE))
    expected.backward(grad.double())
    for found, right in zip(
        mine if affine else (mine[0], mine[3]), theirs if affine else (theirs[0], theirs[3]), strict=True
    ):
        near(found.grad, right.grad, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("shape", SHAPES[:3], ids=str)
def test_batch_norm_before_the_shift(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x, offsets, y = inputs(shape, dtype, "none")
    x = x * 2 + 0.5
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    weight, bias = (
        torch.linspace(0.5, 2, 8, dtype=wide, device=DEVICE),
        torch.linspace(1, -1, 8, dtype=wide, device=DEVICE),
    )
    mine = [t.clone().requires_grad_() for t in (x, weight, bias, y.to(wide))]
    out, mean, variance = kernels.norm_shift(mine[0], mine[1], mine[2], offsets, mine[3], 1e-5, "true")
    theirs = copies(x, weight, bias, y)
    u = torch.nn.functional.batch_norm(theirs[0], None, None, theirs[1], theirs[2], training=True, eps=1e-5)
    expected = reference_shift(u, offsets.double().cpu(), theirs[3], 1)
    near(out, expected.detach(), dtype)
    near(mean, theirs[0].detach().mean((0, 2, 3)), dtype)
    near(variance, theirs[0].detach().var((0, 2, 3), correction=0), dtype)
    grad = torch.randn(expected.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).to(dtype)
    out.backward(grad.to(DEVICE))
    expected.backward(grad.double())
    for found, right in zip(mine, theirs, strict=True):
        near(found.grad, right.grad, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("shape", [(2, 8, 5, 16), (3, 3, 25, 1), (1, 40, 7, 9)], ids=str)
def test_joint_shift_with_mask(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype).to(DEVICE)
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    mask = torch.randn(shape[1:3], generator=generator, dtype=wide).to(DEVICE)
    mine = [t.clone().requires_grad_() for t in (x, mask)]
    out = kernels.mask_shift(*mine)
    theirs = copies(x, mask)
    rolled = torch.stack([theirs[0][:, c].roll(-c, 1) for c in range(shape[1])], 1)
    expected = rolled * theirs[1][..., None]
    near(out, expected.detach(), dtype)
    grad = torch.randn(shape, dtype=torch.float64, generator=generator).to(dtype)
    out.backward(grad.to(DEVICE))
    expected.backward(grad.double())
    near(mine[0].grad, theirs[0].grad, dtype)
    near(mine[1].grad, theirs[1].grad, dtype)


@pytest.mark.parametrize("training", [True, False])
def test_the_network_with_kernels_equals_float64(training: bool) -> None:
    torch.manual_seed(0)
    width, joints, frames = (8, 3, 9) if INTERPRETED else (16, 25, 17)
    model, exact = (ShiftGCN(5, joints, base_channels=width).train(training) for _ in range(2))
    exact.load_state_dict(model.state_dict())
    x, label = torch.randn(4, 3, frames, joints, 2), torch.tensor([0, 4, 2, 1])
    model, exact = model.to(DEVICE), exact.double()
    with torch.backends.cudnn.flags(allow_tf32=False):
        runner = make_runner("triton", model)
        assert runner.known == [True] * 10
        assert check_agreement(runner) < 1e-3
        logits = runner(x.to(DEVICE))
        torch.nn.functional.cross_entropy(logits, label.to(DEVICE)).backward()
    expected = exact(x.double())
    torch.nn.functional.cross_entropy(expected, label).backward()
    torch.testing.assert_close(logits.detach().double().cpu(), expected.detach(), atol=1e-4, rtol=1e-4)
    right = dict(exact.named_parameters())
    for name, parameter in model.named_parameters():
        if not name.endswith(("ypos", "conv.bias", "spatial.bias")):  # signs near 0; biases before a norm are 0
            scale = float(right[name].grad.abs().max()) + 1e-6
            worst = float((parameter.grad.cpu().double() - right[name].grad).abs().max())
            assert worst < 5e-3 * scale, (name, worst, scale)
    for name, value in exact.named_buffers():
        torch.testing.assert_close(model.get_buffer(name).double().cpu(), value.double(), atol=1e-4, rtol=1e-4)
