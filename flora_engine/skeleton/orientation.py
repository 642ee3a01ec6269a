"""Which way is up, how long is a metre, which side is left: read from the body itself.

People stand on their feet and have a size; their feet point forward, their knees bend forward and their elbows
backward. A file's axes and unit follow from that, whatever its format says. `look` measures, `align` decides between
what was measured and what the format says, and reports both. docs/formats.md has the measured rate of wrong guesses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from flora_engine.skeleton.layouts import KINECT_V2, LAYOUTS
from flora_engine.skeleton.retarget import retarget_matrix
from flora_engine.skeleton.sequence import Note, Sure

Array = NDArray[np.float64]

# Hip to ankle by the knee, plus spine base to head, in metres: 0.76 to 1.72 in 4,087 recordings of people of all ages.
STATURE = 1.45
STATURES = (0.7, 1.9)
# A person's height over that length: by anatomy, and as Kinects see people, with shorter limbs.
HEIGHT, KINECT_HEIGHT = 1.12, 1.22
# Metres per unit, in order of asking: the first that gives a person's size is meant.
UNITS = {
    "metres": 1.0,
    "centimetres": 0.01,
    "millimetres": 0.001,
    "inches": 0.0254,
    "decimetres": 0.1,
    "units of the CMU database (0.45 inch)": 0.0254 / 0.45,
}
# Rows of the proper rotation (never a mirroring: left stays left) that turns the named axis to +y.
TURNS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "+y": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "-y": ((-1, 0, 0), (0, -1, 0), (0, 0, 1)),
    "+z": ((1, 0, 0), (0, 0, 1), (0, -1, 0)),
    "-z": ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "+x": ((0, -1, 0), (1, 0, 0), (0, 0, 1)),
    "-x": ((0, 1, 0), (-1, 0, 0), (0, 0, 1)),
}
_SAMPLES = 150  # persons in frames: enough for any length of recording
_UPRIGHT = (1.2, 2.0)  # how much longer the body is along its up axis than across: unsure, likely, sure
_RESTLESS = (0.1, 0.05)  # the feet rest on no floor; a floor before or behind the body is steadier: in statures
# The evidence of what is in front: its weights, and from which sum on, in body lengths, it is likely and sure. Feet and
# noses are surest. Without them arms and knees are right in 93 % of the real recordings, in 99 % above the limit.
_BY_FEET = ({"foot": 1.0, "knee": 0.1, "elbow": 0.1}, 0.01, 0.03)
_BY_FACE = ({"face": 1.0, "knee": 0.1, "elbow": 0.1}, 0.01, 0.03)
_BY_LIMBS = ({"knee": 0.25, "elbow": 0.5, "wrist": 0.2, "head": 0.5}, 0.15, 0.15)
_J = {name: i for i, name in enumerate(KINECT_V2.joints)}


@dataclass(frozen=True)
class Look:
    """What the bodies of a recording show, in the file's own axes and unit. None: cannot be told.

    up: the signed axis that points up ("+z"). left_handed: the axes are mirrored (or left and right are swapped).
    forward: (3,) the mean direction the persons face at the beginning, if the axes are right-handed; the opposite if
    not. stature: see `STATURE`. floor: per signed axis how unsteady the lowest joint is along it, in statures.
    may_lie: nothing but that the body may crawl or swim makes the up axis unsure.
    """

    up: str | None
    up_sure: Sure
    left_handed: bool | None
    handed_sure: Sure
    forward: Array | None
    stature: float | None
    floor: dict[str, float]
    may_lie: bool = False

    @property
    def unit(self) -> str | None:
        return None if self.stature is None else unit_of(self.stature)


@dataclass(frozen=True)
class Claim:
    """What a format says of its axes. turn: (3, 3) from the file's axes to the Kinect's (y up, z away from the camera,
    the left side of somebody who faces it at smaller x). what: who says so, for the note ("BVH files have +y up").
    standing: the axis along which the file's own rest pose stands, where it has one.
    """

    turn: Array
    what: str
    standing: str | None = None


def unit_of(stature: float) -> str | None:
    """The unit in which a person of this stature is measured; None where none gives a person's size."""
    low, high = STATURES
    return next((name for name, factor in UNITS.items() if low <= stature * factor <= high), None)


