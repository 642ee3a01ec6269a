"""The loop that the small heads share: Adam over random batches, with a look at every evaluation."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from flora_engine.jobs import Job

EVALUATIONS = 10
_GROWTH = 1.6  # from one evaluation to the next: little data is learned in a few dozen steps, much data in all of them


def bounds_of(steps: int) -> list[int]:
    """Steps done at the start and at each of the evaluations: close together first, then ever further apart."""
    return [0, *(max(i, round(steps / _GROWTH ** (EVALUATIONS - i))) for i in range(1, EVALUATIONS + 1))]


def optimise(
    job: Job,
    stage: str,
    parameters: Iterable[nn.Parameter],
    loss: Callable[[Tensor], Tensor],
    *,
    samples: int,
    steps: int,
    generator: torch.Generator,
    look: Callable[[int], None] | None = None,
    evaluations: int | None = None,
    learning_rate: float = 1e-3,
    batch: int = 128,
) -> None:
    """Minimise `loss(rows)` over random `rows` (B,) of `samples`; `look(number)` at each of `bounds_of(steps)`.

    evaluations: stop after so many of them. generator: on the device of the rows.
    """
    optimiser = torch.optim.Adam(list(parameters), learning_rate, fused=True)
    told = 0.0
    for number, (first, last) in enumerate(itertools.pairwise(bounds_of(steps)), start=1):
        if evaluations is not None and number > evaluations:
            return
        for step in range(first, last):
            rows = torch.randint(samples, (min(batch, samples),), generator=generator, device=generator.device)
            optimiser.zero_grad(set_to_none=True)
            loss(rows).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if time.monotonic() - told > 0.3:
                job.progress(stage, step, steps)
                told = time.monotonic()
        if look is not None:
            look(number)
    job.progress(stage, steps, steps)
