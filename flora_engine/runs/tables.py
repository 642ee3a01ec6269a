"""Results of runs as Markdown tables and as flat numbers. Plain data in, text out; no torch.

Accuracies are means over seeds in per cent; ± is the standard error over seeds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flora_engine.runs.results import (
    AnyResult,
    EncoderResult,
    FloraResult,
    Heads,
    Outcome,
    PipelineResult,
    SplitResult,
    Stream,
)

GZSL = ("seen", "unseen", "harmonic", "area")
FLOW_OFF = "nearest mean in Flora's aligned space"


def percent(value: Outcome | float) -> str:
    """A number, or a mean with its standard error where there is more than one seed."""
    if not isinstance(value, Mapping):
        return f"{value:.1%}"
    return f"{value['mean']:.1%}" + ("" if value.get("error") is None else f" ± {value['error']:.1%}")


def outcome_line(outcome: Outcome) -> str:
    """One outcome of a protocol in a line."""
    parts = [f"ZSL {percent(outcome['zsl']['accuracy'])}"] if "zsl" in outcome else []
    if "gzsl" in outcome:
        parts += [f"GZSL {name} {percent(outcome['gzsl'][name])}" for name in GZSL[:3]]
    return ", ".join(parts) + f" ({outcome['note']})"


def result_table(result: AnyResult) -> str:
    """What came out of a run of any kind: a Markdown table of heads and protocols, or a line for each encoder."""
    if isinstance(result, FloraResult | SplitResult):
        chance = next(iter(next(iter(result.heads.values())).values()))["chance"]
        return "\n".join([*_head(), *_rows(result.heads), "", f"Chance (ZSL): {chance:.1%}"])
    if isinstance(result, PipelineResult):
        rows = [row for name, split in result.splits.items() for row in _rows(split.heads, name, split.chance)]
        return "\n".join([*_head("split", "chance"), *rows])
    streams = result.streams if isinstance(result, EncoderResult) else result.encoder
    return "\n".join(_encoder_line(name, stream) for name, stream in streams.items())


def _head(first: str = "", last: str = "") -> list[str]:
    columns = [*filter(None, [first]), "head", "protocol", "ZSL", *GZSL, "minutes", *filter(None, [last])]
    return [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]


def _rows(heads: Heads, split: str = "", chance: float | None = None) -> list[str]:
    before, after = ([split], [f"{chance:.1%}"]) if chance is not None else ([], [])
    rows = []
    for name, protocols in heads.items():
        for protocol, outcome in protocols.items():
            label = "published (best on test)" if protocol == "published" else protocol
            zsl = percent(outcome["zsl"]["accuracy"]) if "zsl" in outcome else ""
            gzsl = [percent(outcome["gzsl"][column]) if "gzsl" in outcome else "" for column in GZSL]
            minutes = f"{outcome['seconds']['all'] / 60:.1f}"
            rows.append([*before, name, label, zsl, *gzsl, minutes, *after])
            if "nearest_aligned" in outcome:
                nearest = percent(outcome["nearest_aligned"]["accuracy"])
                rows.append([*before, FLOW_OFF, label, nearest, *[""] * (len(GZSL) + 1 + len(after))])
    return [f"| {' | '.join(row)} |" for row in rows]


def _encoder_line(name: str, stream: Stream) -> str:
    accuracy = "" if stream.accuracy is None else f", held-out accuracy {stream.accuracy:.1%}"
    return f"{name}: epoch {stream.epoch + 1}{accuracy}, {stream.checkpoint}"


def numbers(result: AnyResult | None) -> dict[str, str]:
    """The numbers of a result of any kind by name, to lay runs side by side; none of a run that did not finish."""
    found = {name: percent(value) for name, (value, _) in _measured(result).items()}
    if isinstance(result, EncoderResult):
        accuracies = {name: stream.accuracy for name, stream in result.streams.items()}
        found |= {f"{name}: held-out accuracy": percent(one) for name, one in accuracies.items() if one is not None}
    if isinstance(result, FloraResult | PipelineResult):
        found["minutes"] = f"{result.minutes:.1f}"
    return found


@dataclass(frozen=True)
class Difference:
    """Of one number between two runs, over the seeds that both have. error: standard error; None with one seed."""

    mean: float
    error: float | None
    seeds: int

    def __str__(self) -> str:
        error = "" if self.error is None else f" ± {100 * self.error:.1f}"
        return f"{100 * self.mean:+.1f}{error} ({self.seeds} seed{'s' if self.seeds != 1 else ''})"


def differences(result: AnyResult | None, base: AnyResult | None) -> dict[str, Difference]:
    """What `result` has more than `base`, by the names of `numbers`, seed by seed: what both share cancels out.

    Numbers that only one has, or that share no seed, are left out.
    """
    ours, theirs = _measured(result), _measured(base)
    found: dict[str, Difference] = {}
    for name, (value, seeds) in ours.items():
        if name not in theirs:
            continue
        other = dict(zip(theirs[name][1], _values(theirs[name][0]), strict=False))
        pairs = [one - other[seed] for seed, one in zip(seeds, _values(value), strict=False) if seed in other]
        if pairs:
            mean = math.fsum(pairs) / len(pairs)
            spread = math.sqrt(math.fsum((one - mean) ** 2 for one in pairs) / max(1, len(pairs) - 1))
            found[name] = Difference(mean, spread / math.sqrt(len(pairs)) if len(pairs) > 1 else None, len(pairs))
    return found


def _measured(result: AnyResult | None) -> dict[str, tuple[Any, list[int]]]:
    """Each accuracy by name, as it is stored, with the seeds that it is over."""
    parts: dict[str, Heads] = {}
    if isinstance(result, PipelineResult):
        parts = {f"{name}, ": split.heads for name, split in result.splits.items()}
    elif isinstance(result, FloraResult | SplitResult):
        parts = {"": result.heads}
    found: dict[str, tuple[Any, list[int]]] = {}
    for before, heads in parts.items():
        for name, protocols in heads.items():
            for protocol, outcome in protocols.items():
                label, seeds = f"{before}{name}, {protocol}: ", [int(seed) for seed in outcome.get("seeds", ())]
                if "zsl" in outcome:
                    found[label + "ZSL"] = outcome["zsl"]["accuracy"], seeds
                if "gzsl" in outcome:
                    found |= {label + f"GZSL {column}": (outcome["gzsl"][column], seeds) for column in GZSL}
    return found


def _values(value: Any) -> list[float]:
    """One value per seed; none of a result that kept only the mean."""
    return [float(one) for one in value.get("values", ())] if isinstance(value, Mapping) else []
