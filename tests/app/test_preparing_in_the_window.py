"""Published data sets in the window: prepare, stop and go on, the report, export."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.dialogs.form import FormDialog
from app.dialogs.prepare_form import PrepareRequest, glance, report_of, unfinished
from app.main_window import MainWindow
from flora_engine.datasets.preparing import Report, write_report
from flora_engine.datasets.published_files import read_split
from flora_engine.demo import synthesise
from flora_engine.errors import FloraError
from flora_engine.project import Project
from flora_engine.readers import write_ntu


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Six recordings named as NTU RGB+D names them, a broken one, and a list that leaves one out."""
    folder = tmp_path / "raw" / "nturgb+d_skeletons"
    folder.mkdir(parents=True)
    for number in range(1, 7):
        write_ntu(synthesise(number), folder / f"S001C001P{number:03d}R001A{number:03d}.skeleton")
    (folder / "S001C001P001R001A050.skeleton").write_text("3\n1\n")
    (tmp_path / "raw" / "NTU_RGBD_samples_with_missing_skeletons.txt").write_text("S001C001P006R001A006\n")
    return tmp_path / "raw"


def idle(window: MainWindow, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: not window.jobs.jobs)


def go(dialog: FormDialog, qtbot: Any) -> None:
    """Wait for the check of the form, then press its button."""
    qtbot.waitUntil(dialog.go_button.isEnabled)
    dialog.go()


def test_prepare_into_a_new_project_with_a_report(window: MainWindow, qtbot: Any, raw: Path, tmp_path: Path) -> None:
    window.run_command("file.prepare")
    dialog = window.project_jobs.show_prepare()
    assert dialog.into.count() == 1 and not dialog.go_button.isEnabled()
    dialog.source.setText(str(tmp_path / "nowhere"))
    qtbot.waitUntil(lambda: "no such folder" in dialog.message.text())
    dialog.source.setText(str(raw))
    qtbot.waitUntil(lambda: "Choose a project" in dialog.message.text())
    assert dialog.found.startswith("6 files of NTU RGB+D 60; 1 left out") and not dialog.go_button.isEnabled()
    dialog.folder.setText(str(tmp_path / "study"))
    qtbot.waitUntil(dialog.go_button.isEnabled)
    dialog.jobs.setValue(1)
    go(dialog, qtbot)
    qtbot.waitUntil(lambda: bool(window.jobs.jobs))
    assert window.session.project is not None and not window.session.project.writable, (
        "the worker holds the lock meanwhile"
    )
    idle(window, qtbot)
    qtbot.waitUntil(lambda: window.library.model.rowCount() == 5)
    assert window.session.project.writable and len(window.session.project.classes.names()) == 60
    report = window.project_jobs.report
    assert report is not None and "5 recordings prepared, 1 skipped" in report.heading.text()
    assert "S001C001P001R001A050" in report.text.toPlainText() and "S001C001P006R001A006" in report.text.toPlainText()
    assert (tmp_path / "study" / "reports" / "prepare-ntu60.txt").read_text() == report.text.toPlainText()
    report.accept()
    qtbot.waitUntil(lambda: window.project_jobs.report is None)


def test_a_stopped_preparation_goes_on_from_the_notice(
    window: MainWindow, qtbot: Any, raw: Path, tmp_path: Path
) -> None:
    Project.create(tmp_path / "study").close()
    window.opening.open_project(tmp_path / "study")
    qtbot.waitUntil(lambda: window.session.project is not None)
    request = PrepareRequest("ntu60", raw, tmp_path / "study")
    window.project_jobs.start_prepare(request)
    window.jobs.jobs[0].stop()  # before the worker has read its first file
    idle(window, qtbot)
    assert "stopped" in window.notice.text() and window.notice.action().text() == "Resume"
    assert (
        window.session.project is not None and window.session.project.writable and len(window.session.project.table) < 5
    )
    window.notice.action().click()
    idle(window, qtbot)
    qtbot.waitUntil(lambda: window.library.model.rowCount() == 5)


