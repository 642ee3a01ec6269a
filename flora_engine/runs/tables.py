"""Results of runs as Markdown tables and as flat numbers. Plain data in, text out; no torch.

Accuracies are means over seeds in per cent; ± is the standard error over seeds. Differences to the first head are taken
seed by seed, so that what both owe to a seed cancels out. “gated” is the harmonic accuracy as the learned gate decides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flora_engine.runs.results import (
    AnyResult,
    DescriptorsResult,
    EncoderResult,
    FloraResult,
    Heads,
    Outcome,
    PipelineResult,
    SplitResult,
    Stream,
)

GZSL = ("seen", "unseen", "harmonic", "area")
NOTHING = "–"  # in a cell: Qt merges empty ones with their neighbours
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
    """What came out of a run of any kind: a Markdown table of heads and protocols, or a line for each encoder; and what
    a run lacks to label, if it says so.
    """
    if isinstance(result, FloraResult | SplitResult):
        chance = next(iter(next(iter(result.heads.values())).values()))["chance"]
        lines = [*_table(_head(_base(result.heads)), _rows(result.heads)), "", f"Chance (ZSL): {chance:.1%}"]
        missing = result.to_label if isinstance(result, FloraResult) else ""
        weights = f"In the model {result.weights}." if result.weights else ""
        return "\n".join([*lines, *(part for text in (missing, weights) if text for part in ("", text))])
    if isinstance(result, PipelineResult):
        rows = [row for name, split in result.splits.items() for row in _rows(split.heads, name, split.chance)]
        base = _base(next(iter(result.splits.values())).heads)
        each = {name: split.weights for name, split in result.splits.items()}
        each |= {} if result.final is None else {"final": result.final.weights}
        said = [f"In the model of {name} {text}." for name, text in each.items() if text]
        return "\n".join(
            [*_table(_head(base, "split", "chance"), rows), *(part for text in said for part in ("", text))]
        )
    if isinstance(result, DescriptorsResult):
        return "\n".join(_left_out(result))
    streams = result.streams if isinstance(result, EncoderResult) else result.encoder
    return "\n".join(_encoder_line(name, stream) for name, stream in streams.items())


def _left_out(result: DescriptorsResult) -> list[str]:
    """What was learned from, and what was reached on each part that was left out."""
    lines = ["| left out | recordings | up to five of its classes | all its classes | chance |", "|---" * 5 + "|"]
    for name, one in result.left_out.items():
        count = f"{result.sets[name].recordings:,}" if name in result.sets else ""
        lines.append(f"| {name} | {count} | {one.five[0]:.1f}% | {one.every[0]:.1f}% | {one.chance:.1f}% |")
    learned = ", ".join(f"{one.title} ({one.recordings:,})" for one in result.sets.values())
    return [*(lines if result.left_out else []), "", f"Learned from {learned}."]


def _head(base: str, first: str = "", last: str = "") -> list[str]:
    columns = [*filter(None, [first]), "head", "protocol", "ZSL", f"beyond {base}", *GZSL, "gated"]
    return [*columns, "seconds", "parameters", "minutes", *filter(None, [last])]


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    """The lines of a Markdown table, without columns that are empty in every row."""
    kept = [place for place in range(len(head)) if any(row[place] for row in rows)]
    lines = [[row[place] or NOTHING for place in kept] for row in (head, *rows)]
    first, *others = [f"| {' | '.join(cells)} |" for cells in lines]
    return [first, "|---" * len(kept) + "|", *others]


def _base(heads: Heads) -> str:
    """The head that others are compared with: Flora, or the first."""
    return "flora" if "flora" in heads else next(iter(heads))


def _rows(heads: Heads, split: str = "", chance: float | None = None) -> list[list[str]]:
    before, after = ([split], [f"{chance:.1%}"]) if chance is not None else ([], [])
    rows: list[list[str]] = []
    base = heads[_base(heads)]
    for name, protocols in heads.items():
        for protocol, outcome in protocols.items():
            label = "published (best on test)" if protocol == "published" else protocol
            zsl = percent(outcome["zsl"]["accuracy"]) if "zsl" in outcome else ""
            beyond = "" if protocols is base else _beyond(outcome, base.get(protocol, {}))
            rows.append(
                [*before, _weighed(name, outcome), label, zsl, beyond, *_generalised(outcome), *_cost(outcome), *after]
            )
            if "nearest_aligned" in outcome:
                nearest = percent(outcome["nearest_aligned"]["accuracy"])
                rows.append([*before, FLOW_OFF, label, nearest, *[""] * (len(GZSL) + 5 + len(after))])
    return rows


def _weighed(name: str, outcome: Outcome) -> str:
    """The name of a head; of one that weighs graphs and measurements, with both weights for ZSL."""
    choice = outcome.get("chosen", {}).get("zsl", {}).get("choice", {})
    if not {"graphs", "descriptors"} <= choice.keys():
        return name
    return f"{name} (graphs {choice['graphs']:g}, measurements {choice['descriptors']:g})"


def _generalised(outcome: Outcome) -> list[str]:
    """The columns of GZSL, and the harmonic accuracy of the gate."""
    found = outcome.get("gzsl", {})
    return [percent(found[column]) if column in found else "" for column in (*GZSL, "gate_harmonic")]


def _cost(outcome: Outcome) -> list[str]:
    """Seconds of one training and numbers that the head holds (if they are known), and minutes of everything."""
    cost = outcome.get("cost", {})
    seconds = f"{cost['seconds']['mean']:.1f}" if "seconds" in cost else ""
    parameters = f"{cost['parameters']['mean']:,.0f}" if "parameters" in cost else ""
    return [seconds, parameters, f"{outcome['seconds']['all'] / 60:.1f}"]


def _beyond(outcome: Outcome, base: Outcome) -> str:
    """The difference in ZSL to another head under the same protocol, seed by seed; "" if they share no seed."""
    if "zsl" not in outcome or "zsl" not in base:
        return ""
    found = _paired(
        *((one["zsl"]["accuracy"], [int(seed) for seed in one.get("seeds", ())]) for one in (outcome, base))
    )
    return "" if found is None else str(found)


def _encoder_line(name: str, stream: Stream) -> str:
    accuracy = "" if stream.accuracy is None else f", held-out accuracy {stream.accuracy:.1%}"
    return f"{name}: epoch {stream.epoch + 1}{accuracy}, {stream.checkpoint}"


def numbers(result: AnyResult | None) -> dict[str, str]:
    """The numbers of a result of any kind by name, to lay runs side by side; none of a run that did not finish."""
    found = {name: percent(value) for name, (value, _) in _measured(result).items()}
    if isinstance(result, DescriptorsResult):
        found |= {f"{name} left out: up to five": f"{one.five[0]:.1f}%" for name, one in result.left_out.items()}
    if isinstance(result, EncoderResult):
        accuracies = {name: stream.accuracy for name, stream in result.streams.items()}
        found |= {f"{name}: held-out accuracy": percent(one) for name, one in accuracies.items() if one is not None}
    if isinstance(result, FloraResult | PipelineResult | DescriptorsResult):
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
    found = {name: _paired(one, theirs[name]) for name, one in ours.items() if name in theirs}
    return {name: difference for name, difference in found.items() if difference is not None}


def _paired(ours: tuple[Any, list[int]], theirs: tuple[Any, list[int]]) -> Difference | None:
    """The difference of two numbers, each with its seeds; None if they share none."""
    other = dict(zip(theirs[1], _values(theirs[0]), strict=False))
    pairs = [one - other[seed] for seed, one in zip(ours[1], _values(ours[0]), strict=False) if seed in other]
    if not pairs:
        return None
    mean = math.fsum(pairs) / len(pairs)
    spread = math.sqrt(math.fsum((one - mean) ** 2 for one in pairs) / max(1, len(pairs) - 1))
    return Difference(mean, spread / math.sqrt(len(pairs)) if len(pairs) > 1 else None, len(pairs))


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
                    columns = {column: f"GZSL {column}" for column in GZSL} | {"gate_harmonic": "GZSL gated"}
                    parts_of = outcome["gzsl"]
                    found |= {label + name: (parts_of[key], seeds) for key, name in columns.items() if key in parts_of}
    return found


def _values(value: Any) -> list[float]:
    """One value per seed; none of a result that kept only the mean."""
    return [float(one) for one in value.get("values", ())] if isinstance(value, Mapping) else []
