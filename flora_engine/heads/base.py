"""Heads: ways to name an action from encoder features and class texts, behind one small protocol.

A head is a module with two functions: `choices(settings)`, the hyper-parameters among which held-out folds choose, and
`fit`. Scores are "larger is better"; a constant added to the unseen classes calibrates generalised decisions (Flora
scores −log e, so that this constant is minus the logarithm of the published calibration factor).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from flora_engine.config import FloraSettings
from flora_engine.jobs import Job
from flora_engine.semantics.class_texts import class_vectors

Array = NDArray[np.float32]
Labels = NDArray[np.int64]
# (x (N, F), classes (C,)) -> scores (N, C), larger is better
Scorer = Callable[[Array, Labels], Array]
Choice = Mapping[str, Any]
# (evaluations done, scorer that is valid during the call, the same for a baseline in the same space or None)
Watch = Callable[[int, Scorer, Scorer | None], None]

NAMES = ("flora", "nearest_mean", "eszsl", "cada_vae", "smie", "ensemble")
FLOWS = ("flora", "ensemble")  # they train Flora and keep it; the published calibration is theirs


@dataclass(frozen=True)
class Problem:
    """What a head may see while it learns.

    data: float32 (N, F) encoder features of seen classes. labels: int64 (N,), 0-based over all K classes. states:
    float32 (K, L+1, 2d) raw class states of every class, seen and unseen. seed: of weights, batches and noise.
    """

    data: Array
    labels: Labels
    states: Array
    seed: int = 0
    device: str = "cpu"

    @property
    def seen(self) -> Labels:
        """Classes with training samples, increasing."""
        return np.unique(self.labels)

    @property
    def vectors(self) -> Array:
        """One vector per class for heads without tokens, (K, 2d); see `class_vectors`."""
        return class_vectors(self.states)


class Head(Protocol):
    """What the modules of this package offer."""

    def choices(self, settings: FloraSettings) -> list[Choice]:
        """Hyper-parameters to choose among; the first is what is used where nothing chooses."""

    def fit(
        self,
        job: Job,
        problem: Problem,
        choice: Choice,
        settings: FloraSettings,
        watch: Watch,
        evaluations: int | None = None,
        sampling: bool = False,
        checkpoint: Path | None = None,
    ) -> Any:
        """Learn, calling `watch` after each of the evaluations (once, at the end, where nothing is iterated).

        evaluations: stop after so many. sampling: draw latents at scoring as the published code does, where there
        are any. checkpoint: where a training of more than moments (Flora) goes on from; `watch` is then not called
        again for what lies before it. Returns the trained model: a FloraModel for FLOWS, else what the head makes.
        """


def head(name: str) -> Head:
    """The head module called `name`, one of NAMES."""
    return importlib.import_module(f"flora_engine.heads.{name}")
