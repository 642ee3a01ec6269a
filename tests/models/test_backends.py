"""Back ends compute what PyTorch computes, leave to it what they do not know, and say so if they differ."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pytest
import torch
from test_shift_gcn import pair
from torch import Tensor, nn

from flora_engine.errors import FloraError
from flora_engine.models.shift_gcn import network
from flora_engine.models.shift_gcn.backends import BackendName, choose_backend, make_runner
from flora_engine.models.shift_gcn.backends.agreement import check_agreement
from flora_engine.models.shift_gcn.backends.cpu import CpuKernels
from flora_engine.models.shift_gcn.network import Pointwise, ShiftGCN, SpatialShift
from flora_engine.models.shift_gcn.unchanged import changed_layers


def model(joints: int = 5, persons: int = 2) -> ShiftGCN:
    return pair(joints, persons)[0]


def clips(joints: int = 5, persons: int = 2, frames: int = 9, dtype: torch.dtype = torch.float32) -> Tensor:
    x = torch.randn(4, 3, frames, joints, persons, generator=torch.Generator().manual_seed(0), dtype=dtype)
    x[1, ..., -1] = 0  # an absent person
    return x


# Which back end


@pytest.mark.parametrize(
    ("name", "device", "expected"),
    [("auto", "cpu", "cpu_kernels"), ("torch", "cpu", "torch"), ("torch", "cuda", "torch")],
)
def test_which_one_a_name_means(name: BackendName, device: str, expected: str) -> None:
    assert choose_backend(name, device) == expected


def test_several_processes_and_compiled_code_need_torch() -> None:
    assert choose_backend("auto", "cpu", processes=2) == "torch"
    assert choose_backend("auto", "cuda", processes=2) == "torch"
    assert choose_backend("auto", "cpu", compiled=True) == "torch"


def test_a_back_end_that_cannot_run_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    with pytest.raises(FloraError, match="runs on a CPU, not on cuda"):
        choose_backend("cpu_kernels", "cuda")
    with pytest.raises(FloraError, match="back end triton"):
        choose_backend("triton", "cpu")


def test_each_name_has_a_runner() -> None:
    for name in get_args(BackendName):
        if name not in ("auto", "triton"):  # Triton is not installed everywhere: see test_triton.py
            assert make_runner(name, model()).name == name


# The same numbers


@pytest.mark.parametrize(("joints", "persons"), [(25, 2), (5, 1), (33, 3)])
def test_agreement_on_other_bodies(joints: int, persons: int) -> None:
    runner = make_runner("cpu_kernels", model(joints, persons))
    assert runner.known == [True] * 10
    assert check_agreement(runner) < 1e-3


def test_offsets_far_beyond_the_clip_and_exactly_integer() -> None:
    one = model()
    with torch.no_grad():
        for block in one.each_block():
            for offsets in (block.temporal.shift_in, block.temporal.shift_out):
                offsets.ypos[:6] = torch.tensor([1000.5, -1000.5, 0.0, 3.0, -3.0, 9.5])
    assert check_agreement(make_runner("cpu_kernels", one)) < 1e-3


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("frames", "joints", "persons"), [(16, 25, 2), (11, 9, 1), (4, 5, 2), (13, 33, 3)])
def test_cpu_kernels_equal_the_layers(frames: int, joints: int, persons: int, training: bool) -> None:
    """Float64 from clips to logits, and with the published gradient."""
    one, other = (model(joints, persons).double().train(training) for _ in range(2))
    x, label = clips(joints, persons, frames, torch.float64), torch.tensor([0, 1, 5, 2])
    runner = make_runner("cpu_kernels", one)
    with torch.set_grad_enabled(training):
        found, expected = runner(x), other(x)
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=1e-9)
    if training:
        for logits in (found, expected):
            nn.functional.cross_entropy(logits, label).backward()
        right = dict(other.named_parameters())
        for name, parameter in one.named_parameters():
            torch.testing.assert_close(parameter.grad, right[name].grad, atol=1e-8, rtol=1e-6, msg=name)
    for name, value in other.named_buffers():
        torch.testing.assert_close(one.get_buffer(name), value, msg=name)


def test_the_kernels_are_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the tests above would compare PyTorch with itself."""
    one = model().eval()
    runner = make_runner("cpu_kernels", one)
    seen: list[int] = []
    runner.watch = lambda output: seen.append(len(output))
    with torch.no_grad():
        runner(clips())
    assert len(seen) == 10
    runner(clips())  # with gradients in evaluation: PyTorch
    assert len(seen) == 10
    one.train()
    runner(clips())
    assert len(seen) == 20


def test_what_the_kernels_cannot_do_now_is_left_to_torch() -> None:
    one = model()
    runner = make_runner("cpu_kernels", one)
    block, x = one.each_block()[2], torch.randn(2, 8, 5, 9)
    assert runner.takes(block, x)
    assert not runner.takes(block, x.half())
    assert not runner.takes(block, x.double())
    block.spatial.bn.eval()  # a frozen norm among training ones
    assert not runner.takes(block, x)
    block.spatial.bn.train()
    block.temporal.gradient = "true"  # the joint offsets would learn
    assert not runner.takes(block, x)
    block.temporal.gradient = "normalised"
    with torch.no_grad():
        block.temporal.shift_in.xpos[1] = 0.5
    assert not runner.takes(block, x)
    expected = one(clips())
    torch.testing.assert_close(runner(clips()), expected, atol=1e-4, rtol=1e-4)


