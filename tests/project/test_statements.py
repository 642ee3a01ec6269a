"""Labels say who gave them and when; parts are edited as a whole; what models say stands beside and never changes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from project_samples import filled_project

from flora_engine.errors import FloraError
from flora_engine.project import Project, RankingSaid, Span, TimelineSaid
from flora_engine.project.labels import login


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with filled_project(tmp_path / "study", 4) as project:
        yield project


def parts(project: Project, id: int = 1) -> list[tuple[str, int | None, int | None]]:
    return [(label.class_name, label.begin, label.end) for label in project.labels.of(id) if label.begin is not None]


def test_a_label_says_who_gave_it_when_and_by_which_model(project: Project) -> None:
    before = time.time()
    project.labels.set([1], "run", model="built-in model")
    label = project.labels.of(1)[0]
    assert (label.class_name, label.origin, label.author, label.model) == ("run", "user", login(), "built-in model")
    assert before <= label.time <= time.time()
    imported = project.labels.of(2)[0]
    assert (imported.origin, imported.author, imported.model, imported.time) == ("import", "", "", 0.0)


def test_parts_are_set_as_one_edit_and_keep_their_history(project: Project) -> None:
    assert project.labels.set_spans(1, [Span("sit", 0, 2), Span("run", 2, 4)], "Add segments")
    ids = [label.id for label in project.labels.of(1)[1:]]
    assert project.labels.set_spans(1, [Span("sit", 0, 3), Span("run", 3, 4)], "Move an edge")
    assert parts(project) == [("sit", 0, 3), ("run", 3, 4)]
    assert [label.id for label in project.labels.of(1)[1:]] == ids, "a moved part is the same part"
    assert not project.labels.set_spans(1, [Span("run", 3, 4), Span("sit", 0, 3)], "Nothing")
    assert project.table.spans.tolist() == [2, 0, 0, 0]
    assert project.undo() == "Move an edge" and parts(project) == [("sit", 0, 2), ("run", 2, 4)]
    assert project.undo() == "Add segments" and parts(project) == [] and project.table.spans.tolist() == [0] * 4
    assert project.redo() == "Add segments" and project.table.spans.tolist() == [2, 0, 0, 0]
    assert [edit.title for edit, _ in project.labels.history(1)] == ["Add segments"] * 2 + ["Move an edge"] * 2
    with pytest.raises(FloraError, match="not inside the recording"):
        project.labels.set_spans(1, [Span("run", 3, 40)], "Too long")


def test_unchanged_parts_keep_who_said_them(project: Project) -> None:
    project.labels.add_spans(1, [Span("sit", 0, 2)], origin="import")
    project.labels.set_spans(1, [Span("sit", 0, 2), Span("run", 2, 4)], "Accept", model="m")
    assert [(label.origin, label.model) for label in project.labels.of(1)[1:]] == [("import", ""), ("user", "m")]


def test_a_table_after_an_edit_of_parts_is_as_if_it_were_read_anew(project: Project) -> None:
    project.table  # noqa: B018 (it is made, then brought up to date)
    project.labels.set_spans(2, [Span("new class", 0, 2)], "Add a segment")
    updated = project.table
    project.changed()
    anew = project.table
    assert updated is not anew
    assert updated.class_names == anew.class_names and updated.spans.tolist() == anew.spans.tolist()
    assert updated.classes.tolist() == anew.classes.tolist()


def test_what_models_say_is_kept_beside_the_labels(project: Project) -> None:
    labels = project.labels.of(1)
    assert project.statements.timeline(1) is None and project.statements.newest_rankings() == {}
    first = TimelineSaid("model one", (("sit", 0, 2, 0.5),), b"scores", 10.0)
    project.statements.add_timeline(1, first)
    project.statements.add_timeline(1, TimelineSaid("model two", (), b"", 20.0))
    said = project.statements.timeline(1)
    assert said is not None and (said.model, said.segments, said.time) == ("model two", (), 20.0)
    ranking = RankingSaid("model one", (("sit", 0.7), ("run", 0.3)), 0.25, 30.0)
    assert project.statements.add_rankings([(1, ranking), (3, ranking), (99, ranking)]) == 2
    assert project.statements.add_rankings([(1, ranking)]) == 0, "a journal may be read twice"
    project.statements.add_rankings([(1, RankingSaid("model two", (("run", 1.0),), None, 40.0))])
    assert [one.model for one in project.statements.rankings(1)] == ["model two", "model one"]
    assert {id: one.model for id, one in project.statements.newest_rankings().items()} == {
        1: "model two",
        3: "model one",
    }
    assert project.labels.of(1) == labels and project.next_undo() is None
    project.recordings.remove([3])
    assert list(project.statements.newest_rankings()) == [1]
