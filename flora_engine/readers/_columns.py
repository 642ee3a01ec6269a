"""What the columns of a table mean, by their names: whose joint, which axis, in which unit; frames, times, persons."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["x", "y", "z", "confidence"]

_UNIT_NAMES = {
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), "metres"),
    **dict.fromkeys(("mm", "millimeter", "millimeters", "millimetre", "millimetres"), "millimetres"),
    **dict.fromkeys(("cm", "centimeter", "centimeters", "centimetre", "centimetres"), "centimetres"),
    **dict.fromkeys(("in", "inch", "inches"), "inches"),
}
_UNITS = "|".join(_UNIT_NAMES)
_BRACKETS = re.compile(rf"\s*[(\[]\s*(?P<unit>{_UNITS})\s*[)\]]\s*$", re.IGNORECASE)
_PLACE = r"(?:world|pos|position|coord|loc|translation|t)"
_LAST = re.compile(
    rf"^(?P<joint>.*?)(?:[\s_.:/-]+{_PLACE})?[\s_.:/-]*(?P<axis>[xyz])(?:[\s_](?P<unit>{_UNITS}))?$", re.IGNORECASE
)
_FIRST = re.compile(r"^(?P<axis>[xyzvc])[\s_.:/-]*(?P<joint>.+)$", re.IGNORECASE)
_SURE = r"visibility|confidence|conf|likelihood|score|visible|prob|probability|v|c"
_CONFIDENCE = re.compile(rf"^(?P<joint>.*?)[\s_.:/-]+(?:{_SURE})$", re.IGNORECASE)
_PERSON = re.compile(
    r"^(?:p|person|body|subject|skeleton|player|user|actor)[\s_#-]*(?P<who>\d{1,4})[\s_.:/-]+(?P<joint>.+)$", re.I
)
_OTHER = {
    "frame": ("frame", "frames", "frameno", "framenumber", "framenum", "frameid", "frameindex", "frameidx"),
    "time": (
        *("time", "timestamp", "timestamps", "seconds", "sec", "t", "times", "timesec", "timems", "timestampms"),
        *("timestampus", "timestampusec", "timestampns", "milliseconds", "msec"),
    ),
    "person": (
        *("person", "personid", "personindex", "body", "bodyid", "bodyindex", "trackid", "track", "subject"),
        *("subjectid", "skeleton", "skeletonid", "pid", "playerid", "userid", "poseid"),
    ),
    "joint": (
        *("joint", "jointname", "jointid", "jointindex", "landmark", "landmarkname", "landmarkid", "landmarkindex"),
        *("keypoint", "keypointname", "keypointid", "keypointindex", "marker", "markername", "bodypart", "part"),
        *("name", "bone", "point", "label", "type", "model"),
    ),
}
_FALLBACK = {"frame": ("index", "idx", "id", ""), "person": ("id",)}


@dataclass
class Columns:
    """axes: person ("" where the columns name none) → joint as written → role → column. frame, time, person, joint:
    columns or None. unit: as the header says, or None. time_unit: seconds per unit of the time column, None if unsaid.
    """

    axes: dict[str, dict[str, dict[Role, int]]] = field(default_factory=dict)
    frame: int | None = None
    time: int | None = None
    person: int | None = None
    joint: int | None = None
    unit: str | None = None
    time_unit: float | None = None

    @property
    def long(self) -> bool:
        """Whether there is a row per joint."""
        return self.joint is not None and "" in self.axes and {"x", "y", "z"} <= self.axes[""].get("", {}).keys()

    def complete(self) -> dict[str, dict[str, dict[Role, int]]]:
        """Only the joints with x, y and z."""
        found = {
            who: {joint: roles for joint, roles in joints.items() if joint and {"x", "y", "z"} <= roles.keys()}
            for who, joints in self.axes.items()
        }
        return {who: joints for who, joints in found.items() if joints}

    def flat(self) -> bool:
        """Whether joints have x and y but no z."""
        roles = [set(roles) for joints in self.axes.values() for roles in joints.values()]
        return any({"x", "y"} <= each for each in roles) and not any("z" in each for each in roles)


def understand(header: Sequence[str]) -> Columns:
    """The meaning of a header's cells."""
    columns = Columns()
    plain = [re.sub(r"[^a-z0-9]", "", re.sub(r"[(\[].*", "", name.lower())) for name in header]
    for role, names in _OTHER.items():
        place = next((plain.index(name) for name in names if name in plain), None)
        setattr(columns, role, place)
    taken = {columns.frame, columns.time, columns.person, columns.joint}
    for role, names in _FALLBACK.items():
        if getattr(columns, role) is None:
            place = next((plain.index(name) for name in names if name in plain), None)
            if place is not None and place not in taken:
                setattr(columns, role, place)
                taken.add(place)
    if columns.time is not None:
        columns.time_unit = _time_unit(header[columns.time])
    ways = [_read(header, taken, _LAST), _read(header, taken, _FIRST)]
    counts = [sum(len(joints) for joints in Columns(axes).complete().values()) for axes, _ in ways]
    columns.axes, columns.unit = ways[int(counts[1] > counts[0])]
    return columns


def _read(
    header: Sequence[str], taken: set[int | None], pattern: re.Pattern[str]
) -> tuple[dict[str, dict[str, dict[Role, int]]], str | None]:
    """The axes of the columns whose axis is the last (or first) part of their names, and the unit."""
    axes: dict[str, dict[str, dict[Role, int]]] = {}
    units: list[str] = []
    for column, written in enumerate(header):
        if column in taken:
            continue
        bracket = _BRACKETS.search(written)
        name = _BRACKETS.sub("", written.strip())
        match = pattern.match(name)
        sure = _CONFIDENCE.match(name) if pattern is _LAST else None
        if sure is not None:
            role: Role = "confidence"
            joint = sure["joint"]
        elif match is not None:
            letter = match["axis"].lower()
            role = "x" if letter == "x" else "y" if letter == "y" else "z" if letter == "z" else "confidence"
            joint = re.sub(r"(?<=[a-z0-9])(?:Position|Pos)$", "", match["joint"])
        elif re.fullmatch(_SURE, name, re.IGNORECASE):
            role, joint = "confidence", ""
        else:
            continue
        unit = bracket["unit"] if bracket else match["unit"] if match and "unit" in pattern.groupindex else None
        if unit and role != "confidence":
            units.append(_UNIT_NAMES[unit.lower()])
        person = _PERSON.match(joint)
        who, joint = (person["who"], person["joint"]) if person else ("", joint)
        axes.setdefault(who, {}).setdefault(joint.strip(), {}).setdefault(role, column)
    return axes, units[0] if units and len(set(units)) == 1 else None


def _time_unit(name: str) -> float | None:
    words = re.findall(r"[a-z]+|µs", name.lower())
    units = {
        **dict.fromkeys(("s", "sec", "seconds"), 1.0),
        **dict.fromkeys(("ms", "msec", "milliseconds"), 1e-3),
        **dict.fromkeys(("us", "usec", "µs", "microseconds"), 1e-6),
        **dict.fromkeys(("ns", "nsec", "nanoseconds"), 1e-9),
    }
    return next((units[word] for word in words if word in units), None)
