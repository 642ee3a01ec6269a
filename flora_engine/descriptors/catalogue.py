"""The catalogue: every descriptor with its name, its phrases, its unit and what it is measured from.

The words are a table, `resources/descriptors/catalogue.tsv`; what the table calls a signal is measured by the module
that its body part names. A name is stable, because lexicons and bundles speak of it, and reads part, quantity,
statistic: `right_hand_height_max`. `right_` and `left_` are the person's own sides; `active_` is the side that moves
more, `any_` the nearer or higher of the two sides, `both_` the one that is less so. Lengths are in torsos (hips to
shoulders), angles in degrees.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache

from flora_engine.resources import RESOURCES

CATALOGUE = RESOURCES / "descriptors" / "catalogue.tsv"
# How a time series becomes one value. A name that ends in none of these is measured as a whole.
STATISTICS = {
    "max": "highest average over 0.17 s",
    "min": "lowest average over 0.17 s",
    "peak": "highest average over 0.1 s",
    "typical": "median over time",
    "mean": "mean over time",
    "range": "highest less lowest average over 0.17 s",
    "change": "median of the last 0.4 s less that of the first 0.4 s",
    "bump": "highest average over 0.17 s less the larger median of the first and the last 0.4 s",
    "dip": "the smaller median of the first and the last 0.4 s less the lowest average over 0.17 s",
    "share": "share of the time",
}
_SIDE_WORDS = {"right": "the right", "left": "the left", "active": "the more active"}


@dataclass(frozen=True)
class Descriptor:
    """One named measurement.

    high, low: a phrase for a high and for a low value. unit: "torsos", "degrees", "torsos/s", "1/s", "share", … or ""
    for a bare number. joints: names of the Kinect v2 joints that it speaks of; "active hand" is the hand that moved
    more; empty for the whole body. definition: one line. source: the literature, if it has one.
    """

    name: str
    unit: str
    high: str
    low: str
    joints: tuple[str, ...]
    definition: str
    source: str = ""

    @property
    def statistic(self) -> str:
        """The key of `STATISTICS` that the name ends in, or "whole"."""
        ending = self.name.rsplit("_", 1)[-1]
        return ending if ending in STATISTICS else "whole"

    @property
    def signal(self) -> str:
        """The name of the measured time series, or of the whole recording's value."""
        return self.name if self.statistic == "whole" else self.name.rsplit("_", 1)[0]


def _expand(row: dict[str, str]) -> list[Descriptor]:
    """One descriptor per side that the row names, or the row's only one."""
    found = []
    for side in row["sides"].split() or [""]:

        def said(text: str, side: str = side) -> str:
            return text.replace("{the}", _SIDE_WORDS.get(side, "")).replace("{side}", side)

        joints = tuple(said(joint) for joint in row["joints"].split(",") if joint)
        name = f"{side}_{row['name']}" if side else row["name"]
        words = (said(row["high"]), said(row["low"]))
        found.append(Descriptor(name, row["unit"], *words, joints, said(row["definition"]), row["source"]))
    return found


@cache
def catalogue() -> dict[str, Descriptor]:
    """All descriptors by name, in the order of the values that `measure` gives."""
    with CATALOGUE.open(encoding="utf-8", newline="") as file:
        entries = [d for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE) for d in _expand(row)]
    return {entry.name: entry for entry in entries}
