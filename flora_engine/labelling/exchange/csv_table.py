"""CSV: one row per segment."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from flora_engine.labelling.exchange._common import Format, Recording, Row, edges, from_frames, table
from flora_engine.labelling.segments import Annotation

COLUMNS = ("file", "class", "start_frame", "end_frame", "start_seconds", "end_seconds", "score")


def write(annotation: Annotation) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for s in annotation.segments:
        first, last = edges(s, annotation.fps)
        score = "" if s.score is None else f"{s.score:.6g}"
        writer.writerow([annotation.file, s.name, s.start, s.end, f"{first:.6f}", f"{last:.6f}", score])
    return text.getvalue()


def claims(text: str) -> bool:
    header, _ = table(text)
    return {"class", "start_frame", "end_frame"} <= set(header)


def read(text: str, recording: Recording) -> Iterator[Row]:
    """The frame columns count; the seconds are for people."""
    header, rows = table(text)
    if not {"class", "start_frame", "end_frame"} <= set(header):
        yield "line 1", "the columns class, start_frame and end_frame are not all there"
        return
    for line, row in rows:
        cells = dict(zip(header, row, strict=False))
        if len(row) != len(header):
            yield f"line {line}", f"the row has {len(row)} fields and the header {len(header)}"
            continue
        found = from_frames(cells["class"], cells["start_frame"], cells["end_frame"], cells.get("score", ""))
        yield f"line {line}", found


FORMAT = Format("csv", "CSV, one row per segment", ".csv", claims, write, read)
