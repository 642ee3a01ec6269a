"""What a run told so far, read from its events as they come: curves, parts, log and state. No torch.

A `History` reads only what is new, in pieces, so that a window can follow a run of hundreds of thousands of events. It
looks at the run's folder alone: a run that another program trains, or trained, looks the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from flora_engine.jobs import Event
from flora_engine.runs.folder import EVENTS, RESULT, RunFolder, status_of
from flora_engine.runs.history_file import Clock, Floats, Line, Name, Part, Series, read_kept, write_kept

_BLOCK = 256  # points that are smoothed at once
_LONG = 1 << 20  # bytes of events whose reading takes long enough to be kept
_PIECE = 1 << 18  # bytes parsed in one go: the parser holds the interpreter, and with it a window, for so long


class History:
    """Everything that the events of one run say. `refresh` may run in any one thread; others read meanwhile."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._forget()

    def _forget(self) -> None:
        self.series: dict[Name, Series] = {}
        self.parts: dict[str, Part] = {}
        self.log: list[Line] = []
        self.clock = Clock()
        self.count = 0  # events so far
        self._offset = 0

    def refresh(self) -> bool:
        """Read what is new; whether there was anything. A last line without its end waits for the next time.

        What was read of a long run is kept beside its events, so that it is not parsed again the next time.
        """
        before, first = self.count, self._offset == 0
        if first and (kept := read_kept(self.path)) is not None:
            self.series, self.parts, self.log, self.clock, self.count, self._offset = kept
        start = self._offset
        for events in self._pieces():
            self._take(events)
        if first and self._offset - start > _LONG and not RunFolder(self.path).is_running():
            self.keep()
        return self.count > before

    def keep(self) -> None:
        """Keep what was read beside the events, if that can be written."""
        write_kept(self.path, (self.series, self.parts, self.log, self.clock, self.count, self._offset))

    def status(self) -> str:
        """As `RunFolder.status`, without reading the events again."""
        running = RunFolder(self.path).is_running()
        if not running and (self.path / RESULT).is_file():
            return "finished"
        return status_of(self.clock.state, running)

    def seconds(self, now: float | None = None) -> float:
        """How long the run has worked, stops left out: by `now` if it is running, else (None) by its last event."""
        since, end = self.clock.since, self.clock.last if now is None else now
        return self.clock.worked + (0.0 if since is None else max(0.0, end - since))

    def current(self) -> Part | None:
        """The innermost part that is at work; None between parts."""
        running = [part for part in self.parts.values() if part.state == "running"]
        return max(running, key=lambda part: (part.depth, part.started), default=None)

    def _pieces(self) -> Iterator[list[Event]]:
        try:
            with (self.path / EVENTS).open("rb") as file:
                if file.seek(0, 2) < self._offset:  # another file has taken its place
                    self._forget()
                file.seek(self._offset)
                rest = b""
                while piece := file.read(_PIECE):
                    whole, newline, rest = (rest + piece).rpartition(b"\n")
                    self._offset += len(whole) + len(newline)
                    yield _parsed(whole)
        except FileNotFoundError:
            return

    def _take(self, events: list[Event]) -> None:
        points: dict[tuple[Any, Any], tuple[list[float], list[float]]] = {}
        for place, event in enumerate(events):
            if event.get("kind") == "metric":
                _collect(event, points)
                continue
            if place:
                self._note_time(events[place - 1])
            self._take_other(str(event.get("kind")), event)
        for (part, metric), (steps, values) in points.items():
            self.series.setdefault(Name(str(part), str(metric)), Series()).add(steps, values)
        self.count += len(events)
        if events:
            self._note_time(events[-1])
            self.clock.first = self.clock.first or _number(events[0].get("time")) or 0.0

    def _note_time(self, event: Event) -> None:
        self.clock.last = _number(event.get("time")) or self.clock.last

    def _take_other(self, kind: str, event: Event) -> None:
        time, path = _number(event.get("time")) or 0.0, str(event.get("part", ""))
        text = str(event.get("text", ""))
        if kind == "state":
            self._take_state(str(event.get("state", "")), time, text)
        elif kind == "part":
            self._take_part(path, str(event.get("state", "")), time)
        elif kind == "progress":
            self._take_progress(path, event)
        elif kind in ("log", "warning"):
            self.log.append(Line(time, "warning" if kind == "warning" else "info", text, path))
            self.clock.worked -= _number(event.get("slept")) or 0.0

    def _take_state(self, state: str, time: float, text: str) -> None:
        clock = self.clock
        if clock.since is not None and state not in ("paused", "resumed"):
            end = clock.last if state == "started" else time  # started twice: the first process died without a word
            clock.worked += max(0.0, end - clock.since)
            clock.since = None
        if state == "started":
            clock.since = time
        if state in ("started", "stopped", "failed"):
            for part in self.parts.values():
                part.state = "stopped" if part.state == "running" else part.state
        clock.state, clock.text = state, text
        said = f"The run {state}: {text}" if text else f"The run {_WORDS.get(state, state)}"
        self.log.append(Line(time, "error" if state == "failed" else "info", said))

    def _take_part(self, path: str, state: str, time: float) -> None:
        part = self.parts.setdefault(path, Part(path, started=time))
        if state == "started":
            part.state, part.started, part.seconds_left = "running", time, None
            return
        part.seconds += max(0.0, time - part.started)
        part.state, part.seconds_left = state, None

    def _take_progress(self, path: str, event: Event) -> None:
        part = self.parts.setdefault(path, Part(path, started=_number(event.get("time")) or 0.0))
        part.stage = str(event.get("stage", ""))
        part.done, part.total = int(_number(event.get("done")) or 0), int(_number(event.get("total")) or 0)
        part.seconds_left = _number(event.get("seconds_left"))
        memory = _number(event.get("memory"))
        self.clock.memory = self.clock.memory if memory is None else int(memory)


