"""Learning from confirmed recordings without training: one to five per typed action change the ranking at once.

The rows that `Labeller.latents` gives are split into spaces (features, descriptors). In each, an action's prototype is
the mean direction of its confirmed recordings, and a recording's likeness to it is their cosine. What a likeness adds
to an action's logit is weighed per space; the weights begin at values chosen on other data sets and move as far as the
confirmed recordings themselves, each left out once, say (docs/method.md, section 10). Actions without a confirmed
recording keep their logits.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MOST = 20  # confirmed recordings per action that are looked at, the newest
# Chosen on six data sets that are not those of the report (experiments/corrections.py): weight of the likeness, how
# many recordings half of it needs, and how many left-out recordings the first choice counts as.
WEIGHT, HALF, TRUST = 6.0, 1.0, 5.0
FACTORS = (0.0, 0.5, 1.0, 2.0, 4.0)  # of the weight: what leaving out may choose


@dataclass(frozen=True)
class Confirmed:
    """n recordings that a person has named. rows: (n, D) latents. actions: (n,) index of the typed action of each."""

    rows: Floats
    actions: Ints


def _unit(values: Floats) -> Floats:
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), 1e-12))


def split_spaces(rows: Floats, spaces: Sequence[int]) -> list[Floats]:
    """The parts of latents (N, D), each row of unit length. spaces: their widths, which sum to D."""
    edges = np.cumsum(spaces)[:-1]
    return [_unit(part) for part in np.split(np.asarray(rows, np.float64), edges, axis=1)]


def likeness(part: Floats, known: Floats, actions: Ints, count: int) -> Floats:
    """(N, K): what each action gains in one space; 0 for those without a confirmed recording.

    part: (N, d) and known: (n, d), unit rows. The cosine to the prototype, less what recordings of other actions have
    on average, shrunk if the prototype is of few recordings.
    """
    numbers = np.bincount(actions, minlength=count).astype(np.float64)
    sums = np.zeros((count, known.shape[1]))
    np.add.at(sums, actions, known)
    prototypes = _unit(sums)
    others = known @ prototypes.T
    foreign = actions[:, None] != np.arange(count)
    foreign &= numbers > 0
    usual = float(others[foreign].mean()) if foreign.any() else 0.0
    return np.asarray((part @ prototypes.T - usual) * (numbers / (numbers + HALF)) * (numbers > 0))


def gains(rows: Floats, spaces: Sequence[int], confirmed: Confirmed, count: int) -> Floats:
    """(S, N, K): what the confirmed recordings add to the logits of `count` actions, per space, before weights."""
    mine, known = split_spaces(rows, spaces), split_spaces(confirmed.rows, spaces)
    return np.stack([likeness(a, b, confirmed.actions, count) for a, b in zip(mine, known, strict=True)])


def weights(logits: Floats, spaces: Sequence[int], confirmed: Confirmed) -> Floats:
    """(S,): how much each space counts. logits: (n, K) of the confirmed recordings without what they teach.

    Each confirmed recording is left out once, and the others rank it. The first choice (`WEIGHT` shared by the spaces)
    counts as `TRUST` recordings on its side: another one must be clearly better.
    """
    n, count = logits.shape
    start = np.full(len(spaces), WEIGHT / len(spaces))
    left_out = np.zeros((len(spaces), n, count))
    for i in range(n):
        rest = Confirmed(np.delete(confirmed.rows, i, axis=0), np.delete(confirmed.actions, i))
        if len(rest.actions):
            left_out[:, i] = gains(confirmed.rows[i : i + 1], spaces, rest, count)[:, 0]
    # of an action with one recording nothing is left that could speak for it: its ranking would teach only to forget
    told = np.bincount(confirmed.actions, minlength=count)[confirmed.actions] > 1
    if not told.any():
        return start
    best, chosen = np.inf, start
    for factors in itertools.product(FACTORS, repeat=len(spaces)):
        tried = start * np.array(factors)
        loss = _surprise(logits + np.einsum("s,snk->nk", tried, left_out), confirmed.actions)[told].sum()
        away = np.abs(np.log2(np.maximum(factors, 0.25))).sum()
        if loss + away * TRUST / len(spaces) * 0.1 < best - 1e-9:
            best, chosen = loss + away * TRUST / len(spaces) * 0.1, tried
    return chosen


def _surprise(logits: Floats, actions: Ints) -> Floats:
    """(n,): minus the log of each recording's share of its own action."""
    top = logits.max(axis=1)
    return np.asarray(
        top + np.log(np.exp(logits - top[:, None]).sum(axis=1)) - logits[np.arange(len(actions)), actions]
    )


def corrected(
    rows: Floats, logits: Floats, known_logits: Floats, spaces: Sequence[int], confirmed: Confirmed
) -> Floats:
    """(N, K): logits of recordings (N, D) with what the confirmed ones (with logits (n, K)) teach."""
    if not len(confirmed.actions):
        return logits
    shares = weights(known_logits, spaces, confirmed)
    return np.asarray(logits + np.einsum("s,snk->nk", shares, gains(rows, spaces, confirmed, logits.shape[1])))
