"""The loop that the small heads share: Adam over random batches, with a look at every evaluation."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from flora_engine.jobs import Job

EVALUATIONS = 10


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
    """Minimise `loss(rows)` over random `rows` (B,) of `samples`; `look(number)` after each tenth of `steps`.

    evaluations: stop after so many tenths. generator: on the device of the rows.
    """
    optimiser = torch.optim.Adam(list(parameters), learning_rate, fused=True)
    bounds = [round(steps * i / EVALUATIONS) for i in range(EVALUATIONS + 1)]
    told = 0.0
    for number, (first, last) in enumerate(itertools.pairwise(bounds), start=1):
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
