"""Audacity labels: start, end in seconds and the name, with tabs between.

Source: the Audacity manual, "Importing and Exporting Labels". Lines that begin with a backslash (the frequencies of a
spectral selection) are passed over. Scores are not kept.
"""

from __future__ import annotations

from collections.abc import Iterator

from flora_engine.labelling.exchange._common import Format, Recording, Row, edges, from_seconds, one_line
from flora_engine.labelling.segments import Annotation


def write(annotation: Annotation) -> str:
    lines = []
    for segment in annotation.segments:
        first, last = edges(segment, annotation.fps)
        lines.append(f"{first:.6f}\t{last:.6f}\t{one_line(segment.name)}\n")
    return "".join(lines)


def claims(text: str) -> bool:
    return text.lstrip("\n").split("\n", 1)[0].count("\t") >= 2


def read(text: str, recording: Recording) -> Iterator[Row]:
    for line, content in enumerate(text.splitlines(), 1):
        if not content.strip() or content.startswith("\\"):
            continue
        parts = content.split("\t", 2)
        if len(parts) < 3:
            yield f"line {line}", "a label has a start, an end and a name, with tabs between"
        else:
            yield f"line {line}", from_seconds(parts[2], parts[0], parts[1], recording.fps)


FORMAT = Format("audacity", "Audacity labels", ".txt", claims, write, read)
