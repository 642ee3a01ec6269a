"""BORIS: its spreadsheet of events, and its table of aggregated events.

Written are the columns that BORIS's "Import observations" asks for in a spreadsheet: time, subject, code, modifier,
comment. A segment is a state event, two rows with one code. BORIS opens .xlsx and .ods, so the CSV is saved as one of
them first. Read are the same table, and what BORIS exports as "aggregated events" (Behavior, Start (s), Stop (s)) and
as "tabular events" (Behavior, Time). The score is kept in the comment of the first row.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from flora_engine.errors import FloraError
from flora_engine.labelling.exchange._common import Format, Recording, Row, edges, from_seconds, one_line, table
from flora_engine.labelling.segments import Annotation

COLUMNS = ("time", "subject", "code", "modifier", "comment")
_SCORE = "score "


def write(annotation: Annotation) -> str:
    """Raises FloraError if two segments of one class overlap: their events could not be told apart."""
    events: list[tuple[float, int, str, str]] = []
    last: dict[str, int] = {}
    for s in sorted(annotation.segments, key=lambda s: s.start):
        name = one_line(s.name)
        if s.start <= last.get(name, -1):
            raise FloraError(
                f"BORIS cannot hold two segments of “{name}” at the same time", remedy="Use another format."
            )
        last[name] = s.end
        begin, after = edges(s, annotation.fps)
        # a stop sorts before a start at the same time
        events.append((begin, 1, name, "" if s.score is None else f"{_SCORE}{s.score:.6g}"))
        events.append((after, 0, name, ""))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([f"{time:.6f}", "", name, "", comment] for time, _, name, comment in sorted(events))
    return text.getvalue()


def claims(text: str) -> bool:
    header, _ = table(text)
    names = set(header)
    return {"time", "code"} <= names or {"behavior", "time"} <= names or {"behavior", "start (s)", "stop (s)"} <= names


def read(text: str, recording: Recording) -> Iterator[Row]:
    header, rows = table(text)
    if not claims(text):
        yield "line 1", "the columns time and code, or Behavior, Start (s) and Stop (s), are not there"
        return
    cells = [(line, dict(zip(header, row, strict=False))) for line, row in rows]
    if "start (s)" in header:
        for line, row in cells:
            start, stop = row.get("start (s)", ""), row.get("stop (s)", "")
            yield f"line {line}", from_seconds(row.get("behavior", ""), start, stop, recording.fps)
    else:
        yield from _paired(cells, recording)


def _paired(cells: list[tuple[int, dict[str, str]]], recording: Recording) -> Iterator[Row]:
    """State events: the first row of a subject and a code begins a segment, the second ends it, and so on."""
    begun: dict[tuple[str, str], tuple[int, str, str]] = {}
    for line, row in cells:
        name, time = row.get("code", row.get("behavior", "")), row.get("time", "")
        if row.get("behavior type", "").strip().upper() == "POINT":
            yield f"line {line}", f"“{one_line(name)}” is a point event, and a segment has a length"
            continue
        who = (row.get("subject", "").strip(), one_line(name))
        if who in begun:
            first, start, score = begun.pop(who)
            yield f"line {first}", from_seconds(name, start, time, recording.fps, score)
        else:
            comment = row.get("comment", "")
            begun[who] = (line, time, comment.removeprefix(_SCORE) if comment.startswith(_SCORE) else "")
    for (_, name), (line, _, _) in begun.items():
        yield f"line {line}", f"“{name}” begins and never ends"


FORMAT = Format("boris", "BORIS table of events", ".csv", claims, write, read)
