"""Evaluate the kept models of a Flora run again, on its own features or on others."""

from __future__ import annotations

from typing import Any

from flora_engine.config import FloraConfig, parse_config
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.recipes import request
from flora_engine.recipes.request import UserPath
from flora_engine.recipes.starting import check_sources, with_absolute_paths
from flora_engine.runs.folder import RunFolder


class Request(request.Request):
    """features: another feature file of the same split."""

    run: UserPath
    features: UserPath | None = None
    device: str | None = None


def run(job: Job, request: Request) -> dict[str, dict[int, dict[str, Any]]]:
    """setting → seed → outcome, as in evaluation.protocols. Raises FloraError, Cancelled."""
    from flora_engine.recipes.flora import evaluate_run

    folder = RunFolder.open(request.run)
    config = parse_config(folder.config(), folder.path)
    if not isinstance(config, FloraConfig):
        raise FloraError(f"this run is of kind {config.kind}, not flora", path=folder.path)
    if request.features is not None:
        config = config.model_copy(update={"features": request.features.absolute(), "data": None, "encoder": ()})
    config = with_absolute_paths(config, None, None)
    assert isinstance(config, FloraConfig)
    check_sources(config)
    return evaluate_run(job, folder, config, request.device)
