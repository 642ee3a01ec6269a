"""From values to scores: a value's rank in a reference pool of recordings, stored as a small table of quantiles.

The shipped table is `resources/descriptors/pool.npz`, made by experiments/descriptor_pool.py.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.descriptors.catalogue import catalogue
from flora_engine.errors import FloraError
from flora_engine.files import open_arrays, replacing
from flora_engine.resources import RESOURCES

POOL = RESOURCES / "descriptors" / "pool.npz"
QUANTILES = 33
# A descriptor that fewer recordings of the pool have gets no score.
_FEWEST = 8


@dataclass(frozen=True)
class Pool:
    """quantiles: float32 (33, D), from the lowest to the highest value, NaN for a descriptor that the pool lacks.

    sets: the data sets that it was made from.
    """

    quantiles: NDArray[np.float32]
    sets: tuple[str, ...] = ()

    def scores(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 like values (…, D): -1 for the pool's lowest value or below, 0 for its median, 1 for its highest.

        Between two quantiles the score is linear in the value; a value that many recordings share has the middle of
        their ranks. NaN stays NaN.
        """
        x, steps, places = np.atleast_2d(values).astype(np.float64), self.quantiles.astype(np.float64), self._places
        above = np.stack([(steps < row).sum(axis=0) for row in x])
        low, high = np.maximum(above - 1, 0), np.minimum(above, QUANTILES - 1)
        from_low, to_high = np.take_along_axis(steps, low, axis=0), np.take_along_axis(steps, high, axis=0)
        part = np.clip((x - from_low) / np.where(to_high > from_low, to_high - from_low, 1), 0, 1)
        rank = (1 - part) * np.take_along_axis(places, low, axis=0) + part * np.take_along_axis(places, high, axis=0)
        rank[np.isnan(x) | np.isnan(steps[0])] = np.nan
        return np.asarray(2 * rank - 1, np.float32).reshape(values.shape)

    @cached_property
    def _places(self) -> NDArray[np.float64]:
        """(33, D): the rank 0 … 1 of every quantile, the middle of their ranks if several are equal."""
        places, steps = np.linspace(0, 1, QUANTILES), self.quantiles
        equal = steps[:, None] == steps[None]
        first, last = equal.argmax(axis=1), QUANTILES - 1 - equal[:, ::-1].argmax(axis=1)
        return np.asarray((places[first] + places[last]) / 2)


def build_pool(values: Mapping[str, NDArray[np.float32]], reference: Pool | None = None) -> Pool:
    """The pool of these data sets, from each one's values (N, D).

    A set counts by the square root of its recordings, so that one large set does not rule. reference: a pool of other
    recordings, whose 33 quantiles count as a recording each; so a handful of recordings is ranked among others, and
    among hundreds it hardly matters.
    """
    quantiles = np.full((QUANTILES, len(catalogue())), np.nan, np.float32)
    if not values:
        return Pool(quantiles) if reference is None else reference
    weights = np.concatenate([np.full(len(v), 1 / np.sqrt(max(len(v), 1))) for v in values.values()])
    everything = np.concatenate(list(values.values())).astype(np.float64)
    if reference is not None:
        weights = np.concatenate([weights, np.full(QUANTILES, weights.mean())])
        everything = np.concatenate([everything, reference.quantiles.astype(np.float64)])
    at = np.linspace(0, 1, QUANTILES)
    for d in range(everything.shape[1]):
        known = np.flatnonzero(np.isfinite(everything[:, d]))
        if len(known) < _FEWEST:
            continue
        order = known[np.argsort(everything[known, d])]
        reached = np.cumsum(weights[order]) - weights[order] / 2
        reached = (reached - reached[0]) / (reached[-1] - reached[0])
        quantiles[:, d] = np.interp(at, reached, everything[order, d])
    return Pool(quantiles, (*values, *(() if reference is None else reference.sets)))


def save_pool(path: Path, pool: Pool) -> None:
    """Write the table in one step."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file, names=np.array(list(catalogue())), quantiles=pool.quantiles, sets=np.array(pool.sets, dtype=np.str_)
        )


def load_pool(path: Path) -> Pool:
    """A stored table. Raises FloraError if it is damaged or was made for another catalogue."""
    try:
        with open_arrays(path) as table:
            names, quantiles = [str(n) for n in table["names"]], table["quantiles"]
            sets = tuple(str(n) for n in table["sets"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise FloraError(f"the table of descriptors cannot be read: {error}", path=path) from None
    if names != list(catalogue()) or quantiles.shape != (QUANTILES, len(names)):
        raise FloraError(
            "the table was made for other descriptors", path=path, remedy="Run experiments/descriptor_pool.py."
        )
    return Pool(quantiles.astype(np.float32), sets)


@cache
def reference_pool() -> Pool:
    """The shipped pool."""
    return load_pool(POOL)
