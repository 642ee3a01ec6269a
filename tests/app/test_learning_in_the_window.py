"""Corrections in the window: a confirmed recording changes the ranking of the next one at once, with the real model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QThreadPool

from app.labelling.service import LabelService
from app.main_window import MainWindow
from flora_engine.demo import synthesise
from flora_engine.labelling.labeller import Labeller
from flora_engine.project import Incoming, Project

TYPED = "first thing\nsecond thing"  # words that say nothing: all must be learned


@pytest.fixture
def real(qtbot: Any, tmp_path: Path) -> MainWindow:
    """A window with the built-in model on a project of two takes each of two actions."""
    with Project.create(tmp_path / "study") as project:
        takes = [synthesise(action, subject=subject, seed=subject) for action in (10, 5) for subject in (1, 2)]
        project.recordings.add([Incoming(take) for take in takes])
    window = MainWindow(service=LabelService(load=Labeller), settings_file=tmp_path / "settings.json")
    qtbot.addWidget(window)
    window.show()
    window.labels.set_text(TYPED)
    window.opening.open_paths([tmp_path / "study"])
    qtbot.waitUntil(lambda: window.player.sequence is not None and settled(window))
    yield window  # type: ignore[misc]
    QThreadPool.globalInstance().waitForDone(60_000)


def settled(window: MainWindow) -> bool:
    busy = window.labels.is_busy or window.session.is_busy or window.opening.is_busy
    return window.labels.answer is not None and not busy


def choose(window: MainWindow, row: int, qtbot: Any) -> None:
    table = window.library.model.table
    assert table is not None
    window.library.select_row(row)
    name = table.names[row]
    shown = lambda: window.player.sequence is not None and window.player.sequence.name == name  # noqa: E731
    qtbot.waitUntil(lambda: shown() and settled(window))


def confirm(window: MainWindow, row: int, name: str, qtbot: Any) -> None:
    choose(window, row, qtbot)
    answer = window.labels.answer
    assert answer is not None
    place = [label.name for label in answer.labels].index(name)
    window.labels.ranking.setCurrentIndex(window.labels.model.index(place, 0))
    window.run_command("actions.confirm")
    qtbot.waitUntil(lambda: settled(window))


def share(window: MainWindow, name: str) -> float:
    assert window.labels.answer is not None
    return next(label.score for label in window.labels.answer.labels if label.name == name)


def test_confirming_changes_the_ranking_at_once_and_can_be_switched_off(real: MainWindow, qtbot: Any) -> None:
    choose(real, 1, qtbot)
    before = share(real, "first thing")
    confirm(real, 0, "first thing", qtbot)
    confirm(real, 2, "second thing", qtbot)
    choose(real, 1, qtbot)
    answer = real.labels.answer
    assert answer is not None and answer.learned == 2
    assert answer.labels[0].name == "first thing" and share(real, "first thing") > before
    assert "learned from 2" in real.labels.footer.text()
    choose(real, 3, qtbot)
    assert real.labels.answer is not None and real.labels.answer.labels[0].name == "second thing"
    project = real.session.project
    assert project is not None and project.labels.of(1)[0].model == "built-in model"

    real.run_command("actions.learn")
    qtbot.waitUntil(lambda: settled(real) and not real.labels.answer.learned)  # type: ignore[union-attr]
    assert not real.menus.action("actions.learn").isChecked() and not project.lessons.on
    real.run_command("actions.learn")
    qtbot.waitUntil(lambda: settled(real) and real.labels.answer.learned == 2)  # type: ignore[union-attr]
    real.run_command("library.undo")
    qtbot.waitUntil(lambda: settled(real) and real.labels.answer.learned == 1)  # type: ignore[union-attr]


def test_a_recording_is_not_recognised_as_itself(real: MainWindow, qtbot: Any) -> None:
    confirm(real, 0, "first thing", qtbot)
    assert real.labels.answer is not None and real.labels.answer.learned == 0


def test_segments_of_a_timeline_teach(real: MainWindow, qtbot: Any) -> None:
    real.docks.show_timeline()
    for row, name in ((0, "first thing"), (2, "second thing")):
        choose(real, row, qtbot)
        qtbot.waitUntil(lambda: real.timelines.can_edit)
        frames = real.player.sequence.frames  # type: ignore[union-attr]
        real.timelines.add(name, 2, frames - 3)
        qtbot.waitUntil(lambda: len(real.timelines.content.truth) == 1 and settled(real))
    choose(real, 1, qtbot)
    qtbot.waitUntil(lambda: settled(real) and real.labels.answer.learned == 2)  # type: ignore[union-attr]
    assert real.labels.answer is not None and real.labels.answer.labels[0].name == "first thing"
    real.run_command("library.undo")
    qtbot.waitUntil(lambda: settled(real) and real.labels.answer.learned == 1)  # type: ignore[union-attr]


def test_the_model_is_saved_with_what_it_learned(real: MainWindow, qtbot: Any, tmp_path: Path) -> None:
    path = tmp_path / "mine.flora"
    real.learning.save(path)
    qtbot.waitUntil(lambda: "nothing is confirmed" in real.notice.text().lower())
    confirm(real, 0, "first thing", qtbot)
    real.learning.save(path)
    qtbot.waitUntil(path.is_file)
    qtbot.waitUntil(lambda: "Wrote" in real.notice.text())
    real.run_command("file.clear")
    real.models.use_file(path)
    qtbot.waitUntil(lambda: real.models.folder.name == "mine")
