"""The window of runs: a live run from another process, a finished one, the table, comparisons, closing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from motion_archives import arrays_of, write_archive
from run_samples import keep_decisions, make_run, outcome, result

from app.main_window import MainWindow
from app.theme import LIGHT
from app.training.compare_page import as_text
from app.training.metrics import as_csv, drawn
from app.training.results_view import ResultsView
from app.training.run_page import RunPage
from app.training.runs_panel import changes_of
from app.training.window import TrainingWindow
from flora_engine.datasets.importing import ImportOptions, import_folder
from flora_engine.jobs import Job
from flora_engine.project import Project
from flora_engine.runs.events import History
from flora_engine.runs.folder import RunFolder
from flora_engine.runs.listing import Notes, row_of
from flora_engine.runs.queue import Queue
from flora_engine.runs.remaining import left, planned
from flora_engine.runs.results import read_result

_OTHER = """
import sys, time
from pathlib import Path
from flora_engine.jobs import Job
from flora_engine.runs.folder import RunFolder
run, job, step = RunFolder.open(Path(sys.argv[1])), Job(), 0
with run.recording(job), job.part("encoder joint"):
    job.emit("warning", text="careful with this")
    while True:
        step += 1
        job.emit("metric", name="joint/loss", step=step, value=1 / step)
        job.progress("training joint", step, 10**6)
        time.sleep(0.02)
