"""The map of latents by UMAP: a stand-in for its library, and what is said without it."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.recipes.actions import perform
from flora_engine.runs import analysis


class _Umap:
    """Doubles the first two components."""

    def __init__(self, **settings: Any) -> None:
        assert 2 <= settings["n_neighbors"] <= 15 and "random_state" in settings

    def fit_transform(self, points: Any) -> Any:
        return 2 * points[:, :2]


def test_recordings_and_texts_are_mapped_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(0).standard_normal((9, 5)).astype(np.float32)
    latents = analysis.components(np.arange(9), points, points[:3])
    analysis.write_classes(tmp_path, ["a", "b", "c"], [2], np.eye(3, dtype=np.float32))
    analysis.write_latents(tmp_path, "flora", latents)
    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=_Umap))
    found = perform(Job(), "map", {"folder": str(tmp_path), "head": "flora"})
    assert np.allclose(found["recordings"], 2 * latents.recordings[:, :2])
    assert np.allclose(found["texts"], 2 * latents.texts[:, :2])
    with pytest.raises(FloraError, match="no latents of eszsl"):
        perform(Job(), "map", {"folder": str(tmp_path), "head": "eszsl"})
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(FloraError, match="pip install umap-learn"):
        perform(Job(), "map", {"folder": str(tmp_path), "head": "flora"})
