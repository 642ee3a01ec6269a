"""Classes as a user types them."""

from __future__ import annotations

from motion_sets import MotionSet

from flora_engine.datasets.catalogue import ClassText
from flora_engine.semantics.class_texts import parse_typed

KINDS = ("names", "descriptions")


def typed(motion_set: MotionSet, kind: str) -> list[ClassText]:
    """The classes as a user types them: a name, or a name and a description."""
    lines = [
        text.name.replace(":", " ") if kind == "names" else f"{text.name.replace(':', ' ')}: {text.motion}"
        for text in motion_set.texts
    ]
    found = parse_typed("\n".join(line.replace(";", ",") for line in lines))
    assert len(found) == len(lines), "two classes of one name"
    return found
