"""A project in the window: list, filter, label, split, import, undo, and open again."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from app_fakes import Driver, run_story
from patience import PATIENCE
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.dialogs.import_form import Looks, list_files, number, options_data, seen
from app.library.query import common_values, with_term
from app.library.split_form import fitting_presets, judge, numbers_text, parse_numbers
from app.library.table_model import COLUMNS
from app.main_window import MainWindow
from app.workers.tasks import InTurn
from flora_engine.datasets.catalogue import load_dataset
from flora_engine.datasets.importing import ImportOptions, import_folder, inspect_files
from flora_engine.datasets.split_checks import of_project
from flora_engine.demo import ACTIONS, synthesise
from flora_engine.errors import FloraError
from flora_engine.jobs import Job
from flora_engine.project import Incoming, Project
from flora_engine.project import store as store_module
from flora_engine.project.labels import Labels
from flora_engine.project.splits import Split, TrainRule, import_split
from flora_engine.readers.corrections import Correction
from flora_engine.skeleton import SkeletonSequence


@pytest.fixture
def project_folder(tmp_path: Path) -> Path:
    """Four classes, two subjects, two takes: sixteen recordings."""
    folder = tmp_path / "study"
    with Project.create(folder) as project:
        project.recordings.add(
            Incoming(synthesise(action, subject=subject, replication=take), ACTIONS[action].name)
            for action in range(4)
            for subject in (1, 2)
            for take in (1, 2)
        )
    return folder


def opened(window: MainWindow, qtbot: Any, folder: Path) -> Project:
    window.opening.open_paths([folder])
    qtbot.waitUntil(lambda: window.session.project is not None and window.player.sequence is not None)
    assert window.session.project is not None
    return window.session.project


def filtered(window: MainWindow, qtbot: Any, query: str, rows: int) -> None:
    window.library.filter.setText(query)
    qtbot.waitUntil(lambda: window.library.model.rowCount() == rows and not window.library.is_busy)


def test_the_whole_story(make_window: Callable[[], MainWindow], qtbot: Any, tmp_path: Path, recordings: Path) -> None:
    """Import, filter, label, split, undo, redo, reopen: as a user does it, through the window's own commands."""
    window = make_window()
    folder = tmp_path / "project"
    Project.create(folder).close()
    window.opening.open_paths([folder])
    qtbot.waitUntil(lambda: window.session.project is not None)
    assert window.session.project is not None
    window.opening.open_paths([recordings])  # a folder, with a project open: its import
    dialog = window.findChild(type(window.project_jobs.show_import([])))
    dialog.add_paths([recordings])
    qtbot.waitUntil(lambda: dialog.go_button.isEnabled() and not len(dialog.looks.waiting()))
    assert len(dialog.looks.files) == 5 and dialog.looks.readable == 4
    assert "1 unreadable" in dialog.summary.text()
    dialog.go()
    qtbot.waitUntil(lambda: bool(window.jobs.jobs))
    assert not window.session.project.writable, "the worker holds the lock meanwhile"
    qtbot.waitUntil(lambda: not window.jobs.jobs)
    qtbot.waitUntil(lambda: window.library.model.rowCount() == 4)
    assert window.session.project.writable and "4 added" in window.notice.text() and "1 failed" in window.notice.text()

    filtered(window, qtbot, "subject:1 -class:nothing", 4)
    window.library.view.selectAll()
    window.edits.set_class(window.library.selected_ids()[:2], "invented action")
    assert "invented action" in window.session.project.classes.names()
    filtered(window, qtbot, "class:invented", 2)
    window.run_command("library.undo")
    filtered(window, qtbot, "class:invented", 0)
    window.run_command("library.redo")
    filtered(window, qtbot, "class:invented", 2)

    window.run_command("library.splits")
    editor = window.edits.split_editor
    assert editor is not None
    qtbot.waitUntil(lambda: editor.classes.topLevelItemCount() == len(window.session.project.classes.names()))
    editor.show_split(Split(name="mine", unseen=(0,), train=TrainRule(by="fraction", fraction=0.5, seed=3)))
    qtbot.waitUntil(lambda: editor.judgement is not None and editor.judgement.split.name == "mine")
    window.session.project.splits.save(editor.split())
    editor.close()
    window.close()

    again = make_window()
    project = opened(again, qtbot, folder)
    assert project.splits.all()["mine"].unseen == (0,)
    assert len(project.table) == 4 and again.library.model.rowCount() == 4


