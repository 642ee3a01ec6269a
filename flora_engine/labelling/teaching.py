"""What a ranker learns from confirmed recordings: rows of latents with class names, applied to every ranking."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.files import open_arrays, replacing
from flora_engine.labelling.corrections import MOST, Confirmed, corrected
from flora_engine.labelling.ranking import Ranking
from flora_engine.semantics.class_texts import ClassText
from flora_engine.skeleton import SkeletonSequence

Rows = NDArray[np.float32]


class Ranker(Protocol):
    """What is needed of a `Labeller`. spaces: the widths of the parts of a row of latents, once there is one."""

    def latents(self, sequences: list[SkeletonSequence]) -> tuple[Rows, dict[str, float]]: ...

    def rank(self, latents: Rows, texts: list[ClassText]) -> list[Ranking]: ...

    def explain(self, sequence: SkeletonSequence, texts: list[ClassText], ranking: Ranking) -> Ranking: ...

    @property
    def spaces(self) -> tuple[int, ...]: ...


@dataclass(frozen=True)
class Taught:
    """Confirmed recordings of one model, the newest first. rows: float32 (n, D). names: their n classes.

    spaces: the widths of the parts of a row, which sum to D.
    """

    rows: Rows
    names: tuple[str, ...]
    spaces: tuple[int, ...]

    def of(self, texts: Sequence[ClassText]) -> Confirmed:
        """The recordings of the typed actions, whatever the letter case of their names, at most `MOST` of each."""
        places = {text.name.casefold(): place for place, text in enumerate(texts)}
        counts: dict[int, int] = {}
        chosen, actions = [], []
        for row, name in enumerate(self.names):
            place = places.get(name.casefold())
            if place is not None and counts.get(place, 0) < MOST:
                counts[place] = counts.get(place, 0) + 1
                chosen.append(row)
                actions.append(place)
        return Confirmed(self.rows[chosen].astype(np.float64), np.array(actions, np.int64))

    def save(self, path: Path) -> None:
        """Write everything in one step."""
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, rows=self.rows, names=np.array(self.names), spaces=np.array(self.spaces))


def load_taught(path: Path) -> Taught:
    """What `Taught.save` wrote. Raises FloraError if it is damaged."""
    try:
        with open_arrays(path) as stored:
            rows, spaces = stored["rows"].astype(np.float32), tuple(int(width) for width in stored["spaces"])
            names = tuple(str(name) for name in stored["names"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise FloraError(f"the corrections cannot be read: {error}", path=path) from None
    if rows.ndim != 2 or rows.shape != (len(names), sum(spaces)) or not np.isfinite(rows).all():
        raise FloraError("the corrections do not fit each other", path=path)
    return Taught(rows, names, spaces)


@dataclass
class TaughtRanker:
    """Ranks as `base` does, and then by what was taught. Nothing is changed if nothing of the typed actions was."""

    base: Ranker
    taught: Taught
    _kept: tuple[list[ClassText], NDArray[np.float64]] | None = field(default=None, repr=False)

    @property
    def spaces(self) -> tuple[int, ...]:
        return self.base.spaces

    def latents(self, sequences: list[SkeletonSequence]) -> tuple[Rows, dict[str, float]]:
        """As the base gives them."""
        return self.base.latents(sequences)

    def rank(self, latents: Rows, texts: list[ClassText]) -> list[Ranking]:
        """As the base ranks, corrected."""
        return taught_rankings(self, self.base.rank(latents, texts), latents, texts)

    def explain(self, sequence: SkeletonSequence, texts: list[ClassText], ranking: Ranking) -> Ranking:
        """The reasons that the base gives; what corrections did is not among them."""
        return self.base.explain(sequence, texts, ranking)

    def known_logits(self, texts: list[ClassText], confirmed: Confirmed) -> NDArray[np.float64]:
        """(n, K): the base's logits of the confirmed recordings; those of the last texts are kept."""
        if self._kept is None or self._kept[0] != texts:
            ranked = self.base.rank(confirmed.rows.astype(np.float32), texts)
            self._kept = (list(texts), _logits(ranked, texts))
        return self._kept[1]


def taught_rankings(
    ranker: TaughtRanker, rankings: list[Ranking], latents: Rows, texts: list[ClassText]
) -> list[Ranking]:
    """The rankings of these latents (N, D), corrected."""
    confirmed = ranker.taught.of(texts)
    if not len(confirmed.actions):
        return rankings
    known = ranker.known_logits(texts, confirmed)
    found = corrected(latents.astype(np.float64), _logits(rankings, texts), known, ranker.taught.spaces, confirmed)
    fit = np.exp(found - found.max(axis=1, keepdims=True))
    shares = fit / fit.sum(axis=1, keepdims=True)
    return [_again(one, row, texts, len(confirmed.actions)) for one, row in zip(rankings, shares, strict=True)]


def _logits(rankings: Sequence[Ranking], texts: Sequence[ClassText]) -> NDArray[np.float64]:
    """(N, K): logs of the shares, which are logits up to a constant."""
    rows = []
    for ranking in rankings:
        scores = {label.name: label.score for label in ranking.labels}
        rows.append([scores[text.name] for text in texts])
    return np.log(np.maximum(np.array(rows, np.float64).reshape(len(rankings), len(texts)), 1e-12))


def _again(ranking: Ranking, shares: NDArray[np.float64], texts: Sequence[ClassText], learned: int) -> Ranking:
    """The ranking with other shares."""
    new = {text.name: float(share) for text, share in zip(texts, shares, strict=True)}
    labels = [replace(label, score=new[label.name]) for label in ranking.labels]
    return replace(ranking, labels=tuple(sorted(labels, key=lambda label: -label.score)), learned=learned)