def test_a_second_writing_job_waits(window: MainWindow, qtbot: Any, raw: Path, tmp_path: Path) -> None:
    Project.create(tmp_path / "study").close()
    window.opening.open_project(tmp_path / "study")
    qtbot.waitUntil(lambda: window.session.project is not None)
    request = PrepareRequest("ntu60", raw, tmp_path / "study")
    window.project_jobs.start_prepare(request)
    window.project_jobs.start_prepare(request)
    assert len(window.jobs.jobs) == 1 and "cannot start" in window.notice.text()
    idle(window, qtbot)
    assert window.session.project is not None and window.session.project.writable


def test_the_dialog_offers_to_go_on(window: MainWindow, qtbot: Any, raw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    Project.create(folder).close()
    write_report(Report("pku1", str(raw), finished=True), folder)
    assert unfinished(folder) is None
    write_report(Report("ntu120", str(raw), finished=False), folder)
    assert unfinished(folder) == ("ntu120", raw)
    window.opening.open_project(folder)
    qtbot.waitUntil(lambda: window.session.project is not None)
    dialog = window.project_jobs.show_prepare()
    assert (dialog.dataset.currentData(), dialog.source.text()) == ("ntu120", str(raw))
    assert dialog.target() == folder and not dialog.folder.isVisibleTo(dialog)
    qtbot.waitUntil(lambda: "not read again" in dialog.message.text() and dialog.go_button.isEnabled())


def test_export_labels_splits_and_a_published_file(window: MainWindow, qtbot: Any, raw: Path, tmp_path: Path) -> None:
    assert not window.menus.action("file.export").isEnabled()
    window.project_jobs.start_prepare(PrepareRequest("ntu60", raw, tmp_path / "study"))
    qtbot.waitUntil(lambda: bool(window.jobs.jobs))
    idle(window, qtbot)
    dialog = window.project_jobs.show_export()
    assert dialog.kind.currentData() == "labels"
    dialog.out.setText(str(tmp_path / "out" / "labels.csv"))
    go(dialog, qtbot)
    idle(window, qtbot)
    assert "5 recordings" in window.notice.text()
    with (tmp_path / "out" / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5 and all(row["class"] for row in rows)

    dialog = window.project_jobs.show_export()
    dialog.kind.setCurrentIndex(dialog.kind.findData("NTU60_CS"))
    dialog.out.setText(str(tmp_path / "NTU60_CS.npz"))
    go(dialog, qtbot)
    assert window.session.project is not None and window.session.project.writable, "an export only reads"
    idle(window, qtbot)
    assert "published are" in window.notice.text() or "published" in window.notice.text()
    split = read_split(tmp_path / "NTU60_CS.npz")
    assert len(split.train) + len(split.test) == 5 and np.isfinite(np.asarray(split.train)).all()

    dialog = window.project_jobs.show_export()
    dialog.kind.setCurrentIndex(dialog.kind.findData("splits"))
    go(dialog, qtbot)
    idle(window, qtbot)
    assert "holds no splits" in window.notice.text()


def test_a_published_split_file_comes_in_the_same_way(window: MainWindow, qtbot: Any, tmp_path: Path) -> None:
    path = tmp_path / "NTU60_CS.npz"
    frames = np.random.default_rng(0).normal(size=(3, 10, 150)).astype(np.float32)
    labels = np.eye(60)[:3]
    np.savez(path, x_train=frames, y_train=labels, x_test=frames[:1] + 1, y_test=labels[:1])
    assert glance("ntu60", path, None) == "3 recordings of the train part and 1 of the test part."
    window.project_jobs.start_prepare(PrepareRequest("ntu60", path, tmp_path / "study"))
    qtbot.waitUntil(lambda: bool(window.jobs.jobs))
    idle(window, qtbot)
    qtbot.waitUntil(lambda: window.library.model.rowCount() == 4)
    assert "4 new recordings" in window.notice.text()


def test_a_report_that_is_none_is_told() -> None:
    with pytest.raises(FloraError, match="reports"):
        report_of({"nothing": 1})
