"""From words to expected descriptors (docs/method.md, section 9): the lexicon's entry, or its neighbours' in meaning.

A phrase that names an entry gets that entry's expectations. Any other gets a mean of two regressions on sentence
embeddings: entries weighted by the nearest of their texts, and kernel ridge regression on the entries' mean names; the
nearer the nearest text, the more the former counts. Sides, negation and a second person are applied by rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from flora_engine.datasets.catalogue import ClassText
from flora_engine.descriptors.catalogue import catalogue
from flora_engine.semantics import phrases
from flora_engine.semantics.lexicon import Lexicon
from flora_engine.semantics.text_encoder import TextEncoder
from flora_engine.semantics.text_vectors import text_vectors

Floats = NDArray[np.float64]
# Chosen on the lexicon alone: expectations of entries and names that were held out (docs/decisions/0010-words.md).
_TEMPERATURE, _SHARPNESS, _RIDGE = 0.05, 4.0, 0.3
_HALFWAY, _WIDTH = 0.8, 0.1  # cosine to the nearest text at which both regressions count equally, and how fast it turns
_AT_ONCE = 64  # texts that are regressed together
_SIDED = 1.3  # expectation of the motion share of a side that is named
_KNOWN = 0.35  # below this cosine to the nearest text a phrase has no neighbour that means anything


@dataclass(frozen=True)
class Expectation:
    """values: (D,) in the catalogue's order, of length 3 (like a typical entry's).

    sure: 0 … 1, 1 for an entry's own name. entries: main names of what it was taken from, best first. notice: a
    sentence if the words are unknown.
    """

    values: Floats
    sure: float
    entries: tuple[str, ...]
    notice: str | None = None


class Reader:
    """Reads phrases with one lexicon and one text encoder; both are kept, and so is every phrase that was read."""

    def __init__(self, lexicon: Lexicon, encoder: TextEncoder) -> None:
        self.lexicon, self.encoder = lexicon, encoder
        self._known: dict[str, Expectation] = {}
        self._regressed: dict[str, tuple[Floats, float, tuple[str, ...]]] = {}

    def prepare(self) -> None:
        """Do now what the first phrase would wait for."""
        if self.lexicon.entries:
            self._ridge  # noqa: B018

    @cached_property
    def _texts(self) -> tuple[list[str], NDArray[np.int64], int]:
        """All texts of the lexicon (names first), the entry of each, and how many are names."""
        entries = list(enumerate(self.lexicon.entries))
        names = [(name, number) for number, entry in entries for name in entry.names]
        others = [(text, number) for number, entry in entries for text in (entry.motion, entry.meaning)]
        return [text for text, _ in names + others], np.array([n for _, n in names + others]), len(names)

    @cached_property
    def _vectors(self) -> Floats:
        return text_vectors(self.encoder, self._texts[0])

    @cached_property
    def _ridge(self) -> tuple[Floats, Floats, Floats]:
        """Mean names (E, d), the regression's coefficients (E, D) and the mean expectation (D,)."""
        _, owner, names = self._texts
        centres = np.zeros((len(self.lexicon.entries), self._vectors.shape[1]))
        np.add.at(centres, owner[:names], self._vectors[:names])
        centres = _unit(centres)
        kernel = np.exp(_SHARPNESS * (centres @ centres.T - 1))
        kernel[np.diag_indices(len(kernel))] += _RIDGE
        targets = _unit(self.lexicon.expectations)
        mean = targets.mean(axis=0)
        return centres, np.linalg.solve(kernel, targets - mean), mean

    def _regress(self, text: str) -> tuple[Floats, float, tuple[str, ...]]:
        """Expectation of unit length, cosine of the nearest text, main names of the nearest entries."""
        if text not in self._regressed:
            self._regress_all([text])
        return self._regressed[text]

    def _regress_all(self, texts: Sequence[str]) -> None:
        """`_regress` for many texts at once: one by one, each would read all vectors of the lexicon again."""
        if not texts:
            return
        _, owner, _ = self._texts
        vectors = text_vectors(self.encoder, texts)
        nearest = np.full((len(self.lexicon.entries), len(texts)), -1.0)
        np.maximum.at(nearest, owner, self._vectors @ vectors.T)
        best = nearest.max(axis=0)
        local = _unit(np.exp((nearest - best) / _TEMPERATURE).T @ _unit(self.lexicon.expectations))
        centres, coefficients, mean = self._ridge
        smooth = _unit(np.exp(_SHARPNESS * (vectors @ centres.T - 1)) @ coefficients + mean)
        share = (1 / (1 + np.exp((_HALFWAY - best) / _WIDTH)))[:, None]
        values = _unit(share * local + (1 - share) * smooth)
        for place, text in enumerate(texts):
            order = np.argsort(-nearest[:, place])[:3]
            names = tuple(self.lexicon.entries[n].names[0] for n in order)
            self._regressed[text] = (values[place], float(best[place]), names)

    def actions(self) -> tuple[Floats, Floats]:
        """Of all entries of the lexicon: expectations (E, D), of length 3, and the vectors (E, d) of main names."""
        _, owner, names = self._texts
        first = np.searchsorted(owner[:names], np.arange(len(self.lexicon.entries)))
        return 3 * _unit(self.lexicon.expectations), self._vectors[first]

    def phrase(self, text: str) -> Expectation:
        """One phrase: an entry's, with its side applied, or the regression's."""
        if text in self._known:
            return self._known[text]
        found = self.lexicon.find(text)
        if found is not None:
            expectation = Expectation(self._entry(found), 1.0, (self.lexicon.entries[found].names[0],))
        else:
            expectation = self._unnamed(text)
        self._known[text] = expectation
        return expectation

    def _entry(self, number: int) -> Floats:
        return 3 * _unit(self.lexicon.expectations[number])

    def _unnamed(self, text: str) -> Expectation:
        side, plain = phrases.side_of(text), phrases.without_side(text)
        found = self.lexicon.find(plain) if side else None
        if side and found is not None:
            values, sure = self._entry(found), 0.95
            names: tuple[str, ...] = (self.lexicon.entries[found].names[0],)
        else:
            unit, cosine, names = self._regress(text)
            values, sure = 3 * unit, float(np.clip(cosine, 0, 0.95))
        if side:
            values = _with_side(values, *side)
        if phrases.speaks_of_two(text):
            values = _raised(values, "second_person_share", 2.0)
        notice = self._notice(text, sure)
        return Expectation(3 * _unit(values), 0.0 if notice else sure, names, notice)

    def _notice(self, text: str, sure: float) -> str | None:
        pieces = self.encoder.count_tokens([text])[0] - 2
        if phrases.foreign(text) or phrases.broken(text, pieces):
            return f"“{text}” is not in words that this English text model knows; its score means little"
        if sure < _KNOWN:
            return f"“{text}” is like no action in the lexicon; describe how the body moves"
        return None

    def read(self, text: ClassText) -> Expectation:
        """A class: its name and, if it has one, its description, clause by clause."""
        name = self.phrase(text.name)
        if text.motion == text.name:
            return name
        parts = [(clause, self.phrase(clause.text)) for clause in phrases.clauses(text.motion)]
        parts = [(clause, part) for clause, part in parts if part.notice is None]
        if not parts:
            return name
        values = np.mean([(-0.5 if c.denied else 1.0) * part.values for c, part in parts], axis=0)
        described = 3 * _unit(values)
        weight = 1.0 if name.notice is None else 0.0
        sure = max(name.sure, float(np.mean([part.sure for _, part in parts])))
        entries = tuple(dict.fromkeys(e for e in (*name.entries[:1], *(p.entries[0] for _, p in parts))))
        return Expectation(3 * _unit(weight * name.values + described), sure, entries, None)

    def read_all(self, texts: Sequence[ClassText]) -> list[Expectation]:
        """`read`, each distinct text once."""
        wanted = [t.name for t in texts] + [c.text for t in texts for c in phrases.clauses(t.motion)]
        new = [t for t in dict.fromkeys(wanted) if t not in self._known and t not in self._regressed]
        new = [t for t in new if self.lexicon.find(t) is None]
        for start in range(0, len(new), _AT_ONCE):
            self._regress_all(new[start : start + _AT_ONCE])
        return [self.read(text) for text in texts]


def _unit(values: Floats) -> Floats:
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), 1e-12))


def _raised(values: Floats, name: str, to: float) -> Floats:
    """A copy in which one descriptor is expected to be at least `to` high."""
    place = list(catalogue()).index(name)
    values = values.copy()
    values[place] = max(values[place], to)
    return values


def _with_side(values: Floats, side: phrases.Side, limb: phrases.Limb) -> Floats:
    """A copy that expects this side's limb to do what either was expected to do, and the other side's to rest."""
    place = {name: d for d, name in enumerate(catalogue())}
    other = "left" if side == "right" else "right"
    part, parts = ("hand", ("hand", "elbow")) if limb == "hand" else ("foot", ("foot", "knee"))
    values = values.copy()
    for name, d in place.items():
        own = name.replace("active_", f"{side}_", 1)
        if name.startswith(tuple(f"active_{p}" for p in parts)) and own in place:
            values[place[own]] = values[d]
    values[place[f"{side}_{part}_motion_share"]] = _SIDED
    values[place[f"{other}_{part}_motion_share"]] = -_SIDED
    return values