def test_a_session_through_main(
    qapp: QApplication, project_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`flora gui PROJECT` twice: label, undo, split and close; the second time everything is as it was left."""
    monkeypatch.setenv("FLORA_SETTINGS", str(tmp_path / "settings.json"))
    monkeypatch.setattr("sys.excepthook", sys.excepthook)

    def shown(window: MainWindow) -> bool:
        return window.player.sequence is not None

    def label(window: MainWindow) -> bool:
        window.edits.set_class(window.library.selected_ids(), "first thought")
        window.edits.set_class(window.library.selected_ids(), "second thought")
        return True

    def undo(window: MainWindow) -> bool:
        window.run_command("library.undo")
        return window.session.project is not None and "second thought" not in window.session.project.classes.names()

    def split(window: MainWindow) -> bool:
        assert window.session.project is not None
        return window.session.project.splits.save(Split(name="mine", unseen=(0,), train=TrainRule(values=(1,))))

    driver = Driver(shown, label, undo, split)
    run_story(driver, str(project_folder))

    def as_left(window: MainWindow) -> bool:
        project = window.session.project
        assert project is not None
        return (
            project.classes.names()[-1] == "first thought"
            and project.table.class_of(0) == "first thought"
            and list(project.splits.all()) == ["mine"]
            and "Redo" in window.menus.action("library.redo").text()
        )

    driver = Driver(shown, as_left)
    run_story(driver, str(project_folder))


def test_selecting_plays_and_the_newest_wins(window: MainWindow, qtbot: Any, project_folder: Path) -> None:
    opened(window, qtbot, project_folder)
    for row in range(1, 14):
        window.library.select_row(row)
    name = window.library.model.index(13, [c.key for c in COLUMNS].index("name")).data()
    qtbot.waitUntil(lambda: window.player.sequence is not None and window.player.sequence.name == name)
    assert window.player.playback.playing
    window.close()
    assert not window.player.playback.playing


def test_arrow_keys_move_through_the_library(window: MainWindow, qtbot: Any, project_folder: Path) -> None:
    opened(window, qtbot, project_folder)
    window.library.select_row(0)
    window.library.view.setFocus()
    QTest.keyClick(window.library.view, Qt.Key.Key_Down)
    assert window.library.view.currentIndex().row() == 1
    QTest.keyClick(window.library.view, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert len(window.library.selected_ids()) == 2


def test_sorting_and_column_filters(window: MainWindow, qtbot: Any, project_folder: Path) -> None:
    project = opened(window, qtbot, project_folder)
    frames = [c.key for c in COLUMNS].index("frames")
    window.library.view.sortByColumn(frames, Qt.SortOrder.DescendingOrder)
    shown = window.library.model
    qtbot.waitUntil(lambda: shown.index(0, frames).data() == str(int(project.table.frames.max())))
    menu = window.library.header_menu([c.key for c in COLUMNS].index("subject"))
    texts = [action.text() for action in menu.actions()]
    assert texts[:2] == ["Subject: 1   (8)", "Subject: 2   (8)"]
    menu.actions()[0].trigger()
    qtbot.waitUntil(lambda: shown.rowCount() == 8)
    assert window.library.filter.text() == "subject:1"
    window.library.filter.setText("colour:red")
    qtbot.waitUntil(lambda: "no column" in window.library.problem.text())


def test_the_first_columns_fit_the_width_until_somebody_changes_them(
    window: MainWindow, qtbot: Any, project_folder: Path
) -> None:
    opened(window, qtbot, project_folder)
    library = window.library
    keys = [column.key for column in COLUMNS]

    def shown() -> list[str]:
        return [key for place, key in enumerate(keys) if not library.view.isColumnHidden(place)]

    for width, expected in ((1024, ["class", "name"]), (1600, ["class", "name", "subject", "frames"])):
        window.resize(width, 700)
        window.run_command("view.layout")
        qtbot.waitUntil(lambda expected=expected: shown() == expected)
        qtbot.waitUntil(lambda: library.view.horizontalHeader().length() == library.view.viewport().width())
        assert library.view.horizontalScrollBar().maximum() == 0
    menu = library.header_menu(0)
    columns = next(action.menu() for action in menu.actions() if action.menu() is not None)
    next(action for action in columns.actions() if action.text() == "Camera").trigger()
    window.resize(1024, 700)
    window.run_command("view.layout")
    qtbot.waitUntil(lambda: shown() == ["class", "name", "subject", "camera", "frames"])


def test_an_edit_keeps_the_selection(window: MainWindow, qtbot: Any, project_folder: Path) -> None:
    opened(window, qtbot, project_folder)
    window.library.select_row(3)
    chosen = window.library.selected_ids()
    window.edits.set_class(chosen, "something new")
    qtbot.waitUntil(lambda: "something new" in str(window.library.model.index(3, 0).data()))
    assert window.library.selected_ids() == chosen
    assert "something new" in window.menus.action("library.undo").text()
    window.run_command("library.remove")
    qtbot.waitUntil(lambda: window.library.model.rowCount() == 15)
    window.run_command("library.undo")
    qtbot.waitUntil(lambda: window.library.model.rowCount() == 16)


def test_a_second_window_reads_only_and_says_why(
    make_window: Callable[[], MainWindow], qtbot: Any, project_folder: Path
) -> None:
    with Project.open(project_folder, "write"):
        window = make_window()
        opened(window, qtbot, project_folder)
        assert "reading only" in window.notice.text()
        assert not window.menus.action("library.remove").isEnabled()


def test_statistics_follow_the_filter(window: MainWindow, qtbot: Any, project_folder: Path) -> None:
    opened(window, qtbot, project_folder)
    window.run_command("library.statistics")
    qtbot.waitUntil(lambda: window.statistics.counted is not None and window.statistics.counted.recordings == 16)
    filtered(window, qtbot, "subject:2", 8)
    qtbot.waitUntil(lambda: window.statistics.counted.recordings == 8)
    assert (
        window.statistics.summary.text().startswith("8 recordings") and "1 subject" in window.statistics.summary.text()
    )


def test_split_editor_counts_warns_saves_and_exports(
    window: MainWindow, qtbot: Any, project_folder: Path, tmp_path: Path
) -> None:
    project = opened(window, qtbot, project_folder)
    window.run_command("library.splits")
    editor = window.edits.split_editor
    assert editor is not None
    qtbot.waitUntil(lambda: editor.classes.topLevelItemCount() == 4)
    editor.show_split(Split(name="by subject", unseen=(1,), train=TrainRule(by="subject", values=(1,))))
    qtbot.waitUntil(lambda: "6 train · 2 test of unseen classes · 8 test" in editor.summary.text())
    assert editor.classes.topLevelItem(1).text(1) == "–" and editor.classes.topLevelItem(0).text(1) == "2"
    assert "No leak" in editor.findings.item(0).text() and editor.save_button.isEnabled()
    editor.save()
    assert project.splits.all()["by subject"].unseen == (1,)

    editor.classes.topLevelItem(0).setCheckState(0, Qt.CheckState.Checked)
    qtbot.waitUntil(lambda: "4 test of unseen classes" in editor.summary.text())
    editor.fields.values.setText("1, 2")
    qtbot.waitUntil(lambda: "part is empty" in editor.findings.item(0).text())
    assert not editor.save_button.isEnabled()
    editor.save()
    assert "not saved" in editor.message.text() and project.splits.all()["by subject"].unseen == (1,)
    editor.fields.values.setText("one")
    qtbot.waitUntil(lambda: "not a number" in editor.message.text())

    editor.fields.rule.setCurrentIndex(3)
    editor.fields.low_shot.setChecked(True)
    editor.fields.share.setValue(50)
    editor.export_to(tmp_path / "out" / "split.yaml")
    assert yaml.safe_load((tmp_path / "out" / "split.yaml").read_text())["low_shot"] == 0.5
    back = import_split(tmp_path / "out" / "split.yaml", project.classes.names())
    assert back == editor.split() and back.train.by == "fraction"

    window.run_command("library.undo")
    assert not project.splits.all()
    qtbot.waitUntil(lambda: editor.stored.count() == 0)


def test_classes_editor_edits_with_undo(window: MainWindow, qtbot: Any, project_folder: Path) -> None:
    project = opened(window, qtbot, project_folder)
    window.run_command("library.classes")
    editor = window.edits.classes_editor
    assert editor is not None
    before = project.classes.names()
    editor.table.item(0, 0).setText("renamed")
    assert project.classes.names()[0] == "renamed"
    editor.table.item(0, 1).setText("an arm goes up and down")
    assert project.classes.texts()["renamed"] == ("an arm goes up and down", "")
    editor.table.item(1, 0).setText("renamed")
    assert "taken" in editor.message.text() and project.classes.names()[1] == before[1]
    editor.new_name.setText("brand new")
    editor.add()
    assert "brand new" in project.classes.names()
    for _ in range(3):
        window.run_command("library.undo")
    assert project.classes.names() == before and not project.classes.texts()
    assert editor.table.item(0, 0).text() == before[0]


def test_a_single_file_plays_beside_the_project(
    window: MainWindow, qtbot: Any, project_folder: Path, recordings: Path
) -> None:
    opened(window, qtbot, project_folder)
    path = sorted(recordings.glob("S001*"))[-1]
    window.opening.open_paths([path])
    qtbot.waitUntil(lambda: "not in the project" in window.notice.text())
    assert window.player.sequence is not None and window.player.sequence.name == path.stem


def test_a_broken_project_is_told(window: MainWindow, qtbot: Any, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "project.sqlite").write_bytes(b"this is no database" * 100)
    window.opening.open_paths([tmp_path / "bad"])
    qtbot.waitUntil(lambda: "bad" in window.notice.text())
    assert window.session.project is None
    assert (tmp_path / "bad" / "project.sqlite").read_bytes().startswith(b"this is no database")


def test_a_large_project_does_not_hold_up_the_window(
    window: MainWindow, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "large"
    one = SkeletonSequence(np.ones((1, 1, 25, 3), np.float32), 30.0)
    with Project.create(folder) as project:
        numbers = np.arange(3_000, dtype=np.float32)
        project.recordings.add(
            Incoming(
                SkeletonSequence(
                    one.joints * number, 30.0, name=f"S{int(number):06d}", metadata={"subject": int(number) % 50 + 1}
                ),
                f"class {int(number) % 60}",
            )
            for number in numbers
        )
    opened(window, qtbot, folder)
    window.player.playback.pause()
    reads: list[object] = []
    load_table = store_module.load_table
    monkeypatch.setattr(store_module, "load_table", lambda *what: (reads.append(what), load_table(*what))[1])
    for query, rows in (("subject:7", 60), ("00123", 11), ("", 3_000)):
        filtered(window, qtbot, query, rows)
    assert not reads, "a filter does not read the table again"
    asked = 0
    model = window.library.model
    count_rows = model.rowCount

    def counted(*parent: Any) -> int:
        nonlocal asked
        asked += 1
        return count_rows(*parent)

    monkeypatch.setattr(model, "rowCount", counted)
    window.library.view.selectAll()
    window.library.view.horizontalHeader().repaint()
    assert asked < 3_000, "the header asks of no row whether it is selected"


def test_a_long_edit_does_not_hold_up_the_window(
    window: MainWindow, qtbot: Any, project_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = opened(window, qtbot, project_folder)
    window.player.playback.pause()
    window.library.view.selectAll()
    ids = window.library.selected_ids()
    assert sorted(ids) == project.table.ids.tolist()
    set_class, threads, may_go_on = Labels.set, [], threading.Event()

    def slowly(*what: Any) -> Any:
        threads.append(threading.get_ident())
        assert may_go_on.wait(PATIENCE)
        return set_class(*what)

    monkeypatch.setattr(Labels, "set", slowly)
    monkeypatch.setattr(InTurn, "patience", 0.03)
    window.edits.set_class(ids, "all the same")
    assert window.session.is_busy and not window.menus.action("library.undo").isEnabled()
    assert "Changing" in window.statusBar().currentMessage()
    may_go_on.set()
    qtbot.waitUntil(lambda: not window.session.is_busy)
    assert threads and threading.get_ident() not in threads
    qtbot.waitUntil(lambda: window.library.model.index(15, 0).data() == "all the same")
    assert window.menus.action("library.undo").isEnabled() and len(window.library.selected_ids()) == 16


def test_query_terms_are_replaced() -> None:
    assert with_term("wave subject:1", "subject", "2") == "wave subject:2"
    assert with_term('class:"sit down" wave', "class", None) == "wave"
    assert with_term("", "class", "=sit down") == 'class:"=sit down"'
    assert with_term("-subject:3", "subject", "1") == "subject:1"


def test_common_values_can_be_filtered_by(project_folder: Path) -> None:
    from flora_engine.project.filters import select

    with Project.open(project_folder) as project:
        for key in ("class", "subject", "camera", "layout", "source", "persons"):
            for value, count in common_values(project.table, key):
                assert len(select(project.table, with_term("", key, value))) == count
        assert common_values(project.table, "frames") == []


def test_number_lists() -> None:
    assert parse_numbers("3, 1-2; 7–8") == (1, 2, 3, 7, 8) and parse_numbers(" ") == ()
    assert numbers_text((8, 1, 2, 3, 7)) == "1-3, 7-8"
    for wrong in ("a", "3-1", "1-", "-4", "1-99999999"):
        with pytest.raises(FloraError):
            parse_numbers(wrong)


def test_presets_fit_a_project_of_that_data_set(tmp_path: Path) -> None:
    names = load_dataset("ntu60").class_names
    presets = fitting_presets(names)
    assert any("synse/ntu60_xsub_unseen5" in preset.title for preset in presets)
    assert any(preset.split.unseen == () for preset in presets)
    assert fitting_presets(("walk", "run")) == []
    with Project.create(tmp_path / "p") as project:
        project.classes.ensure(names)
        judgement = judge(presets[0].split, of_project(project))
    assert any(finding.level == "error" for finding in judgement.findings)


def inspected(folder: Path, options: ImportOptions) -> Looks:
    looks = list_files([folder], options).looks
    for row, found in enumerate(inspect_files(Job(), looks.files, options)):
        looks.put(row, seen(found, looks.files[row]), "")
    return looks


def test_the_look_before_an_import_advises_corrections(tmp_path: Path) -> None:
    from flora_engine.readers import write_npz

    for action in range(3):
        sequence = synthesise(action)
        lying = np.stack([sequence.joints[..., 0], -sequence.joints[..., 2], sequence.joints[..., 1]], axis=-1) * 100
        wrong = SkeletonSequence(lying.astype(np.float32), 30.0, name=sequence.name)
        write_npz(wrong, tmp_path / f"{sequence.name}.npz")
    advice = inspected(tmp_path, ImportOptions()).advice()
    assert advice is not None and advice.layout == "" and advice.correction == Correction(up="+z", scale=0.01)
    assert advice.text == "Correct: +z up, scale 0.01"
    assert inspected(tmp_path, ImportOptions(up="+z", scale=0.01)).advice() is None
    with Project.create(tmp_path / "project") as project:
        import_folder(Job(), project, [tmp_path], ImportOptions(up="+z", scale=0.01, processes=1))
        joints = project.recordings.read(int(project.table.ids[0])).joints
    np.testing.assert_allclose(joints, synthesise(0).joints, atol=1e-4)


def test_form_numbers_and_options() -> None:
    assert number(" 0,01 ", "scale") == 0.01 and number("", "scale") is None
    with pytest.raises(FloraError, match="scale"):
        number("big", "scale")
    assert options_data(ImportOptions(scale=0.01)) == {"labels_from": "names", "scale": 0.01}
    special = ImportOptions(by_layout={"kinect_v1": Correction(up="+z")}, by_file={Path("/r/a"): Correction(fps=15.0)})
    assert options_data(special) == {
        "labels_from": "names",
        "by_layout": {"kinect_v1": {"up": "+z"}},
        "by_file": {"/r/a": {"fps": 15.0}},
    }
