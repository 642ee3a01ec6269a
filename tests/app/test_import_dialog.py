"""Before an import: every file is inspected, beside the window; corrections of all, of a layout and of single files."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from motion_archives import arrays_of, write_archive
from patience import PATIENCE
from PySide6.QtCore import QItemSelectionModel, Qt, QThreadPool, QTimer
from PySide6.QtWidgets import QApplication

from app.dialogs import import_dialog
from app.dialogs.import_dialog import ImportDialog
from app.dialogs.import_form import (
    BAD,
    COLUMNS,
    GOOD,
    UNREADABLE,
    Looks,
    Scope,
    Seen,
    list_files,
    options_data,
    seen,
    touched,
)
from flora_engine.datasets.importing import ImportOptions, Preview, inspect_files
from flora_engine.demo import synthesise
from flora_engine.errors import Cancelled
from flora_engine.jobs import Job
from flora_engine.project import Project
from flora_engine.readers import write_npz, write_ntu
from flora_engine.readers.corrections import Correction
from flora_engine.recipes.actions import perform
from flora_engine.skeleton import LAYOUTS, SkeletonSequence


def many(folder: Path, count: int, broken: int | None = None) -> Path:
    """So many recordings, all the same file, and a broken one in between."""
    folder.mkdir(parents=True)
    first = folder / "r00000.skeleton"
    write_ntu(synthesise(1), first)
    for number in range(1, count):
        os.link(first, folder / f"r{number:05d}.skeleton")
    if broken is not None:
        path = folder / f"r{broken:05d}.skeleton"
        path.unlink()
        path.write_text("3\n1\n")
    return folder


def lying(sequence: SkeletonSequence, path: Path) -> None:
    """Write a recording with +z up and in centimetres."""
    x, y, z = np.moveaxis(sequence.joints, -1, 0)
    joints = np.stack([x, -z, y], axis=-1) * 100
    write_npz(SkeletonSequence(joints.astype(np.float32), 30.0, sequence.layout, name=path.stem), path)


def of_twenty_joints(sequence: SkeletonSequence, path: Path) -> None:
    """Write a recording in Kinect v1 joints: those of Kinect v2 that are called the same, or the nearest."""
    kinect, other = LAYOUTS["kinect_v2"].joints, LAYOUTS["kinect_v1"].joints
    nearest = {"spine": "spine mid", "shoulder center": "spine shoulder", "hip center": "spine base"}
    places = [kinect.index(nearest.get(name, name)) if nearest.get(name, name) in kinect else 0 for name in other]
    joints = sequence.joints[:, :, places]
    write_npz(SkeletonSequence(joints, 30.0, "kinect_v1", name=path.stem), path)


@pytest.fixture
def make_dialog(qtbot: Any) -> Callable[..., ImportDialog]:
    def make(*paths: Path) -> ImportDialog:
        dialog = ImportDialog(paths)
        qtbot.addWidget(dialog)
        dialog.show()
        return dialog

    return make


def finished(dialog: ImportDialog) -> bool:
    return bool(dialog.looks.files) and not len(dialog.looks.waiting()) and not dialog.is_inspecting


def text(dialog: ImportDialog, row: int, title: str) -> str:
    column = [column.title for column in COLUMNS].index(title)
    return str(dialog.model.index(row, column).data())


def test_a_broken_file_among_many_is_found(make_dialog: Any, qtbot: Any, tmp_path: Path) -> None:
    """A look at 60 of 150 files, evenly spread, would pass over number 100 of them."""
    dialog = make_dialog(many(tmp_path / "raw", 150, broken=100))
    qtbot.waitUntil(lambda: finished(dialog))
    assert dialog.summary.text() == "150 files: 149 look human, 1 unreadable. 149 without a class."
    dialog.shown.setCurrentIndex(dialog.shown.findData("unreadable"))
    assert dialog.model.rowCount() == 1
    assert text(dialog, 0, "File") == "r00100.skeleton" and "unreadable" in text(dialog, 0, "Looks")
    assert dialog.go_button.text() == "Import" and dialog.go_button.isEnabled()


def test_every_check_is_shown(make_dialog: Any, qtbot: Any, tmp_path: Path) -> None:
    dialog = make_dialog(many(tmp_path / "raw", 1))
    qtbot.waitUntil(lambda: finished(dialog))
    [preview] = inspect_files(Job(), dialog.looks.files, ImportOptions())
    inspection = preview.inspection
    assert inspection is not None
    shown = {column.title: text(dialog, 0, column.title) for column in COLUMNS}
    assert shown["NaN"] == "0 %" and shown["Up"] == "+y" and shown["Layout"] == "kinect_v2" and shown["Rate"] == "30"
    assert shown["Bones"] == f"{100 * inspection.bone_steadiness:.0f} %"
    assert shown["L–R"] == f"{100 * inspection.symmetry:.0f} %" and shown["Frames"] == str(inspection.frames)


def test_rows_are_there_before_their_checks(
    make_dialog: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_after(monkeypatch, 30)
    dialog = make_dialog(many(tmp_path / "raw", 100, broken=57))
    qtbot.waitUntil(lambda: dialog.model.rowCount() == 100)
    assert text(dialog, 99, "File") == "r00099.skeleton"
    assert dialog.looks.count(GOOD) < 100 and "not yet inspected" in dialog.summary.text()
    qtbot.waitUntil(lambda: dialog.looks.count(GOOD) > 20)
    assert dialog.stop_button.isVisible() and "left" in dialog.time_left.text()
    assert dialog.go_button.isEnabled() and dialog.go_button.text() == "Import all now"
    wanted: list[Any] = []
    dialog.wanted.connect(wanted.append)
    dialog.go()
    assert wanted[0].paths == (tmp_path / "raw",) and dialog.looks.count(GOOD) < 99, "it waits for no check"
    assert QThreadPool.globalInstance().waitForDone(round(1000 * PATIENCE)), "nothing goes on in the background"


def held_after(monkeypatch: pytest.MonkeyPatch, count: int) -> threading.Event:
    """Inspect here, and wait after `count` files until the event is set or the inspection is stopped."""
    gate = threading.Event()

    def inspect(job: Job, files: Any, options: ImportOptions, quietly: bool) -> Any:
        one_process = ImportOptions(**{**vars(options), "processes": 1})
        for number, found in enumerate(inspect_files(job, files, one_process), 1):
            yield found
            while number >= count and not gate.wait(0.01):
                job.check()

    monkeypatch.setattr("app.dialogs.inspecting.inspect_files", inspect)
    return gate


def test_stop_and_go_on(make_dialog: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = held_after(monkeypatch, 20)
    dialog = make_dialog(many(tmp_path / "raw", 80))
    qtbot.waitUntil(lambda: dialog.looks.count(GOOD) > 5)
    dialog.stop_button.click()
    assert not dialog.is_inspecting and QThreadPool.globalInstance().waitForDone(round(1000 * PATIENCE))
    known = dialog.looks.count(GOOD)
    QApplication.processEvents()  # what the stopped inspection may still have sent
    assert 5 < known == dialog.looks.count(GOOD) < 80
    gate.set()
    dialog.stop_button.click()
    qtbot.waitUntil(lambda: finished(dialog))
    assert dialog.looks.count(GOOD) == 80 and not dialog.stop_button.isVisible()


def test_processes_stop_without_finishing(tmp_path: Path) -> None:
    folder = many(tmp_path / "raw", 3_000)
    files = sorted(folder.iterdir())
    job = Job()
    found = inspect_files(job, files, ImportOptions(processes=2))
    next(found)
    job.stop()
    more = 0
    with pytest.raises(Cancelled):
        for _ in found:
            more += 1
    assert more < 300


def test_sorting_by_the_result(make_dialog: Any, qtbot: Any, tmp_path: Path) -> None:
    folder = many(tmp_path / "raw", 12, broken=7)
    lying(synthesise(0), folder / "r00003x.npz")
    dialog = make_dialog(folder)
    qtbot.waitUntil(lambda: finished(dialog))
    dialog.view.selectRow(2)
    dialog.view.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    assert [text(dialog, row, "File") for row in (0, 1, 2)] == ["r00007.skeleton", "r00003x.npz", "r00000.skeleton"]
    selected = dialog.selected_rows().tolist()
    assert [dialog.looks.names[row] for row in selected] == ["r00002.skeleton"], "the selection stays with its file"
    dialog.shown.setCurrentIndex(dialog.shown.findData("doubts"))
    assert dialog.model.rowCount() == 2


def test_corrections_repeat_only_what_they_touch(
    make_dialog: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = many(tmp_path / "raw", 6)
    for number in range(3):
        lying(synthesise(number), folder / f"x{number}.npz")
        of_twenty_joints(synthesise(number), folder / f"y{number}.npz")
    dialog = make_dialog(folder)
    qtbot.waitUntil(lambda: finished(dialog))
    assert dialog.looks.layouts == ["kinect_v1", "kinect_v2"]
    inspected: list[str] = []

    def record(job: Job, files: Any, options: ImportOptions, quietly: bool) -> Any:
        inspected.extend(path.name for path in files)
        return inspect_files(job, files, options)

    monkeypatch.setattr("app.dialogs.inspecting.inspect_files", record)
    # single files
    model, selection = dialog.model, dialog.view.selectionModel()
    for row in range(model.rowCount()):
        if text(dialog, row, "File").startswith("x"):
            flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
            selection.select(model.index(row, 0), flags)
    form = dialog.corrections
    form.whose.setCurrentIndex(form.whose.count() - 1)
    assert form.whose.currentText() == "the selected files (3)"
    form.up.setCurrentIndex(form.up.findData("+z"))
    form.scale.setText("0,01")
    qtbot.waitUntil(lambda: bool(inspected) and finished(dialog))
    assert sorted(inspected) == ["x0.npz", "x1.npz", "x2.npz"]
    assert dialog.looks.count(GOOD, BAD) == 12 and [dialog.looks.names[r] for r in rows_of(dialog, BAD)] == []
    # all of a layout
    inspected.clear()
    form.show_scope("kinect_v1")
    assert form.scale.text() == ""
    form.fps.setText("15")
    qtbot.waitUntil(lambda: bool(inspected) and finished(dialog))
    assert sorted(inspected) == ["y0.npz", "y1.npz", "y2.npz"]
    # all: what is said of single files goes before it
    inspected.clear()
    form.show_scope("")
    form.scale.setText("0.01")
    qtbot.waitUntil(lambda: bool(inspected) and finished(dialog))
    assert len(inspected) == 9 and not any(name.startswith("x") for name in inspected)
    form.scale.setText("")
    qtbot.waitUntil(lambda: len(inspected) == 18 and finished(dialog))
    # other labels are no reason to read anything
    inspected.clear()
    dialog.labels.setCurrentIndex(dialog.labels.findData("folders"))
    qtbot.waitUntil(lambda: dialog.looks.classes == ["raw"] * 12)
    assert inspected == [] and finished(dialog)
    # and the import does what was shown
    data = options_data(dialog.options())
    result = perform(Job(), "import", {"project": str(tmp_path / "project"), "paths": [str(folder)], "options": data})
    assert result["failed"] == []
    with Project.open(tmp_path / "project", "read") as project:
        by_name = dict(zip(project.table.names, project.table.ids.tolist(), strict=True))
        x, y = project.recordings.read(by_name["x0"]), project.recordings.read(by_name["y0"])
    np.testing.assert_allclose(x.joints, synthesise(0).joints, atol=1e-4)
    assert (x.fps, y.fps) == (30.0, 15.0)


def rows_of(dialog: ImportDialog, verdict: int) -> list[int]:
    return np.flatnonzero(dialog.looks.verdicts == verdict).tolist()


def test_advice_is_for_the_layout_that_needs_it(make_dialog: Any, qtbot: Any, tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    for number in range(3):
        lying(synthesise(number), folder / f"x{number}.npz")
    for number in range(4):
        of_twenty_joints(synthesise(number), folder / f"y{number}.npz")
    dialog = make_dialog(folder)
    qtbot.waitUntil(lambda: finished(dialog) and dialog.advice_button.isVisible())
    assert dialog.advice_button.text() == "Correct files of kinect_v2: +z up, scale 0.01"
    dialog.advice_button.click()
    qtbot.waitUntil(lambda: finished(dialog) and not dialog.advice_button.isVisible())
    assert dialog.options().by_layout == {"kinect_v2": Correction(up="+z", scale=0.01)}
    assert rows_of(dialog, BAD) == [] and dialog.corrections.scale.text() == "0.01"


def test_a_correction_while_inspecting_holds_for_the_rest(
    make_dialog: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = held_after(monkeypatch, 20)
    dialog = make_dialog(many(tmp_path / "raw", 60))
    qtbot.waitUntil(lambda: dialog.looks.count(GOOD) > 5)
    gate.set()
    dialog.correct(Scope(), Correction(), Correction(fps=20.0))
    qtbot.waitUntil(lambda: finished(dialog))
    assert {found.fps for found in dialog.looks.seen} == {20.0}


def test_a_number_that_is_none_imports_nothing(make_dialog: Any, qtbot: Any, tmp_path: Path) -> None:
    dialog = make_dialog(many(tmp_path / "raw", 2))
    qtbot.waitUntil(lambda: finished(dialog))
    wanted: list[Any] = []
    dialog.wanted.connect(wanted.append)
    dialog.corrections.scale.setText("big")
    dialog.go()
    assert wanted == [] and dialog.isVisible() and "scale “big” is not a number" in dialog.message.text()
    dialog.corrections.scale.setText("1")
    dialog.go()
    assert wanted[0].options.scale == 1.0


def test_a_correction_while_files_are_listed_is_not_lost(make_dialog: Any, qtbot: Any, tmp_path: Path) -> None:
    dialog = make_dialog(many(tmp_path / "raw", 4))
    qtbot.waitUntil(lambda: finished(dialog))
    dialog.list_now()
    dialog.correct(Scope(), Correction(), Correction(fps=20.0))
    qtbot.waitUntil(lambda: finished(dialog) and not dialog.is_listing)
    assert {found.fps for found in dialog.looks.seen} == {20.0}


def test_bad_labels_lose_no_inspection(make_dialog: Any, qtbot: Any, tmp_path: Path) -> None:
    dialog = make_dialog(many(tmp_path / "raw", 4))
    qtbot.waitUntil(lambda: finished(dialog))
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    dialog.table.setText(str(tmp_path / "bad.csv"))
    dialog.labels.setCurrentIndex(dialog.labels.findData("table"))
    qtbot.waitUntil(lambda: "columns file and class" in dialog.message.text())
    assert not dialog.go_button.isEnabled() and dialog.looks.count(GOOD) == 4
    (tmp_path / "good.csv").write_text("file,class\nr00001,wave\n")
    dialog.table.setText(str(tmp_path / "good.csv"))
    qtbot.waitUntil(dialog.go_button.isEnabled)
    assert dialog.looks.classes == ["", "wave", "", ""]


def test_twenty_thousand_files_do_not_hold_up_the_window(
    make_dialog: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Results come in faster than any disk gives them; sorted and filtered by what comes in."""
    count = 20_000
    folder = many(tmp_path / "raw", 1)
    [one] = inspect_files(Job(), sorted(folder.iterdir()), ImportOptions())
    files = [tmp_path / f"r{number:05d}.skeleton" for number in range(count)]

    def found(job: Job, files: Any, options: ImportOptions, quietly: bool) -> Any:
        for number, path in enumerate(files):
            job.check()
            if number % 400 == 399:
                time.sleep(0.02)
            bad = number % 10 == 0
            yield Preview(path, "", "", None, "broken") if bad else Preview(path, "", "kinect_v2", one.inspection)

    monkeypatch.setattr("app.dialogs.import_form.find_recordings", lambda *_, **__: (files, 0))
    monkeypatch.setattr("app.dialogs.inspecting.inspect_files", found)
    monkeypatch.setattr(import_dialog, "_TICK", 20)
    dialog = make_dialog()
    turns: list[int] = []
    timer = QTimer(interval=1)
    timer.timeout.connect(lambda: turns.append(dialog.model.rowCount()))
    timer.start()
    dialog.add_paths([folder])
    qtbot.waitUntil(lambda: dialog.model.rowCount() == count)
    dialog.view.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    dialog.shown.setCurrentIndex(dialog.shown.findData("doubts"))
    qtbot.waitUntil(lambda: finished(dialog))
    assert dialog.model.rowCount() == count // 10 == dialog.looks.count(UNREADABLE)
    timer.stop()
    assert len(turns) > 20, "the window had its turns while results came in"


