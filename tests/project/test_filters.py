"""Queries, sorting and statistics, each compared with a plain loop over the recordings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from project_samples import filled_project

from flora_engine.errors import FloraError
from flora_engine.project import Project, Span
from flora_engine.project.columns import NAMES
from flora_engine.project.filters import SORT_KEYS, select, sort_rows
from flora_engine.project.statistics import statistics
from flora_engine.project.table import Table


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    with filled_project(tmp_path_factory.mktemp("filters") / "p", 60) as project:
        project.labels.set([3, 4, 5], None)
        project.labels.set([6, 7], "Sit Down")
        project.labels.add_spans(8, [Span("walk 1", 0, 3)])
        return project.table


Meets = Callable[[Table, int], bool]
QUERIES: dict[str, Meets] = {
    "": lambda t, r: True,
    "s01": lambda t, r: "S01" in t.names[r],
    "sit": lambda t, r: "sit" in t.class_of(r).lower(),
    "walk s02": lambda t, r: "walk" in t.class_of(r) and "S02" in t.names[r],
    "-walk": lambda t, r: "walk" not in t.class_of(r),
    'class:"sit down"': lambda t, r: t.class_of(r) == "Sit Down",
    "class:sit": lambda t, r: t.class_of(r) == "Sit Down",
    'class:"=walk 1"': lambda t, r: t.class_of(r) == "walk 1",
    "-class:walk": lambda t, r: "walk" not in t.class_of(r),
    "name:s1": lambda t, r: "S1" in t.names[r],
    "name:=s001": lambda t, r: t.names[r] == "S001",
    "subject:3": lambda t, r: t.numbers["subject"][r] == 3,
    "subject:1,2 camera:1": lambda t, r: t.numbers["subject"][r] in (1, 2) and t.numbers["camera"][r] == 1,
    "-subject:3": lambda t, r: t.numbers["subject"][r] != 3,
    "frames:>8": lambda t, r: t.frames[r] > 8,
    "frames:<=8": lambda t, r: t.frames[r] <= 8,
    "frames:6-8": lambda t, r: 6 <= t.frames[r] <= 8,
    "frames:>5 frames:<9 persons:2": lambda t, r: 5 < t.frames[r] < 9 and t.persons[r] == 2,
    "seconds:<0.25": lambda t, r: t.frames[r] / 30 < 0.25,
    "is:labelled": lambda t, r: t.classes[r] >= 0,
    "-is:labelled": lambda t, r: t.classes[r] < 0,
    "is:parts": lambda t, r: r == 7,
    "source:part1": lambda t, r: "part1" in t.folder_names[t.folders[r]],
    "layout:kinect_v1": lambda t, r: False,
    "  FRAMES:>8   ": lambda t, r: t.frames[r] > 8,
    "nothing like this": lambda t, r: False,
}


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_chooses_what_it_says(table: Table, query: str) -> None:
    expected = [row for row in range(len(table)) if QUERIES[query](table, row)]
    assert select(table, query).tolist() == expected


@pytest.mark.parametrize("query", ["colour:red", "subject:x", "frames:>", "frames:1-", "is:blue"])
def test_a_query_that_means_nothing_says_so(table: Table, query: str) -> None:
    with pytest.raises(FloraError):
        select(table, query)


@pytest.mark.parametrize("key", SORT_KEYS)
@pytest.mark.parametrize("descending", [False, True])
def test_sorting_is_stable_in_both_directions(table: Table, key: str, descending: bool) -> None:
    plain: dict[str, Callable[[int], object]] = {
        "id": lambda r: table.ids[r],
        "name": lambda r: table.names[r].casefold(),
        "class": lambda r: (table.classes[r] < 0, table.class_of(r).casefold()),
        "source": lambda r: table.folder_names[table.folders[r]],
        "layout": lambda r: table.layout_names[table.layouts[r]],
        "seconds": lambda r: table.frames[r] / table.fps[r],
        "parts": lambda r: table.spans[r],
        "fps": lambda r: table.fps[r],
    }
    value = plain.get(key) or (lambda r: table.numbers[key][r] if key in NAMES else getattr(table, key)[r])
    rows = np.random.default_rng(0).permutation(len(table))[:40]
    expected = sorted(rows.tolist(), key=value, reverse=descending)  # type: ignore[arg-type]
    assert sort_rows(table, rows, key, descending).tolist() == expected


def test_statistics_count(table: Table) -> None:
    rows = select(table, "camera:1,2")
    found = statistics(table, rows, bins=5)
    assert {name: n for name, n in found.classes.items() if n} == Counter(table.class_of(row) for row in rows)
    assert list(found.classes)[:4] == [f"walk {n}" for n in range(4)]
    assert found.numbers["subject"] == Counter(table.numbers["subject"][rows].tolist())
    assert set(found.numbers["camera"]) == {1, 2}
    assert found.recordings == len(rows) == found.lengths.sum()
    assert found.frames == sum(int(table.frames[row]) for row in rows)
    assert found.seconds == pytest.approx(found.frames / 30)
    inside = (table.frames[rows] >= found.length_edges[0]) & (table.frames[rows] < found.length_edges[1])
    assert found.lengths[0] == inside.sum()


def test_an_empty_project_filters_sorts_and_counts(tmp_path: Path) -> None:
    with Project.create(tmp_path / "p") as project:
        rows = select(project.table, "walk frames:>3 class:sit")
        assert len(rows) == 0
        assert all(len(sort_rows(project.table, rows, key)) == 0 for key in SORT_KEYS)
        assert statistics(project.table).recordings == 0
