"""What a user does in the window, from end to end, without a display."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from app_fakes import FakeLabeller
from patience import PATIENCE
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDesktopServices, QDropEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QFileDialog,
    QLineEdit,
    QPlainTextEdit,
    QSlider,
)

from app.commands import COMMANDS, MENUS
from app.labelling.panel import class_presets
from app.labelling.service import LabelService, load_bundle
from app.main_window import MainWindow
from flora_engine.errors import FloraError
from flora_engine.labelling.ranking import RankedLabel, Ranking
from flora_engine.project import Project


def open_first(window: MainWindow, qtbot: Any, folder: Path) -> None:
    window.opening.open_paths([folder])
    qtbot.waitUntil(lambda: window.recordings.model.rowCount() > 3)
    good = next(path for path in window.recordings.model.paths if path.name.startswith("S001"))
    window.recordings.select(good)
    qtbot.waitUntil(lambda: window.player.sequence is not None)


def test_open_a_folder_play_and_rank(window: MainWindow, qtbot: Any, recordings: Path) -> None:
    assert window.stage.currentWidget() is window.welcome
    open_first(window, qtbot, recordings)
    assert window.stage.currentWidget() is window.player
    assert window.player.playback.playing
    assert "notes" not in {path.stem for path in window.recordings.model.paths}
    window.labels.set_text("jump\ndrink water\nfall down: loses balance")
    qtbot.waitUntil(lambda: window.labels.answer is not None and len(window.labels.answer.labels) == 3)
    assert window.labels.answer is not None
    assert [row.name for row in window.labels.answer.labels] == ["drink water", "fall down", "jump"]
    assert window.labels.model.index(0).data() == "drink water"
    assert "ms" in window.labels.footer.text()


def test_typing_ranks_once_after_the_last_key(
    window: MainWindow, qtbot: Any, recordings: Path, labeller: FakeLabeller
) -> None:
    open_first(window, qtbot, recordings)
    qtbot.waitUntil(lambda: window.labels.answer is not None)
    window.labels.set_text("")
    window.labels.rank_now()
    assert window.labels.answer is None
    labeller.ranked.clear()
    timer = window.labels._timer
    assert timer.isSingleShot() and 0 < timer.interval() < 1000
    timer.setInterval(round(1000 * PATIENCE))  # the pauses between these keys may be long on a busy machine
    for letter in "wave hand":
        qtbot.keyClick(window.labels.editor, letter)
        assert timer.isActive() and labeller.ranked == []
    timer.setInterval(0)
    qtbot.waitUntil(lambda: window.labels.answer is not None and len(window.labels.answer.labels) == 1)
    assert labeller.ranked == [["wave hand"]] and not timer.isActive()
    assert len(set(labeller.encoded)) == len(labeller.encoded), "a recording is encoded once, whatever is typed"


def test_a_slow_model_never_blocks_the_window_and_stale_answers_are_dropped(
    window: MainWindow, qtbot: Any, recordings: Path, labeller: FakeLabeller
) -> None:
    open_first(window, qtbot, recordings)
    qtbot.waitUntil(lambda: window.labels.answer is not None)
    window.player.playback.pause()
    labeller.gate.clear()
    answers: list[list[str]] = []
    window.labels.answered.connect(lambda answer: answers.append([row.name for row in answer.labels]))
    for text in ("one", "two", "three", "four"):
        window.labels.set_text(text)
        window.labels.rank_now()
        qtbot.waitUntil(lambda: labeller.waiting)  # for the first one; the window lives on while the model is held
        QApplication.processEvents()
    assert answers == []
    labeller.gate.set()
    qtbot.waitUntil(lambda: bool(answers))
    assert answers == [["four"]]
    assert threading.get_ident() not in labeller.threads
    assert labeller.ranked[-2:] == [["one"], ["four"]], "requests between the running and the newest are not run"


def test_trouble_is_one_sentence_in_the_window(
    window: MainWindow, qtbot: Any, recordings: Path, labeller: FakeLabeller
) -> None:
    window.opening.open_paths([recordings / "broken.skeleton"])
    qtbot.waitUntil(lambda: "broken.skeleton" in window.notice.text())
    window.opening.open_paths([recordings / "missing.skeleton"])
    qtbot.waitUntil(lambda: "missing.skeleton" in window.notice.text() and "does not exist" in window.notice.text())
    labeller.problem = "the model is out of order"
    open_first(window, qtbot, recordings)
    assert window.notice.text() == ""
    qtbot.waitUntil(lambda: "out of order" in window.labels.message.text())
    assert "Mend it." in window.labels.message.text()


def test_an_empty_folder_says_what_to_do(window: MainWindow, qtbot: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    window.opening.open_paths([tmp_path / "empty"])
    qtbot.waitUntil(lambda: "No recordings" in window.notice.text())
    assert window.notice.action().text() == "Open the demo"


def test_without_a_model_the_panel_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.labelling.service.BUILTIN", tmp_path)
    with pytest.raises(FloraError, match=r"flora train --config configs/builtin\.yaml"):
        load_bundle(tmp_path)


def test_drop_opens(window: MainWindow, qtbot: Any, recordings: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(next(iter(sorted(recordings.glob("S*"))))))])
    nothing, left = Qt.KeyboardModifier.NoModifier, Qt.MouseButton.LeftButton
    window.dropEvent(QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, left, nothing))
    qtbot.waitUntil(lambda: window.player.sequence is not None)


def test_keys_play_and_step_but_not_while_typing(window: MainWindow, qtbot: Any, recordings: Path) -> None:
    open_first(window, qtbot, recordings)
    window.activateWindow()
    window.player.view.setFocus()
    window.player.seek(0)
    qtbot.keyClick(window.player.view, Qt.Key.Key_Right)
    assert window.player.playback.frame() == 1 and not window.player.playback.playing
    qtbot.keyClick(window.player.view, Qt.Key.Key_Space)
    assert window.player.playback.playing
    qtbot.keyClick(window.player.view, Qt.Key.Key_End)
    window.player.playback.pause()
    window.labels.set_text("")
    window.labels.editor.setFocus()
    qtbot.keyClicks(window.labels.editor, "fn l")
    assert window.labels.text() == "fn l" and not window.player.playback.playing


def test_filter_by_name(window: MainWindow, qtbot: Any, recordings: Path) -> None:
    open_first(window, qtbot, recordings)
    window.recordings.filter.setText("a021")
    assert window.recordings.shown.rowCount() == 1
    window.recordings.filter.setText("nothing like it")
    assert "No recording" in window.recordings.empty.text()


def test_the_demo_is_one_command_away(window: MainWindow, qtbot: Any) -> None:
    window.run_command("file.demo")
    qtbot.waitUntil(lambda: window.player.sequence is not None)
    assert window.session.project is not None and len(window.session.project.table) >= 16
    assert len(window.session.project.classes.names()) >= 16


def test_the_palette_runs_a_command(window: MainWindow, qtbot: Any) -> None:
    window.run_command("help.palette")
    assert window.menus.palette is not None
    qtbot.keyClicks(window.menus.palette.box, "theme dark")
    qtbot.keyClick(window.menus.palette.box, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.settings.theme == "dark")


def test_every_command_runs(
    window: MainWindow, qtbot: Any, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a project and a recording; file dialogs are closed without a choice."""
    for name in ("getOpenFileName", "getOpenFileNames", "getSaveFileName"):
        monkeypatch.setattr(QFileDialog, name, lambda *_, **__: ("", ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: "")
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda _: True)
    Project.create(tmp_path / "study").close()
    window.opening.open_project(tmp_path / "study")
    qtbot.waitUntil(lambda: window.session.project is not None and not window.library.is_busy)
    window.opening.open_recording(sorted(recordings.glob("S001*"))[0])
    qtbot.waitUntil(lambda: window.player.sequence is not None)
    last = ("file.clear", "file.demo", "file.quit")
    for command in sorted(COMMANDS, key=lambda command: last.index(command.id) if command.id in last else -1):
        command.run(window)
        QApplication.processEvents()
    assert not window.isVisible() and "Internal error" not in window.notice.text()


