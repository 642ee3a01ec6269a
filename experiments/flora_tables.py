"""The Markdown tables of flora_results.py, from its cells."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from flora_engine.choices import modules_of
from flora_engine.evaluation.metrics import mean_and_error

Task = dict[str, Any]
FIRST = ("flora", "eszsl", "nearest_mean", "smie", "cada_vae", "ensemble")  # rows of the tables
HEADS = tuple(dict.fromkeys([*FIRST, *modules_of("flora_engine.heads")]))
TIMES = (0.25, 0.75)  # of the decision; 0.5 is the default
ABLATIONS = ("attunement off", "contrast off", "k = 1", "k = 2", "k = 3")

Values = dict[int, float]  # by seed


def values_of(rows: list[Task], part: str, measure: str) -> Values:
    """Of the cells of one split and head; a cell of several seeds counts on from its own."""
    if part == "times":
        return {row["seed"]: row["times"][measure] for row in rows if measure in row["times"]}
    found = [(row["seed"], row["outcome"].get(part, {}).get(measure, {}).get("values", ())) for row in rows]
    return {seed + place: value for seed, values in found for place, value in enumerate(values)}


def percent(values: list[Values], sign: str = "") -> str:
    """Mean over splits of the mean over seeds, ± the standard error that the seeds leave in it."""
    if not values or not all(values):
        return "–"
    found = [mean_and_error(list(one.values())) for one in values]
    mean = f"{100 * float(np.mean([one['mean'] for one in found])):{sign}.1f}"  # type: ignore[arg-type]
    errors = [one["error"] for one in found]
    if any(error is None for error in errors):
        return mean
    error = math.sqrt(sum(float(e) ** 2 for e in errors)) / len(errors)  # type: ignore[arg-type]
    return f"{mean} ± {100 * error:.1f}"


def mean_of(values: list[Values], digits: int) -> str:
    """The mean over all splits and seeds."""
    found = [value for one in values for value in one.values()]
    return f"{np.mean(found):,.{digits}f}" if found else "–"


def beyond(values: list[Values], base: list[Values]) -> str:
    """The difference to `base` by seed, so that what both owe to the seed's encoder is not in its error."""
    pairs = zip(values, base, strict=True)
    return percent([{seed: one[seed] - other[seed] for seed in one if seed in other} for one, other in pairs], "+")


def tables(done: list[Task], splits: list[str]) -> str:
    """Markdown: heads under both protocols, low-shot, ablations; a dash where cells are missing."""

    def column(part: str, measure: str, **wanted: Any) -> list[Values]:
        """The values of each split."""
        wanted = {"protocol": "held-out", "low_shot": 0.0, "ablation": "full", **wanted}
        rows = [one for one in done if all(one[key] == value for key, value in wanted.items())]
        return [values_of([one for one in rows if one["split"] == split], part, measure) for split in splits]

    def zsl(values: list[Values], base: list[Values]) -> list[str]:
        """By split, their mean, and against `base`."""
        return [*(percent([one]) for one in values), percent(values), "" if values == base else beyond(values, base)]

    def table(title: str, header: list[str], body: list[list[str]]) -> list[str]:
        kept = [row for row in body if any(cell not in ("–", "") for cell in row[1:])]
        lines = [f"| {' | '.join(row)} |" for row in kept]
        return [f"### {title}", "", f"| {' | '.join(header)} |", "|---" * len(header) + "|", *lines, ""] if kept else []

    names = [name for name in HEADS if any(one["head"] == name for one in done)]
    heads = ["head", *(f"ZSL {split}" for split in splits), "ZSL"]
    generalised = {**{name: name for name in ("seen", "unseen", "harmonic", "area")}, "gated": "gate_harmonic"}
    lines = ["Per cent, mean ± standard error over seeds; without a split's name, the mean over the splits.", ""]
    for protocol, label in (("held-out", "held-out"), ("published", "published (best of the evaluations on the test)")):
        flora = column("zsl", "accuracy", head="flora", protocol=protocol)
        body = [
            [
                *[name, *zsl(column("zsl", "accuracy", head=name, protocol=protocol), flora)],
                *(percent(column("gzsl", measure, head=name, protocol=protocol)) for measure in generalised.values()),
            ]
            for name in names
        ]
        if protocol == "held-out":
            aligned = zsl(column("nearest_aligned", "accuracy", head="flora"), flora)
            body.append(["nearest mean in Flora's space", *aligned, *["–"] * len(generalised)])
        lines += table(label, [*heads, "beyond Flora", *generalised], body)
    body = [
        [name, mean_of(column("cost", "seconds", head=name), 1), mean_of(column("cost", "parameters", head=name), 0)]
        for name in names
    ]
    lines += table("cost of one training", ["head", "seconds", "numbers that it holds"], body)
    shares = (1.0, 0.1, 0.01)
    body = [
        [name]
        + [percent(column("zsl", "accuracy", head=name, low_shot=share % 1)) for share in shares]
        + [percent(column("gzsl", "harmonic", head=name, low_shot=share % 1)) for share in shares]
        for name in names
    ]
    header = [f"{what}, {share:.0%}" for what in ("ZSL", "harmonic") for share in shares]
    lines += table("low-shot: share of the training samples", ["head", *header], body)
    full = column("zsl", "accuracy", head="flora")
    body = [["full", *zsl(full, full)]]
    body += [[name, *zsl(column("zsl", "accuracy", head="flora", ablation=name), full)] for name in ABLATIONS]
    aligned = column("nearest_aligned", "accuracy", head="flora")
    body += [["flow off (nearest mean in Flora's space)", *zsl(aligned, full)]]
    body += [[f"t = {t}", *zsl(column("times", str(t), head="flora"), full)] for t in TIMES]
    lines += table("Flora's ablations", ["ZSL", *splits, "mean", "beyond full"], body)
    plain = column("zsl", "accuracy", head="plain", protocol="-")
    lines += table("the plain version", [*heads, "beyond Flora"], [["plain", *zsl(plain, full)]])
    return "\n".join(lines)
