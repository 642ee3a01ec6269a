"""Acclaim motion, as the CMU database and HDM05 have it: a skeleton (`.asf`) and motions of it (`.amc`).

A bone lies along its direction, in axes of its own that the skeleton gives; a motion turns it about these. A bone's end
is the joint below it: the end of the femur is the knee.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.readers import _input
from flora_engine.readers.assembly import from_names
from flora_engine.readers.bvh import about_axis
from flora_engine.skeleton import Note, SkeletonSequence

Array = NDArray[np.float64]
FPS = 120.0  # of the CMU database and HDM05; the files do not say
MAX_BONES = 200
_RATE = Note(
    "frame rate", "the file does not say it; 120 frames per second are assumed, as CMU and HDM05 have", "unsure"
)
_DEGREES = {"rx": 0, "ry": 1, "rz": 2}
_PLACES = {"tx": 0, "ty": 1, "tz": 2}


@dataclass
class Bone:
    """direction: unit vector; axis: degrees about x, y, z in `order`; dof: the channels that a motion gives."""

    name: str
    direction: Array = field(default_factory=lambda: np.zeros(3))
    length: float = 0.0
    axis: Array = field(default_factory=lambda: np.zeros(3))
    order: str = "XYZ"
    dof: tuple[str, ...] = ()
    parent: str = ""


def claims(path: Path, head: bytes) -> bool:
    return path.suffix.lower() in (".amc", ".asf")


def read(path: Path, head: bytes) -> SkeletonSequence | None:
    """joints (T, 1, V, 3) of a motion; the skeleton is the `.asf` beside it whose name its own begins with, or the only
    one. None where the name is neither; FloraError where something is missing or broken.
    """
    if not claims(path, head):
        return None
    if path.suffix.lower() == ".asf":
        raise FloraError("is a skeleton without motion", path=path, remedy="Open the .amc file beside it.")
    skeleton = _skeleton_of(path)
    bones = parse_skeleton(_text(skeleton), skeleton)
    channels = _parse_motion(_text(path), bones, path)
    names = list(bones)
    _input.check_size(path, len(channels), 1, len(names))
    values = _positions(bones, channels)
    return from_names(values[:, None], names, FPS, path, notes=(_RATE,))


def _text(path: Path) -> list[str]:
    return _input.read_bytes(path, _input.MAX_JSON_BYTES).decode("latin-1").splitlines()


def _skeleton_of(path: Path) -> Path:
    try:
        beside = sorted(file for file in path.parent.iterdir() if file.suffix.lower() == ".asf")
    except OSError:
        beside = []
    fitting = [file for file in beside if path.stem.lower().startswith(file.stem.lower())]
    if fitting:
        return max(fitting, key=lambda file: len(file.stem))
    if len(beside) == 1:
        return beside[0]
    found = "several .asf files" if beside else "no .asf file"
    remedy = "Put the skeleton of this motion beside it, with the same beginning of its name (01.asf for 01_02.amc)."
    raise FloraError(f"has {found} beside it", path=path, remedy=remedy)


def parse_skeleton(lines: list[str], path: Path) -> dict[str, Bone]:
    """The bones by name, parents first; the first is the root."""
    bones: dict[str, Bone] = {"root": Bone("root")}
    section, bone = "", Bone("")
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if words[0].startswith(":"):
            section = words[0]
            continue
        if section == ":root":
            _root_line(bones["root"], words, number, path)
        elif section == ":bonedata":
            if words[0] == "begin":
                bone = Bone("")
            elif words[0] == "end" and bone.name and len(bones) < MAX_BONES:
                bones[bone.name] = bone
            else:
                _bone_line(bone, words, number, path)
        elif section == ":hierarchy" and words[0] not in ("begin", "end"):
            for child in words[1:]:
                if child not in bones or words[0] not in bones or bones[child].parent or child == "root":
                    raise _wrong(f"names an unknown or repeated bone {child[:20]!r}", number, path)
                bones[child].parent = words[0]
    return _parents_first(bones, path)


def _root_line(root: Bone, words: list[str], number: int, path: Path) -> None:
    if words[0] == "order":
        root.dof = tuple(word.lower() for word in words[1:])
    elif words[0] == "axis" and len(words) > 1:
        root.order = words[1].upper()
    elif words[0] == "orientation":
        root.axis = _vector(words[1:4], number, path)


def _bone_line(bone: Bone, words: list[str], number: int, path: Path) -> None:
    if words[0] == "name" and len(words) > 1:
        bone.name = words[1]
    elif words[0] == "direction":
        bone.direction = _vector(words[1:4], number, path)
    elif words[0] == "length":
        bone.length = float(_vector([*words[1:2], "0", "0"], number, path)[0])
    elif words[0] == "axis":
        bone.axis = _vector(words[1:4], number, path)
        bone.order = words[4].upper() if len(words) > 4 else "XYZ"
    elif words[0] == "dof":
        bone.dof = tuple(word.lower() for word in words[1:])


def _parents_first(bones: dict[str, Bone], path: Path) -> dict[str, Bone]:
    ordered = {"root": bones["root"]}
    while True:
        ready = [bone for bone in bones.values() if bone.name not in ordered and bone.parent in ordered]
        if not ready:
            break
        ordered |= {bone.name: bone for bone in ready}
    if len(ordered) < 3:
        raise _wrong("has no hierarchy of bones", 1, path)
    for bone in ordered.values():
        if sorted(bone.order) != ["X", "Y", "Z"] or not set(bone.dof) <= {*_DEGREES, *_PLACES, "l"}:
            raise _wrong(f"gives the bone {bone.name[:20]} an unknown order of axes or channels", 1, path)
    return ordered


def _parse_motion(lines: list[str], bones: dict[str, Bone], path: Path) -> Array:
    """(T, channels): the channels of all bones in their order; a bone that a frame leaves out is not turned."""
    start, total = {}, 0
    for bone in bones.values():
        start[bone.name] = total
        total += len(bone.dof)
    rows: list[Array] = []
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith(("#", ":")):
            continue
        if len(words) == 1 and words[0].isdecimal():
            rows.append(np.zeros(total))
        elif words[0] in start and rows:
            bone = bones[words[0]]
            if len(words) != len(bone.dof) + 1:
                raise _wrong(
                    f"gives {len(words) - 1} numbers to {bone.name[:20]}, which has {len(bone.dof)}", number, path
                )
            rows[-1][start[bone.name] : start[bone.name] + len(bone.dof)] = _vector(words[1:], number, path)
        elif not rows or len(words) > 1:
            raise _wrong(f"holds {words[0][:20]!r}, which is not a bone of the skeleton", number, path)
    if not rows:
        raise _wrong("holds no frames", len(lines) or 1, path)
    return np.array(rows)


def _turn(angles: list[tuple[int, Array]]) -> Array:
    """The product of rotations (T, 3, 3), the first applied first."""
    turn = np.broadcast_to(np.eye(3), (len(angles[0][1]) if angles else 1, 3, 3))
    for axis, degrees in angles:
        turn = about_axis(axis, degrees) @ turn
    return turn


def _positions(bones: dict[str, Bone], channels: Array) -> Array:
    """(T, V, 3): the root and the ends of the bones, in the file's axes and unit."""
    frames, column = len(channels), 0
    ends: dict[str, Array] = {}
    turns: dict[str, Array] = {}
    for bone in bones.values():
        values = {name: channels[:, column + i] for i, name in enumerate(bone.dof)}
        column += len(bone.dof)
        own = _turn([("XYZ".index(letter), np.full(1, bone.axis["XYZ".index(letter)])) for letter in bone.order])
        moved = _turn([(_DEGREES[name], values[name]) for name in bone.dof if name in _DEGREES])
        local = own @ moved @ own.transpose(0, 2, 1)
        if not bone.parent:
            place = [values.get(name, np.zeros(frames)) for name in _PLACES]
            ends[bone.name], turns[bone.name] = np.stack(place, axis=1), np.broadcast_to(local, (frames, 3, 3))
            continue
        turns[bone.name] = turns[bone.parent] @ local
        ends[bone.name] = ends[bone.parent] + turns[bone.name] @ (bone.direction * bone.length)
    return np.stack(list(ends.values()), axis=1)


def _vector(words: list[str], number: int, path: Path) -> Array:
    try:
        values = np.array([float(word.strip("()")) for word in words])
    except ValueError:
        values = np.array([np.nan])
    if not (np.abs(values) < 1e9).all() or not values.size:
        raise _wrong("holds something that is not a number", number, path)
    return values


def _wrong(problem: str, line: int, path: Path) -> FloraError:
    return FloraError(problem, path=path, where=f"line {line}", remedy=_input.COPY_AGAIN)
