"""A plain, slow, obviously right reader of NTU `.skeleton` files: the baseline of tests and benchmarks.

Every line is split and every number is converted, as most published scripts do. It trusts the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def read_bodies_plain(path: Path) -> dict[str, Any]:
    """frame_count, and one row per body per frame in file order: frame, body_id, position, joints, tracking."""
    rows: dict[str, list[Any]] = {"frame": [], "body_id": [], "position": [], "joints": [], "tracking": []}
    with path.open() as file:
        frame_count = int(file.readline())
        for frame in range(frame_count):
            for position in range(int(file.readline())):
                body = file.readline().split()
                joint_count = int(file.readline())
                joints = [[float(number) for number in file.readline().split()] for _ in range(joint_count)]
                rows["frame"].append(frame)
                rows["body_id"].append(int(body[0]))
                rows["position"].append(position)
                rows["joints"].append([joint[:3] for joint in joints])
                rows["tracking"].append([int(joint[11]) for joint in joints])
    return {
        "frame_count": frame_count,
        "frame": np.array(rows["frame"], np.int32),
        "body_id": np.array(rows["body_id"], np.uint64),
        "position": np.array(rows["position"], np.int32),
        "joints": np.array(rows["joints"], np.float64).astype(np.float32).reshape(-1, 25, 3),
        "tracking": np.array(rows["tracking"], np.uint8).reshape(-1, 25),
    }
