"""A project: a folder of recordings, classes, splits and labels, with undo.

`Project` (project.py) is a store (store.py: folder, lock, transactions, undo) with six parts, a file each: recordings,
labels (of people), statements (of models), lessons (what models learn from), classes, splits. Tables of the database:
schema.py; the table in memory: table.py, with filters and statistics.
"""

from flora_engine.project.history import Change, Edit
from flora_engine.project.labels import Label, Span
from flora_engine.project.opening import is_project, open_or_create
from flora_engine.project.project import Project
from flora_engine.project.recordings import Incoming, content_hash
from flora_engine.project.schema import DATABASE
from flora_engine.project.splits import Parts, Split, TrainRule
from flora_engine.project.statements import RankingSaid, TimelineSaid
from flora_engine.project.table import Table

__all__ = [
    "DATABASE",
    "Change",
    "Edit",
    "Incoming",
    "Label",
    "Parts",
    "Project",
    "RankingSaid",
    "Span",
    "Split",
    "Table",
    "TimelineSaid",
    "TrainRule",
    "content_hash",
    "is_project",
    "open_or_create",
]
