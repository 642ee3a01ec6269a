"""The latents of a run as a map in two dimensions by UMAP, through its library (umap-learn), if that is installed."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.recipes import request
from flora_engine.recipes.request import UserPath
from flora_engine.runs.analysis import read_analysis

_SEED = 0


class Request(request.Request):
    """folder: of a run, or of a split of it. head: one with a flow."""

    folder: UserPath
    head: str


def run(job: Job, request: Request) -> dict[str, Any]:
    """Places of recordings (N, 2) and of class texts (K, 2) as lists. FloraError without latents or without UMAP."""
    latents = read_analysis(request.folder).latents(request.head)
    if latents is None:
        raise FloraError(f"this run kept no latents of {request.head}", path=request.folder)
    try:
        umap: Any = importlib.import_module("umap")
    except ImportError:
        raise FloraError("UMAP is not installed", remedy="Install it with `pip install umap-learn`.") from None
    points = np.concatenate([latents.recordings, latents.texts])
    job.progress("computing the map", 0, 1)
    neighbours = min(15, max(2, len(points) - 1))
    places = np.asarray(umap.UMAP(n_neighbors=neighbours, random_state=_SEED).fit_transform(points), np.float32)
    job.progress("computing the map", 1, 1)
    count = len(latents.recordings)
    return {"recordings": places[:count].tolist(), "texts": places[count:].tolist()}
