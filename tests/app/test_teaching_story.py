"""Stories through `flora gui`: a folder is labelled without an import; segments teach. Both continue the next day."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from app_fakes import Driver, run_story
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog

from app.main_window import MainWindow
from flora_engine.demo import synthesise
from flora_engine.project import Incoming, Project
from flora_engine.readers import write_ntu

pytestmark = pytest.mark.usefixtures("home")


def idle(window: MainWindow) -> bool:
    busy = window.labels.is_busy or window.session.is_busy or window.opening.is_busy or window.jobs.jobs
    return not busy and not window.folder_batch.is_busy


def test_a_folder_is_labelled_without_an_import(
    qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw, out = tmp_path / "raw", tmp_path / "labels.csv"
    for action in (0, 1, 2, 20):
        sequence = synthesise(action)
        write_ntu(sequence, raw / f"{sequence.name}.skeleton")
    (raw / "broken.skeleton").write_text("3\n1\n")
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(raw))
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(out), ""))
    decided: dict[str, str] = {}

    def label(window: MainWindow) -> bool:
        window.labels.set_text("bow\nclap\nsquat")
        window.run_command("file.label_folder")
        return bool(window.jobs.jobs)

    def ranked(window: MainWindow) -> bool:
        return idle(window) and "Ranked 4 recordings" in window.notice.text() and len(window.review.model.queue) == 4

    def decide(window: MainWindow) -> bool:
        first = window.review.current
        if not idle(window) or first is None:
            return False
        decided[first.name] = first.said.ranking[1][0]
        window.review.view.setFocus()
        QTest.keyClick(window.review.view, Qt.Key.Key_2)
        return len(window.review.model.queue) == 3

    def continued(window: MainWindow) -> bool:
        names = {one.name for one in window.review.model.queue}
        return idle(window) and len(names) == 3 and not names & decided.keys()

    def accept(window: MainWindow) -> bool:
        first = window.review.current
        if not idle(window) or first is None:
            return False
        decided[first.name] = first.said.ranking[0][0]
        window.review.view.setFocus()
        QTest.keyClick(window.review.view, Qt.Key.Key_Return)
        return len(window.review.model.queue) == 2

    def save(window: MainWindow) -> bool:
        if not idle(window):
            return False
        window.run_command("file.save_labels")
        return True

    def saved(window: MainWindow) -> bool:
        return idle(window) and "Wrote" in window.notice.text()

    run_story(Driver(label, ranked, decide))
    run_story(Driver(label, continued, accept, save, saved))
    rows = {Path(row["file"]).stem: row for row in csv.DictReader(out.read_text(encoding="utf-8").splitlines())}
    assert len(rows) == 5 and rows["broken"]["problem"] and len(decided) == 2
    assert {name: row["class"] for name, row in rows.items() if row["class"]} == decided


def test_segments_teach_and_still_do_the_next_day(qapp: QApplication, tmp_path: Path) -> None:
    takes = [synthesise(action, subject=subject, seed=subject) for action in (10, 5) for subject in (1, 2)]
    with Project.create(tmp_path / "study") as project:
        project.recordings.add([Incoming(take) for take in takes])

    def at(window: MainWindow, row: int) -> bool:
        """Whether this recording is on screen and ranked."""
        name = "" if window.player.sequence is None else window.player.sequence.name
        return idle(window) and name == takes[row].name and window.labels.answer is not None

    def type_actions(window: MainWindow) -> bool:
        window.labels.set_text("first thing\nsecond thing")  # words that say nothing: all must be learned
        return window.session.project is not None

    def opened(window: MainWindow) -> bool:
        return window.timelines.can_edit and at(window, 0)

    def draw(window: MainWindow) -> bool:
        window.docks.show_timeline()
        window.timelines.add("first thing", 2, takes[0].frames - 3)
        return len(window.timelines.content.truth) == 1

    def to_another(window: MainWindow) -> bool:
        if not idle(window):
            return False
        window.library.select_row(2)
        return True

    def draw_another(window: MainWindow) -> bool:
        if not at(window, 2) or not window.timelines.can_edit or window.timelines.content.truth:
            return False
        window.timelines.add("second thing", 2, takes[2].frames - 3)
        return len(window.timelines.content.truth) == 1

    def look(window: MainWindow) -> bool:
        if not idle(window):
            return False
        window.library.select_row(1)
        return True

    def learned(window: MainWindow) -> bool:
        answer = window.labels.answer
        return at(window, 1) and answer is not None and answer.learned == 2 and answer.labels[0].name == "first thing"

    run_story(Driver(type_actions, opened, draw, to_another, draw_another, look, learned), str(tmp_path / "study"))
    run_story(Driver(opened, look, learned), str(tmp_path / "study"))
    with Project.open(tmp_path / "study", "read") as project:
        drawn = [
            [label.class_name for label in project.labels.of(id) if label.begin is not None] for id in (1, 2, 3, 4)
        ]
    assert drawn == [["first thing"], [], ["second thing"], []]
