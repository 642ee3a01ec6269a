"""Small motion archives for these tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flora_engine.demo import synthesise


def arrays_of(classes: Sequence[str], actions: Sequence[int], each: int = 3) -> dict[str, Any]:
    """The arrays of an archive: `each` synthetic recordings per class, of the demo's action of the same place."""
    made = [(label, synthesise(action, seed=n)) for label, action in enumerate(actions) for n in range(each)]
    frames = np.array([one.frames for _, one in made])
    persons = max(one.joints.shape[1] for _, one in made)
    joints = [np.pad(one.joints, ((0, 0), (0, persons - one.joints.shape[1]), (0, 0), (0, 0))) for _, one in made]
    return {
        "joints_mm": np.round(np.concatenate(joints) * 1000).astype(np.int16),
        "first": np.cumsum([0, *frames[:-1]]),
        "frames": frames,
        "name": np.array([f"r{n:03d}" for n in range(len(made))]),
        "label": np.array([label for label, _ in made]),
        "subject": np.array([f"person {'ab'[n % 2]}" for n in range(len(made))]),
        "classes": np.array(classes),
        "fps": np.float32(30),
        "layout": np.array("kinect_v2"),
    }


def write_archive(path: Path, arrays: dict[str, Any]) -> Path:
    """The archive at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)
    return path