_WORDS = {"started": "started", "paused": "is paused", "resumed": "continues", "stopped": "was stopped"}


def smoothed(values: Floats, weight: float) -> Floats:
    """Exponential moving average (n,), started at the first value without a bias towards it; weight 0 … <1.

    A value that is not a number is left as a gap and does not spoil those after it.
    """
    if weight <= 0 or not len(values):
        return values
    good = np.isfinite(values)
    kept = values[good]
    result = np.full(len(values), np.nan)
    result[good] = _averaged(kept, weight) / (1 - weight ** np.arange(1, len(kept) + 1))
    return result


def _averaged(values: Floats, weight: float) -> Floats:
    """y_i = weight · y_(i-1) + (1 - weight) · x_i from y = 0, in whole blocks; each passes its end to the next."""
    blocks = np.zeros((-(-len(values) // _BLOCK), _BLOCK))
    blocks.flat[: len(values)] = values
    distance = np.arange(_BLOCK)[:, None] - np.arange(_BLOCK)
    inside = np.where(distance >= 0, (1 - weight) * weight ** np.maximum(distance, 0), 0.0)
    blocks = blocks @ inside.T
    fading, before = weight ** np.arange(1, _BLOCK + 1), 0.0
    for row in range(len(blocks)):
        blocks[row] += before * fading
        before = blocks[row, -1]
    return blocks.ravel()[: len(values)]


def _collect(event: Event, points: dict[tuple[Any, Any], tuple[list[float], list[float]]]) -> None:
    """Add a metric's point, if it is one. Most events are metrics, so this is what reading a long run costs."""
    step, value, key = event.get("step"), event.get("value"), (event.get("part", ""), event.get("name", ""))
    if not isinstance(step, int | float) or not isinstance(value, int | float):
        return
    try:
        steps, values = points[key]
    except KeyError:
        steps, values = points[key] = [], []
    except TypeError:  # a name that is no text
        return
    steps.append(step)
    values.append(value)


def _parsed(content: bytes) -> list[Event]:
    """The events of whole lines; a line that is not one (torn by a crash) is left out."""
    lines = [line for line in content.split(b"\n") if line.strip()]
    try:
        found = json.loads(b"[" + b",".join(lines) + b"]")  # one call for all: three times as fast
    except ValueError:
        found = [_one(line) for line in lines]
    if len(found) != len(lines):  # two halves of lines that were valid by accident
        found = [_one(line) for line in lines]
    return [event for event in found if isinstance(event, dict)]


def _one(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
