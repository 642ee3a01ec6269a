"""ELAN: annotation documents (.eaf), the part of version 3.0 that segments need.

Written: one header in milliseconds, the time slots in order of time, tiers of aligned annotations, one linguistic type.
Segments of a tier may not overlap, so overlapping ones go to the tiers "actions 2", "actions 3" and so on. Read: the
aligned annotations of all tiers; annotations that refer to others (translations, comments) are passed over. Scores and
what else an .eaf can hold are not kept. Source: EAF Annotation Format 3.0, Max Planck Institute for Psycholinguistics.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from flora_engine.labelling.exchange._common import Format, Recording, Row, edges, from_seconds, one_line
from flora_engine.labelling.segments import Annotation, Segment

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_NEVER = "1970-01-01T00:00:00+00:00"  # the format wants a date; the same segments give the same file
TIER, TYPE = "actions", "action"


def write(annotation: Annotation) -> str:
    head = {"AUTHOR": "", "DATE": _NEVER, "FORMAT": "3.0", "VERSION": "3.0"}
    root = ET.Element("ANNOTATION_DOCUMENT", {**head, f"{{{_XSI}}}noNamespaceSchemaLocation": _SCHEMA})
    header = ET.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    count = len(annotation.segments)
    ET.SubElement(header, "PROPERTY", {"NAME": "lastUsedAnnotationId"}).text = str(count)
    order = ET.SubElement(root, "TIME_ORDER")
    times = []
    for s in annotation.segments:
        times += [round(1000 * edge) for edge in edges(s, annotation.fps)]
    slots = {place: f"ts{number}" for number, place in enumerate(sorted(range(len(times)), key=times.__getitem__), 1)}
    for place, slot in slots.items():
        ET.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": slot, "TIME_VALUE": str(times[place])})
    for number, tier in enumerate(_tiers(annotation.segments), 1):
        name = TIER if number == 1 else f"{TIER} {number}"
        element = ET.SubElement(root, "TIER", {"LINGUISTIC_TYPE_REF": TYPE, "TIER_ID": name})
        for i in tier:
            outer = ET.SubElement(element, "ANNOTATION")
            refs = {"TIME_SLOT_REF1": slots[2 * i], "TIME_SLOT_REF2": slots[2 * i + 1]}
            inner = ET.SubElement(outer, "ALIGNABLE_ANNOTATION", {"ANNOTATION_ID": f"a{i + 1}", **refs})
            ET.SubElement(inner, "ANNOTATION_VALUE").text = _printable(one_line(annotation.segments[i].name))
    kinds = {"GRAPHIC_REFERENCES": "false", "LINGUISTIC_TYPE_ID": TYPE, "TIME_ALIGNABLE": "true"}
    ET.SubElement(root, "LINGUISTIC_TYPE", kinds)
    ET.register_namespace("xsi", _XSI)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _printable(text: str) -> str:
    """XML has no control characters."""
    return "".join(c for c in text if c.isprintable())


def _tiers(segments: tuple[Segment, ...]) -> list[list[int]]:
    """Places of segments, spread over as few tiers as need be; one empty tier without any."""
    tiers: list[list[int]] = [[]]
    for i in sorted(range(len(segments)), key=lambda i: segments[i].start):
        for tier in tiers:
            if not tier or segments[tier[-1]].end < segments[i].start:
                tier.append(i)
                break
        else:
            tiers.append([i])
    return tiers


@dataclass
class _Found:
    """What the parser has met: times by slot (None: not aligned), and annotations as (line, slot, slot, text)."""

    root: str = ""
    units: str = "milliseconds"
    times: dict[str, str | None] = field(default_factory=dict)
    annotations: list[tuple[int, str, str, str]] = field(default_factory=list)


class _Refused(Exception):  # noqa: N818 - never leaves this module
    """A document that is not read."""


def _parse(text: str) -> _Found:
    """Raises expat.ExpatError, and _Refused for entities of the document's own, which could grow without bound."""
    found, parser = _Found(), expat.ParserCreate()
    open_: list[tuple[int, str, str]] = []
    value: list[str] | None = None

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal value
        found.root = found.root or name
        if name == "HEADER":
            found.units = attributes.get("TIME_UNITS", "milliseconds")
        elif name == "TIME_SLOT":
            found.times[attributes.get("TIME_SLOT_ID", "")] = attributes.get("TIME_VALUE")
        elif name == "ALIGNABLE_ANNOTATION":
            refs = attributes.get("TIME_SLOT_REF1", ""), attributes.get("TIME_SLOT_REF2", "")
            open_.append((parser.CurrentLineNumber, *refs))
        elif name == "ANNOTATION_VALUE" and open_:
            value = []

    def data(content: str) -> None:
        if value is not None:
            value.append(content)

    def end(name: str) -> None:
        nonlocal value
        if name == "ALIGNABLE_ANNOTATION":
            found.annotations.append((*open_.pop(), "".join(value or [])))
            value = None

    def entity(*_: object) -> None:
        raise _Refused("the document declares entities of its own, and those are not read")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.EntityDeclHandler = data, entity
    parser.Parse(text.encode(), True)
    return found


def claims(text: str) -> bool:
    return text.lstrip().startswith("<") and "ANNOTATION_DOCUMENT" in text[:4096]


def read(text: str, recording: Recording) -> Iterator[Row]:
    try:
        found = _parse(text)
    except expat.ExpatError as error:
        yield f"line {error.lineno}", f"not readable as XML: {expat.ErrorString(error.code)}"
        return
    except _Refused as error:
        yield "the start", str(error)
        return
    if found.root != "ANNOTATION_DOCUMENT":
        yield "line 1", "this is not an annotation document of ELAN"
    elif found.units != "milliseconds":
        yield "HEADER", f"times in {found.units} are not read, only milliseconds"
    else:
        for line, first, last, name in found.annotations:
            yield f"line {line}", _segment(found, first, last, name, recording)


def _segment(found: _Found, first: str, last: str, name: str, recording: Recording) -> Segment | str:
    start, end = found.times.get(first), found.times.get(last)
    if start is None or end is None:
        return f"the annotation “{one_line(name)}” has no time: one of its time slots is missing or not aligned"
    if not (start.isdecimal() and end.isdecimal()):
        return f"“{one_line(start)}” to “{one_line(end)}” are not two times in milliseconds"
    return from_seconds(name, f"{start}e-3", f"{end}e-3", recording.fps)


FORMAT = Format("elan", "ELAN annotation document", ".eaf", claims, write, read)
