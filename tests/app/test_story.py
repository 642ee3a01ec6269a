"""The story of a first day through `flora gui`: from an empty home to a project that is all there the next day."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from app_fakes import Driver, run_story
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QApplication, QFileDialog

from app.dialogs.import_dialog import ImportDialog
from app.main_window import MainWindow
from flora_engine.demo import ACTIONS, write_demo
from flora_engine.jobs import Job
from flora_engine.project import Project
from flora_engine.project.splits import Split, TrainRule

ALL = 2 * len(ACTIONS)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home; nothing of the machine's settings is seen."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("FLORA_SETTINGS", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.excepthook", sys.excepthook)  # `main` puts its own there
    return folder


def dropped(path: Path) -> QDropEvent:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    dropped.kept = data  # type: ignore[attr-defined]  # the event does not own it
    nothing, left = Qt.KeyboardModifier.NoModifier, Qt.MouseButton.LeftButton
    return QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, left, nothing)


def rows(window: MainWindow) -> int:
    return -1 if window.library.is_busy else window.library.model.rowCount()


def test_import_filter_split_undo_redo_reopen(
    qapp: QApplication, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw, study = tmp_path / "raw", home / "study"
    write_demo(Job(), raw)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(study), ""))

    def welcomed(window: MainWindow) -> bool:
        window.labels.set_text("")  # ranking is no part of this story
        return window.stage.currentWidget() is window.welcome and window.session.project is None

    def new_project(window: MainWindow) -> bool:
        if window.session.project is None and not window.opening.is_busy:
            window.run_command("file.new_project")
        return window.session.project is not None and "empty" in window.library.empty.text()

    def drop_the_folder(window: MainWindow) -> bool:
        window.dropEvent(dropped(raw))
        return window.findChild(ImportDialog) is not None

    def import_it(window: MainWindow) -> bool:
        dialog = window.findChild(ImportDialog)
        if dialog is None or not dialog.go_button.isEnabled():
            return False
        dialog.go()
        return bool(window.jobs.jobs)

    def imported(window: MainWindow) -> bool:
        return not window.jobs.jobs and rows(window) == ALL and window.player.sequence is not None

    def type_a_filter(window: MainWindow) -> bool:
        window.library.filter.setText("subject:2")
        return True

    def filtered(window: MainWindow) -> bool:
        return rows(window) == len(ACTIONS) and "of" in window.library.count.text()

    def label(window: MainWindow) -> bool:
        window.edits.set_class(window.library.selected_ids(), "something new")
        return window.session.project is not None and "something new" in window.session.project.classes.names()

    def split(window: MainWindow) -> bool:
        window.run_command("library.splits")
        editor = window.edits.split_editor
        assert editor is not None
        if editor.classes.topLevelItemCount() < len(ACTIONS):
            return False
        if editor.judgement is None or editor.judgement.split.name != "by person":
            editor.show_split(Split(name="by person", unseen=(0, 5), train=TrainRule(by="subject", values=(1,))))
            return False
        editor.save()
        editor.close()
        assert window.session.project is not None
        return "by person" in window.session.project.splits.all()

    def undo(window: MainWindow) -> bool:
        window.run_command("library.undo")
        window.run_command("library.undo")
        project = window.session.project
        assert project is not None
        return not project.splits.all() and "something new" not in project.classes.names()

    def redo(window: MainWindow) -> bool:
        window.run_command("library.redo")
        project = window.session.project
        assert project is not None
        return not project.splits.all() and "something new" in project.classes.names()

    steps: list[Callable[[MainWindow], bool]] = [welcomed, new_project, drop_the_folder, import_it, imported]
    steps += [type_a_filter, filtered, label, split, undo, redo]
    driver = Driver(*steps)
    run_story(driver)
    assert (home / ".config" / "flora-studio" / "settings.json").is_file()

    def all_there(window: MainWindow) -> bool:
        if rows(window) != ALL or window.session.project is None:
            return False
        project = window.session.project
        labelled = [name for name in map(project.table.class_of, range(ALL)) if name == "something new"]
        assert len(labelled) == 1 and not project.splits.all() and project.writable
        return window.player.sequence is not None and "Redo" in window.menus.action("library.redo").text()

    def redo_the_split(window: MainWindow) -> bool:
        window.run_command("library.redo")
        assert window.session.project is not None
        return window.session.project.splits.all()["by person"].unseen == (0, 5)

    driver = Driver(all_there, redo_the_split)
    run_story(driver, str(study))
    with Project.open(study, "read") as project:
        assert list(project.splits.all()) == ["by person"] and len(project.table) == ALL
