"""The story of a finished run that cannot label, through `flora gui`: a wrong encoder, a cancelled try, and a model.

Features and encoder are synthetic and tiny: what comes out says nothing about any model.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from app_fakes import Driver, run_story
from patience import PATIENCE
from PySide6.QtCore import QDeadlineTimer, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.main_window import MainWindow
from app.training.encoder_dialog import EncoderDialog
from app.training.run_page import RunPage
from flora_engine.jobs import Job
from flora_engine.labelling.labeller import Labeller
from flora_engine.models.shift_gcn.network import ShiftGCN
from flora_engine.recipes import demo_downloads
from flora_engine.recipes.actions import perform
from flora_engine.runs.folder import RunFolder
from flora_engine.runs.results import FloraResult, read_result

FLORA = {"hidden": 24, "align_iterations": 10, "total_iterations": 20, "evaluations": 1, "folds": 1}
FLORA |= {"attunements": [[1, 0.3]]}  # type: ignore[dict-item]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run that trained from synthetic downloads with a small encoder, in an empty home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FLORA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FLORA_SETTINGS", str(tmp_path / "settings.json"))
    monkeypatch.setattr("sys.excepthook", sys.excepthook)  # `main` puts its own there
    monkeypatch.setattr(demo_downloads, "_network", lambda classes, _: ShiftGCN(classes, base_channels=4).eval())
    features, *_ = demo_downloads.write_downloads(Job(), tmp_path / "downloads")
    config = {"kind": "flora", "benchmark": demo_downloads.BENCHMARK, "features": str(features), "flora": FLORA}
    config |= {"texts": {"tokens": 3}, "heads": ["flora"], "setting": "zsl"}
    done = perform(Job(), "train", {"config": config, "out": str(tmp_path / "runs"), "device": "cpu"})
    return Path(done["run"])


@pytest.mark.timeout(4 * PATIENCE)
def test_an_encoder_is_added_to_a_finished_run(qapp: QApplication, run: Path, tmp_path: Path) -> None:
    encoder = tmp_path / "downloads" / demo_downloads.ENCODER
    (tmp_path / "broken.pt").write_bytes(b"not weights")

    def page_of(window: MainWindow) -> RunPage:
        page = window.training.window.page_of(run)
        assert page is not None
        return page

    def dialog_of(window: MainWindow) -> EncoderDialog | None:
        return window.training.window.findChild(EncoderDialog)

    def look(window: MainWindow) -> bool:
        window.labels.set_text("")  # ranking is no part of this story
        window.training.watch(run, "Analysis")
        return True

    def say_what_is_missing(window: MainWindow) -> bool:
        page = page_of(window)
        if not page.encoder_button.isVisible():
            return False
        assert "lacks the encoder" in page.lacks.text() and not page.use_button.isVisible()
        page.encoder_button.setFocus()
        QTest.keyClick(page.encoder_button, Qt.Key.Key_Space)
        return dialog_of(window) is not None

    def add_a_broken_one(window: MainWindow) -> bool:
        dialog = dialog_of(window)
        assert dialog is not None
        if not dialog.fields.chosen():
            assert not dialog.go_button.isEnabled()
            dialog.fields.paths.setText(str(tmp_path / "broken.pt"))
        if not dialog.go_button.isEnabled():
            return False
        assert "ctrgcn, 300 frames: as published for ntu60" in dialog.message.text()
        QTest.keyClick(dialog.fields.paths, Qt.Key.Key_Return)
        return True

    def say_that_it_is_broken(window: MainWindow) -> bool:
        page = page_of(window)
        if window.jobs.jobs or "broken.pt" not in window.notice.text() or page.state != "finished":
            return False  # the page reads the state a moment after the notice has come
        assert page.message.text() == window.notice.text() and window.notice.text().startswith("The encoder was not")
        assert not (run / "bundle").exists()
        window.notice.action().click()
        return dialog_of(window) is not None

    def add_the_right_one(window: MainWindow) -> bool:
        dialog = dialog_of(window)
        if dialog is None or window.jobs.jobs:
            return False
        if "broken" in dialog.fields.paths.text():
            dialog.fields.paths.setText(str(encoder))
            dialog.recordings.setText(str(tmp_path / "downloads" / demo_downloads.RECORDINGS))
        if not dialog.go_button.isEnabled():
            return False
        dialog.go()
        return True

    def cancel(window: MainWindow) -> bool:
        page = page_of(window)
        if page.state != "running" or not page.cancel_button.isVisible():
            return False
        assert not page.encoder_button.isVisible()
        page.cancel_button.click()
        return True

    def cancelled(window: MainWindow) -> bool:
        page = page_of(window)
        if window.jobs.jobs or page.state != "finished" or "was stopped" not in page.message.text():
            return False
        assert not (run / "bundle").exists() and page.encoder_button.isVisible()
        page.encoder_button.click()
        dialog = dialog_of(window)
        return dialog is not None and dialog.fields.paths.text() == str(encoder)

    def use(window: MainWindow) -> bool:
        page = page_of(window)
        if window.jobs.jobs or not page.use_button.isVisible():
            return False
        assert not page.lacks.isVisible() and not page.encoder_button.isVisible()
        assert "labels recordings now" in window.notice.text()
        page.use_button.click()
        return True

    def used(window: MainWindow) -> bool:
        return window.settings.bundle == str(run / "bundle")

    steps: list[Callable[[MainWindow], bool]] = [look, say_what_is_missing, add_a_broken_one, say_that_it_is_broken]
    steps += [add_the_right_one, cancel, cancelled, add_the_right_one, use, used]
    driver = Driver(*steps)
    driver._deadline = QDeadlineTimer(round(3000 * PATIENCE))
    run_story(driver)
    result = read_result(RunFolder(run).result() or {})
    assert isinstance(result, FloraResult) and (result.bundle, result.to_label) == ("bundle", "")
    assert Labeller(run / "bundle").manifest.streams == ("joint",)
    assert [path.name for path in run.glob(".bundle*")] == []
    said = [event.get("text", "") for event in RunFolder(run).events()]
    assert any("recordings have in the feature file what the encoder gives them" in text for text in said)