def test_menus_stay_though_only_their_bar_holds_them(window: MainWindow) -> None:
    gc.collect()
    menus = [action.menu() for action in window.menus.bar.actions()]
    assert len(menus) == len(MENUS)
    assert all(menu is not None and menu.actions() for menu in menus)


def test_loop_button_and_menu_agree(window: MainWindow, qtbot: Any, recordings: Path) -> None:
    open_first(window, qtbot, recordings)
    action = window.menus.action("playback.loop")
    assert action.isChecked()
    next(b for b in window.player.findChildren(QAbstractButton) if b.accessibleName() == "Loop").click()
    assert not action.isChecked() and not window.player.playback.loop
    window.run_command("playback.loop")
    assert action.isChecked() and window.player.playback.loop


def test_next_start_is_as_this_one_was_left(make_window: Callable[[], MainWindow], qtbot: Any) -> None:
    first = make_window()
    first.labels.set_text("juggle")
    first.player.set_speed(0.25)
    first.run_command("playback.loop")
    first.run_command("view.theme_dark")
    first.close()
    second = make_window()
    assert second.labels.text() == "juggle"
    assert second.player.playback.speed == 0.25 and not second.player.playback.loop
    assert second.settings.theme == "dark"


def test_picture_and_ranking_leave_the_window(window: MainWindow, qtbot: Any, recordings: Path, tmp_path: Path) -> None:
    open_first(window, qtbot, recordings)
    window.opening.save_picture(tmp_path / "out" / "frame.png")
    assert (tmp_path / "out" / "frame.png").read_bytes().startswith(b"\x89PNG")
    window.opening.save_picture(recordings / "S001C001P001R001A001.skeleton" / "x.png")
    assert "cannot write the picture" in window.notice.text()
    qtbot.waitUntil(lambda: window.labels.answer is not None)
    window.run_command("actions.copy")
    assert QGuiApplication.clipboard().text().startswith("1\t")