def look(joints: NDArray[np.float32] | Array, layout: str, invented: tuple[str, ...] | None = None) -> Look:
    """Measure joints (T, M, V, 3) of a layout, as they are in the file; NaN joints are left out; never raises.

    invented: Kinect joints that were made up, so that they show nothing; None: as the layout says.
    """
    present = np.argwhere(np.any(joints != 0, axis=(2, 3)))
    start = max(1, len(joints) // 50)
    chosen = present[:: max(1, len(present) // _SAMPLES)]
    with np.errstate(all="ignore"):
        source = joints[chosen[:, 0], chosen[:, 1]].astype(np.float64)
        body = _in_kinect_joints(source, layout)
        stature = stature_of(body)
        up, up_sure = _up_axis(body, stature)
        made_up = LAYOUTS[layout].invented if invented is None else invented
        feet = {"left foot", "right foot"}.isdisjoint(made_up)
        weights, likely, sure = _BY_FEET if feet else _BY_FACE if LAYOUTS[layout].front else _BY_LIMBS
        score = _forward_score(body, source, layout, stature, weights)
        ahead = _forward(body[chosen[:, 0] <= start])
        floor = _floor(source, stature)
        may_lie = up is not None and up_sure != "unsure" and _may_lie(body, up, floor)
    strength = abs(score)
    return Look(
        up,
        "unsure" if may_lie else up_sure,
        None if score == 0 else bool(score < 0),
        "sure" if strength > sure else "likely" if strength > likely else "unsure",
        ahead,
        stature,
        floor,
        may_lie,
    )


def _in_kinect_joints(source: Array, layout: str) -> Array:
    if layout == KINECT_V2.name:
        return source
    matrix = retarget_matrix(layout, matched=True).astype(np.float64)
    known = np.nan_to_num(source)
    body: Array = np.einsum("wv,tvc->twc", matrix, known)
    gaps = np.einsum("wv,tv->tw", (matrix != 0).astype(float), np.isnan(source).any(axis=2).astype(float)) > 0
    body[gaps] = np.nan
    return body


def _at(body: Array, *names: str) -> Array:
    """(n, 3): the mean of the named Kinect joints."""
    middle: Array = body[:, [_J[name] for name in names]].mean(axis=1)
    return middle


def _sides(body: Array, part: str) -> tuple[Array, Array]:
    return _at(body, f"left {part}"), _at(body, f"right {part}")


def stature_of(body: Array) -> float | None:
    """Median over frames of spine base to head plus hip to ankle by the knee, of (n, 25, 3); None for no length."""
    lengths = np.linalg.norm(_at(body, "head") - _at(body, "spine base"), axis=1)
    for a, b in (("hip", "knee"), ("knee", "ankle")):
        for upper, lower in zip(_sides(body, a), _sides(body, b), strict=True):
            lengths = lengths + np.linalg.norm(upper - lower, axis=1) / 2
    known = lengths[np.isfinite(lengths)]
    stature = float(np.median(known)) if known.size else 0.0
    return stature if 0 < stature < np.inf else None


def _mean(values: Array) -> Array:
    known = values[np.isfinite(values).all(axis=1)]
    return np.asarray(known.mean(axis=0)) if len(known) else np.zeros(values.shape[1])


def _unit(vectors: Array) -> Array:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1))


def _up_axis(body: Array, stature: float | None) -> tuple[str | None, Sure]:
    """The axis nearest to the mean direction from the ankles to the head."""
    if stature is None:
        return None, "unsure"
    towards = _mean(_at(body, "head") - _at(body, "left ankle", "right ankle"))
    axis = int(np.argmax(np.abs(towards)))
    across = float(np.linalg.norm(np.delete(towards, axis)))
    length = float(abs(towards[axis]))
    if not length > 0:
        return None, "unsure"
    name = ("+" if towards[axis] > 0 else "-") + "xyz"[axis]
    # A crouching body is short along every axis; one that lies points along a wrong one, which nothing here can tell.
    tall = length > 0.3 * stature
    if tall and length > _UPRIGHT[1] * across:
        return name, "sure"
    return name, "likely" if length > _UPRIGHT[0] * across else "unsure"


def _may_lie(body: Array, up: str, floor: dict[str, float]) -> bool:
    """Whether the body may lie, crawl or swim along the axis that seems to be up: its feet rest on no floor, and what
    is before or behind it does.
    """
    left, trunk = _frame(body)
    ahead = np.abs(_mean(np.abs(_unit(np.cross(left, trunk)))))
    ahead["xyz".index(up[1])] = 0
    across = "xyz"[int(np.argmax(ahead))]
    steadier = floor.get(up, 0.0) - min(floor.get(sign + across, 0.0) for sign in "+-")
    return floor.get(up, 0.0) > _RESTLESS[0] and steadier > _RESTLESS[1]


def _frame(body: Array) -> tuple[Array, Array]:
    """(n, 3) each: to the left, and up along the trunk."""
    shoulders = np.subtract(*_sides(body, "shoulder"))
    hips = np.subtract(*_sides(body, "hip"))
    trunk = _at(body, "spine shoulder") - _at(body, "spine base")
    return np.asarray(shoulders + 2 * hips), trunk  # hips are half as wide and twist less


def _forward_score(body: Array, source: Array, layout: str, stature: float | None, weights: dict[str, float]) -> float:
    """Above 0: what is in front of the body lies at left × up, as in right-handed axes; below: at the other side."""
    if stature is None:
        return 0.0
    left, trunk = _frame(body)
    ahead = _unit(np.cross(left, trunk))
    parts = {part: _sides(body, part) for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "foot")}

    def both(value: dict[str, float]) -> Array:
        return np.asarray(sum(weight * (parts[part][0] + parts[part][1]) for part, weight in value.items()))

    signs = {
        "foot": both({"foot": 1, "ankle": -1}),
        "knee": both({"knee": 1, "hip": -0.5, "ankle": -0.5}),
        "elbow": both({"elbow": -1, "shoulder": 0.5, "wrist": 0.5}),
        "wrist": both({"wrist": 1, "shoulder": -1}),
        "head": _at(body, "head") - _at(body, "spine shoulder"),
    }
    known = LAYOUTS[layout]
    if known.front:
        index = {name: i for i, name in enumerate(known.joints)}
        front, back = (source[:, [index[name] for name in names]].mean(axis=1) for names in known.front)
        signs["face"] = front - back
    total = 0.0
    for name, weight in weights.items():
        if name in signs:
            along = (signs[name] * ahead).sum(axis=1)
            along = along[np.isfinite(along)]
            total += weight * float(along.mean()) / stature if along.size else 0.0
    return total


