"""MVNX, the XML that Xsens MVN exports: names of segments, and the places of their origins in every frame."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from flora_engine.errors import FloraError
from flora_engine.readers import _input
from flora_engine.readers._archive import check_fps
from flora_engine.readers.assembly import from_names
from flora_engine.skeleton import SkeletonSequence

MAX_SEGMENTS = 200


def claims(path: Path, head: bytes) -> bool:
    return path.suffix.lower() == ".mvnx"


def read(path: Path, head: bytes) -> SkeletonSequence | None:
    """joints (T, 1, V, 3) of the segments' origins; z is up and metres are usual, both are checked on the body.

    None if the name is not `.mvnx`; FloraError if it is damaged or holds no positions.
    """
    if not claims(path, head):
        return None
    data = _input.read_bytes(path)
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:  # no MVNX has them, and entities can grow without bound
        raise FloraError("defines entities, which MVNX does not need", path=path, remedy=_input.COPY_AGAIN)
    names: list[str] = []
    rows: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = []
    rate = float("nan")
    try:
        for _, element in ElementTree.iterparse(io.BytesIO(data), ("start", "end")):
            tag = element.tag.rsplit("}", 1)[-1]
            if tag == "subject" and "frameRate" in element.attrib:
                rate = float(element.attrib["frameRate"])
            elif tag == "segment" and "label" in element.attrib and element.attrib["label"] not in names:
                names.append(element.attrib["label"])
            elif tag == "frame" and element.get("type", "normal") == "normal":
                place = next((part for part in element if part.tag.rsplit("}", 1)[-1] == "position"), None)
                if place is not None and place.text and len(place.text.split()) >= 3:
                    rows.append(np.array(place.text.split(), np.float64))
                    element.clear()
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        problem = f"is not a readable MVNX file ({_input.shown(error)})"
        raise FloraError(problem, path=path, remedy=_input.COPY_AGAIN) from None
    count = len(names)
    if not rows or not 3 <= count <= MAX_SEGMENTS or any(len(row) < 3 * count for row in rows):
        raise FloraError("holds no positions of named segments", path=path,
                         remedy="Export it from MVN with positions.")  # fmt: skip
    _input.check_size(path, len(rows), 1, count)
    values = np.stack([row[: 3 * count] for row in rows]).reshape(len(rows), 1, count, 3)
    return from_names(values, names, check_fps(rate, path), path, unit="metres")
