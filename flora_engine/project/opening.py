"""Tell a project, open it, or make one."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from flora_engine.project.project import Project
from flora_engine.project.schema import DATABASE


def is_project(folder: Path) -> bool:
    """Whether a project lies in this folder."""
    return (folder / DATABASE).is_file()


def open_or_create(folder: Path, mode: Literal["auto", "write"] = "auto") -> Project:
    """The project at `folder`, made if there is none; raises FloraError. mode: as for `Project.open`."""
    return Project.open(folder, mode) if is_project(folder) else Project.create(folder)
