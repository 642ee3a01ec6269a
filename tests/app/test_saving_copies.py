"""A copy of the recording on screen in another format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.dialogs.copy_dialog import CopyDialog
from app.main_window import MainWindow
from flora_engine.readers import read_sequence
from flora_engine.readers.writing import WRITERS


def shown(window: MainWindow, qtbot: Any, folder: Path, name: str) -> CopyDialog:
    window.opening.open_paths([next(folder.glob(name))])
    qtbot.waitUntil(lambda: window.player.sequence is not None)
    window.run_command("file.save_copy")
    (dialog,) = window.findChildren(CopyDialog)
    return dialog


@pytest.mark.parametrize("suffix", list(WRITERS))
def test_a_copy_in_every_format(window: MainWindow, qtbot: Any, recordings: Path, tmp_path: Path, suffix: str) -> None:
    dialog = shown(window, qtbot, recordings, "*A001.skeleton")
    dialog.out.setText(str(tmp_path / "copy"))
    dialog.format.setCurrentIndex(-1)
    dialog.format.setCurrentIndex(dialog.format.findData(suffix))
    assert dialog.out.text() == str(tmp_path / f"copy{suffix}")
    qtbot.waitUntil(dialog.go_button.isEnabled)
    dialog.go()
    qtbot.waitUntil(lambda: "Saved" in window.statusBar().currentMessage())
    original = window.player.sequence
    assert original is not None and read_sequence(tmp_path / f"copy{suffix}").frames == original.frames
    if suffix in (".npz", ".csv", ".skeleton"):
        np.testing.assert_array_equal(read_sequence(tmp_path / f"copy{suffix}").joints, original.joints)


def test_one_of_two_persons_and_a_bad_ending(window: MainWindow, qtbot: Any, recordings: Path, tmp_path: Path) -> None:
    dialog = shown(window, qtbot, recordings, "*A021.skeleton")
    dialog.out.setText(str(tmp_path / "a.fbx"))
    qtbot.waitUntil(lambda: "should be one of" in dialog.message.text())
    dialog.out.setText(str(tmp_path / "a.c3d"))
    qtbot.waitUntil(lambda: "holds one person; choose which" in dialog.message.text())
    assert not dialog.go_button.isEnabled() and dialog.format.currentData() == ".c3d"
    (tmp_path / "a.c3d").write_text("old")
    dialog.person.setCurrentIndex(2)
    qtbot.waitUntil(dialog.go_button.isEnabled)
    assert dialog.message.text() == "a.c3d exists and will be replaced."
    dialog.go()
    qtbot.waitUntil(lambda: "Saved" in window.statusBar().currentMessage())
    original, back = window.player.sequence, read_sequence(tmp_path / "a.c3d")
    assert original is not None
    np.testing.assert_allclose(back.joints[-10:, 0], original.joints[-10:, 1], atol=1e-5)


def test_a_copy_that_cannot_be_written_is_a_sentence(
    window: MainWindow, qtbot: Any, recordings: Path, tmp_path: Path
) -> None:
    dialog = shown(window, qtbot, recordings, "*A001.skeleton")
    (tmp_path / "file").write_text("")
    dialog.out.setText(str(tmp_path / "file" / "a.npz"))
    qtbot.waitUntil(dialog.go_button.isEnabled)
    dialog.go()
    qtbot.waitUntil(lambda: "cannot be written" in window.notice.text())