def test_every_control_has_a_name(window: MainWindow, qtbot: Any, recordings: Path) -> None:
    open_first(window, qtbot, recordings)
    kinds = (QAbstractButton, QAbstractItemView, QComboBox, QLineEdit, QPlainTextEdit, QSlider)
    for kind in kinds:
        for control in window.findChildren(kind):
            if control.isVisible() and not control.objectName().startswith("qt_"):
                named = control.accessibleName() or (isinstance(control, QAbstractButton) and control.text())
                assert named, control


def test_the_window_fits_1024_by_640(window: MainWindow, qtbot: Any, recordings: Path) -> None:
    open_first(window, qtbot, recordings)
    window.resize(1024, 640)
    qtbot.waitUntil(lambda: (window.width(), window.height()) == (1024, 640))
    assert window.player.view.width() > 380


def test_painter_view_draws_two_persons_in_two_colours(window: MainWindow, qtbot: Any, recordings: Path) -> None:
    open_first(window, qtbot, recordings)
    pair = next(path for path in window.recordings.model.paths if "A021" in path.name)
    window.recordings.select(pair)
    qtbot.waitUntil(lambda: window.player.sequence is not None and window.player.sequence.persons == 2)
    image = window.player.picture()
    blue = orange = 0
    for y in range(0, image.height(), 2):
        for x in range(0, image.width(), 2):
            colour = image.pixelColor(x, y)
            blue += colour.blue() > colour.red() + 60
            orange += colour.red() > colour.blue() + 60
    assert blue > 30 and orange > 30


def test_a_joint_under_the_mouse_is_named(window: MainWindow, qtbot: Any, recordings: Path) -> None:
    open_first(window, qtbot, recordings)
    window.player.step(0)
    view = window.player.view
    pixels, _ = view.camera.to_pixels(view.frame.points, view.width(), view.height())
    head = int((view.frame.joints == 3).nonzero()[0][0])
    view.hover(QPointF(*pixels[head]))
    assert view.hovered == (0, 3)
    view.hover(QPointF(1, 1))
    assert view.hovered is None


