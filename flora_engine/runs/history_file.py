"""What the events of a run say, as plain data, and a file that keeps it so that a long run opens at once. No torch.

The file is `history.npz` beside the events. It says up to which byte they were read. Events are only added, so it stays
right when more come; it is left aside if the bytes before that place are not those that were read.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.files import open_arrays, replacing
from flora_engine.runs.folder import CONFIG, EVENTS, HISTORY

Floats = NDArray[np.float64]
_VERSION = 1
_LAST = 512  # bytes before the place up to which events were read, by which they are known again


@dataclass(frozen=True, order=True)
class Name:
    """Of a curve: the part of the run that it belongs to ("" for the whole run), and the metric."""

    part: str
    metric: str


class Series:
    """Points of one curve, in the order in which they were told."""

    def __init__(self) -> None:
        self._steps, self._values, self.count = np.zeros(64), np.zeros(64), 0

    def add(self, steps: list[float], values: list[float]) -> None:
        end = self.count + len(steps)
        if end > len(self._steps):  # new arrays: whoever draws the old ones keeps them
            room = max(end, 2 * len(self._steps))
            self._steps, self._values = np.resize(self._steps, room), np.resize(self._values, room)
        self._steps[self.count : end], self._values[self.count : end] = steps, values
        self.count = end

    def add_arrays(self, steps: Floats, values: Floats) -> None:
        """Take whole arrays in place of points."""
        self._steps, self._values, self.count = steps.copy(), values.copy(), len(steps)

    def points(self) -> tuple[Floats, Floats]:
        """Steps, rising, and values (n,); of a step that was told twice, before and after a crash, the last counts."""
        steps, values = self._steps[: self.count], self._values[: self.count]
        if self.count < 2 or bool(np.all(np.diff(steps) > 0)):
            return steps, values
        unique, first = np.unique(steps[::-1], return_index=True)
        return unique, values[::-1][first]


@dataclass
class Part:
    """One part of a run. seconds: how long it ran, over all starts. state: running, finished or stopped."""

    path: str
    state: str = "running"
    seconds: float = 0.0
    started: float = 0.0
    stage: str = ""
    done: int = 0
    total: int = 0
    seconds_left: float | None = None

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def depth(self) -> int:
        return self.path.count("/")


@dataclass(frozen=True)
class Line:
    """One line of the log. level: info, warning or error. time: seconds since 1970."""

    time: float
    level: str
    text: str
    part: str = ""


@dataclass
class Clock:
    """How long the run worked, over all starts. state: the last one told. text: of a failure."""

    state: str = ""
    text: str = ""
    first: float = 0.0
    last: float = 0.0
    worked: float = 0.0
    since: float | None = None  # when the process that works now started
    memory: int | None = None  # bytes


Kept = tuple[dict[Name, Series], dict[str, Part], list[Line], Clock, int, int]  # the last two: events, bytes


def write_kept(run: Path, kept: Kept) -> None:
    """Write the file of a run, unless it cannot be written."""
    series, parts, log, clock, count, offset = kept
    head = {
        "version": _VERSION,
        "names": [[name.part, name.metric] for name in series],
        "counts": [one.count for one in series.values()],
        "parts": [asdict(part) for part in parts.values()],
        "log": [asdict(line) for line in log],
        "clock": asdict(clock),
        "count": count,
        "offset": offset,
    }
    with contextlib.suppress(OSError, FloraError):
        if not (run / CONFIG).is_file():
            return
        steps, values = ([getattr(one, key)[: one.count] for one in series.values()] for key in ("_steps", "_values"))
        head["last"] = _last_bytes(run, offset)
        text = np.frombuffer(json.dumps(head).encode(), np.uint8)
        with replacing(run / HISTORY) as temporary, temporary.open("wb") as file:
            np.savez(file, head=text, steps=np.concatenate([[], *steps]), values=np.concatenate([[], *values]))


def read_kept(run: Path) -> Kept | None:
    """What the file of a run holds; None if there is none, or it is not about these events."""
    try:
        with open_arrays(run / HISTORY) as file:
            head = json.loads(file["head"].tobytes())
            steps, values = file["steps"], file["values"]
        if head["version"] != _VERSION or _last_bytes(run, head["offset"]) != head["last"]:
            return None
        series, start = {}, 0
        for (part, metric), count in zip(head["names"], head["counts"], strict=True):
            one = series[Name(part, metric)] = Series()
            one.add_arrays(steps[start : start + count], values[start : start + count])
            start += count
        parts = {part["path"]: Part(**part) for part in head["parts"]}
        log = [Line(**line) for line in head["log"]]
        return series, parts, log, Clock(**head["clock"]), int(head["count"]), int(head["offset"])
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None


def _last_bytes(run: Path, offset: int) -> str:
    with (run / EVENTS).open("rb") as file:
        file.seek(max(0, offset - _LAST))
        last = file.read(min(_LAST, offset))
    if len(last) < min(_LAST, offset):
        raise ValueError("the events are shorter than they were")
    return hashlib.sha256(last).hexdigest()