# An edit of the network counts


class Clamped(SpatialShift):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).clamp(max=0.3)


def zeros(layer: SpatialShift, x: Tensor) -> Tensor:
    return x.new_zeros(x.shape[0], layer.weight.shape[1], *x.shape[2:])


def subclassed(one: ShiftGCN, patch: pytest.MonkeyPatch) -> None:
    layer = one.each_block()[3].spatial
    layer.__class__ = Clamped


def patched_class(one: ShiftGCN, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SpatialShift, "forward", zeros)


def patched_instance(one: ShiftGCN, patch: pytest.MonkeyPatch) -> None:
    layer = one.each_block()[3].temporal
    plain = layer.forward
    layer.forward = lambda x: plain(x) * 2  # type: ignore[method-assign]


def hooked(one: ShiftGCN, patch: pytest.MonkeyPatch) -> None:
    one.each_block()[3].spatial.bn.register_forward_hook(lambda _module, _inputs, output: output * 2)


def wider_convolution(one: ShiftGCN, patch: pytest.MonkeyPatch) -> None:
    temporal = one.each_block()[3].temporal
    torch.manual_seed(0)
    temporal.conv = nn.Conv2d(8, 8, (1, 3), padding=(0, 1))


def other_rows(one: ShiftGCN, patch: pytest.MonkeyPatch) -> None:
    layer = one.each_block()[3].spatial
    layer.rows_in = layer.rows_in.roll(1)


def other_norm(one: ShiftGCN, patch: pytest.MonkeyPatch) -> None:
    one.each_block()[3].temporal.bn_out = nn.InstanceNorm2d(8, affine=True, track_running_stats=True)  # type: ignore[assignment]


def patched_function(one: ShiftGCN, patch: pytest.MonkeyPatch) -> None:
    def sampled(x: Tensor, _xpos: Tensor, _ypos: Tensor, stride: int, _gradient: str) -> Tensor:
        return x[..., : x.shape[3] // stride * stride : stride]

    patch.setattr(network, "temporal_shift", sampled)


def patched_model(one: ShiftGCN, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ShiftGCN, "pooled", lambda _self, x: x.amax((2, 3)).view(-1, 2, x.shape[1]).mean(1))


def side_replaced(one: ShiftGCN, patch: pytest.MonkeyPatch) -> None:
    class Doubled(Pointwise):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * 2

    residual = one.each_block()[4].residual
    assert residual is not None
    residual.__class__ = Doubled


EDITS = [
    subclassed, patched_class, patched_instance, hooked, wider_convolution, other_rows, other_norm, patched_function,
    patched_model, side_replaced,
]  # fmt: skip


@pytest.fixture
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as context:
        yield context


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: str(edit.__name__))
@pytest.mark.parametrize("training", [True, False])
def test_an_edit_of_the_network_changes_what_the_back_end_gives(
    edit: object, training: bool, patch: pytest.MonkeyPatch
) -> None:
    one = model(persons=2).train(training)
    with torch.no_grad():
        before = make_runner("cpu_kernels", model(persons=2).train(training))(clips())
        edit(one, patch)  # type: ignore[operator]
        assert changed_layers(one)
        runner = make_runner("cpu_kernels", one)
        found = runner(clips())
    expected_model = model(persons=2).train(training)
    edit(expected_model, patch)  # type: ignore[operator]
    with torch.no_grad():
        expected = expected_model(clips())
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(found, before, atol=1e-2)


def test_other_blocks_keep_their_kernels() -> None:
    one = model()
    one.each_block()[3].spatial.__class__ = Clamped
    runner = make_runner("cpu_kernels", one)
    assert runner.known == [True] * 3 + [False] + [True] * 6
    assert changed_layers(one) == ["blocks.3"]
    assert runner.describe().startswith("cpu_kernels for 9 of 10 blocks, torch for the others")


def test_a_kernel_that_differs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after an edit of the network's source, which no look at its layers can show."""
    run = CpuKernels.run_block
    runner = make_runner("cpu_kernels", model())
    monkeypatch.setattr(CpuKernels, "run_block", lambda self, block, x: run(self, block, x) * 1.01)
    with pytest.raises(FloraError, match=r"cpu_kernels does not compute blocks.0 as network.py does: its") as e:
        check_agreement(runner)
    assert "backend: torch" in str(e.value)


def test_a_gradient_that_differs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    runner = make_runner("cpu_kernels", model())
    run = CpuKernels.run_block

    def wrong(self: CpuKernels, block: network.Block, x: Tensor) -> Tensor:
        output = run(self, block, x)
        if output.requires_grad:
            output.register_hook(lambda gradient: gradient * 1.01)  # type: ignore[no-untyped-call]
        return output

    monkeypatch.setattr(CpuKernels, "run_block", wrong)
    with pytest.raises(FloraError, match="gradient"):
        check_agreement(runner)


def test_the_comparison_changes_nothing() -> None:
    one = model()
    before = {name: value.clone() for name, value in one.state_dict().items()}
    state = torch.get_rng_state()
    check_agreement(make_runner("cpu_kernels", one))
    assert torch.equal(torch.get_rng_state(), state)
    for name, value in one.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(parameter.grad is None and parameter.requires_grad for parameter in one.parameters())
    assert all(block.temporal.gradient == "normalised" for block in one.each_block())
