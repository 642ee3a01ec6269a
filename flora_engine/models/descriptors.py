"""Scores of actions from descriptors (docs/method.md, section 9): what was expected, held against what was measured.

A recording's descriptors become z (D,): 0 at the pool's median, about ±1 at its 17th and 83rd percentile, 0 if not
measured. An action is a direction e (its expectations, unit length) and a text vector v. Three linear maps give three
scores: z·e, z·We and z·Uv. W and U are ridge regressions, from z to the expectations and to the text vectors of the
classes of training; W is shrunk towards a multiple of the identity, the lexicon's own word. The first two count twice,
as they are and divided by their spread over the pool: a direction in which all recordings vary much would else win
too often. For the same reason an action pays for how high recordings of the pool score it, the highest most of all.
Everything is linear in z, so that a score is a sum over descriptors and a number, and the sum says why.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flora_engine.descriptors.catalogue import catalogue
from flora_engine.descriptors.pool import Pool, build_pool
from flora_engine.errors import FloraError
from flora_engine.files import open_arrays, replacing

Floats = NDArray[np.float64]
# Chosen as a whole on sets left out, never on one alone (docs/decisions/0010-words.md).
SHARES = (0.3, 0.7, 0.3, 0.3, 0.3)  # lexicon and W as they are; lexicon, W and U divided by their spread
_SHRINK, _TOWARDS, _TEXT_RIDGE = 3.0, 0.3, 0.3
_LARGEST, _POWER = 2.5, 0.8  # z is cut there, then raised to this power: one extreme value must not decide alone
# An action loses this share of the soft maximum, with this softness, of its scores over the reference.
_HUB, _SOFTNESS = 0.35, 0.3
REFERENCE = 600  # recordings that stand for the pool
_RIVALS = 5
_LENGTH = 3.0  # of a class's target in expectation space
Training = Mapping[str, tuple[NDArray[np.float32], NDArray[np.int64], Floats, Floats]]


@dataclass(frozen=True)
class DescriptorModel:
    """Arrays in the catalogue's order of descriptors.

    quantiles: float32 (33, D) of the pool. to_expectation: (D, D). to_text: (D, d). text_mean: (d,). mean, covariance:
    (D,), (D, D) of z over the pool. reference: (R, D) z of recordings that stand for the pool. scale: (2,) mean spread
    of the first two scores over classes. temperature: of the softmax. odds: (2,) intercept and slope of the log-odds
    that none of the actions happens, over `excess`.
    """

    quantiles: NDArray[np.float32]
    to_expectation: Floats
    to_text: Floats
    text_mean: Floats
    mean: Floats
    covariance: Floats
    reference: Floats
    scale: Floats
    temperature: Floats
    odds: Floats

    def standardise(self, values: NDArray[np.float32]) -> Floats:
        """z (N, D) of measured values (N, D), finite whatever they are."""
        return standardise(Pool(self.quantiles), values)

    def directions(self, expectations: Floats, vectors: Floats) -> tuple[Floats, Floats]:
        """(K, D) and (K,): score = z·direction + offset, from expectations (K, D) and text vectors (K, d)."""
        e, v = unit(expectations), unit(vectors - self.text_mean)
        parts = (e, e @ self.to_expectation.T, v @ self.to_text.T)
        lexicon, learned, text = parts
        weight, offset = np.zeros_like(e), np.zeros(len(e))
        for share, part, scale in zip(SHARES[:2], (lexicon, learned), self.scale, strict=True):
            weight += share * part / scale
        for share, part in zip(SHARES[2:], (lexicon, learned, text), strict=True):
            spread = _spread(part, self.covariance)[:, None]
            weight += share * part / spread
            offset -= share * (part @ self.mean) / spread[:, 0]
        return weight, offset - _HUB * _soft_maximum(self.reference @ weight.T + offset)

    def scores(self, z: Floats, expectations: Floats, vectors: Floats) -> Floats:
        """(N, K), larger is better, with a spread of about 1.5 over the pool; no action changes another's."""
        weight, offset = self.directions(expectations, vectors)
        return np.asarray(z @ weight.T + offset)

    def none_of_these(self, scores: Floats, rivals: Floats) -> Floats:
        """(N,): the probability that none of the actions happens, from their scores and those of `excess`'s rivals."""
        logits = self.odds[0] + self.odds[1] * excess(scores, rivals)
        return np.asarray(1 / (1 + np.exp(-np.clip(logits, -50, 50))))

    def save(self, path: Path) -> None:
        """Write the model in one step."""
        arrays: dict[str, Any] = {f.name: np.asarray(getattr(self, f.name), np.float32) for f in fields(self)}
        arrays["reference"] = arrays["reference"].astype(np.float16)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, names=np.array(list(catalogue())), **arrays)

    def calibrated(self, temperature: float, odds: tuple[float, float]) -> DescriptorModel:
        """The same with the softness and the odds that sets left out gave."""
        return replace(self, temperature=np.array(temperature), odds=np.array(odds))


