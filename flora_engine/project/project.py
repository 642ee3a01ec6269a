"""A project: recordings, labels, classes and splits in one folder. See docs/projects.md.

`project.sqlite` holds everything but the frames, which lie in `arrays/` (see arrays.py). One program writes at a time;
any number read. Nothing that was confirmed is lost to a crash: frames reach the disk before the transaction that names
them.
"""

from __future__ import annotations

from flora_engine.project.class_sets import ClassSets
from flora_engine.project.classes import Classes
from flora_engine.project.labels import Labels
from flora_engine.project.lessons import Lessons
from flora_engine.project.recordings import Recordings
from flora_engine.project.splits import Splits
from flora_engine.project.statements import Statements
from flora_engine.project.store import Store


class Project(Store):
    """An open project, made by `create` or `open`: a store with its parts at hand.

        with Project.open(folder) as project:
            project.labels.set([3, 4], "wave")
            project.undo()

    A part holds nothing but the store, so it is made when it is asked for: kept ones would make a circle of references,
    and a project that nobody closed would keep its lock until the garbage collector came.
    """

    @property
    def recordings(self) -> Recordings:
        return Recordings(self)

    @property
    def labels(self) -> Labels:
        return Labels(self)

    @property
    def classes(self) -> Classes:
        return Classes(self)

    @property
    def splits(self) -> Splits:
        return Splits(self)

    @property
    def statements(self) -> Statements:
        return Statements(self)

    @property
    def lessons(self) -> Lessons:
        return Lessons(self)

    @property
    def class_sets(self) -> ClassSets:
        return ClassSets(self)