def test_reasons_of_a_label_lead_into_the_recording(
    window: MainWindow, qtbot: Any, recordings: Path, labeller: FakeLabeller
) -> None:
    window.labels.set_text("sit down\nwave both hands")
    window.opening.open_paths([recordings])
    why = window.labels.why
    qtbot.waitUntil(lambda: len(why.reasons) == 2)
    assert why.title.text() == "Why “wave both hands”" and why.isVisible()
    assert [why.view.item(row).text()[0] for row in range(2)] == ["+", "−"]
    window.labels.ranking.setCurrentIndex(window.labels.model.index(1))
    qtbot.waitUntil(lambda: why.title.text() == "Why “sit down”")
    why.view.setCurrentRow(0)
    QTest.keyClick(why.view, Qt.Key.Key_Return)
    sequence = window.player.sequence
    assert sequence is not None and not window.player.playback.playing
    assert abs(window.player.playback.frame() - 0.75 * sequence.frames) < 1
    view = window.player.view
    lit = {sequence.skeleton.joints[joint] for joint in view.frame.joints[view.frame.lit]}
    assert lit == {"right hand"}
    window.labels.set_text("")
    qtbot.waitUntil(lambda: not why.isVisible())


def test_words_not_understood_and_none_of_these_are_told(
    window: MainWindow, qtbot: Any, recordings: Path, labeller: FakeLabeller, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = (RankedLabel("sit down", 0.7, None, 1.0), RankedLabel("qqq", 0.3, None, 0.0, "“qqq” is no word"))
    monkeypatch.setattr(labeller, "rank", lambda latents, texts: [Ranking(labels, {}, 0.25)])
    window.opening.open_paths([recordings])
    qtbot.waitUntil(lambda: window.labels.answer is not None)
    assert window.labels.notice.text() == "None of these: 25%\nqqq: “qqq” is no word"
    assert window.labels.notice.isVisible()


def test_presets_hold_the_classes_of_the_data_sets() -> None:
    titles = [title for title, _ in class_presets()]
    assert titles[0] == "Everyday actions" and any("UTD-MHAD" in title for title in titles)


def test_update_leaves_the_reference_count_of_none(window: MainWindow, qtbot: Any) -> None:
    """PySide6 6.12.0 on CPython 3.11 takes a reference of None at each such call, and aborts when none are left."""
    if sys.version_info >= (3, 12):
        pytest.skip("None is immortal here and has no count to watch")
    before = sys.getrefcount(None)
    for _ in range(1000):
        window.player.view.update()
    assert sys.getrefcount(None) - before > -200


def test_the_model_is_loaded_once(labeller: FakeLabeller, recordings: Path) -> None:
    from flora_engine.demo import synthesise

    loads: list[int] = []
    service = LabelService(load=lambda _: (loads.append(1), labeller)[1])
    sequence = synthesise(0)
    for _ in range(3):
        service.rank(sequence, "walk\nrun")
    assert loads == [1] and labeller.encoded == [sequence.name]


def test_a_long_list_is_given_up_for_what_is_typed_after_it(labeller: FakeLabeller) -> None:
    from flora_engine.demo import synthesise
    from flora_engine.errors import Cancelled

    service = LabelService(load=lambda _: labeller)
    many = "\n".join(f"action {i}" for i in range(100))
    with pytest.raises(Cancelled):
        service.rank(synthesise(0), many, wanted=lambda: len(labeller.prepared) < 3)
    assert labeller.prepared == [16, 16, 16] and not labeller.ranked
    assert len(service.rank(synthesise(0), many).labels) == 100
    assert sum(labeller.prepared) == 48 + 100


def test_while_a_long_list_is_read_another_one_is_ranked(
    window: MainWindow, labeller: FakeLabeller, qtbot: Any, recordings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_first(window, qtbot, recordings)
    qtbot.waitUntil(lambda: window.labels.answer is not None)
    labeller.prepared.clear()
    gate, original = threading.Event(), labeller.prepare_texts

    def slowly(texts: list[Any]) -> None:
        original(texts)
        assert gate.wait(PATIENCE)

    monkeypatch.setattr(labeller, "prepare_texts", slowly)
    window.labels.set_text("\n".join(f"action {i}" for i in range(2000)))
    qtbot.waitUntil(lambda: labeller.prepared == [16])
    window.labels.set_text("sit down\nstand up\njump")
    gate.set()
    qtbot.waitUntil(lambda: window.labels.answer is not None and len(window.labels.answer.labels) == 3)
    assert labeller.prepared == [16, 3]
