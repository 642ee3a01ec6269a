"""What is opened is read, and its scene made, off the window's thread."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app.viewer.scene import Scene
from flora_engine.project.project import Project
from flora_engine.project.schema import DATABASE
from flora_engine.readers import read_sequence
from flora_engine.skeleton import SkeletonSequence


@dataclass(frozen=True)
class Opened:
    """A recording that is ready to draw."""

    path: Path | None  # None: from the project
    sequence: SkeletonSequence
    scene: Scene


def open_recording(path: Path) -> Opened:
    """Read `path` and prepare its scene; raises FloraError."""
    sequence = read_sequence(path)
    return Opened(path, sequence, Scene(sequence))


def open_from(project: Project, id: int) -> Opened:
    """Recording `id` of a project and its scene; raises FloraError."""
    sequence = project.sequence(id)
    return Opened(None, sequence, Scene(sequence))


def open_or_create(folder: Path) -> Project:
    """The project at `folder`, made where there is none; raises FloraError."""
    return Project.open(folder) if (folder / DATABASE).is_file() else Project.create(folder)


def describe(sequence: SkeletonSequence) -> str:
    """One line on the recording for the status bar."""
    persons = f"{sequence.persons} person{'s' if sequence.persons != 1 else ''}"
    parts = [f"{sequence.frames} frames at {sequence.fps:g}/s", persons, f"{sequence.skeleton.title}"]
    if "class_name" in sequence.metadata:
        parts.insert(0, str(sequence.metadata["class_name"]))
    return "   ·   ".join(parts)
