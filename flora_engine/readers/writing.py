"""Writing recordings: which format a name asks for, and tables and markers; the others have modules of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from flora_engine.errors import FloraError
from flora_engine.files import write_text
from flora_engine.readers._cells import OURS
from flora_engine.readers.bvh_writing import write_bvh
from flora_engine.readers.c3d_writing import write_c3d
from flora_engine.readers.npz import write_npz
from flora_engine.readers.ntu import write_ntu
from flora_engine.skeleton import SkeletonSequence


def write_csv(sequence: SkeletonSequence, path: Path) -> None:
    """A wide table: a row per frame and person who is there, metres, Kinect axes; it reads back bit for bit."""
    names = [f"{joint.replace(' ', '_')}_{axis}" for joint in sequence.skeleton.joints for axis in "xyz"]
    lines = [f"# {OURS}", f"# fps: {sequence.fps:.9g}", ",".join(["frame", "person", *names])]
    ids = sequence.body_ids or tuple(str(person + 1) for person in range(sequence.persons))
    present = sequence.present()
    for t in range(sequence.frames):
        for person in np.flatnonzero(present[t]).tolist():
            values = sequence.joints[t, person].ravel().tolist()
            cells = ("" if np.isnan(value) else f"{value:.9g}" for value in values)
            lines.append(",".join([str(t), ids[person].replace(",", " "), *cells]))
    write_text(path, "\n".join(lines) + "\n")


def write_trc(sequence: SkeletonSequence, path: Path, person: int = 0) -> None:
    """Markers of one person (from 0) at its joints, millimetres, y up; a frame without it is empty."""
    names = [joint.replace(" ", "_") for joint in sequence.skeleton.joints]
    body, here = 1000 * sequence.joints[:, person].astype(np.float64), sequence.present()[:, person]
    rate, frames = f"{sequence.fps:.9g}", sequence.frames
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{path.name}",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"{rate}\t{rate}\t{frames}\t{len(names)}\tmm\t{rate}\t1\t{frames}",
        "Frame#\tTime\t" + "\t\t\t".join(names) + "\t\t",
        "\t\t" + "\t".join(f"{axis}{i + 1}" for i in range(len(names)) for axis in "XYZ"),
        "",
    ]
    for t in range(frames):
        cells = ["" if not here[t] or np.isnan(value) else f"{value:.5f}" for value in body[t].ravel().tolist()]
        lines.append("\t".join([str(t + 1), f"{t / sequence.fps:.6f}", *cells]))
    write_text(path, "\n".join(lines) + "\n")


# suffix → (writer of everybody, None) or (None, writer of one person)
WRITERS: dict[str, tuple[Callable[[SkeletonSequence, Path], None] | None,
                         Callable[[SkeletonSequence, Path, int], None] | None]] = {
    ".npz": (write_npz, None),
    ".skeleton": (write_ntu, None),
    ".csv": (write_csv, None),
    ".trc": (None, write_trc),
    ".c3d": (None, write_c3d),
    ".bvh": (None, write_bvh),
}  # fmt: skip


def write_sequence(sequence: SkeletonSequence, path: Path, person: int | None = None) -> None:
    """Write a recording in the format of the file's suffix, in one step.

    person (from 0): needed for TRC, C3D and BVH, which hold one person, if the recording has several. FloraError for an
    unknown suffix, or where the person is not said.
    """
    writers = WRITERS.get(path.suffix.lower())
    if writers is None:
        raise FloraError(f"is not a format that is written: {path.suffix or 'no suffix'}", path=path,
                         remedy=f"Written are {', '.join(WRITERS)}.")  # fmt: skip
    if person is not None and not 0 <= person < sequence.persons:
        raise FloraError(f"holds {sequence.persons} person(s), there is no number {person + 1}", path=sequence.source)
    everybody, one = writers
    try:
        if one is not None:
            if person is None and sequence.persons > 1:
                problem = f"holds {sequence.persons} persons, {path.suffix} one"
                raise FloraError(problem, path=sequence.source, remedy="Choose one with --person 1, 2, …")
            one(sequence, path, person or 0)
        elif everybody is not None:
            everybody(sequence if person is None else only(sequence, person), path)
    except OSError as error:
        raise FloraError(
            f"cannot be written ({error.strerror or error})", path=path, remedy="Check the disk."
        ) from None


def only(sequence: SkeletonSequence, person: int) -> SkeletonSequence:
    """The recording with one of its persons."""
    chosen = slice(person, person + 1)
    return replace(
        sequence,
        joints=sequence.joints[:, chosen],
        tracking=None if sequence.tracking is None else sequence.tracking[:, chosen],
        body_ids=None if sequence.body_ids is None else sequence.body_ids[chosen],
    )
