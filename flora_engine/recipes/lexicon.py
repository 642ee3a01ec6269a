"""What recordings of a project say against the expectations of the lexicon."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from flora_engine.descriptors import measure
from flora_engine.descriptors.pool import reference_pool
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.project import Project
from flora_engine.recipes import request
from flora_engine.recipes.request import UserPath
from flora_engine.semantics.lexicon import users_lexicon
from flora_engine.semantics.lexicon_checks import FEWEST_RECORDINGS, Contradiction, contradictions


class Request(request.Request):
    """at_most: measure so many recordings per class, spread evenly over them."""

    project: UserPath
    at_most: int = 30


@dataclass(frozen=True)
class Result:
    """classes: name → contradictions, of classes that the lexicon has and that have recordings enough. left_out: names
    of the other labelled classes.
    """

    classes: dict[str, list[Contradiction]]
    left_out: list[str]


def run(job: Job, request: Request) -> Result:
    """Measure labelled recordings and hold them against their class's entry. FloraError without a labelled recording,
    or if the folder is not a project; Cancelled.
    """
    lexicon, pool = users_lexicon(), reference_pool()
    with Project.open(request.project, "read") as project:
        table = project.table
        rows = {number: np.flatnonzero(table.classes == number) for number in range(len(table.class_names))}
        rows = {number: some for number, some in rows.items() if len(some)}
        if not rows:
            raise FloraError("no recording of this project has a class", path=request.project, remedy="Label some.")
        entries = {number: lexicon.find(table.class_names[number]) for number in rows}
        chosen = {
            number: some[np.linspace(0, len(some) - 1, min(len(some), request.at_most)).astype(int)]
            for number, some in rows.items()
            if entries[number] is not None and len(some) >= FEWEST_RECORDINGS
        }
        found, done, total = {}, 0, sum(map(len, chosen.values()))
        for number, some in chosen.items():
            values = []
            for row in some:
                job.progress("measuring", done, total)
                values.append(measure(project.recordings.read(int(table.ids[row]))))
                done += 1
            place = entries[number]
            assert place is not None
            found[table.class_names[number]] = contradictions(lexicon.entries[place], pool.scores(np.stack(values)))
        job.progress("measuring", total, total)
        return Result(found, [table.class_names[number] for number in rows if number not in chosen])