def test_what_corrections_touch() -> None:
    paths = [Path(f"/r/{name}") for name in "abcd"]
    looks = Looks(paths)
    for row, layout in enumerate(("kinect_v1", "kinect_v2", "")):
        looks.put(row, Seen(paths[row], "", {}, layout, layout, UNREADABLE, "", ""), "")
    none = ImportOptions()
    assert touched(looks, none, ImportOptions(up="+z")) == [0, 1]  # the third cannot be read, the fourth is waiting
    assert touched(looks, none, ImportOptions(by_layout={"kinect_v2": Correction(up="+z")})) == [1]
    one = {paths[0]: Correction(up="+x")}
    assert touched(looks, none, ImportOptions(by_file=one)) == [0]
    assert touched(looks, ImportOptions(by_file=one), ImportOptions(by_file=one, up="+z")) == [1]
    assert looks.waiting().tolist() == [3] and looks.summary == "4 files: 3 unreadable, 1 not yet inspected."


def test_known_files_stay_known(tmp_path: Path) -> None:
    folder = many(tmp_path / "raw", 3)
    listing = list_files([folder], ImportOptions())
    [one] = inspect_files(Job(), [listing.looks.files[1]], ImportOptions())
    listing.looks.put(1, seen(one, listing.looks.files[1]), "")
    again = list_files([folder], ImportOptions(labels_from="folders"), listing.looks.seen)
    assert again.looks.waiting().tolist() == [0, 2] and again.looks.classes == ["", "raw", ""]


def test_a_motion_archive_is_shown_recording_by_recording(make_dialog: Any, qtbot: Any, tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "msr.npz", arrays_of(("walk", "drink"), (0, 3)))
    dialog = make_dialog(archive)
    qtbot.waitUntil(lambda: finished(dialog))
    assert dialog.summary.text() == "6 files: 6 look human."
    assert [text(dialog, row, "Class") for row in range(6)] == ["walk"] * 3 + ["drink"] * 3
    assert text(dialog, 4, "File") == "msr.npz#4"
    dialog.view.selectRow(4)
    dialog.ask_differently()
    assert dialog.message.text().startswith("msr.npz#4: its format says all of it.")
    wanted: list[Any] = []
    dialog.wanted.connect(wanted.append)
    dialog.go()
    arguments = {"project": str(tmp_path / "study"), "paths": [str(path) for path in wanted[0].paths]}
    done = perform(Job(), "import", {**arguments, "options": options_data(wanted[0].options)})
    assert (done["added"], done["failed"]) == (6, [])
