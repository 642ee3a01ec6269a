"""The timeline below the player: lanes, edits by mouse and keyboard, undo, files beside recordings, other formats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QInputDialog

from app.main_window import MainWindow
from app.theme import DARK, LIGHT
from app.timeline.axis import Axis
from app.timeline.colours import PALETTE, Colours, text_on
from app.timeline.painting import GUTTER
from flora_engine.demo import synthesise_stream
from flora_engine.labelling.lanes import Scores
from flora_engine.labelling.segments import Segment
from flora_engine.project import Incoming, Project
from flora_engine.readers import read_sequence
from flora_engine.skeleton import SkeletonSequence

FRAMES = 120
LEFT = Qt.MouseButton.LeftButton
NOTHING = Qt.KeyboardModifier.NoModifier


def recording(path: Path | None = None) -> SkeletonSequence:
    random = np.random.default_rng(5)
    joints = (random.normal(size=(1, 1, 25, 3)) + 0.01 * random.normal(size=(FRAMES, 1, 25, 3))).astype(np.float32)
    return SkeletonSequence(joints, 30.0, name="stream", source=path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "files" / "stream.npz"
    path.parent.mkdir()
    np.savez(path, joints=recording().joints, fps=30.0, layout="kinect_v2")
    assert read_sequence(path).frames == FRAMES
    return path


@pytest.fixture
def on_file(window: MainWindow, qtbot: Any, file: Path) -> Iterator[MainWindow]:
    """The window with a recording that is in no project."""
    window.opening.open_paths([file])
    qtbot.waitUntil(lambda: window.player.sequence is not None)
    window.player.playback.pause()
    window.docks.show_timeline()
    yield window
    for one in window.timelines._files.values():
        one.discard()


@pytest.fixture
def on_project(window: MainWindow, qtbot: Any, tmp_path: Path) -> MainWindow:
    """The window with a recording of a project."""
    with Project.create(tmp_path / "study") as project:
        project.recordings.add([Incoming(recording(tmp_path / "stream.npz"))])
    window.opening.open_paths([tmp_path / "study"])
    qtbot.waitUntil(lambda: window.player.sequence is not None and window.timelines.can_edit)
    window.player.playback.pause()
    window.docks.show_timeline()
    return window


def truth(window: MainWindow) -> list[tuple[str, int, int]]:
    return [(s.name, s.start, s.end) for s in window.timelines.content.truth]


def at(window: MainWindow, frame: float, kind: str = "truth") -> QPoint:
    """The point of the lanes at the left edge of a frame."""
    lanes = window.timeline.lanes
    lane = lanes._lane(kind)
    return QPoint(round(GUTTER + lanes.axis.x(frame)), lane.top + 8)


def drag(window: MainWindow, start: float, end: float) -> None:
    lanes = window.timeline.lanes
    QTest.mousePress(lanes, LEFT, NOTHING, at(window, start))
    for part in (0.5, 1.0):
        QTest.mouseMove(lanes, at(window, start + part * (end - start)))
    QTest.mouseRelease(lanes, LEFT, NOTHING, at(window, end))


def answer(window: MainWindow, name: str) -> None:
    """Answer the dialog that asks for a class."""
    dialog = next(d for d in window.findChildren(QInputDialog) if d.isVisible())
    dialog.setTextValue(name)
    dialog.accept()


@pytest.mark.parametrize("where", ["on_file", "on_project"])
def test_every_edit_by_keyboard_and_back(where: str, request: pytest.FixtureRequest) -> None:
    window: MainWindow = request.getfixturevalue(where)
    assert not window.menus.action("timeline.split").isEnabled()
    window.player.seek(20)
    window.run_command("timeline.add")
    answer(window, "sit down")
    assert truth(window) == [("sit down", 20, 49)] and window.timelines.chosen
    window.player.seek(40)
    window.run_command("timeline.split")
    assert truth(window) == [("sit down", 20, 39), ("sit down", 40, 49)]
    window.run_command("timeline.relabel")
    answer(window, "walk")
    window.player.seek(60)
    window.run_command("timeline.end_here")
    assert truth(window) == [("sit down", 20, 39), ("walk", 40, 60)]
    window.player.seek(0)
    window.run_command("timeline.next")
    assert window.player.playback.frame() == 20 and window.timelines.content.selected == Segment("sit down", 20, 39)
    window.player.seek(10)
    window.run_command("timeline.start_here")
    window.run_command("timeline.merge")
    assert truth(window) == [("sit down", 10, 60)]
    window.run_command("timeline.delete")
    assert truth(window) == [] and not window.timelines.chosen
    for expected in (1, 2, 2, 2, 2, 1, 0):
        window.run_command("library.undo")
        assert len(truth(window)) == expected
    assert not window.menus.action("library.undo").isEnabled()
    for _ in range(7):
        window.run_command("library.redo")
    assert truth(window) == [] and not window.menus.action("library.redo").isEnabled()


def test_edges_are_dragged_to_frames_and_stop_at_neighbours(on_project: MainWindow) -> None:
    window = on_project
    window.timelines.take((Segment("a", 10, 39), Segment("b", 70, 99)))
    drag(window, 40, 55)
    assert truth(window) == [("a", 10, 54), ("b", 70, 99)]
    drag(window, 70, 30)
    assert truth(window) == [("a", 10, 54), ("b", 55, 99)]
    assert window.session.undo_title == "Move an edge"
    window.run_command("library.undo")
    window.run_command("library.undo")
    assert truth(window) == [("a", 10, 39), ("b", 70, 99)]


def test_a_drag_over_nothing_adds_and_a_double_click_asks_for_the_class(on_file: MainWindow) -> None:
    window = on_file
    drag(window, 20, 59.5)
    answer(window, "jump up")
    (segment,) = window.timelines.content.truth
    assert segment.name == "jump up" and abs(segment.start - 20) <= 1 and abs(segment.end - 59) <= 1
    QTest.mouseDClick(window.timeline.lanes, LEFT, NOTHING, at(window, 40))
    answer(window, "kick")
    assert [name for name, _, _ in truth(window)] == ["kick"]


def test_a_click_seeks_and_selects(on_file: MainWindow) -> None:
    window = on_file
    window.timelines.take((Segment("a", 10, 39),))
    QTest.mouseClick(window.timeline.lanes, LEFT, NOTHING, at(window, 25.5))
    assert abs(window.player.playback.frame() - 25) <= 1
    assert window.timelines.content.selected == Segment("a", 10, 39)
    QTest.mouseClick(window.timeline.lanes, LEFT, NOTHING, at(window, 80.5, "motion"))
    assert abs(window.player.playback.frame() - 80) <= 1 and window.timelines.content.selected is None


def test_segments_of_a_file_are_saved_beside_it_and_asked_about(on_file: MainWindow, file: Path, qtbot: Any) -> None:
    window = on_file
    assert not window.menus.action("timeline.save").isEnabled()
    window.timelines.take((Segment("a", 10, 39),))
    window.close()
    question = window.timelines.dialogs.question
    assert window.isVisible() and question is not None
    question.button(question.StandardButton.Cancel).click()
    assert window.isVisible() and truth(window) == [("a", 10, 39)]
    window.run_command("timeline.save")
    assert Path(f"{file}.segments.json").is_file() and not window.menus.action("timeline.save").isEnabled()
    window.run_command("file.clear")
    assert truth(window) == []
    window.timelines._files.clear()  # as after a new start
    window.opening.open_paths([file])
    qtbot.waitUntil(lambda: truth(window) == [("a", 10, 39)])


def test_a_file_with_problems_is_not_taken_and_every_line_is_named(on_project: MainWindow, tmp_path: Path) -> None:
    window = on_project
    window.timelines.take((Segment("a", 10, 39),))
    bad = tmp_path / "bad.csv"
    bad.write_text("class,start_frame,end_frame\nb,0,9\nb,x,3\nc,100,500\n")
    dialogs = window.timelines.dialogs
    dialogs.read(bad, window.timelines._annotation(()), window.timelines.take)
    assert dialogs.problems is not None
    text = dialogs.problems.text.toPlainText()
    assert [line.split(":")[0] for line in text.splitlines()] == ["line 3", "line 4"]
    assert truth(window) == [("a", 10, 39)]
    dialogs.problems.close()


@pytest.mark.parametrize("form", ["csv", "json", "elan", "audacity", "boris"])
def test_what_is_exported_comes_back(on_project: MainWindow, tmp_path: Path, form: str) -> None:
    window, path = on_project, tmp_path / f"out.{form}"
    mine = (Segment("a", 10, 39), Segment("b", 40, 99))
    window.timelines.take(mine)
    window.timelines.dialogs.write(path, window.timelines._annotation(mine), form)
    window.timelines.take(())
    window.timelines.dialogs.read(path, window.timelines._annotation(()), window.timelines.take)
    assert truth(window) == [("a", 10, 39), ("b", 40, 99)]


def test_zoom_scroll_and_follow(on_file: MainWindow) -> None:
    window, lanes = on_file, on_file.timeline.lanes
    axis = lanes.axis
    x = GUTTER + axis.width * 0.25
    before = axis.frame(x - GUTTER)
    turn = QWheelEvent(
        *(QPointF(x, 10), lanes.mapToGlobal(QPointF(x, 10)), QPoint(), QPoint(0, 360)),
        *(Qt.MouseButton.NoButton, Qt.KeyboardModifier.ControlModifier, Qt.ScrollPhase.NoScrollPhase, False),
    )
    QApplication.sendEvent(lanes, turn)
    assert axis.span < FRAMES and abs(axis.frame(x - GUTTER) - before) <= 1
    window.player.seek(FRAMES - 1)
    assert axis.first <= FRAMES - 1 < axis.first + axis.span, "the lanes follow the player"
    window.run_command("timeline.all")
    assert (axis.first, axis.span) == (0, FRAMES)


def test_lanes_are_painted_in_both_themes_with_everything_in_them(on_file: MainWindow) -> None:
    window = on_file
    scores = Scores(("a", "b"), 3, np.linspace(0, 1, 80, dtype=np.float32).reshape(40, 2))
    window.timelines.take((Segment("a", 0, 59), Segment("b", 30, 89)))
    found = (Segment("b", 60, 119, 0.5),)
    window.timelines._show(found=found, scores=scores, chosen=("a", "b"), until=100)
    pictures = []
    for theme in (LIGHT, DARK):
        window.timeline.set_theme(theme)
        pictures.append(window.timeline.lanes.grab().toImage())
        colour = window.timeline.colours.of("a")
        point = at(window, 10)
        assert pictures[-1].pixelColor(point.x(), point.y() + 9).name() == colour
    assert pictures[0] != pictures[1]


def test_the_axis_never_leaves_the_recording() -> None:
    axis = Axis(width=500)
    axis.load(108_000, 30.0)
    for factor, x in ((0.001, 400.0), (0.5, 0.0), (3.0, 500.0), (1e9, 250.0)):
        axis.zoom(factor, x)
        assert axis.first >= 0 and axis.first + axis.span <= 108_000 + 1e-6 and axis.span >= 20
    assert (axis.first, axis.span) == (0, 108_000)
    marks = axis.marks(64)
    assert marks[0] == 0 and marks[-1] <= 3600 and len(marks) <= 500 / 64 + 1
    axis.load(1, 30.0)
    axis.zoom(0.5, 10)
    assert (axis.first, axis.span, axis.frame(499)) == (0, 1, 0)


def test_colours_stay_and_text_on_them_can_be_read() -> None:
    colours = Colours()
    colours.meet(["a", "b"])
    assert colours.of("b") == PALETTE[1] and colours.of("A") == PALETTE[0] and colours.of("c") == PALETTE[2]
    colours.set_own({"b": "#123456"})
    assert colours.of("B") == "#123456"
    assert text_on("#000000") == "#ffffff" and text_on("#ffff00") == "#000000"


def test_a_search_is_kept_beside_the_truth_and_is_there_again(window: MainWindow, qtbot: Any, tmp_path: Path) -> None:
    """With the built-in model, in a process of its own: found, accepted, kept in the project, shown again later."""
    stream, _ = synthesise_stream([11, 6, 5], seed=2)
    other = recording(tmp_path / "other.npz")
    with Project.create(tmp_path / "study") as project:
        project.recordings.add([Incoming(replace(stream, name="long")), Incoming(other)])
    window.labels.set_text("bow\njump up\nsquat")
    window.opening.open_paths([tmp_path / "study"])
    qtbot.waitUntil(lambda: window.player.sequence is not None and window.timelines.can_edit)
    window.timelines.take((Segment("bow", 0, 9),))
    window.run_command("timeline.find")
    qtbot.waitUntil(lambda: not window.jobs.jobs and not window.session.is_busy)
    content = window.timelines.content
    assert content.until is None and content.scores is not None
    assert set(content.scores.names) == {"bow", "jump up", "squat"}
    assert content.found[0].start == 0 and content.found[-1].end == stream.frames - 1
    assert truth(window) == [("bow", 0, 9)], "what is found does not touch what is true"
    found = content.found
    window.timelines.accept()
    assert truth(window)[0] == ("bow", 0, 9) and truth(window)[-1][2] == stream.frames - 1
    assert window.session.project is not None
    (first, *rest) = window.session.project.labels.of(1)
    assert first.model == "" and {label.model for label in rest} == {"built-in model"}
    qtbot.waitUntil(lambda: "Frames right" in window.timeline.message.text())
    window.library.select_row(1)
    qtbot.waitUntil(lambda: window.player.sequence is not None and window.player.sequence.name == "stream")
    assert window.timelines.content.found == ()
    window.timelines._found.clear()  # as after a new start
    window.library.select_row(0)
    qtbot.waitUntil(lambda: window.timelines.content.found == found)
    assert len(truth(window)) > 1
