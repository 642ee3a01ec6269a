"""Marker laboratories' files: C3D, and the tables of Nexus, Workstation and Qualisys Track Manager."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sample_person import FRAMES, Z_UP, Array, person

from flora_engine.skeleton import LAYOUTS


def _c3d(path: Path, names: list[str], joints: Array) -> None:
    import c3d

    writer = c3d.Writer(point_rate=100)
    writer.set_point_labels([f"Anna:{name}" for name in names])
    for frame in joints:
        points = np.concatenate([frame, np.zeros((len(frame), 2))], axis=1).astype(np.float32)
        writer.add_frames([(points, np.empty((0, 0)))])
    with path.open("wb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # there is no analogue data
        writer.write(file)


def _vicon(layout: str = "plug_in_gait_30") -> tuple[list[str], Array]:
    names = [n.replace("left ", "L").replace("right ", "R").upper() for n in LAYOUTS[layout].joints]
    return names, person(layout, Z_UP, 1000)


def vicon_c3d(path: Path) -> None:
    """Plug-in Gait markers in millimetres, z up, with another point that is no part of the body."""
    names, joints = _vicon()
    _c3d(path, [*names, "BALL"], np.concatenate([joints, np.ones((FRAMES, 1, 3))], axis=1))


def vicon_bones_c3d(path: Path) -> None:
    """Plug-in Gait's bones: beside each origin the ends of its axes (A, L, P), and angles as points."""
    names, joints = _vicon("plug_in_gait_bones_19")
    ends = [(name[:-1] + axis, joints[:, i]) for i, name in enumerate(names) if name[-1] == "O" for axis in "ALP"]
    ends = [(name, place + 100) for name, place in ends if name not in names]
    others = [*ends, ("LKneeAngles", np.full((FRAMES, 3), 12.0))]
    _c3d(path, [*names, *(name for name, _ in others)],
         np.concatenate([joints, np.stack([place for _, place in others], axis=1)], axis=1))  # fmt: skip


def workstation_csv(path: Path) -> None:
    """Vicon Workstation: facts without a value, then the points, of which a real file has 94."""
    names, joints = _vicon("plug_in_gait_bones_19")
    rows = [f"{t + 1}," + ",".join(f"{v:.4f}" for v in joints[t].ravel()) for t in range(FRAMES)]
    lines = [f"{fact},,," for fact in ("Title", "Date:", "Time:", "Type:", "Description:", "Notes:", "")]
    lines += ["TRAJECTORIES,,,", "100,Hz,,", "," + ",,,".join(names), "Field #" + ",X,Y,Z" * len(names)]
    path.write_text("\n".join([*lines, *rows]) + "\n")


def nexus_outputs_csv(path: Path) -> None:
    """Model outputs of Nexus 2: bones as a rotation vector, a place and a length, angles between them; then markers."""
    names, joints = _vicon("plug_in_gait_bones_19")
    where = {name: joints[:, i] for i, name in enumerate(names)}
    blocks = [("LHipAngles", "X Y Z", "deg", np.full((FRAMES, 3), 30.0))]
    for bone in (name[:-1] for name in names if name.endswith("O")):
        up = where.get(f"{bone}P", where[f"{bone}O"] + (0, 30, 40)) - where[f"{bone}O"]
        length = np.linalg.norm(up, axis=1, keepdims=True)
        axis = np.cross((0.0, 0.0, 1.0), up / length)
        norm = np.linalg.norm(axis, axis=1, keepdims=True)
        turn = np.degrees(np.arctan2(norm, up[:, 2:] / length)) * axis / np.maximum(norm, 1e-12)
        values = np.concatenate([turn, where[f"{bone}O"], np.repeat(length, 3, axis=1)], axis=1)
        blocks.append((bone, "RX RY RZ TX TY TZ SX SY SZ", "deg", values))
    rows = np.concatenate([values for *_, values in blocks], axis=1)
    lines = ["Model Outputs", "100", ",," + ",".join(f"Anna:{n}" + "," * (len(v[0]) - 1) for n, *_, v in blocks)]
    lines += ["Frame,Sub Frame," + ",".join(axes.replace(" ", ",") for _, axes, *_ in blocks)]
    lines += [",," + ",".join(unit for *_, unit, values in blocks for _ in values[0])]
    lines += [f"{t + 1},0," + ",".join(f"{v:.5f}" for v in row) for t, row in enumerate(rows)]
    path.write_text("\n".join([*lines, "", "Trajectories", "100", ",,Anna:LFHD,,", "Frame,Sub Frame,X,Y,Z",
                               ",,mm,mm,mm", *(f"{t + 1},0,1,2,3" for t in range(FRAMES)), ""]))  # fmt: skip


def nexus_csv(path: Path) -> None:
    """Vicon Nexus: another section first, and a gap."""
    names, joints = _vicon()
    rows = [f"{t + 1},0," + ",".join(f"{v:.4f}" for v in joints[t].ravel()) for t in range(FRAMES)]
    rows[7] = rows[7].rsplit(",", 3)[0] + ",,,"
    lines = ["Devices", "1000", ",,Force", "Frame,Sub Frame,Fx", ",,N", "1,0,5", "", "Trajectories", "100"]
    lines += [",," + ",".join(f"Anna:{name},," for name in names), "Frame,Sub Frame" + ",X,Y,Z" * len(names)]
    path.write_text("\n".join([*lines, ",," + ",".join(["mm"] * 3 * len(names)), *rows, ""]) + "\n")


def qualisys_tsv(path: Path) -> None:
    names, joints = _vicon()
    facts = {"NO_OF_FRAMES": FRAMES, "NO_OF_CAMERAS": 8, "NO_OF_MARKERS": len(names), "FREQUENCY": 200,
             "NO_OF_ANALOG": 0, "ANALOG_FREQUENCY": 0, "DESCRIPTION": "--", "TIME_STAMP": "2024-04-15, 10:39:38.777",
             "DATA_INCLUDED": "3D", "MARKER_NAMES": "\t".join(names),
             "TRAJECTORY_TYPES": "\t".join(["Measured"] * len(names))}  # fmt: skip
    rows = ["\t".join(f"{v:.3f}" for v in frame.ravel()) for frame in joints]
    path.write_text("\n".join([*(f"{key}\t{value}" for key, value in facts.items()), *rows]) + "\n")


# as foreign_samples.FOREIGN
VICON: dict[str, tuple[Callable[[Path], None], str, float, tuple[str, ...]]] = {
    "vicon.c3d": (vicon_c3d, "plug_in_gait_30", 100, ("+z points up",)),
    "nexus.csv": (nexus_csv, "plug_in_gait_30", 100, ("+z points up", "0.1 % of the joints")),
    "vicon_bones.c3d": (vicon_bones_c3d, "plug_in_gait_bones_19", 100, ("+z points up", "3 of 25 joints are made up")),
    "nexus_outputs.csv": (nexus_outputs_csv, "plug_in_gait_bones_19", 100, ("+z points up",)),
    "workstation.csv": (workstation_csv, "plug_in_gait_bones_19", 100, ("+z points up",)),
    "qualisys.tsv": (qualisys_tsv, "plug_in_gait_30", 200, ("+z points up",)),
}