def load_descriptor_model(path: Path) -> DescriptorModel:
    """A stored model. Raises FloraError if it is damaged or was made for other descriptors."""
    try:
        with open_arrays(path) as stored:
            names = [str(name) for name in stored["names"]]
            current = names == list(catalogue())
            arrays = {f.name: stored[f.name].astype(np.float64) for f in fields(DescriptorModel) if current}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise FloraError(f"the descriptor model cannot be read: {error}", path=path) from None
    if not current:
        raise FloraError(
            "this model was trained on other descriptors", path=path, remedy="Use its program version, or train again."
        )
    return DescriptorModel(**arrays | {"quantiles": arrays["quantiles"].astype(np.float32)})


def excess(scores: Floats, rivals: Floats) -> Floats:
    """(N,): how much better the best of the actions (N, K) fits than the best of all that people do (N, E): the mean of
    the `_RIVALS` best of the lexicon. On sets left out this tells recordings of none of the actions apart better than
    the best score alone does (docs/results.md).
    """
    some = min(_RIVALS, rivals.shape[1])
    return np.asarray(scores.max(axis=1) - np.partition(rivals, -some, axis=1)[:, -some:].mean(axis=1))


def unit(values: Floats) -> Floats:
    """Rows of unit length."""
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), 1e-12))


def standardise(pool: Pool, values: NDArray[np.float32]) -> Floats:
    """z (N, D): logits of the ranks in the pool, which are close to normal scores, drawn in; 0 for NaN."""
    ranks = np.clip(np.nan_to_num(pool.scores(values).astype(np.float64)), -0.999, 0.999)
    normal = np.clip(np.log((1 + ranks) / (1 - ranks)) / 1.702, -_LARGEST, _LARGEST)
    return np.asarray(np.sign(normal) * np.abs(normal) ** _POWER)


def _spread(directions: Floats, covariance: Floats) -> Floats:
    """(K,): standard deviation of each direction's (K, D) score."""
    return np.asarray(np.sqrt(np.maximum(((directions @ covariance) * directions).sum(axis=1), 1e-12)))


def _soft_maximum(scores: Floats) -> Floats:
    """(K,): of each column of (R, K), near its mean for a large softness and its maximum for a small one."""
    high = scores.max(axis=0)
    return np.asarray(high + _SOFTNESS * np.log(np.exp((scores - high) / _SOFTNESS).mean(axis=0)))


def _stand_ins(weights: Floats) -> NDArray[np.int64]:
    """(R,): rows that stand for all, each about as often as it weighs; the same each time."""
    places = (np.arange(REFERENCE) + 0.5) / REFERENCE
    return np.asarray(np.minimum(np.searchsorted(np.cumsum(weights), places), len(weights) - 1))


def _weights(labels: NDArray[np.int64]) -> Floats:
    """(N,): a class counts by the fourth root of its recordings, a set by the root of its classes."""
    counts = np.bincount(labels)
    weights = counts[labels] ** -0.75
    return np.asarray(weights / weights.sum() * np.sqrt((counts > 0).sum()))


def fit_descriptors(sets: Training, reference: Pool | None = None) -> DescriptorModel:
    """Learn from data sets: name → values (N, D), labels (N,), and its classes' expectations (K, D), vectors (K, d).

    The pool is made of the same recordings, and of `reference` as far as they are few (`build_pool`). Not calibrated:
    temperature 1, and odds that say nothing.
    """
    pool = build_pool({name: values for name, (values, *_) in sets.items()}, reference)
    z = np.concatenate([standardise(pool, values) for values, *_ in sets.values()])
    weights = np.concatenate([_weights(labels) for _, labels, *_ in sets.values()])
    weights /= weights.sum()
    expected = np.concatenate([_LENGTH * unit(e)[labels] for _, labels, e, _ in sets.values()])
    vectors = np.concatenate([v[labels] for _, labels, _, v in sets.values()])
    classes_e = np.concatenate([unit(e) for *_, e, _ in sets.values()])
    text_mean = np.concatenate([v for *_, v in sets.values()]).mean(axis=0)
    mean = weights @ z
    weighted = z * weights[:, None]
    gram, identity = weighted.T @ z, np.eye(z.shape[1])
    to_expectation = np.linalg.solve(gram + _SHRINK * identity, weighted.T @ expected + _SHRINK * _TOWARDS * identity)
    to_text = np.linalg.solve(gram + _TEXT_RIDGE * identity, weighted.T @ (vectors - text_mean))
    covariance = gram - np.outer(mean, mean)
    spreads = [_spread(part, covariance).mean() for part in (classes_e, classes_e @ to_expectation.T)]
    return DescriptorModel(
        quantiles=pool.quantiles,
        to_expectation=to_expectation,
        to_text=to_text,
        text_mean=text_mean,
        mean=mean,
        covariance=covariance,
        reference=z[_stand_ins(weights)],
        scale=np.array(spreads),
        temperature=np.array(1.0),
        odds=np.array([0.0, 0.0]),
    )