def _forward(body: Array) -> Array | None:
    left, trunk = _frame(body)
    ahead = _mean(_unit(np.cross(left, trunk)))
    return ahead if ahead.any() else None


def _floor(source: Array, stature: float | None) -> dict[str, float]:
    """Per signed axis how unsteady the lowest joint is along it, in statures: people stand on a floor."""
    if stature is None:
        return {}
    unsteady = {}
    for axis, letter in enumerate("xyz"):
        for sign, factor in (("+", 1.0), ("-", -1.0)):
            along = factor * source[:, :, axis]
            lowest = np.where(np.isfinite(along), along, np.inf).min(axis=1)
            lowest = lowest[np.isfinite(lowest)]
            spread = float(np.subtract(*np.quantile(lowest, [0.9, 0.1]))) if lowest.size else 0.0
            unsteady[sign + letter] = spread / stature
    return unsteady


@dataclass(frozen=True)
class Alignment:
    """How to bring a file's joints to Kinect axes and metres: `joints @ turn.T`, which holds the scale."""

    turn: Array
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Told:
    """What the user says, which goes before all that was measured or claimed. up: the signed axis that points up.
    mirrored: the axes are left-handed. metres: per unit. None: not said.
    """

    up: str | None = None
    mirrored: bool | None = None
    metres: float | None = None


NOTHING_TOLD = Told()


def align(
    seen: Look,
    claim: Claim | None = None,
    unit: str | None = None,
    height: float = HEIGHT,
    told: Told = NOTHING_TOLD,
) -> Alignment:
    """The turn and scale to Kinect axes and metres, and notes on what was taken for what.

    claim: what the format says of its axes, believed unless the body clearly contradicts it. unit: what the file says
    (a key of UNITS). height: HEIGHT or KINECT_HEIGHT. Without a claim the person is made to face the camera, by quarter
    turns about the vertical.
    """
    if told.up is not None:
        claim, seen = None, replace(seen, up=told.up, up_sure="sure")
    if told.mirrored is not None:
        seen = replace(seen, left_handed=told.mirrored, handed_sure="sure")
    turn, notes = _axes(seen, claim)
    scale, guessed = _scale(seen, unit, height) if told.metres is None else (told.metres, [])
    known = {"up axis": told.up is not None, "left and right": told.mirrored is not None}
    return Alignment(turn * scale, tuple(note for note in (*notes, *guessed) if not known.get(note.about)))


