"""What was guessed is on a badge, and a file that is not understood is asked about once, for all files like it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from motion_archives import arrays_of
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog

from app.dialogs.import_dialog import ImportDialog
from app.dialogs.import_form import UNREADABLE
from app.dialogs.prepare_dialog import PrepareDialog
from app.dialogs.reading_dialog import ReadingDialog
from app.main_window import MainWindow
from app.viewer.badge import badge_text, is_doubtful
from flora_engine.demo import synthesise
from flora_engine.project import Incoming, Project
from flora_engine.readers import read_sequence, write_ntu
from flora_engine.readers.arrays import published_data_set
from flora_engine.readers.reading_recipes import find_recipe, recipe_files
from flora_engine.skeleton import LAYOUTS, Note, SkeletonSequence


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FLORA_RECIPES", str(tmp_path / "recipes"))
    return tmp_path / "recipes"


def joints() -> np.ndarray[Any, np.dtype[np.float64]]:
    """(T, 25, 3) of a person who moves, in the order of Kinect v2, in millimetres with z up."""
    return synthesise(0).joints[:, 0].astype(np.float64)[:, :, [0, 2, 1]] * 1000


def odd_table(path: Path) -> Path:
    values = joints()
    header = ",".join(["clock", *(f"{c}{i}" for i in range(25) for c in "pqr")])
    rows = np.column_stack([np.arange(len(values)) / 50, values.reshape(len(values), -1)])
    np.savetxt(path, rows, "%.6g", ",", header=header, comments="")
    return path


def open_file(window: MainWindow, qtbot: Any, path: Path) -> None:
    window.opening.open_paths([path])
    qtbot.waitUntil(lambda: window.opening.seen is not None and window.opening.seen.path == path)


def ask(window: MainWindow, qtbot: Any) -> ReadingDialog:
    window.run_command("file.read_differently")
    dialog = window.opening.reading_dialog
    assert dialog is not None
    qtbot.waitUntil(lambda: not dialog.is_busy)
    return dialog


def choose(dialog: ReadingDialog, qtbot: Any, **fields: object) -> None:
    for name, value in fields.items():
        box = getattr(dialog.form, name)
        box.setCurrentIndex(box.findData(value))
    dialog.form._timer.stop()
    dialog.try_it()
    qtbot.waitUntil(lambda: not dialog.is_busy)


def test_a_refused_file_is_asked_about_once(window: MainWindow, qtbot: Any, tmp_path: Path) -> None:
    path = odd_table(tmp_path / "one.csv")
    open_file(window, qtbot, path)
    assert "has no columns x, y, z of joints" in window.notice.text() and window.player.sequence is None
    window.notice.action().click()
    dialog = window.opening.reading_dialog
    assert dialog is not None and dialog.form.by_column
    qtbot.waitUntil(lambda: not dialog.is_busy)
    assert not dialog.go_button.isEnabled() and "no columns" in dialog.message.text()
    choose(dialog, qtbot, layout_box="kinect_v2")
    assert (dialog.form.first.value(), dialog.form.step.value()) == (2, 3)
    assert dialog.player.sequence is not None and dialog.go_button.isEnabled()
    dialog.form.fps.setText("50")
    dialog.try_it()
    qtbot.waitUntil(dialog.go_button.isEnabled)
    dialog.name.setText("our lab")
    dialog.go()
    qtbot.waitUntil(lambda: window.player.sequence is not None)
    sequence = window.player.sequence
    assert sequence is not None and sequence.fps == 50 and sequence.layout == "kinect_v2"
    assert list(recipe_files()) == ["our lab"] and window.notice.text() == ""
    second = odd_table(tmp_path / "two.csv")
    open_file(window, qtbot, second)
    qtbot.waitUntil(lambda: window.player.sequence is not None and window.player.sequence.name == "two")
    assert "frame rate" not in window.player.badge.text()


def test_the_columns_of_a_joint_can_be_chosen(window: MainWindow, qtbot: Any, tmp_path: Path) -> None:
    path = odd_table(tmp_path / "one.csv")
    open_file(window, qtbot, path)
    dialog = ask(window, qtbot)
    choose(dialog, qtbot, layout_box="kinect_v2")
    row = LAYOUTS["kinect_v2"].joints.index("head")
    assert [dialog.form.joints.item(row, k).text() for k in range(3)] == ["p3", "q3", "r3"]  # type: ignore[union-attr]
    dialog.form.joints.item(row, 0).setText("p4")  # type: ignore[union-attr]
    assert dialog.form.recipe().columns["head"] == ("p4", "q3", "r3")
    dialog.keep.setChecked(False)
    dialog.try_it()
    qtbot.waitUntil(dialog.go_button.isEnabled)
    dialog.go()
    qtbot.waitUntil(lambda: window.player.sequence is not None)
    assert recipe_files() == {}, "nothing is kept that is not to be kept"


def test_one_of_several_arrays_is_asked_for(window: MainWindow, qtbot: Any, tmp_path: Path) -> None:
    path = tmp_path / "two.npz"
    np.savez(path, first=joints()[:, :17], second=joints())
    open_file(window, qtbot, path)
    assert "holds 2 arrays that may be joints" in window.notice.text()
    dialog = ask(window, qtbot)
    choose(dialog, qtbot, array="second", up="+z", unit="millimetres")
    assert dialog.go_button.isEnabled()
    dialog.go()
    qtbot.waitUntil(lambda: window.player.sequence is not None)
    recipe = find_recipe("two")
    assert (recipe.array, recipe.up, recipe.unit) == ("second", "+z", "millimetres")
    assert recipe.for_files is not None and recipe.for_files.names == ("first: 17 joints", "second: 25 joints")


def test_a_file_that_was_read_can_be_read_differently(window: MainWindow, qtbot: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, joints())
    open_file(window, qtbot, path)
    qtbot.waitUntil(lambda: window.player.sequence is not None)
    assert "Guessed" in window.player.badge.text() and "joints are taken for" in window.player.badge.toolTip()
    before = window.player.sequence
    assert before is not None
    window.player.badge.popup.button.click()
    dialog = window.opening.reading_dialog
    assert dialog is not None
    qtbot.waitUntil(dialog.go_button.isEnabled)
    choose(dialog, qtbot, hands=False)  # these axes are left-handed, and the body shows it
    QTest.keyClick(dialog, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.player.sequence is not None and window.player.sequence is not before)
    after = window.player.sequence
    assert after is not None and [note.text for note in after.notes if note.about == "recipe"] == ["read as “a” says"]
    assert not np.allclose(before.joints, after.joints)


def test_a_name_that_is_taken_is_said_and_a_bad_one_refused(
    window: MainWindow, qtbot: Any, tmp_path: Path, folder: Path
) -> None:
    folder.mkdir()
    (folder / "lab.yaml").write_text("up: +y\n")
    path = tmp_path / "a.npy"
    np.save(path, joints())
    open_file(window, qtbot, path)
    qtbot.waitUntil(lambda: window.player.sequence is not None)
    dialog = ask(window, qtbot)
    qtbot.waitUntil(dialog.go_button.isEnabled)
    dialog.name.setText("lab")
    assert dialog.message.text() == "The recipe “lab” will be replaced."
    dialog.name.setText("../lab")
    dialog.go()
    assert "cannot be the name of a reading recipe" in dialog.message.text() and dialog.isVisible()
    dialog.form.fps.setText("fast")
    dialog.try_it()
    assert "frame rate" in dialog.message.text() and not dialog.go_button.isEnabled()
    dialog.reject()


def test_a_recording_whose_format_says_all_of_it_has_no_badge(window: MainWindow, qtbot: Any, tmp_path: Path) -> None:
    path = tmp_path / "S001C001P001R001A001.skeleton"
    write_ntu(synthesise(0), path)
    open_file(window, qtbot, path)
    qtbot.waitUntil(lambda: window.player.sequence is not None)
    assert window.player.badge.isHidden()
    assert not window.menus.action("file.read_differently").isEnabled()


def test_the_words_of_the_badge() -> None:
    assert badge_text(()) == "" and not is_doubtful(())
    sure, unsure = Note("up axis", "+z points up"), Note("frame rate", "30 are assumed", "unsure")
    assert badge_text([sure]) == "Guessed from the body" and not is_doubtful([sure])
    assert badge_text([sure, unsure]) == "Guessed: frame rate" and is_doubtful([sure, unsure])
    assert badge_text([Note("joints", "x"), Note("gaps", "y", "likely")]) == "Joints made up · gaps filled"
    assert badge_text([Note("unit", "cm", conflict=True)]) == "Guessed: unit"
    assert badge_text([Note("recipe", "read as “lab” says")]) == "Read by a recipe"


def test_what_was_guessed_stays_with_a_recording_of_a_project(window: MainWindow, qtbot: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, joints())
    sequence: SkeletonSequence = read_sequence(path)
    assert sequence.notes
    with Project.create(tmp_path / "project") as project:
        (id,) = project.recordings.add([Incoming(sequence)])
        assert id is not None
        stored = project.recordings.read(id)
        assert stored.notes == sequence.notes and "reading notes" not in stored.metadata
        assert project.recordings.verify() == []
    window.opening.open_project(tmp_path / "project")
    qtbot.waitUntil(lambda: window.session.project is not None)
    window.opening.open_id(id)
    qtbot.waitUntil(lambda: window.player.sequence is not None)
    badge = window.player.badge
    assert badge.isVisible() and badge.text() == badge_text(sequence.notes)
    badge.show_notes()
    assert badge.popup.isVisible() and "joints are taken for" in badge.popup.text.text()
    assert badge.popup.button.isHidden(), "there is no file to read again"
    QTest.keyClick(badge.popup, Qt.Key.Key_Escape)
    assert badge.popup.isHidden()


def test_a_published_split_file_becomes_a_project(window: MainWindow, qtbot: Any, tmp_path: Path) -> None:
    path = tmp_path / "NTU120_CSub.npz"
    np.savez(path, x_train=np.zeros((2, 300, 150)), y_train=np.eye(120)[:2], x_test=np.zeros((1, 300, 150)),
             y_test=np.eye(120)[:1])  # fmt: skip
    window.opening.open_paths([path])
    qtbot.waitUntil(lambda: bool(window.findChildren(PrepareDialog)))
    (dialog,) = window.findChildren(PrepareDialog)
    assert dialog.dataset.currentData() == "ntu120" and dialog.source.text() == str(path)
    assert dialog.target() == tmp_path / "NTU120_CSub project"
    qtbot.waitUntil(dialog.go_button.isEnabled)
    assert "2 recordings of the train part and 1 of the test part" in dialog.message.text()
    dialog.reject()
    assert published_data_set(tmp_path / "NTU60_CS.npz") is None, "a file that is not there"


def test_a_motion_archive_offers_its_import(
    window: MainWindow, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "set.npz"
    np.savez(path, **arrays_of(["wave", "jump"], [0, 11]))
    window.opening.open_paths([path])
    qtbot.waitUntil(lambda: "recordings of a data set. Open or make a project" in window.notice.text())
    assert window.player.sequence is None
    wanted: list[list[Path]] = []
    window.opening.import_wanted.connect(wanted.append)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "project"), ""))
    window.notice.action().click()
    qtbot.waitUntil(lambda: wanted == [[path]])
    assert window.session.project is not None
    (dialog,) = window.findChildren(ImportDialog)
    dialog.reject()
    window.opening.open_paths([path])
    qtbot.waitUntil(lambda: window.notice.text().endswith("set.npz holds all recordings of a data set."))
    window.notice.action().click()
    assert wanted == [[path], [path]]


def test_an_import_reads_all_files_like_the_one_that_was_asked_about(qtbot: Any, tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    folder.mkdir()
    for name in ("a.csv", "b.csv"):
        odd_table(folder / name)
    write_ntu(synthesise(0), folder / "c.skeleton")
    dialog = ImportDialog([folder])
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(lambda: dialog.looks.count(UNREADABLE) == 2 and not dialog.is_inspecting)
    assert dialog.ask_button.isHidden()
    (row,) = [place for place in range(3) if dialog.looks.files[dialog.model.rows[place]].name == "b.csv"]
    dialog.view.selectRow(row)
    assert dialog.ask_button.isVisible()
    dialog.ask_button.click()
    qtbot.waitUntil(lambda: dialog.reading_dialog is not None)
    asked = dialog.reading_dialog
    assert asked is not None and not asked.keep.isEnabled()
    choose(asked, qtbot, layout_box="kinect_v2")
    asked.go()
    qtbot.waitUntil(lambda: dialog.looks.count(UNREADABLE) == 0 and not dialog.is_inspecting)
    qtbot.waitUntil(lambda: dialog.looks.readable == 3)
    dialog.view.clearSelection()
    (row,) = [place for place in range(3) if dialog.looks.files[dialog.model.rows[place]].name == "c.skeleton"]
    dialog.view.selectRow(row)
    dialog.ask_button.click()
    qtbot.waitUntil(lambda: "its format says all of it" in dialog.message.text())


def test_the_folder_of_recipes_is_opened_or_named(
    window: MainWindow, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()) or True)
    window.run_command("file.recipes")
    assert opened == [str(folder)] and folder.is_dir()
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda _: False)
    window.run_command("file.recipes")
    assert window.notice.text() == f"The reading recipes are in {folder}."
    folder.rmdir()
    folder.write_text("in the way")
    window.run_command("file.recipes")
    assert "cannot be made" in window.notice.text()
