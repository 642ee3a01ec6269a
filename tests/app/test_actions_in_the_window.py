"""The table of actions: the box follows, lists come in, sets are kept, keys and colours reach the timeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.labelling.actions_editor import ActionsEditor
from app.main_window import MainWindow
from flora_engine.project import Project, RankingSaid
from flora_engine.project.recordings import Incoming
from flora_engine.skeleton import SkeletonSequence


def editor(window: MainWindow) -> ActionsEditor:
    window.run_command("actions.table")
    found = window.action_table.editor
    assert found is not None
    return found


def write(table: ActionsEditor, row: int, column: int, text: str) -> None:
    item = table.table.item(row, column)
    assert item is not None
    item.setText(text)


def test_the_box_and_the_table_are_one_list(window: MainWindow) -> None:
    window.labels.set_text("drink water\nwave: one hand swings")
    table = editor(window)
    assert [one.name for one in table.listed] == ["drink water", "wave"]
    known = table.table.item(0, 1)
    assert known is not None and known.font().italic() and len(known.text()) > 10, "the completed text is shown"
    write(table, 1, 1, "an arm swings high")
    assert window.labels.text() == "drink water\nwave: an arm swings high"
    table.table.setCurrentCell(0, 0)
    table.known.click()
    assert window.labels.text() == "drink water:\nwave: an arm swings high", "a known text can be refused"
    table.known.click()
    assert window.labels.text().startswith("drink water\n")
    write(table, 0, 0, "wave")
    assert "named twice" in table.message.text() and window.labels.text().startswith("drink water\n")


def test_lists_come_from_the_clipboard_a_benchmark_csv_and_the_lexicon(window: MainWindow, tmp_path: Path) -> None:
    window.labels.set_text("walk")
    table = editor(window)
    table.paste("run\tthe legs go fast\nhop: on one leg\n")
    assert window.labels.text() == "walk\nrun: the legs go fast\nhop: on one leg"
    path = tmp_path / "actions.csv"
    path.write_text("name,description,colour,key\njump,both feet leave the floor,#123456,j\n", "utf-8")
    table.import_csv(path)
    assert table.listed[-1].colour == "#123456" and table.listed[-1].key == "j"
    path.write_text("name,key\nfall,toolong\nsit,7\n,\n", "utf-8")
    table.import_csv(path)
    assert "line 2" in table.message.text() and "line 4" in table.message.text() and len(table.listed) == 4
    assert table.add_from_lexicon("cartwheel") >= 1 and table.listed[-1].description
    assert table.add_from_lexicon("no such words at all") == 0


def test_sets_are_kept_in_the_project_and_undone(window: MainWindow, tmp_path: Path, qtbot: Any) -> None:
    Project.create(tmp_path / "study").close()
    window.opening.open_paths([tmp_path / "study"])
    qtbot.waitUntil(lambda: window.session.can_edit)
    window.labels.set_text("walk\nrun")
    table = editor(window)
    write(table, 0, 2, "#abcdef")
    table.save_set("gaits")
    assert window.session.undo_title == "Save the set “gaits”"
    table.take([])
    table.open_set("gaits")
    assert window.labels.text() == "walk\nrun" and table.listed[0].colour == "#abcdef"
    table.remove_set("gaits")
    project = window.session.project
    assert project is not None and project.class_sets.all() == {}
    window.run_command("library.undo")
    assert list(project.class_sets.all()) == ["gaits"]


def test_hints_say_what_will_be_confused(window: MainWindow, tmp_path: Path, qtbot: Any) -> None:
    joints = np.random.default_rng(0).normal(size=(5, 1, 25, 3)).astype(np.float32)
    with Project.create(tmp_path / "study") as project:
        project.recordings.add([Incoming(SkeletonSequence(joints, 30.0, name="a", source=Path("/x/a.npz")), "walk")])
        project.statements.add_rankings([(1, RankingSaid("m", (("run", 0.9), ("walk", 0.1))))])
    window.opening.open_paths([tmp_path / "study"])
    qtbot.waitUntil(lambda: window.session.can_edit)
    window.labels.set_text("walk\nrun\nwave a hand\nwave the hand")
    table = editor(window)
    qtbot.waitUntil(lambda: "“run” was ranked first for 1 recording of “walk”" in table.hints.text())
    assert "“wave a hand” and “wave the hand” have almost the same text" in table.hints.text()


def test_colours_and_keys_reach_the_timeline_and_are_remembered(window: MainWindow, tmp_path: Path, qtbot: Any) -> None:
    path = tmp_path / "stream.npz"
    np.savez(path, joints=np.random.default_rng(1).normal(size=(90, 1, 25, 3)), fps=30.0, layout="kinect_v2")
    window.opening.open_paths([path])
    qtbot.waitUntil(lambda: window.player.sequence is not None)
    window.player.playback.pause()
    window.docks.show_timeline()
    window.labels.set_text("walk\nrun")
    table = editor(window)
    write(table, 0, 2, "#abcdef")
    write(table, 0, 3, "s")
    write(table, 1, 3, "r")
    table.close()
    window.player.seek(10)
    lanes = window.timeline.lanes
    lanes.setFocus()
    QTest.keyClick(lanes, Qt.Key.Key_S)
    (segment,) = window.timelines.content.truth
    assert (segment.name, segment.start, segment.end) == ("walk", 10, 39)
    QTest.keyClick(lanes, Qt.Key.Key_R)
    (segment,) = window.timelines.content.truth
    assert segment.name == "run" and window.timeline.colours.of("walk") == "#abcdef"
    assert "#abcdef" in window.settings.actions
    assert window.session.file is not None
    window.session.file.discard()