def _axes(seen: Look, claim: Claim | None) -> tuple[Array, list[Note]]:
    notes: list[Note] = []
    if claim is not None:
        claimed = _axis_name(claim.turn[1])
        if seen.up is None or seen.up == claimed or not _stands(seen, seen.up, claimed, claim):
            if seen.up not in (None, claimed) and seen.up_sure != "unsure":
                text = f"{claimed} points up ({claim.what}), so that the body lies along {seen.up}"
                notes.append(Note("up axis", text, "likely"))
            return _not_mirrored(claim.turn, seen, claim, notes), notes
        notes.append(Note("up axis", f"{seen.up} points up, although {claim.what}", seen.up_sure, conflict=True))
    elif seen.up is None:
        notes.append(Note("up axis", "+y is taken to point up", "unsure"))
    else:
        notes.append(Note("up axis", f"{seen.up} points up", seen.up_sure))
    turn = np.array(TURNS[seen.up or "+y"], np.float64)
    forward = seen.forward
    if seen.left_handed and seen.handed_sure != "unsure":
        forward = None if forward is None else -forward
        turn = np.diag([-1.0, 1.0, 1.0]) @ turn
        notes.append(Note("left and right", _MIRRORED, seen.handed_sure, conflict=claim is not None))
    elif seen.handed_sure == "unsure":
        notes.append(Note("left and right", "the axes are taken to be right-handed", "unsure"))
    return _to_camera(turn, forward), notes


_MIRRORED = "feet and knees point backwards unless the axes are left-handed: the recording is mirrored back"


def _not_mirrored(turn: Array, seen: Look, claim: Claim, notes: list[Note]) -> Array:
    """The claimed turn, with a mirroring where the body is surely the other way round."""
    if seen.left_handed is None or seen.left_handed == (np.linalg.det(turn) < 0) or seen.handed_sure != "sure":
        return turn
    notes.append(Note("left and right", _MIRRORED, "sure", conflict=True))
    return np.asarray(np.diag([-1.0, 1.0, 1.0]) @ turn)


def _stands(seen: Look, up: str, claimed: str, claim: Claim) -> bool:
    """Whether a body along another axis than the claimed one stands there, rather than lying in the claimed one."""
    steady, other = seen.floor.get(up, 0.0), seen.floor.get(claimed, 0.0)
    if seen.up_sure != "sure" or steady > 2 * other + 0.02:
        return False
    return claim.standing in (None, up) or steady < 0.5 * other


def _axis_name(row: Array) -> str:
    """The signed axis of the file that a row of a turn picks."""
    axis = int(np.argmax(np.abs(row)))
    return ("+" if row[axis] > 0 else "-") + "xyz"[axis]


def _to_camera(turn: Array, forward: Array | None) -> Array:
    """The turn followed by the quarter turn about y that makes the person face -z, towards the camera."""
    if forward is None:
        return turn
    x, _, z = turn @ forward
    quarters = round(float(np.arctan2(x, -z)) / (np.pi / 2)) % 4
    cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarters]
    return np.asarray(np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]], np.float64) @ turn)


def _scale(seen: Look, unit: str | None, tall: float) -> tuple[float, list[Note]]:
    """Metres per unit of the file."""
    if seen.stature is None:
        return UNITS[unit or "metres"], [Note("unit", f"{unit or 'metres'}, not checked: nobody is whole", "unsure")]
    low, high = STATURES
    if unit is not None and low <= seen.stature * UNITS[unit] <= high:
        return UNITS[unit], []
    found = seen.unit
    if found is None:
        factor = STATURE / seen.stature
        text = f"a size of {seen.stature:.3g} fits no unit of length; scaled to a person of {STATURE * tall:.2f} m"
        return factor, [Note("unit", text, "unsure", conflict=unit is not None)]
    height = seen.stature * UNITS[found] * tall
    said = "" if unit is None else f", although the file says {unit}"
    sure: Sure = "likely" if found.startswith("units of") or found == "decimetres" else "sure"
    return UNITS[found], [Note("unit", f"{found}: a person about {height:.2f} m tall{said}", sure, unit is not None)]
