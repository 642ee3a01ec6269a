"""Train an encoder in float64, for tests that compare two trainings.

Batch normalisation over eight clips multiplies a rounding difference by about three in each step: after twelve steps in
float32, one thread and two differ by as much as the weights themselves. In float64 that difference stays below 1e-11
(measured), so that a comparison at TOLERANCE sees any real difference and no rounding.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from flora_engine.training.encoder.data import Rows

TOLERANCE = 1e-6


@contextlib.contextmanager
def in_float64() -> Iterator[None]:
    """The model is made in double precision, and clips take it when they are read."""
    take = Rows.take
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Rows, "take", lambda rows, indices: take(rows, indices).double())
        torch.set_default_dtype(torch.float64)
        try:
            yield
        finally:
            torch.set_default_dtype(torch.float32)


def assert_close(found: Any, expected: Any, tolerance: float = TOLERANCE) -> None:
    """Dictionaries, lists and numbers as in a result; numbers to the tolerance, all else equal."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            assert_close(found[key], value, tolerance)
    elif isinstance(expected, (list, tuple)):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_close(one, other, tolerance)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=tolerance)
    else:
        assert found == expected
