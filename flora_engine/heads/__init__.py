"""Heads: ways to name an action from encoder features and class texts, behind one small protocol.

A head is one module of this package (see `Head`): configuration, help and tests take the names of heads from its files.
Held-out folds choose among the `choices` of a head, and `fit` trains it. Scores are "larger is better". A constant
added to the unseen classes calibrates generalised decisions: Flora scores −log e, so it is minus the logarithm
of the published calibration factor.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from flora_engine.choices import modules_of
from flora_engine.config import FloraSettings
from flora_engine.descriptors.pool import Pool
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.semantics.class_parts import PARTS
from flora_engine.semantics.class_texts import class_vectors

Array = NDArray[np.float32]
Labels = NDArray[np.int64]
# (x (N, F), classes (C,)) -> scores (N, C), larger is better
Scorer = Callable[[Array, Labels], Array]
Choice = Mapping[str, Any]
# (evaluations done, scorer that is valid during the call, the same for a baseline in the same space or None)
Watch = Callable[[int, Scorer, Scorer | None], None]

Reads = Literal["features", "descriptors", "both"]

NAMES = modules_of(__name__)


@dataclass(frozen=True)
class Problem:
    """What a head may see while it learns.

    data: float32 (N, F) encoder features of seen classes. labels: int64 (N,), 0-based over all K classes. states:
    float32 (K, L+1, 2d) raw class states of every class, seen and unseen. seed: of weights, batches and noise. parts:
    float32 (K, len(PARTS), d), see `class_parts`; None if no head of the run reads them (`reads_parts`).
    expectations: float64 (K, D), what the texts make expect of D descriptors, if the head reads them; `data` is then
    (N, D), or (N, F + D) with the descriptors last. local: (S, V) if the head reads local features and there are any;
    `data` is then (N, F + S·V·F), those of V joints in S stretches of time last.
    pool: of other recordings, among which few are ranked.
    """

    data: Array
    labels: Labels
    states: Array
    seed: int = 0
    device: str = "cpu"
    parts: Array | None = None
    expectations: NDArray[np.float64] | None = None
    local: tuple[int, int] | None = None
    pool: Pool | None = None

    @property
    def seen(self) -> Labels:
        """Classes with training samples, increasing."""
        return np.unique(self.labels)

    @property
    def vectors(self) -> Array:
        """One vector per class for heads without tokens, (K, 2d); see `class_vectors`."""
        return class_vectors(self.states)

    def part(self, name: str) -> Array:
        """The vectors (K, d) of one of PARTS, of unit length. FloraError without parts."""
        if self.parts is None:
            raise FloraError(
                "this head reads parts of the class texts, and here are only whole ones",
                remedy="Leave the head out, or give class texts instead of class states.",
            )
        return self.parts[:, PARTS.index(name)]


def unwatched(evaluation: int, score: Scorer, baseline: Scorer | None) -> None:
    """A `Watch` that looks at nothing."""


@dataclass(frozen=True)
class Fit:
    """One training of a head: on what, with which choice and settings, and who looks at it.

    watch: called after each of the evaluations (once, at the end, if nothing is iterated). evaluations: stop after so
    many. sampling: draw latents when scoring, as the published code does, if there are any. checkpoint: the file from
    which a long training (Flora) continues; `watch` is then not called again for what lies before it.
    """

    job: Job
    problem: Problem
    choice: Choice
    settings: FloraSettings
    watch: Watch = unwatched
    evaluations: int | None = None
    sampling: bool = False
    checkpoint: Path | None = None


class Head(Protocol):
    """What the modules of this package offer.

    FLOW: whether the head trains Flora and keeps it; the published calibration belongs to such heads. A head that reads
    `Problem.part` says so with PARTS = True; one that does not read encoder features alone has READS, see `reads`. One
    with LOCAL = True attends to joints and stretches of time if there are local features, and does without if not.
    Keys of a choice that change the scores of a training and not the training stand in AFTER; see `as_chosen`.
    """

    FLOW: bool

    def choices(self, settings: FloraSettings) -> list[Choice]:
        """Hyper-parameters to choose among; the first is what is used if nothing chooses."""

    def fit(self, task: Fit) -> Any:
        """Learn. Returns the trained model: a FloraModel if FLOW, else modules or arrays with all that was learned."""


def training_of(module: Head, choice: Choice) -> Choice:
    """The part of a choice that a training depends on."""
    after = getattr(module, "AFTER", ())
    return {key: value for key, value in choice.items() if key not in after}


def as_chosen(score: Scorer, choice: Choice) -> Scorer:
    """The scorer of the same training with another choice of what comes after it."""
    again = getattr(score, "as_chosen", None)
    return score if again is None else cast(Scorer, again(choice))


def head(name: str) -> Head:
    """The head called `name`, one of `NAMES`."""
    return cast(Head, importlib.import_module(f"flora_engine.heads.{name}"))


def reads_parts(names: Iterable[str]) -> bool:
    """Whether one of the heads called so needs `Problem.parts`."""
    return any(getattr(head(name), "PARTS", False) for name in names)


def reads_local(names: Iterable[str], settings: FloraSettings | None = None) -> bool:
    """Whether one of the heads called so attends to local features, if there are any and the settings let it."""
    lets = settings is None or settings.attention
    return lets and any(getattr(head(name), "LOCAL", False) for name in names)


def reads(name: str) -> Reads:
    """What the head called `name` reads of a recording: encoder features, descriptors, or both side by side."""
    return cast(Reads, getattr(head(name), "READS", "features"))
