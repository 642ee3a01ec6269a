"""Batches and the review queue in the window: ranked by the real model, decided by keys, cut off and resumed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.labelling.review import history_of, in_order, queue_of
from app.main_window import MainWindow
from flora_engine.demo import synthesise
from flora_engine.labelling.bundle import BUILTIN
from flora_engine.labelling.journal import Head, Journal
from flora_engine.labelling.learning import model_key
from flora_engine.project import Incoming, Project, RankingSaid
from flora_engine.project.labels import login
from flora_engine.semantics.class_texts import parse_typed, with_known_texts

TYPED = "bow\nclap\nsquat"
SAID = {
    1: (("bow", 0.5), ("clap", 0.45), ("squat", 0.05)),  # the least sure
    2: (("clap", 0.8), ("bow", 0.1), ("squat", 0.1)),
    3: (("bow", 0.7), ("squat", 0.2), ("clap", 0.1)),
}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    with Project.create(tmp_path / "study") as project:
        project.recordings.add([Incoming(synthesise(10, seed=n, replication=n)) for n in range(1, 5)])
        said = [(id, RankingSaid("some model", ranking, None, 100.0 + id)) for id, ranking in SAID.items()]
        project.statements.add_rankings(said)
    return tmp_path / "study"


@pytest.fixture
def reviewing(window: MainWindow, study: Path, qtbot: Any) -> MainWindow:
    window.labels.set_text(TYPED)
    window.opening.open_paths([study])
    qtbot.waitUntil(lambda: window.player.sequence is not None and window.session.can_edit)
    window.run_command("actions.review")
    qtbot.waitUntil(lambda: ids(window) == [1, 3, 2])
    window.review.view.setFocus()
    return window


def ids(window: MainWindow) -> list[int]:
    return [one.id for one in window.review.model.queue]


def press(window: MainWindow, key: Qt.Key) -> None:
    QTest.keyClick(window.review.view, key)


def label(window: MainWindow, id: int) -> tuple[str, ...]:
    assert window.session.project is not None
    return tuple(one.class_name for one in window.session.project.labels.of(id))


def test_keys_decide_go_on_and_take_back(reviewing: MainWindow, qtbot: Any) -> None:
    window = reviewing
    assert window.review.current is not None and window.review.current.id == 1
    assert "1  bow  50%" in window.review.ranks.toPlainText()
    press(window, Qt.Key.Key_2)
    assert label(window, 1) == ("clap",) and ids(window) == [3, 2]
    qtbot.waitUntil(lambda: window.player.sequence is not None and "R003" in window.player.sequence.name)
    press(window, Qt.Key.Key_Return)
    assert label(window, 3) == ("bow",) and ids(window) == [2]
    press(window, Qt.Key.Key_9)
    assert ids(window) == [2], "there is no ninth rank"
    press(window, Qt.Key.Key_Backspace)
    assert label(window, 3) == () and sorted(ids(window)) == [2, 3]
    assert window.review.current is not None and window.review.current.id == 3
    press(window, Qt.Key.Key_Backspace)
    assert label(window, 1) == ()
    press(window, Qt.Key.Key_Backspace)
    assert sorted(ids(window)) == [1, 2, 3]
    playing = window.player.playback.playing
    press(window, Qt.Key.Key_Space)
    assert window.player.playback.playing is not playing
    view = window.player.view.camera.yaw
    press(window, Qt.Key.Key_1)
    assert window.player.view.camera.yaw == view, "1 takes a rank here, and does not turn the view"


def test_who_said_what_when_and_by_which_model(reviewing: MainWindow) -> None:
    window = reviewing
    press(window, Qt.Key.Key_2)
    project = window.session.project
    assert project is not None
    (said,) = project.labels.of(1)
    assert (said.model, said.author) == ("some model", login()) and abs(said.time - time.time()) < 600
    press(window, Qt.Key.Key_Backspace)
    lines = [line.split("  ", 1)[1] for line in history_of(project, 1)]
    assert lines == ["somebody: no class", f"{login()}: clap, proposed by some model", "some model: bow, 50%"]


def test_the_queue_by_class(reviewing: MainWindow) -> None:
    window = reviewing
    window.review.order.setCurrentIndex(1)
    window.review.order.activated.emit(1)
    assert ids(window) == [3, 1, 2]
    project = window.session.project
    assert project is not None
    assert [one.id for one in in_order(queue_of(project), "sure")] == [1, 3, 2]


def test_a_batch_ranks_what_is_listed(window: MainWindow, study: Path, qtbot: Any) -> None:
    window.labels.set_text(TYPED)
    window.opening.open_paths([study])
    qtbot.waitUntil(lambda: window.player.sequence is not None and window.session.can_edit)
    window.run_command("actions.batch")
    qtbot.waitUntil(lambda: not window.jobs.jobs and not window.session.is_busy)
    qtbot.waitUntil(lambda: "Ranked 4 recordings" in window.notice.text())
    project = window.session.project
    assert project is not None
    assert {said.model for said in project.statements.newest_rankings().values()} == {"built-in model"}
    assert sorted(ids(window)) == [1, 2, 3, 4] and label(window, 1) == ()


def test_a_batch_that_was_cut_off_is_offered_again(window: MainWindow, study: Path, qtbot: Any) -> None:
    texts = with_known_texts(parse_typed(TYPED))
    known = [[text.name, text.motion, text.definition] for text in texts]
    (study / "batches").mkdir()
    head = Head("built-in model", model_key(BUILTIN), TYPED, known, ["1", "2", "3", "4"])
    Journal(study / "batches" / "cut.jsonl", head).close()
    window.opening.open_paths([study])
    qtbot.waitUntil(lambda: "4 recordings are still to be ranked" in window.notice.text())
    window.notice.action().click()
    qtbot.waitUntil(lambda: "Ranked 4 recordings" in window.notice.text())


def test_a_narrow_queue_leaves_the_lead_to_the_order(reviewing: MainWindow) -> None:
    review = reviewing.review
    for width, hidden in ((280, True), (500, False)):
        review.resize(width, 300)
        assert review.view.isColumnHidden(3) is hidden and not review.view.isColumnHidden(2)
