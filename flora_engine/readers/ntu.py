"""NTU RGB+D `.skeleton` text (docs/method.md, section 1): reading it fast, and writing it.

`read_bodies` gives everything that the published preparation needs, body by body in file order; `read` gives one
`SkeletonSequence` for looking at and labelling.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from flora_engine.errors import FloraError
from flora_engine.files import write_text
from flora_engine.readers import _input, _ntu_lines
from flora_engine.skeleton import SkeletonSequence, to_kinect_v2

FPS = 30.0
JOINTS = 25
MAX_PERSONS = 6
NAME = re.compile(
    r"S(?P<setup>\d{3})C(?P<camera>\d{3})P(?P<subject>\d{3})R(?P<replication>\d{3})A(?P<action>\d{3})(?!\d)"
)
# frame count, body count, and then either the next frame's body count or the ten fields of a body line
_OPENING = re.compile(rb"\s*\d{1,10}\s+\d{1,3}(\s|$)")
_FIRST_BODY_ID = 72057594037927936  # the range of the Kinect's own ids


@dataclass(frozen=True)
class Bodies:
    """Every body of every frame, one row each, in file order (B rows).

    frame_count: what the file's header says; frames are 0-based and may hold no body at all.
    frame: int32 (B,). body_id: uint64 (B,). position: int32 (B,), the body's index in its frame's list.
    joints: float32 (B, 25, 3), metres, Kinect camera axes.
    tracking: uint8 (B, 25), 0 not tracked, 1 inferred, 2 tracked.
    """

    frame_count: int
    frame: NDArray[np.int32]
    body_id: NDArray[np.uint64]
    position: NDArray[np.int32]
    joints: NDArray[np.float32]
    tracking: NDArray[np.uint8]


def claims(path: Path, head: bytes) -> bool:
    """Whether this is for the NTU reader: the suffix says so, or the text opens like one."""
    return path.suffix.lower() == ".skeleton" or (
        _OPENING.match(head) is not None and re.search(rb"\s25\s", head) is not None and b"," not in head
    )


def metadata(name: str) -> dict[str, int | str]:
    """setup, camera, subject, replication and action (1-based) from a name SsssCcccPpppRrrrAaaa; else empty."""
    return _input.numbers(NAME, name)


def read(path: Path, head: bytes) -> SkeletonSequence | None:
    """One recording, or None where it is not NTU text; FloraError where it is broken.

    Persons are the file's body ids, most frames first (ties: first seen first), at most 6; a person absent from a frame
    is all zeros there. NaN coordinates are kept for the caller to judge.
    """
    if not claims(path, head):
        return None
    bodies = read_bodies(path, allow_nan=True)
    joints, tracking, ids = by_person(bodies, path)
    return SkeletonSequence(
        joints=joints,
        fps=FPS,
        tracking=tracking,
        name=path.stem,
        source=path,
        metadata=metadata(path.name),
        body_ids=tuple(str(i) for i in ids),
    )


def by_person(bodies: Bodies, path: Path) -> tuple[NDArray[np.float32], NDArray[np.uint8], list[int]]:
    """joints (T, M, 25, 3), tracking (T, M, 25) and the M ids, most frames first."""
    ids, first, count = np.unique(bodies.body_id, return_index=True, return_counts=True)
    order = np.lexsort((first, -count))[:MAX_PERSONS]
    _input.check_size(path, bodies.frame_count, len(order), JOINTS)
    joints = np.zeros((bodies.frame_count, len(order), JOINTS, 3), np.float32)
    tracking = np.zeros(joints.shape[:3], np.uint8)
    for person, index in enumerate(order):
        rows = np.flatnonzero(bodies.body_id == ids[index])[
            ::-1
        ]  # of an id listed twice in a frame the first one stays
        joints[bodies.frame[rows], person] = bodies.joints[rows]
        tracking[bodies.frame[rows], person] = bodies.tracking[rows]
    return joints, tracking, [int(ids[index]) for index in order]


def read_bodies(path: Path, *, allow_nan: bool = False) -> Bodies:
    """Every body of an NTU file; coordinates equal `numpy.float32(float(text))` bit for bit.

    Raises FloraError for a file that is not NTU text, ends in mid-frame, holds no body in any frame, or (unless
    `allow_nan`) holds NaN. Memory is bounded by the file's size, whatever its header claims.
    """
    head = _input.read_head(path)
    if not _OPENING.match(head) or not _input.is_text(head):
        raise FloraError(
            f"is not an NTU skeleton file: it should open with a frame count and a body count, but looks like "
            f"{_input.looks_like(head)}",
            path=path,
            where="line 1",
            remedy="Open the real recording, or give the file its own suffix.",
        )
    return _parse(_input.read_bytes(path), path, allow_nan)


def _parse(data: bytes, path: Path, allow_nan: bool) -> Bodies:
    from flora_engine.readers import _ntu_parser as parser

    header = re.match(rb"\s*(\d+)", data)
    assert header is not None
    frames = int(header[1])
    if frames == 0 or 2 * frames > len(data):  # an empty frame takes two bytes
        raise FloraError(
            f"says it holds {frames} frames, but a file of {len(data)} bytes cannot",
            path=path,
            where="line 1",
            remedy=_input.COPY_AGAIN,
        )
    if not parser.COMPILED and (regular := _ntu_lines.parse_regular(data, header.end(), frames)) is not None:
        frame, position, body_id, joints, tracking = regular
    else:
        frame, position, body_id, joints, tracking = _parse_any(data, header.end(), frames, path, allow_nan)
    if frame.size == 0:
        raise FloraError(
            f"holds no body in any of its {frames} frames",
            path=path,
            remedy="Leave it out: the sensor saw nobody.",
        )
    return Bodies(frames, frame, body_id, position, joints, tracking)


def _parse_any(
    data: bytes, at: int, frames: int, path: Path, allow_nan: bool
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.uint64], NDArray[np.float32], NDArray[np.uint8]]:
    """frame, position, body_id, joints, tracking as in `Bodies`, by the loop that knows what can be wrong."""
    from flora_engine.readers import _ntu_parser as parser

    room = len(data) // parser.BODY_BYTES + 1
    frame, position = np.empty(room, np.int32), np.empty(room, np.int32)
    body_id = np.empty(room, np.uint64)
    joints = np.empty((room, JOINTS * 3), np.float32)
    tracking = np.empty((room, JOINTS), np.uint8)
    hard = np.empty((joints.size, 2), np.int64)  # never touched, hence never in memory, for nearly every file
    source = np.frombuffer(data, np.uint8) if parser.COMPILED else data  # plain Python is quicker on bytes
    with np.errstate(over="ignore"):  # an id of too many digits is refused afterwards
        status, at, done, rows, hards = parser.parse(
            source, at, frames, frame, position, body_id, joints, tracking, hard
        )
    _read_hard_numbers(data, path, joints.reshape(-1), hard[:hards], allow_nan)
    if status != parser.DONE:
        raise _broken(status, data, at, path, done=done, frames=frames)
    return (
        frame[:rows].copy(),
        position[:rows].copy(),
        body_id[:rows].copy(),
        joints[:rows].reshape(rows, JOINTS, 3).copy(),
        tracking[:rows].copy(),
    )


def _read_hard_numbers(
    data: bytes, path: Path, joints: NDArray[np.float32], hard: NDArray[np.int64], allow_nan: bool
) -> None:
    """Have Python read the numbers that the compiled loop does not read exactly, or refuse what is no number."""
    token = re.compile(rb"[^\x00-\x20]{1,1000}")
    for index, start in hard.tolist():
        match = token.match(data, start)
        text = match[0] if match else b""
        try:
            value = float(text)
        except ValueError:
            shown = text[:20].decode("ascii", "replace")
            raise _wrong(f"holds {shown!r} where a coordinate should be", data, start, path) from None
        if math.isinf(value) or abs(value) > _input.FLOAT32_MAX:
            raise _wrong("holds an infinite coordinate", data, start, path)
        if math.isnan(value) and not allow_nan:
            raise _wrong("holds a coordinate that is NaN (not a number)", data, start, path)
        joints[index] = value


def _wrong(problem: str, data: bytes, at: int, path: Path) -> FloraError:
    line = data.count(b"\n", 0, at) + 1
    return FloraError(problem, path=path, where=f"line {line}", remedy=_input.COPY_AGAIN)


def _broken(status: int, data: bytes, at: int, path: Path, *, done: int, frames: int) -> FloraError:
    from flora_engine.readers import _ntu_parser as parser

    problem = {
        parser.CUT_SHORT: f"ends in the middle of frame {done + 1} of {frames}",
        parser.NOT_A_NUMBER: "holds something else where a count or a body id should be",
        parser.TOO_MANY_BODIES: f"says a frame holds more than {_ntu_lines.MAX_BODIES} bodies",
        parser.NOT_25_JOINTS: "says a body has another number of joints than 25",
        parser.NOT_12_NUMBERS: "holds a joint line that has not 12 numbers",
        parser.TRACKING_STATE: "holds a joint line that does not end in a tracking state of 0, 1 or 2",
    }[status]
    if status != parser.CUT_SHORT:
        problem = f"{problem}, in frame {done + 1} of {frames}"
    return _wrong(problem, data, len(data.rstrip()) if status == parser.CUT_SHORT else at, path)


def write_ntu(sequence: SkeletonSequence, path: Path) -> None:
    """Write real `.skeleton` text: the 25 Kinect joints, one body per present person; reads back bit for bit.

    Other layouts are retargeted first. What a `SkeletonSequence` does not hold (depth and colour pixels, orientations,
    hand states) is written as 0; tracking is 2 where unknown.
    """
    sequence = to_kinect_v2(sequence)
    present = sequence.present()
    tracking = sequence.tracking
    lines = [str(sequence.frames)]
    for t in range(sequence.frames):
        persons = np.flatnonzero(present[t])
        lines.append(str(len(persons)))
        for person in persons.tolist():
            lines += [f"{_body_id(sequence, person)} 0 1 1 1 1 0 0 0 2", str(JOINTS)]
            states = [2] * JOINTS if tracking is None else tracking[t, person].tolist()
            for (x, y, z), state in zip(sequence.joints[t, person].tolist(), states, strict=True):
                lines.append(f"{x:.9g} {y:.9g} {z:.9g} 0 0 0 0 0 0 0 0 {state}")
    write_text(path, "\n".join(lines) + "\n")


def _body_id(sequence: SkeletonSequence, person: int) -> int:
    own = sequence.body_ids[person] if sequence.body_ids else ""
    return int(own) if own.isdecimal() and len(own) <= 18 else _FIRST_BODY_ID + person
