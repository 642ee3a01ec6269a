"""Train every head on the same features and texts."""

from __future__ import annotations

from flora_engine.choices import modules_of
from flora_engine.jobs import Job
from flora_engine.recipes import training
from flora_engine.runs.results import AnyResult

HEADS = modules_of("flora_engine.heads")


class Request(training.Request):
    """As a training; heads: all if none are named."""


def run(job: Job, request: Request) -> AnyResult:
    """Train with every head, or with those that are named. Raises FloraError, Cancelled."""
    if request.resume is None and request.heads is None:
        request = request.model_copy(update={"heads": HEADS})
    return training.run(job, request)
