"""How long a run will still take, from its own parts: what is done tells of what is like it. No torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flora_engine.runs.events import History
from flora_engine.runs.history_file import Part

_FOLD = re.compile(r"fold (\d+) of (\d+), choice (\d+) of (\d+)$")


@dataclass(frozen=True)
class Left:
    """Seconds left. complete: nothing is missing; else the run takes at least so long."""

    seconds: float
    complete: bool


def planned(config: Mapping[str, Any]) -> list[str]:
    """Paths of the large parts that a run of this configuration has, in order; what is optional is left out."""
    kind, heads = config.get("kind"), [str(head) for head in config.get("heads") or ()]
    encoder = config.get("encoder")
    streams = encoder.get("streams", ()) if isinstance(encoder, dict) else ()
    encoders = [] if config.get("checkpoints") else [f"encoder {stream}" for stream in streams]
    if kind == "encoder":
        return encoders
    if kind == "descriptors":
        return []  # each part tells by its own progress
    if kind == "flora":
        return heads if config.get("features") else ["features", *heads]
    splits = [str(split.get("name", "")) for split in config.get("splits") or () if isinstance(split, dict)]
    paths = [f"{split}/{part}" for split in splits for part in (*encoders, "features", *heads)]
    if config.get("final"):
        head = "ensemble" if "ensemble" in heads else "flora"
        paths += [f"final/{part}" for part in (*encoders, "features", head)]
    return paths


def left(history: History, config: Mapping[str, Any]) -> Left | None:
    """What the whole run still needs; None if nothing is known yet."""
    seconds, complete, known = 0.0, True, False
    for path in planned(config):
        part = history.parts.get(path)
        if part is not None and part.state == "finished":
            known = True
            continue
        needed = _of(history, config, part) if part is not None else _like(history, path)
        known = known or needed is not None
        complete = complete and needed is not None
        seconds += needed or 0.0
    return Left(seconds, complete) if known and (seconds or not complete) else None


def _like(history: History, path: str) -> float | None:
    """What a part of the same name took elsewhere in the run."""
    name = path.rpartition("/")[2]
    took = [part.seconds for part in history.parts.values() if part.name == name and part.state == "finished"]
    return sum(took) / len(took) if took else None


def _of(history: History, config: Mapping[str, Any], part: Part) -> float | None:
    """What a part that has begun still needs: by its own progress, or by the trainings inside it."""
    inside = [one for path, one in history.parts.items() if path.startswith(f"{part.path}/")]
    if not inside:
        return part.seconds_left
    folds = [(one, match) for one in inside if (match := _FOLD.search(one.name))]
    took = [one.seconds for one, _ in folds if one.state == "finished" and one.seconds > 0.05]
    if not folds or not took:
        return None
    total = int(folds[0][1][2]) * int(folds[0][1][4])
    flora = config.get("flora")
    seeds = len(flora.get("seeds") or (0,)) if isinstance(flora, dict) else 1
    done = sum(one.state == "finished" and "seed" in one.name for one in inside)
    remaining = total - sum(one.state == "finished" for one, _ in folds) + max(0, seeds - done)
    return remaining * sum(took) / len(took)
