"""Small recordings and projects for these tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from flora_engine.project import Incoming, Project
from flora_engine.skeleton import LAYOUTS, SkeletonSequence


def recording(number: int, *, layout: str = "kinect_v2", tracked: bool = False, name: str = "") -> SkeletonSequence:
    """A recording whose length, persons and numbers follow from `number`; noise, so no two are alike."""
    random = np.random.default_rng(number)
    shape = (5 + number % 7, 1 + number % 2, len(LAYOUTS[layout].joints))
    name = name or f"S{number:03d}"
    return SkeletonSequence(
        joints=random.normal(size=(*shape, 3)).astype(np.float32),
        fps=30.0,
        layout=layout,
        tracking=random.integers(0, 3, shape).astype(np.uint8) if tracked else None,
        name=name,
        source=Path("/somewhere") / f"part{number % 2}" / f"{name}.npz",
        metadata={"subject": 1 + number % 4, "camera": 1 + number % 3, "setup": 1 + number % 2},
        body_ids=tuple(f"body{person}" for person in range(shape[1])) if tracked else None,
    )


def filled_project(folder: Path, count: int = 24, classes: int = 4) -> Project:
    """A project of `count` recordings over classes "walk 0", "walk 1", …"""
    project = Project.create(folder)
    project.recordings.add(Incoming(recording(n, tracked=n % 3 == 0), f"walk {n % classes}") for n in range(count))
    return project


def same(one: SkeletonSequence, other: SkeletonSequence) -> bool:
    """Whether two recordings are equal in everything."""
    tracking = one.tracking is other.tracking is None or (
        one.tracking is not None and other.tracking is not None and np.array_equal(one.tracking, other.tracking)
    )
    facts = [(s.fps, s.layout, s.name, s.source, s.metadata, s.body_ids) for s in (one, other)]
    return np.array_equal(one.joints, other.joints) and tracking and facts[0] == facts[1]
