"""What the small heads share: their training part as tensors, seeded modules, and scores in chunks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flora_engine.heads import Array, Fit, Labels, Problem, Scorer
from flora_engine.heads.learning.optimise import optimise

Module = TypeVar("Module", bound=nn.Module)
ROWS = 2048  # recordings of one chunk of scores


@dataclass(frozen=True)
class Tensors:
    """A training part on its device.

    x: (N, F), standardised. own: (N,), the places of the labels among `seen`. labels: (N,), seen: (S,), class numbers.
    mean, spread: (F,), of the features.
    """

    x: Tensor
    own: Tensor
    labels: Tensor
    seen: Tensor
    mean: Tensor
    spread: Tensor
    generator: torch.Generator

    @classmethod
    def of(cls, problem: Problem) -> Tensors:
        device = torch.device(problem.device)
        x, labels = torch.from_numpy(problem.data).to(device), torch.from_numpy(problem.labels).to(device)
        seen = torch.from_numpy(problem.seen).to(device)
        mean, spread = x.mean(dim=0), x.std(dim=0, correction=0) + 1e-6
        generator = torch.Generator(device).manual_seed(problem.seed)
        return cls((x - mean) / spread, torch.searchsorted(seen, labels), labels, seen, mean, spread, generator)

    def vectors(self, vectors: Array) -> Tensor:
        """Class vectors (K, D) on the device, of unit length."""
        return F.normalize(torch.from_numpy(vectors).to(self.x.device), dim=1)

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers."""
        return torch.randn(shape, generator=self.generator, device=self.x.device)

    def scorer(self, score: Callable[[Tensor, Tensor], Tensor], rows: int = ROWS) -> Scorer:
        """A `Scorer` from a function of standardised features (n, F) and class numbers (C,), giving (n, C)."""

        def scores(data: Array, classes: Labels) -> Array:
            wanted = torch.from_numpy(classes).to(self.x.device)
            found = np.empty((len(data), len(classes)), np.float32)
            with torch.no_grad():
                for start in range(0, len(data), rows):
                    some = torch.from_numpy(data[start : start + rows]).to(self.x.device)
                    found[start : start + rows] = score((some - self.mean) / self.spread, wanted).float().cpu().numpy()
            return found

        return scores


def split_local(x: Tensor, shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """x (N, F + S·V·F) → features (N, F) and local features (N, S, V, F). shape: (S, V), see `Problem.local`."""
    width = x.shape[1] // (1 + shape[0] * shape[1])
    return x[:, :width], x[:, width:].reshape(len(x), *shape, width)


def seeded(problem: Problem, make: Callable[[], Module]) -> Module:
    """What `make` gives, its weights drawn from the problem's seed, on the problem's device."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(problem.seed)
        return make().to(problem.device)


def watched(task: Fit, score: Scorer) -> Callable[[int], None]:
    """The look of a head that scores the same way at each evaluation."""
    return lambda number: task.watch(number, score, None)


def learn(
    task: Fit,
    tensors: Tensors,
    stage: str,
    module: Module,
    loss: Callable[[Tensor], Tensor],
    look: Callable[[int], None],
    steps: int,
    **options: Any,
) -> Module:
    """Minimise `loss(rows)` over the parameters of `module`, and return it. options: as of `optimise`."""
    optimise(
        task.job,
        stage,
        module.parameters(),
        loss,
        samples=len(tensors.x),
        steps=steps,
        generator=tensors.generator,
        look=look,
        evaluations=task.evaluations,
        **options,
    )
    return module
