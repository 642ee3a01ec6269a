"""Label a folder without an import: ranked by the real model, decided by keys, resumed by another window, saved."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog

from app.main_window import MainWindow
from flora_engine.project import Project
from flora_engine.project.labels import login

TYPED = "bow\nclap\nsquat"


def waiting(window: MainWindow) -> list[str]:
    return sorted(one.name for one in window.review.model.queue)


def label_folder(window: MainWindow, folder: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    window.labels.set_text(TYPED)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    window.run_command("file.label_folder")
    qtbot.waitUntil(lambda: "Ranked 4 recordings" in window.notice.text())
    qtbot.waitUntil(lambda: not window.folder_batch.is_busy)


def test_ranked_decided_continued_and_saved(
    make_window: Callable[[], MainWindow],
    qtbot: Any,
    recordings: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    window = make_window()
    assert not window.menus.action("file.save_labels").isEnabled()
    label_folder(window, recordings, qtbot, monkeypatch)
    assert "1 recording could not be ranked" in window.notice.text()
    assert len(waiting(window)) == 4 and window.docks.review.isVisible()
    first = window.review.current
    assert first is not None and "built-in model" in window.review.ranks.toPlainText()
    qtbot.waitUntil(lambda: window.player.sequence is not None and window.player.sequence.source.stem == first.name)
    second_best = first.said.ranking[1][0]
    window.review.view.setFocus()
    QTest.keyClick(window.review.view, Qt.Key.Key_2)
    assert len(waiting(window)) == 3 and first.name not in waiting(window)
    QTest.keyClick(window.review.view, Qt.Key.Key_Return)
    QTest.keyClick(window.review.view, Qt.Key.Key_Backspace)
    assert len(waiting(window)) == 3
    window.close()

    again = make_window()
    label_folder(again, recordings, qtbot, monkeypatch)
    assert len(waiting(again)) == 3 and first.name not in waiting(again)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "out.csv"), ""))
    again.run_command("file.save_labels")
    qtbot.waitUntil(lambda: "Wrote" in again.notice.text())
    table = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()
    rows = {Path(row["file"]).stem: row for row in csv.DictReader(table)}
    assert len(rows) == 5 and rows["broken"]["problem"]
    assert (rows[first.name]["class"], rows[first.name]["author"]) == (second_best, login())
    assert rows[first.name]["label"] == first.said.ranking[0][0]
    assert sum(bool(row["class"]) for row in rows.values()) == 1


def test_a_project_takes_its_place(
    window: MainWindow, qtbot: Any, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    label_folder(window, recordings, qtbot, monkeypatch)
    Project.create(tmp_path / "study").close()
    window.opening.open_project(tmp_path / "study")
    qtbot.waitUntil(lambda: window.session.project is not None and not window.library.is_busy)
    assert not window.menus.action("file.save_labels").isEnabled()
    QTest.keyClick(window.review.view, Qt.Key.Key_Return)
    assert waiting(window) == [] and not window.session.undo_title
    label_folder(window, recordings, qtbot, monkeypatch)
    assert window.session.project is None and len(waiting(window)) == 4
    window.run_command("file.clear")
    assert waiting(window) == [] and not window.menus.action("file.save_labels").isEnabled()


def test_without_actions_nothing_begins(window: MainWindow, recordings: Path) -> None:
    window.labels.set_text("")
    window.folder_batch.start(recordings)
    assert "Type at least one action" in window.notice.text() and not window.jobs.jobs