"""


@pytest.fixture
def training(qtbot: Any, tmp_path: Path) -> TrainingWindow:
    window = TrainingWindow(tmp_path, Queue(tmp_path / "queue.json"))
    qtbot.addWidget(window)
    window.show()
    return window


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[tuple[RunFolder, subprocess.Popen[bytes]]]:
    """A run that another program trains."""
    run = RunFolder.create(tmp_path, "terminal", {"kind": "encoder", "encoder": {"streams": ["joint"]}})
    process = subprocess.Popen([sys.executable, "-c", _OTHER, str(run.path)], stderr=subprocess.DEVNULL)
    yield run, process
    process.kill()
    process.wait()


def shown(page: RunPage, title: str) -> bool:
    view = page.curves.views.get(title)
    return view is not None and view.isVisible() and bool(view.shown.curves)


def test_a_run_of_a_terminal_is_watched_paused_and_stopped(
    training: TrainingWindow, terminal: tuple[RunFolder, subprocess.Popen[bytes]], qtbot: Any
) -> None:
    run, process = terminal
    qtbot.waitUntil(run.is_running)
    page = training.open_run(run.path)
    qtbot.waitUntil(lambda: shown(page, "Encoder: loss"))
    qtbot.waitUntil(lambda: page.state == "running" and page.stop_button.isVisible())
    assert not page.resume_button.isVisible() and not page.use_button.isVisible()
    before = len(page.curves.views["Encoder: loss"].shown.curves[0].steps)
    qtbot.waitUntil(lambda: len(page.curves.views["Encoder: loss"].shown.curves[0].steps) > before)
    assert "encoder joint" in page.facts.text() and "GB" in page.facts.text()
    page.log.level.setCurrentIndex(1)
    assert [page.log.model.text(int(row), 2) for row in page.log.model.rows] == ["careful with this"]
    page.pause_button.click()
    qtbot.waitUntil(lambda: page.state == "paused")
    assert page.pause_button.text() == "Continue"
    page.pause_button.click()
    qtbot.waitUntil(lambda: page.state == "running")
    page.stop_button.click()
    qtbot.waitUntil(lambda: page.state == "stopped" and page.resume_button.isVisible())
    assert process.wait(60) != 0 and not page.pause_button.isVisible()
    with qtbot.waitSignal(page.resume_wanted) as wanted:
        page.resume_button.click()
    assert wanted.args == [run.path]


def test_a_killed_run_says_so(
    window: MainWindow, terminal: tuple[RunFolder, subprocess.Popen[bytes]], qtbot: Any
) -> None:
    run, _ = terminal
    qtbot.waitUntil(run.is_running)
    window.training.watch(run.path)
    page = window.training.window.page_of(run.path)
    assert page is not None
    qtbot.waitUntil(lambda: page.state == "running")
    page.cancel_button.click()
    qtbot.waitUntil(lambda: page.state == "interrupted")
    assert "resumes" in page.facts.text()
    window.training.cancel(run.path)
    assert "no process is working" in window.notice.text()
    window.training.window.close()


def test_a_finished_run_its_stages_smoothing_and_files(training: TrainingWindow, qtbot: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path, "good")
    page = training.open_run(run.path)
    assert training.open_run(run.path) is page, "one page per run"
    qtbot.waitUntil(lambda: page.state == "finished" and shown(page, "Flow: loss"))
    assert not page.stop_button.isVisible() and "70.0%" in page.results.toPlainText()
    assert len(page.curves.views["Flow: loss"].shown.curves) == 6
    item = page.stages._items["by person/encoder joint"]
    page.stages.setCurrentItem(item)
    assert "Flow: loss" not in page.curves.views and shown(page, "Encoder: accuracy")
    assert "✓" in item.text(0)
    view = page.curves.views["Encoder: loss"]
    raw = view._items[0].getData()[1].copy()
    page.curves.smoothing.setValue(90)
    assert (view._items[0].getData()[1] != raw).any() and len(view._items[0].getData()[1]) == len(raw)
    view.pointed.emit("epoch", 3.2)
    for title in ("Encoder: loss", "Encoder: accuracy"):
        assert page.curves.views[title].reading.text().startswith("epoch 3")
    for kind in ("csv", "png", "svg"):
        page.curves.export(tmp_path / f"curves.{kind}")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    drawing = ElementTree.parse(tmp_path / "curves.svg").getroot()
    assert len(list(drawing.iter("{http://www.w3.org/2000/svg}polyline"))) >= 7
    assert "base64" not in ElementTree.tostring(drawing).decode(), "lines, not a picture of them"
    lines = (tmp_path / "curves.csv").read_text().splitlines()
    assert lines[0] == "plot,curve,step,value" and len(lines) == 1 + 25 * 6


def test_what_a_run_decided_is_shown_and_plays(training: TrainingWindow, qtbot: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path, "good")
    keep_decisions(run.path / "by person")
    page = training.open_run(run.path)
    page.show_tab("Analysis")
    shown = page.analysis
    qtbot.waitUntil(lambda: shown.view is not None and not shown.is_busy and shown.body.isVisible())
    assert shown.head.currentText() == "flora" and shown.setting.currentData() == "gzsl"
    names = shown.confusion.names
    assert abs(names.index("walk") - names.index("run")) == 1, "like beside like"
    assert shown.list.rowCount() == 60 and shown.list.item(0, 3).text().startswith("-")
    shown.confusion.choose(names.index("walk"), names.index("run"))
    assert shown.confusion.reading.text() == "“walk” is taken for “run”: 33%"
    assert shown.list.rowCount() == 4 and {shown.list.item(row, 2).text() for row in range(4)} == {"run"}
    with qtbot.waitSignal(training.play_wanted) as wanted:
        shown.list.setCurrentCell(1, 0)
    assert wanted.args[0].startswith("/recordings/") and wanted.args[1] == shown.list.item(1, 0).text()
    row = next(row for row in range(shown.classes.rowCount()) if shown.classes.item(row, 0).text() == "walk")
    assert [shown.classes.item(row, column).text() for column in (1, 2, 3, 4)] == ["unseen", "12", "66.7%", "run (33%)"]
    shown.classes.setCurrentCell(row, 0)
    assert shown.list.rowCount() == 12
    assert shown.balance.chosen == [(1.0, pytest.approx(20 / 24))] and "0.61" in shown.balance.text.text()
    assert "PCA" in shown.map.text.text()
    with qtbot.waitSignal(training.play_wanted):
        shown.map.chosen.emit(3)
    assert shown.list.rowCount() == 1
    shown.setting.setCurrentIndex(shown.setting.findData("zsl"))
    qtbot.waitUntil(lambda: not shown.is_busy and sorted(shown.confusion.names) == ["run", "walk"])
    assert "nothing to balance" in shown.balance.text.text()
    for place in range(shown.tabs.count()):
        shown.tabs.setCurrentIndex(place)
        assert shown.as_csv().count("\n") >= 1
    page.set_theme(LIGHT)


def test_a_run_without_decisions_says_so(training: TrainingWindow, qtbot: Any, tmp_path: Path) -> None:
    page = training.open_run(make_run(tmp_path, "old").path)
    page.show_tab("Analysis")
    qtbot.waitUntil(lambda: page.state == "finished" and not page.analysis.is_busy)
    assert page.analysis.message.isVisible() and "train it again" in page.analysis.message.text()
    assert not page.analysis.body.isVisible()


LACKS = "To label, this run lacks the encoder that made its features: add it with `flora bundle RUN --encoder PATH`."
CANNOT = "This run cannot label: a model holds the head ensemble or flora, and the run trained neither."


@pytest.mark.parametrize(
    ("head", "to_label", "said"), [("flora", LACKS, "click “Add encoder…”"), ("eszsl", CANNOT, CANNOT)]
)
def test_a_run_without_a_model_says_what_is_missing(
    training: TrainingWindow, qtbot: Any, tmp_path: Path, head: str, to_label: str, said: str
) -> None:
    facts = {
        "kind": "flora",
        "benchmark": "star/ntu60_xsub_unseen5_split1",
        "texts": {},
        "low_shot": None,
        "samples": {},
    }
    run = make_run(tmp_path, "features", kind="flora", features="features.npz")
    run.write_result({**facts, "heads": {head: {"held-out": outcome(0.6)}}, "minutes": 1.0, "to_label": to_label})
    page = training.open_run(run.path)
    qtbot.waitUntil(page.lacks.isVisible)
    assert said in page.lacks.text() and page.encoder_button.isVisible() == (head == "flora")
    assert "flora bundle" not in page.lacks.text() + page.results.toPlainText(), "that is for the command line"
    assert head in page.results.toPlainText() and to_label not in page.results.toPlainText()
    wanted: list[Path] = []
    training.encoder_wanted.connect(wanted.append)
    page.encoder_button.click()
    assert wanted == [run.path]
    run.bundle.mkdir()
    (run.bundle / "manifest.json").write_text("{}")  # a terminal added it
    page.renew()
    qtbot.waitUntil(page.use_button.isVisible)
    assert not page.lacks.isVisible() and not page.encoder_button.isVisible()


def test_recordings_of_a_run_play_in_the_main_window(
    window: MainWindow, recordings: Path, qtbot: Any, tmp_path: Path
) -> None:
    file = min(recordings.glob("S*.skeleton"))
    window.opening.open_source(str(file), "one")
    qtbot.waitUntil(lambda: window.player.sequence is not None and window.player.sequence.name == file.stem)
    window.opening.open_source(str(tmp_path / "gone.skeleton"), "gone")
    assert "no longer at" in window.notice.text()
    window.opening.open_source("", "row 3")
    assert "trained from a feature file" in window.notice.text()
    with Project.create(tmp_path / "study") as project:
        import_folder(Job(), project, [file], ImportOptions(processes=1))
        id = int(project.table.ids[0])
    window.opening.open_source(f"{tmp_path / 'study'}#{id}", "one")
    qtbot.waitUntil(lambda: window.session.is_open(tmp_path / "study") and window.player.sequence is not None)


def test_a_recording_of_a_motion_archive_plays_in_the_main_window(
    window: MainWindow, qtbot: Any, tmp_path: Path
) -> None:
    archive = write_archive(tmp_path / "set.npz", arrays_of(["wave", "jump"], [0, 11]))
    window.opening.open_source(f"{archive}#4", "one")
    qtbot.waitUntil(lambda: window.player.sequence is not None and window.player.sequence.name == "r004")
    assert not window.notice.text() and not window.opening.can_ask_differently
    window.opening.open_source(f"{archive}#99", "gone")
    qtbot.waitUntil(lambda: "set.npz: has no recording 99" in window.notice.text())
    archive.unlink()
    window.opening.open_source(f"{archive}#4", "one")
    assert "no longer at" in window.notice.text()


def test_a_run_that_is_damaged_or_gone(training: TrainingWindow, qtbot: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path, "odd")
    (run.path / "result.json").write_text("{")
    page = training.open_run(run.path)
    qtbot.waitUntil(lambda: page.state == "finished")
    assert "cannot read the result" in page.results.toPlainText()
    gone = training.open_run(tmp_path / "nowhere")
    qtbot.waitUntil(lambda: gone.state == "new")
    assert gone.curves.empty.isVisible()


def test_the_table_of_runs(training: TrainingWindow, qtbot: Any, tmp_path: Path) -> None:
    runs = [make_run(tmp_path, name, zsl=zsl) for name, zsl in (("a", 0.5), ("b", 0.9), ("c", 0.7))]
    make_run(tmp_path, "half", finished=False)
    panel = training.runs
    panel.look()
    qtbot.waitUntil(lambda: panel.model.rowCount() == 4)
    panel.view.sortByColumn(7, panel.view.horizontalHeader().sortIndicatorOrder().DescendingOrder)
    names = [panel.model.run_at(place).path for place in range(3)]
    assert names == [runs[1].path, runs[2].path, runs[0].path]
    assert changes_of(panel.model.run_at(0)) == "epochs 25", "streams, folds and seeds are the defaults or columns"
    lines = panel.as_csv().splitlines()
    assert lines[0].startswith("Name,State,Data") and "90.0% ± 1.2%" in lines[1] and len(lines) == 5
    panel.filter.setText("finished nearest")
    assert panel.model.rowCount() == 3
    panel.set_notes(runs[0].path, Notes(title="the first", tags=("paper",), text="keep"))
    panel.filter.setText("paper")
    qtbot.waitUntil(lambda: panel.model.rowCount() == 1)

    def chosen() -> bool:  # a look at the folder that ends in between takes the selection with it
        panel.view.selectRow(0)
        return bool(panel.selected())

    qtbot.waitUntil(chosen)
    assert panel.selected()[0].name == "the first" and not panel.compare_button.isEnabled()
    panel.remove_selected()
    qtbot.waitUntil(lambda: panel.model.rowCount() == 0)
    assert not runs[0].path.exists() and panel.undo_button.isVisible()
    panel.undo()
    qtbot.waitUntil(lambda: panel.model.rowCount() == 1)
    with runs[0].hold():
        panel.view.selectRow(0)
        panel.remove_selected()
        assert "running" in panel.message.text() and runs[0].path.exists()


def test_runs_side_by_side(training: TrainingWindow, qtbot: Any, tmp_path: Path) -> None:
    rows = [row_of(make_run(tmp_path, name, zsl=zsl, heads=[name])) for name, zsl in (("flora", 0.5), ("eszsl", 0.6))]
    page = training.compare(rows)
    qtbot.waitUntil(lambda: bool(page.curves.views))
    labels = [curve.label for curve in page.curves.views["Encoder: loss"].shown.curves]
    assert any(label.startswith("flora ") for label in labels) and any(label.startswith("eszsl ") for label in labels)
    assert [page.settings.item(0, column).text() for column in range(3)] == ["heads", '["flora"]', '["eszsl"]']
    texts = [page.results.item(row, 2).text() for row in range(page.results.rowCount())]
    assert "60.0% ± 1.2%" in texts
    rows = {page.differences.item(row, 0).text(): row for row in range(page.differences.rowCount())}
    assert page.differences.item(rows["by person, flora, held-out: ZSL"], 2).text() == "+10.0 ± 0.0 (2 seeds)"
    page.base.setCurrentIndex(1)
    row = next(
        row
        for row in range(page.differences.rowCount())
        if "flora, held-out: ZSL" in page.differences.item(row, 0).text()
    )
    assert [page.differences.item(row, column).text() for column in (1, 2)] == ["-10.0 ± 0.0 (2 seeds)", ""]
    assert as_text(page.settings).splitlines()[0] == ",flora,eszsl"


def test_what_is_left_is_learned_from_what_is_done(tmp_path: Path) -> None:
    run = make_run(tmp_path, "half", finished=False)
    history, config = History(run.path), run.config()
    assert left(history, config) is None
    history.refresh()
    assert planned(config) == ["by person/" + name for name in ("encoder joint", "features", "flora", "nearest_mean")]
    found = left(history, config)
    assert found is not None and not found.complete, "nobody knows how long nearest_mean takes"
    assert found.seconds == pytest.approx(9 * (6 - 2 + 2)), "four folds of nine seconds, and two seeds"
    plots = drawn(history)
    assert [each.plot.title for each in plots][:3] == ["Encoder: loss", "Encoder: accuracy", "Alignment: loss"]
    assert [curve.label for curve in plots[0].curves] == ["joint train", "joint held out"]
    assert len({curve.label for curve in plots[2].curves}) == 3
    assert as_csv(plots[:1]).count("\n") == 51


def test_the_page_of_a_new_run_opens_when_it_starts(window: MainWindow, qtbot: Any, tmp_path: Path) -> None:
    """A start that fails says so and leaves nothing."""
    job = window.training.start("Train nothing", {"resume": str(tmp_path / "none"), "out": str(tmp_path)})
    ended: list[object] = []
    job.ended.connect(ended.append)
    qtbot.waitUntil(lambda: bool(ended) and "not a run" in window.notice.text())
    assert window.notice.action().isHidden()
    assert window.training.may_close() and Job() is not None


def test_results_in_a_narrow_window_break_no_word(qtbot: Any) -> None:
    view = ResultsView()
    qtbot.addWidget(view)
    view.show_result(None)
    assert "when the run has finished" in view.toPlainText()
    view.resize(400, 300)
    view.show()
    view.show_result(read_result(result(0.6)))
    assert view.horizontalScrollBar().maximum() > 0
    block, broken = view.document().begin(), []
    while block.isValid():
        text, layout = block.text(), block.layout()
        starts = [layout.lineAt(line).textStart() for line in range(1, layout.lineCount())]
        broken += [text for start in starts if text[start - 1] not in " -"]
        block = block.next()
    assert not broken
