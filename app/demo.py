"""The demo project, made once in the user's cache. Qt-free."""

from __future__ import annotations

from pathlib import Path

from flora_engine.datasets.importing import ImportOptions, import_folder
from flora_engine.demo import VERSION, write_demo
from flora_engine.jobs import Job
from flora_engine.project import open_or_create
from flora_engine.resources import cache_folder

_DONE = "classes.csv"  # the last file that write_demo writes


def demo_folder() -> Path:
    """The folder of the demo recordings, which may not exist yet."""
    return cache_folder() / f"demo-{VERSION}" / "recordings"


def demo_recordings(folder: Path | None = None) -> Path:
    """The folder of the demo recordings, made or completed first."""
    folder = folder or demo_folder()
    if not (folder / _DONE).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_demo(Job(), folder)
    return folder


def demo_project(base: Path | None = None) -> Path:
    """The folder of a project of the demo recordings, made or completed first."""
    raw = demo_recordings(base)
    folder = raw.parent / "demo-project"
    with open_or_create(folder) as project:
        if project.writable and len(project.table) < sum(1 for _ in raw.glob("*.skeleton")):
            import_folder(Job(), project, [raw], ImportOptions(processes=1))
    return folder
