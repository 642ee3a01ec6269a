"""Which metrics of a run are drawn together, in which order, and how they are called. Qt-free."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flora_engine.runs.events import History
from flora_engine.runs.history_file import Name

MOST = 8  # curves of one plot: more cannot be told apart


@dataclass(frozen=True)
class Plot:
    """One plot. axis: what the steps count; plots of the same axis share the cursor. share: values are drawn in %."""

    title: str
    axis: str
    metrics: tuple[str, ...]  # endings of metric names, each with its label after a colon
    share: bool = False


PLOTS = (
    Plot("Encoder: loss", "epoch", ("/loss:train", "/held_out_loss:held out")),
    Plot("Encoder: accuracy", "epoch", ("/accuracy:train", "/held_out_accuracy:held out"), share=True),
    Plot("Alignment: loss", "step", ("align_loss:",)),
    Plot("Flow: loss", "step", ("flow_loss:",)),
    Plot("Held-out classes", "evaluation", ("held_out_zsl:ZSL", "held_out_harmonic:harmonic"), share=True),
    Plot(
        "Test part",
        "evaluation",
        ("test_zsl:ZSL", "test_seen:seen", "test_unseen:unseen", "test_harmonic:harmonic"),
        share=True,
    ),
    Plot("Encoder: learning rate", "epoch", ("/learning_rate:",)),
    Plot("Encoder: samples per second", "epoch", ("/samples_per_second:",)),
    Plot("Flora: samples per second", "step", ("samples_per_second:",)),
)


@dataclass(frozen=True)
class Curve:
    """What is drawn: rising steps and values (n,)."""

    label: str
    steps: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Drawn:
    """The curves of one plot. left_out: how many more there are."""

    plot: Plot
    curves: tuple[Curve, ...]
    left_out: int = 0


def drawn(history: History, part: str = "", before: str = "") -> list[Drawn]:
    """The plots of a run that have a curve, of all parts or of those at and below `part`. before: put before labels.

    Of too many curves in one plot the newest are shown.
    """
    names = [name for name in list(history.series) if _below(name.part, part)]
    found = []
    for plot in (*PLOTS, *_others(names)):
        wanted = [(name, label) for name in names if (label := _label(plot, name)) is not None]
        if wanted:
            shown = wanted[-MOST:]
            curves = tuple(
                Curve(f"{before}{label}", *history.series[name].points())
                for (name, _), label in zip(shown, _labels(shown), strict=True)
            )
            found.append(Drawn(plot, curves, len(wanted) - len(shown)))
    return found


def _below(part: str, chosen: str) -> bool:
    return not chosen or part == chosen or part.startswith(f"{chosen}/")


def _label(plot: Plot, name: Name) -> str | None:
    """The label of a metric in a plot, None if it is not drawn there."""
    for entry in plot.metrics:
        ending, _, label = entry.partition(":")
        if name.metric == ending:
            return label
        if ending.startswith("/") and name.metric.endswith(ending):
            return f"{name.metric.removesuffix(ending)} {label}".strip()
    return None


def _others(names: Iterable[Name]) -> list[Plot]:
    """A plot for each metric that none of PLOTS draws, but for the time left, which is told in words."""
    known = [
        name
        for name in names
        if not name.metric.endswith("seconds_left") and all(_label(plot, name) is None for plot in PLOTS)
    ]
    return [Plot(metric, "step", (f"{metric}:",)) for metric in dict.fromkeys(name.metric for name in known)]


def _labels(shown: list[tuple[Name, str]]) -> list[str]:
    """Labels that tell the curves of a plot apart: the part only if there are several."""
    parts = {name.part for name, _ in shown}
    if len(parts) == 1:
        return [label or name.metric for name, label in shown]
    depth = 1  # as many of the last words of the path as it takes
    while depth < 9 and len({_end(part, depth) for part in parts}) < len(parts):
        depth += 1
    return [f"{_end(name.part, depth)} {label}".strip() for name, label in shown]


def _end(part: str, depth: int) -> str:
    return "/".join(part.split("/")[-depth:])


def as_csv(plots: Iterable[Drawn]) -> str:
    """Every point of the curves: plot, curve, step, value."""
    lines = ["plot,curve,step,value"]
    for each in plots:
        for curve in each.curves:
            head = ",".join(f'"{text}"' for text in (each.plot.title, curve.label.replace('"', "'")))
            lines += [
                f"{head},{step:g},{value!r}" for step, value in zip(curve.steps, curve.values.tolist(), strict=True)
            ]
    return "\n".join(lines) + "\n"
