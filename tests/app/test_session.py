"""The session: one gate for edits, off the window's thread, in order; who closes the project, and when."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.session import Session
from app.workers.tasks import InTurn
from flora_engine.errors import FloraError
from flora_engine.project import Project


@pytest.fixture
def session(qtbot: Any, tmp_path: Path) -> Iterator[Session]:
    session = Session()
    session.open(Project.create(tmp_path / "study"))
    yield session
    session.close()


def test_an_edit_is_done_elsewhere_and_reported_here(session: Session) -> None:
    threads, results, changed = [], [], []
    session.changed.connect(lambda: changed.append(session.undo_title))

    def change(project: Project) -> bool:
        threads.append(threading.get_ident())
        return project.classes.add(["walk"])

    session.edit(change, results.append)
    assert threads and threading.get_ident() not in threads
    assert results == [True] and len(changed) == 1 and changed[0] is not None
    session.undo(results.append)
    assert results[-1] == changed[0] and session.undo_title is None and session.redo_title == changed[0]
    assert session.project is not None and session.project.classes.names() == ()
    session.redo(results.append)
    assert session.project.classes.names() == ("walk",)


def test_a_failed_edit_goes_to_who_asked_or_to_everybody(session: Session) -> None:
    own, everybody, changed = [], [], []
    session.problem.connect(everybody.append)
    session.changed.connect(lambda: changed.append(1))

    def fail(project: Project) -> None:
        raise FloraError("not possible")

    session.edit(fail, failed=own.append)
    assert (own, everybody) == (["not possible"], [])
    session.edit(fail)
    assert (own, everybody, len(changed)) == (["not possible"], ["not possible"], 2)


def test_edits_keep_their_order_and_finish_before_the_project_is_closed(
    session: Session, qtbot: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(InTurn, "patience", 0.0)
    may_start, told = threading.Event(), []
    busy: list[bool] = []
    session.busy.connect(busy.append)

    def slowly(project: Project) -> bool:
        assert may_start.wait(30)
        return project.classes.add(["first"])

    session.edit(slowly, told.append)
    session.edit(lambda project: project.classes.add(["second"]), told.append)
    assert session.is_busy and not session.can_edit and busy == [True] and not told
    may_start.set()
    session.close()
    assert session.project is None and not told, "answers about a closed project are dropped"
    with Project.open(tmp_path / "study", "read") as project:
        assert project.classes.names() == ("first", "second")


def test_without_a_project_nothing_happens(qtbot: Any) -> None:
    session = Session()
    session.edit(lambda project: pytest.fail("called"))
    session.close()
    assert not session.can_edit and not session.is_open(Path("nowhere"))
