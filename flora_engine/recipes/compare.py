"""Train every head on the same features and texts."""

from __future__ import annotations

from flora_engine.choices import modules_of
from flora_engine.config import AnyConfig, FloraConfig, parse_config
from flora_engine.jobs import Job
from flora_engine.recipes import training
from flora_engine.recipes.training import changed
from flora_engine.runs.results import AnyResult

HEADS = modules_of("flora_engine.heads")


class Request(training.Request):
    """As a training; heads: all that the data suffices for if none are named."""


def run(job: Job, request: Request) -> AnyResult:
    """Train with every head, or with those that are named. Raises FloraError, Cancelled."""
    return training.train(job, request, with_every_head if request.heads is None else changed)


def with_every_head(config: AnyConfig, request: training.Request) -> AnyConfig:
    """The changed configuration with every head; without those that measure recordings if it has only features."""
    from flora_engine.heads import reads

    config = changed(config, request)
    bare = isinstance(config, FloraConfig) and config.data is None
    heads = [name for name in HEADS if not bare or reads(name) == "features"]
    return parse_config(config.model_dump(mode="json") | {"heads": heads})
