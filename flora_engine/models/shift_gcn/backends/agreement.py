"""Whether a back end computes what PyTorch computes: each block on the same random input, forward and back.

A back end holds the arithmetic of `network` a second time. Who edits one of them and not the other must hear of it
before a training, not from its numbers. The input is random because real clips have rows that never change (persons
who are absent): batch norm turns the rounding of such a row into values of its size, and both sides are then right.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from flora_engine.errors import FloraError
from flora_engine.models.shift_gcn.backends.runner import Runner
from flora_engine.models.shift_gcn.network import Block

# Largest relative deviation of a tensor's norm. Rounding of float32 gives 1e-6 to 1e-4 in one block; a changed formula
# gives more than a percent.
TOLERANCE = 1e-3
# What is 0 but for rounding is compared with this share of something larger: a gradient (of biases before a batch norm)
# with the block's largest, a running mean (of inputs that a norm has centred) with its standard deviations.
_SMALL = 1e-2
_BODIES, _FRAMES = 2, 16
# A value that rounding puts on the other side of a ReLU's kink changes gradients by 1e-3 and more. That befalls a few
# percent of inputs, a wrong formula all of them: one input that agrees is enough.
_DRAWS = 5


def check_agreement(runner: Runner) -> float:
    """Compare each block that `runner` takes with PyTorch, in training and in evaluation.

    Compared are the output, the gradients of input and parameters (the derivative of the offsets, whatever the
    published rule makes of it) and the running statistics. The model is not changed. Returns the largest relative
    deviation; raises FloraError naming the block if one is above `TOLERANCE`.
    """
    worst = 0.0
    tf32 = torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    with tf32, torch.autocast(next(runner.parameters()).device.type, enabled=False):
        for number, block in enumerate(runner.model.blocks):
            if runner.known[number] and isinstance(block, Block):
                worst = max(worst, _check_block(runner, block, number))
    return worst


def _check_block(runner: Runner, block: Block, number: int) -> float:
    """The largest deviation of one block; FloraError if it is too large on each input."""
    name, deviation = "", 0.0
    for seed in range(_DRAWS):
        theirs, ours = _copy(block), _copy(block)
        weight = block.spatial.weight
        shape = (_BODIES, len(weight), block.spatial.mask.shape[1], _FRAMES)
        x = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=weight.dtype).to(weight.device)
        if not runner.takes(ours, x):
            return 0.0
        expected, found = _results(theirs, theirs, x), _results(partial(runner.run_block, ours), ours, x)
        deviations = {name: _deviation(name, found, expected) for name in expected}
        name = max(deviations, key=lambda key: deviations[key])
        deviation = deviations[name]
        if deviation <= TOLERANCE:
            return deviation
    raise FloraError(
        f"back end {runner.name} does not compute blocks.{number} as network.py does: "
        f"its {name} is {deviation:.1%} off (tolerance {TOLERANCE:.1%})",
        remedy="Set `backend: torch` in the encoder's settings, or change the back end as the network was.",
    )


def _copy(block: Block) -> Block:
    """A training copy whose offsets get their derivative instead of its sign, which flips by rounding near 0."""
    copied = copy.deepcopy(block).train()
    copied.temporal.gradient = "true"
    for offsets in (copied.temporal.shift_in, copied.temporal.shift_out):
        offsets.xpos.requires_grad_(False)
    return copied


def _deviation(name: str, found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """The norm of the difference by the norm of what is right; infinite if it is not a number."""
    right = expected[name]
    size = max(float(right.norm()), _SMALL * _larger(name, expected), 1e-12)
    difference = float((found[name].double() - right.double()).norm()) / size
    return float("inf") if math.isnan(difference) else difference


def _larger(name: str, results: dict[str, Tensor]) -> float:
    """What a result that may be 0 is measured against."""
    if name.startswith("gradient of "):
        return max(float(value.norm()) for other, value in results.items() if other.startswith("gradient of "))
    if name.endswith("running_mean"):
        return float(results[name.replace("running_mean", "running_var")].sqrt().norm())
    return 0.0


def _results(run: Callable[[Tensor], Tensor], block: Block, x: Tensor) -> dict[str, Tensor]:
    """What one training step of a block leaves behind, and its output in evaluation afterwards."""
    given = x.clone().requires_grad_()
    output = run(given)
    noise = torch.randn(output.shape, generator=torch.Generator().manual_seed(_DRAWS), dtype=x.dtype).to(x.device)
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
