"""Whether a back end computes what PyTorch computes: each block on the same real input, forward and back.

A back end holds the arithmetic of `network` a second time. Who edits one of them and not the other must hear of it
before a training, not from its numbers.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from flora_engine.errors import FloraError
from flora_engine.models.shift_gcn.backends.runner import Runner
from flora_engine.models.shift_gcn.network import Block

# Largest relative deviation of a tensor's norm. Rounding of float32 gives 1e-6 to 1e-5 in one block; a changed formula
# gives more than a percent.
TOLERANCE = 1e-3
# What is 0 but for rounding is compared with this share of something larger: a gradient (of biases before a batch norm)
# with the block's largest, a running mean (of inputs that a norm has centred) with its standard deviations.
_SMALL = 1e-2


def check_agreement(runner: Runner, clips: Tensor) -> float:
    """Compare each block that `runner` takes with PyTorch on `clips` (n, C, T, V, M), in training and in evaluation.

    Compared are the output, the gradients of input and parameters (the derivative of the offsets, whatever the
    published rule makes of it) and the running statistics. The model is not changed. Returns the largest relative
    deviation; raises FloraError naming the block if one is above `TOLERANCE`.
    """
    worst = 0.0
    if not any(runner.known):
        return worst
    model = copy.deepcopy(runner.model).train()
    tf32 = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    with tf32, torch.autocast(clips.device.type, enabled=False):
        with torch.no_grad():
            x = model.bodies(clips)
        for number, block in enumerate(model.blocks):
            if runner.known[number] and isinstance(block, Block):
                deviation, x = _compare(runner, block, number, x)
                worst = max(worst, deviation)
            else:
                with torch.no_grad():
                    x = block(x)
    return worst


def _compare(runner: Runner, theirs: Block, number: int, x: Tensor) -> tuple[float, Tensor]:
    """The largest deviation of one block, and its output by PyTorch for the next."""
    ours = copy.deepcopy(theirs)
    for one in (theirs, ours):  # the offsets' derivative instead of its sign, which flips by rounding near 0
        one.temporal.gradient = "true"
        for offsets in (one.temporal.shift_in, one.temporal.shift_out):
            offsets.xpos.requires_grad_(False)
    if not runner.takes(ours, x):
        with torch.no_grad():
            return 0.0, theirs(x)
    expected, found = _results(theirs, theirs, x), _results(lambda given: runner.run_block(ours, given), ours, x)
    worst = 0.0
    for name, right in expected.items():
        size = max(float(right.norm()), _SMALL * _larger(name, expected), 1e-12)
        difference = float((found[name].double() - right.double()).norm()) / size
        if not difference <= TOLERANCE:
            raise FloraError(
                f"back end {runner.name} does not compute blocks.{number} as network.py does: "
                f"its {name} is {difference:.1%} off (tolerance {TOLERANCE:.1%})",
                remedy="Set `backend: torch` in the encoder's settings, or change the back end as the network was.",
            )
        worst = max(worst, difference)
    return worst, expected["output"]


def _larger(name: str, results: dict[str, Tensor]) -> float:
    """What a result that may be 0 is measured against."""
    if name.startswith("gradient of "):
        return max(float(value.norm()) for other, value in results.items() if other.startswith("gradient of "))
    if name.endswith("running_mean"):
        return float(results[name.replace("running_mean", "running_var")].sqrt().norm())
    return 0.0


def _results(run: Callable[[Tensor], Tensor], block: Block, x: Tensor) -> dict[str, Tensor]:
    """What one training step of a block leaves behind, and its output in evaluation afterwards."""
    given = x.detach().clone().requires_grad_()
    output = run(given)
    generator = torch.Generator(device=x.device).manual_seed(0)
    noise = torch.randn(output.shape, generator=generator, device=x.device, dtype=x.dtype)
    output.backward(noise)  # type: ignore[no-untyped-call]
    assert given.grad is not None
    results = {"output": output.detach(), "input gradient": given.grad}
    for name, parameter in block.named_parameters():
        if parameter.requires_grad:
            grad = parameter.grad
            results[f"gradient of {name}"] = torch.zeros_like(parameter) if grad is None else grad
    results.update({name: value for name, value in block.named_buffers() if "running" in name})
    block.eval()
    with torch.no_grad():
        results["output in evaluation"] = run(x)
    return results
