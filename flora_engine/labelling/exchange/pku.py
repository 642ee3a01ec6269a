"""PKU-MMD labels: `class,first,last,confidence` per line, frames from 1, both included (docs/method.md, section 3).

Class numbers are those of PKU-MMD (1 to 51), so only its classes can be written, by their names in
resources/datasets/pku51.yaml. The confidence of a prediction is its score; of truth it is 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flora_engine.datasets.catalogue import load_dataset
from flora_engine.datasets.pku import parse_label
from flora_engine.errors import FloraError
from flora_engine.labelling.exchange._common import Format, Recording, Row
from flora_engine.labelling.segments import Annotation, Segment

_LINE = re.compile(r"\s*\d+\s*,\s*\d+\s*,\s*\d+\s*(,|$)")


def write(annotation: Annotation) -> str:
    """Raises FloraError if a class is not one of PKU-MMD's."""
    numbers = {name.casefold(): number for number, name in enumerate(load_dataset("pku51").class_names, 1)}
    lines = []
    for s in annotation.segments:
        if s.name.casefold() not in numbers:
            raise FloraError(
                f"PKU-MMD labels know 51 classes by number, and “{s.name}” is not one of their names",
                remedy="Use another format, or the names in resources/datasets/pku51.yaml.",
            )
        score = 1 if s.score is None else round(s.score, 6)
        lines.append(f"{numbers[s.name.casefold()]},{s.start + 1},{s.end + 1},{score}\n")
    return "".join(lines)


def claims(text: str) -> bool:
    return _LINE.match(text.lstrip().split("\n", 1)[0]) is not None


def read(text: str, recording: Recording) -> Iterator[Row]:
    """The confidence is left out: in the data set's own files it is not a score."""
    names = load_dataset("pku51").class_names
    for line, content in enumerate(text.splitlines(), 1):
        if not content.strip():
            continue
        label = parse_label(content)
        found = label if isinstance(label, str) else Segment(names[label.action - 1], label.begin, label.end - 1)
        yield f"line {line}", found


FORMAT = Format("pku", "PKU-MMD labels", ".txt", claims, write, read)
